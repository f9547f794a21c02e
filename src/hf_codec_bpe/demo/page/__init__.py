"""The demo page; needs the extra `demo`.

`choices.py` is what a visitor can choose, `trip.py` takes a clip there and back, `drawing.py` and
`figures.py` show it, and `layout.py` is the page itself. Only that one knows Gradio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .choices import Choices
    from .layout import build_page, launch
    from .trip import Trip, round_trip

__all__ = ["Choices", "Trip", "build_page", "launch", "round_trip"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Choices": "choices",
        "Trip": "trip",
        "build_page": "layout",
        "launch": "layout",
        "round_trip": "trip",
    },
)
