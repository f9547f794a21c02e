"""A clip's tokens under its spectrogram, as a picture of the page (SVG) that scrolls sideways.

A picture of fixed scale stays sharp and legible on a phone, where one that shrinks would not, and
takes the colours of a light or a dark page.

Axis letters: K = codebooks, T = frames, L = tokens, M = mel bands.
"""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...evaluation.clip_plot import RANGE_DB, log_mel, mel_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...evaluation.clip_tokens import ClipTokens

__all__ = ["draw_clip", "length_style"]

_MEL = 190
"""The spectrogram's height in pixels; those below it are the codes' and the time axis's."""
_GAP, _TIME, _MARGIN = 8, 30, 46
_FRAME = 11
"""A frame's width in pixels, if a second then fits the limits that follow."""
_FEWEST, _MOST, _PAGE = 90, 700, 1080
_MOST_COLUMNS = 8000
_TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2)


def draw_clip(clip: ClipTokens) -> str:
    """HTML: the axes, and the picture beside them.

    Every code is a cell, coloured by how many codes its token holds. Lines separate tokens; where
    one separates all codebooks, so that no token spans two frames, it runs through the spectrogram
    too.
    """
    seconds = max(clip.frame_borders[-1], len(clip.waveform) / clip.sampling_rate)
    frames = len(clip.frame_borders) - 1
    scale = max(_PAGE / seconds, np.clip(_FRAME * frames / seconds, _FEWEST, _MOST))
    row = float(np.clip(176 // clip.num_codebooks, 7, 40))
    height = _MEL + _GAP + row * clip.num_codebooks + _TIME
    picture = "".join(
        [
            _spectrogram(clip, seconds * scale),
            *_cells(clip, scale, row),
            _borders(clip, scale, row),
            *_time_axis(seconds, scale, height),
        ]
    )
    label = f"Spectrogram of {seconds:.1f} s of sound, with {len(clip.lengths):,} tokens below it"
    return (
        f'<div class="drawing"><svg class="axis" width="{_MARGIN}" height="{height:g}">'
        f"{''.join(_labels(clip, row))}</svg>"
        f'<div class="scroll" tabindex="0"><svg role="img" aria-label="{label}" '
        f'width="{seconds * scale:.0f}" height="{height:g}">{picture}</svg></div></div>'
    )


def length_style(length: int, longest: int) -> str:
    """The colours, on a light and on a dark page, of a token by how many codes it holds."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if length == 1:
        return ""
    share = np.log(length) / np.log(max(longest, 2))  # most tokens are short: tell those apart
    light, dark = colormaps["viridis"]([0.92 * (1 - share), 0.25 + 0.75 * share])
    return f"--light:{to_hex(light)};--dark:{to_hex(dark)}"


def _spectrogram(clip: ClipTokens, width: float) -> str:
    """Ink on nothing: how much of it there is says how loud it is."""
    from PIL import Image

    end = len(clip.waveform) / clip.sampling_rate
    bands = log_mel(clip, 0.0, end)[::-1]
    bands = bands[:, :: -(-bands.shape[1] // _MOST_COLUMNS)]
    ink = np.clip(1 + bands / RANGE_DB, 0, 1) * bool(clip.waveform.any())
    pixels = np.zeros((*ink.shape, 2), dtype=np.uint8)
    pixels[..., 1] = 255 * ink
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    width *= end / max(end, clip.frame_borders[-1])
    return (
        f'<image width="{width:.1f}" height="{_MEL}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{b64encode(file.getvalue()).decode()}"/>'
    )


def _cells(clip: ClipTokens, scale: float, row: float) -> Iterator[str]:
    """One path of cells for each length of tokens."""
    longest = int(clip.lengths.max())
    x = (clip.frame_borders * scale).round(1)
    grid = clip.length_of_code
    for length in np.unique(grid).tolist():
        parts = [
            f"M{x[t]:g} {_MEL + _GAP + row * k:g}H{x[t + 1]:g}v{row * n:g}H{x[t]:g}z"
            for t, k, n in _runs(grid == length)
        ]
        style = length_style(length, longest)
        yield f'<path class="cell" style="{style}" d="{"".join(parts)}"/>'


def _runs(chosen: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Runs of chosen cells `[K, T]` down each frame: the frame, the first codebook, how many."""
    edges = np.diff(np.pad(chosen.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (frames, starts), (_, ends) = np.nonzero(edges == 1), np.nonzero(edges == -1)
    yield from zip(frames.tolist(), starts.tolist(), (ends - starts).tolist(), strict=True)


def _borders(clip: ClipTokens, scale: float, row: float) -> str:
    """Lines between tokens, and through the spectrogram where no token goes on."""
    x = (clip.frame_borders * scale).round(1)
    top = _MEL + _GAP
    tokens = clip.token_of_code
    below, beside = tokens[1:] != tokens[:-1], tokens[:, 1:] != tokens[:, :-1]
    lines = [f"M{x[t]:g} {top + row * (k + 1):g}H{x[t + 1]:g}" for k, t in np.argwhere(below)]
    lines += [f"M{x[t + 1]:g} {top + row * k:g}v{row * n:g}" for t, k, n in _runs(beside)]
    whole = [f"M{x[t + 1]:g} 0V{_MEL:g}" for (t,) in np.argwhere(beside.all(axis=0))]
    return (
        f'<path class="border" d="{"".join(lines)}"/><path class="through" d="{"".join(whole)}"/>'
    )


def _time_axis(seconds: float, scale: float, height: float) -> Iterator[str]:
    step = next((step for step in _TICK_SECONDS if step * scale >= 64), _TICK_SECONDS[-1])
    for tick in np.arange(0, seconds, step):
        anchor = "start" if tick == 0 else "middle"
        yield (
            f'<path class="tick" d="M{tick * scale:.1f} {height - _TIME:g}v5"/>'
            f'<text x="{tick * scale:.1f}" y="{height - 10:g}" text-anchor="{anchor}">'
            f"{tick:g} s</text>"
        )


def _labels(clip: ClipTokens, row: float) -> Iterator[str]:
    """Frequencies in kHz, and the numbers of codebooks."""
    free = float(_MEL)
    for name, share in mel_ticks(clip.sampling_rate).items():
        y = _MEL * (1 - share)
        if y <= free - 14 or share == 0:
            free = y
            yield _label(name, max(y, 6))
    yield _title("kHz", _MEL / 2)
    codes = row * clip.num_codebooks
    step = -(-14 // int(row))
    for k in range(0, clip.num_codebooks, step):
        yield _label(str(k + 1), _MEL + _GAP + row * (k + 0.5))
    yield _title("codebook" if codes > 60 else "", _MEL + _GAP + codes / 2)


def _label(text: str, y: float) -> str:
    return f'<text x="{_MARGIN - 6}" y="{y:.1f}" dy=".35em" text-anchor="end">{text}</text>'


def _title(text: Any, y: float) -> str:
    return f'<text class="title" transform="translate(10 {y:.1f}) rotate(-90)">{text}</text>'
