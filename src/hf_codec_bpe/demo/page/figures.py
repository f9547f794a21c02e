"""What the page says of a clip, as HTML: figures, a legend, the first tokens, messages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .drawing import length_style

if TYPE_CHECKING:
    from .trip import Trip

__all__ = ["error_message", "key_figures", "legend", "note", "token_chips"]

_MOST_SWATCHES = 10
_NUM_CHIPS = 60


def key_figures(trip: Trip) -> str:
    """A row of the numbers that matter."""
    per_second = trip.num_tokens / trip.seconds
    merged = trip.token_bits_per_second
    shown = [
        ("Tokens per second", f"{per_second:,.1f}", "tokens-per-second"),
        ("Tokens", f"{trip.num_tokens:,}", "tokens"),
        ("Codes per token", f"{trip.compression:.2f}", "compression"),
        ("Codes per second", f"{trip.num_codes / trip.seconds:,.1f}", "codes-per-second"),
        ("kbit/s as codes", f"{trip.code_bits_per_second / 1000:.2f}", "code-bits"),
        ("kbit/s as tokens", "-" if merged is None else f"{merged / 1000:.2f}", "token-bits"),
        ("Seconds", f"{trip.seconds:.2f}", "seconds"),
    ]
    cells = "".join(
        f'<div><dt>{name}</dt><dd id="{place}">{value}</dd></div>' for name, value, place in shown
    )
    return f'<dl class="figures">{cells}</dl>'


def note(trip: Trip, reads: int | None) -> str:
    """What to know about these figures, where the tokenizer's `reads` codebooks are not in use."""
    used = len(trip.codebook_sizes)
    if reads is None or trip.ids is not None:
        return ""
    return (
        f'<p class="note">The tokenizer reads the codes of {_codebooks(reads)} in turn. With '
        f"{_codebooks(used)} it cannot be used, so here every code is a token.</p>"
    )


def legend(trip: Trip) -> str:
    """Which colour stands for which length, and how many tokens have it."""
    lengths, counts = np.unique(trip.clip.lengths, return_counts=True)
    shown = np.unique(np.linspace(0, len(lengths) - 1, _MOST_SWATCHES).round().astype(int))
    longest = int(lengths[-1])
    swatches = "".join(
        f'<li><i style="{length_style(length, longest)}"></i>{length}'
        f"<small>{count / trip.num_tokens:.0%}</small></li>"
        for length, count in zip(lengths[shown].tolist(), counts[shown].tolist(), strict=True)
    )
    return f'<div class="legend"><span>Codes in a token</span><ul>{swatches}</ul></div>'


def token_chips(trip: Trip) -> str:
    """The ids of the first tokens, in the colours of their lengths."""
    if trip.ids is None:
        return ""
    longest = int(trip.clip.lengths.max())
    chips = "".join(
        f'<li style="{length_style(length, longest)}" title="{length} codes">{token}</li>'
        for token, length in zip(
            trip.ids[:_NUM_CHIPS], trip.clip.lengths[:_NUM_CHIPS].tolist(), strict=True
        )
    )
    rest = trip.num_tokens - _NUM_CHIPS
    more = f'<li class="more">and {rest:,} more</li>' if rest > 0 else ""
    return f'<div class="tokens"><span>Ids of the tokens</span><ul>{chips}{more}</ul></div>'


def error_message(error: Exception) -> str:
    """An error as a sentence of the page."""
    return f'<p class="error" role="alert">{escape(str(error))}</p>'


def _codebooks(count: int) -> str:
    return f"{count} codebook{'' if count == 1 else 's'}"
