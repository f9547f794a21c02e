"""The demo page; needs the extra `demo`.

`choices.py` is what a visitor can choose and `visitors_clip.py` what they send, `drawing.py` and
`figures.py` show its `Trip`, and `layout.py` is the page itself. Only that one knows Gradio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .choices import Choices
    from .layout import build_page, launch

__all__ = ["Choices", "build_page", "launch"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"Choices": "choices", "build_page": "layout", "launch": "layout"},
)
