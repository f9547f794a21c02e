"""Gradio, which is there with the extra `demo` only."""

from __future__ import annotations

import os
from typing import Any

from ...errors import MissingDependencyError

__all__ = ["require_gradio"]


def require_gradio() -> Any:
    """The package `gradio`, told to send no statistics and to ask nobody for its newest version.

    Raises:
        MissingDependencyError: Gradio is not installed.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when it is imported
    try:
        import gradio
    except ImportError as error:
        raise MissingDependencyError(
            "The demo page needs Gradio: pip install 'hf-codec-bpe[demo]'."
        ) from error
    return gradio
