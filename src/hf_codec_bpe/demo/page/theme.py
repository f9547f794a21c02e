"""Colours, fonts and corners of the page; `style.css` says the rest."""

from __future__ import annotations

from typing import Any

from .gradio_import import require_gradio

__all__ = ["make_theme"]

_PLAIN_LABELS = {
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
    "block_label_border_width": "0px",
    "block_label_border_width_dark": "0px",
    "block_label_shadow": "none",
    "block_label_text_color": "*body_text_color",
    "block_label_text_color_dark": "*body_text_color",
    "block_title_text_color": "*body_text_color",
    "block_title_text_color_dark": "*body_text_color",
}


def make_theme() -> Any:
    """A quiet theme for light and dark pages, in fonts that every system has."""
    gr = require_gradio()
    theme = gr.themes.Default(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="zinc",
        radius_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_shadow="none",
        block_shadow_dark="none",
        **_PLAIN_LABELS,
    )
