"""A clip's tokens over its mel spectrogram; needs matplotlib, the extra `report`.

Axis letters: K = codebooks, T = frames, L = tokens, M = mel bands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .clip_tokens import ClipTokens
from .plots import figure, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RANGE_DB", "log_mel", "mel_ticks", "plot_clip"]

_UNMERGED = "#dfe2e6"
_TICKS_HZ = (0, 250, 500, 1000, 2000, 4000, 8000, 16000)
RANGE_DB = 70.0


@picture
def plot_clip(clip: ClipTokens, num_frames: int = 60) -> Figure:
    """The loudest part of a clip, so many frames long: its spectrogram, and its codes below.

    Every code is a cell, coloured by how many codes its token holds. White lines separate tokens;
    where one separates all codebooks, so that no token spans two frames, it runs through the
    spectrogram too.
    """
    part = _loudest(clip, num_frames)
    seconds = clip.frame_borders[part.start : part.stop + 1]
    fig, (mel, codes) = figure(7.2, 4.6, rows=2, ratios=(3, 2))
    _draw_mel(mel, clip, seconds)
    colours = _draw_codes(codes, clip, part)
    codes.set_xlim(seconds[0], seconds[-1])
    codes.set_xlabel("time, s")
    bar = fig.colorbar(colours, ax=[mel, codes], pad=0.015, aspect=32)
    longest = round(colours.norm.vmax)
    bar.set_ticks(range(1, longest + 1, -(-longest // 12)))
    bar.ax.minorticks_off()
    bar.set_label("codes in the token")
    bar.outline.set_visible(False)
    return fig


def _loudest(clip: ClipTokens, num_frames: int) -> range:
    """The run of frames with the most energy."""
    samples = np.minimum(clip.frame_borders * clip.sampling_rate, len(clip.waveform)).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.square(clip.waveform, dtype=np.float64))])[samples]
    length = min(num_frames, len(energy) - 1)
    start = int(np.argmax(energy[length:] - energy[: len(energy) - length]))
    return range(start, start + length)


def _draw_mel(axes: Axes, clip: ClipTokens, seconds: npt.NDArray[np.float64]) -> None:
    axes.imshow(
        log_mel(clip, seconds[0], seconds[-1]),
        extent=(seconds[0], seconds[-1], 0, 1),
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=-RANGE_DB,
        vmax=0,
        interpolation="bilinear",
    )
    ticks = mel_ticks(clip.sampling_rate)
    axes.set_yticks(list(ticks.values()), list(ticks))
    axes.set_ylabel("frequency, kHz (mel)")
    axes.tick_params(bottom=False)


def mel_ticks(sampling_rate: int) -> dict[str, float]:
    """Frequencies in kHz, and where they are on the mel scale, from 0 to 1 for the highest."""
    from transformers.audio_utils import hertz_to_mel

    top = hertz_to_mel(sampling_rate / 2, "htk")
    shown = [hz for hz in _TICKS_HZ if hz <= sampling_rate / 2]
    return {f"{hz / 1000:g}": float(hertz_to_mel(hz, "htk") / top) for hz in shown}


def log_mel(clip: ClipTokens, start: float, end: float) -> npt.NDArray[np.float64]:
    """Mel bands `[M, columns]` in dB below the loudest."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    rate = clip.sampling_rate
    window = 2 ** round(np.log2(0.04 * rate))
    filters = mel_filter_bank(window // 2 + 1, 80, 0.0, rate / 2, rate, norm=None, mel_scale="htk")
    samples = clip.waveform[int(start * rate) : int(end * rate)]
    samples = np.pad(samples, (0, max(0, window - len(samples))))
    bands: npt.NDArray[np.float64] = spectrogram(
        samples.astype(np.float64),
        window_function(window, "hann"),
        frame_length=window,
        hop_length=max(1, rate // 400),
        power=2.0,
        mel_filters=filters,
        mel_floor=1e-10,
        log_mel="dB",
    )
    return bands - bands.max()


def _draw_codes(axes: Axes, clip: ClipTokens, part: range) -> Any:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.ticker import MaxNLocator

    lengths = clip.length_of_code[:, part.start : part.stop]
    seconds = clip.frame_borders[part.start : part.stop + 1]
    longest = max(2, int(clip.lengths.max()))
    merged = colormaps["viridis_r"](np.linspace(0.1, 1, longest - 1))
    cells = axes.pcolormesh(
        seconds,
        np.arange(clip.num_codebooks + 1) + 0.5,
        lengths,
        cmap=ListedColormap([_UNMERGED, *merged]),
        norm=BoundaryNorm(np.arange(longest + 1) + 0.5, longest),
    )
    _draw_borders(axes, clip.token_of_code[:, part.start : part.stop], seconds)
    axes.set_ylim(clip.num_codebooks + 0.5, 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_ylabel("codebook")
    axes.tick_params(left=False)
    return cells


def _draw_borders(
    axes: Axes, tokens: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]
) -> None:
    """White lines between codes `[K, T]` of different tokens."""
    for k, t in np.argwhere(tokens[1:] != tokens[:-1]):
        axes.plot(seconds[t : t + 2], [k + 1.5] * 2, color="white", linewidth=0.8)
    for k, t in np.argwhere(tokens[:, 1:] != tokens[:, :-1]):
        axes.plot([seconds[t + 1]] * 2, [k + 0.5, k + 1.5], color="white", linewidth=0.8)
