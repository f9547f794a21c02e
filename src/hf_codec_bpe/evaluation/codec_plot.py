"""Quality over bits per second, codecs side by side; needs matplotlib, the extra `report`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .codec_figures import CodecReport
from .plots import BLUE, VERMILION, figure, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_codecs"]

_COLOURS = (BLUE, VERMILION, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's."""


@picture
def plot_codecs(reports: Sequence[CodecReport]) -> Figure:
    """PESQ and STOI over bits per second: a curve for each codec, a point for each number of
    codebooks. A hollow point is the same sound as BPE tokens.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    fig, panels = figure(7.2, 5.6, rows=2)
    for axes, metric, title in zip(
        panels,
        ("pesq", "stoi"),
        ("PESQ, wide band (4.64 is the best)", "STOI (1 is the best)"),
        strict=True,
    ):
        for at, report in enumerate(reports):
            _draw(axes, report, metric, _COLOURS[at % len(_COLOURS)], above=at % 2 == 0)
        axes.set_title(title)
        axes.grid(which="major")
        axes.margins(0.06, 0.18)
    x = panels[-1].xaxis
    panels[-1].set_xscale("log")
    x.set_major_locator(LogLocator(subs=(1, 2, 5)))
    x.set_major_formatter("{x:,.0f}")
    x.set_minor_formatter(NullFormatter())
    panels[-1].set_xlabel("bits per second (numbers at points: codebooks in use)")
    if panels[-1].lines:
        panels[-1].legend(loc="best")
    return fig


def _draw(axes: Axes, report: CodecReport, metric: str, colour: str, above: bool) -> None:
    points = [
        (each.bits_per_second, value, each.num_codebooks)
        for each in report.by_codebooks
        if (value := getattr(each, metric)) is not None
    ]
    if not points:
        return
    bits, values, counts = zip(*points, strict=True)
    axes.plot(bits, values, color=colour, linewidth=1.8, marker="o", label=report.codec)
    for x, y, count in zip(bits, values, counts, strict=True):
        axes.annotate(
            str(count),
            (x, y),
            (0, 6 if above else -6),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=7.5,
            color=colour,
        )
    if report.bpe:
        x, y = report.bpe.token_bits_per_second, values[-1]
        axes.plot([bits[-1], x], [y, y], color=colour, linewidth=1, linestyle=(0, (2, 2)))
        axes.plot(
            x,
            y,
            color=colour,
            marker="o",
            markerfacecolor="white",
            linestyle="",
            label=f"{report.codec}, as BPE tokens",
        )
