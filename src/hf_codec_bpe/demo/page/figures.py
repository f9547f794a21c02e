"""What the page says of a clip, as HTML: figures, a legend, the first tokens, messages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .drawing import length_style

if TYPE_CHECKING:
    from ..trip import Trip

__all__ = ["NOTHING_YET", "error_message", "key_figures", "legend", "note", "token_chips"]

NOTHING_YET = (
    '<div class="empty"><i></i><p>Its tokens will be here.<br>'
    "<small>Record yourself, drop a file, or try the bundled clip.</small></p></div>"
)
"""What the page shows in place of a clip."""

_MOST_SWATCHES = 10
_NUM_CHIPS = 60


def key_figures(trip: Trip) -> str:
    """How many tokens a second takes, and how long these are beside bare codes."""
    bars = _bar("codes", trip.num_codes, trip.code_bits_per_second, trip)
    lengths = "one for each code"
    if trip.token_bits_per_second is not None:
        bars += _bar("tokens", trip.num_tokens, trip.token_bits_per_second, trip)
        lengths = f'<span id="compression">{trip.compression:.2f}</span> codes in each on average'
    return (
        '<div class="figures"><p class="headline">'
        f'<b id="headline">{trip.tokens_per_second:,.1f}</b> tokens per second'
        f'<small><span id="tokens">{trip.num_tokens:,}</span> tokens for '
        f'<span id="seconds">{trip.seconds:.2f}</span> s of sound, {lengths}</small></p>'
        f'<div class="bars">{bars}</div></div>'
    )


def _bar(name: str, count: int, bits_per_second: float, trip: Trip) -> str:
    """How many there are in a second, of the most that the codec makes; and the bits they take."""
    per_second = count / trip.seconds
    share = min(1.0, per_second / trip.most_codes_per_second)
    return (
        f'<span>{name}</span><div><i class="{name}-bar" style="width:{share:.1%}"></i></div>'
        f'<b id="{name}-per-second">{per_second:,.1f}<small> per s</small></b>'
        f'<b id="{name}-bits">{bits_per_second / 1000:.2f}<small> kbit/s</small></b>'
    )


def note(trip: Trip, reads: int | None) -> str:
    """What to know about these figures, where the tokenizer's `reads` codebooks are not in use."""
    if reads is None or trip.ids is not None:
        return ""
    needed, used = _counted(reads, "codebook"), _counted(len(trip.codebook_sizes), "codebook")
    return (
        f'<p class="note">The tokenizer reads the codes of {needed} in turn. With {used} it cannot '
        "be used, so here every code is a token.</p>"
    )


def legend(trip: Trip) -> str:
    """Which colour stands for which length, and how many tokens have it."""
    lengths, counts = np.unique(trip.clip.lengths, return_counts=True)
    shown = np.unique(np.linspace(0, len(lengths) - 1, _MOST_SWATCHES).round().astype(int))
    longest = int(lengths[-1])
    swatches = "".join(
        f'<li><i style="{length_style(length, longest)}"></i>{length}'
        f"<small>{_percent(count / trip.num_tokens)}</small></li>"
        for length, count in zip(lengths[shown].tolist(), counts[shown].tolist(), strict=True)
    )
    return f'<div class="legend"><span>Codes in a token</span><ul>{swatches}</ul></div>'


def token_chips(trip: Trip) -> str:
    """The ids of the first tokens, in the colours of their lengths."""
    if trip.ids is None:
        return ""
    longest = int(trip.clip.lengths.max())
    chips = "".join(
        f'<li style="{length_style(length, longest)}" title="{_counted(length, "code")}">'
        f"{token}</li>"
        for token, length in zip(
            trip.ids[:_NUM_CHIPS], trip.clip.lengths[:_NUM_CHIPS].tolist(), strict=True
        )
    )
    rest = trip.num_tokens - _NUM_CHIPS
    more = f'<li class="more">and {rest:,} more</li>' if rest > 0 else ""
    return f'<div class="tokens"><span>Token ids</span><ul>{chips}{more}</ul></div>'


def error_message(error: Exception) -> str:
    """An error as a sentence of the page."""
    return f'<p class="error" role="alert">{escape(str(error))}</p>'


def _percent(share: float) -> str:
    return "&lt;1%" if share < 0.01 else f"{share:.0%}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
