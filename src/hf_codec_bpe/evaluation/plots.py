"""The figures of a report as pictures; needs matplotlib, the extra `report`.

Colours are told apart by colour-blind readers too, and in print: Okabe and Ito's blue and
vermilion, and viridis.

Axis letters: K = codebooks, T = frames, L = tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from ..errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .compression_figures import CompressionReport

__all__ = [
    "BLUE",
    "VERMILION",
    "figure",
    "is_matplotlib_available",
    "picture",
    "plot_frequencies",
    "plot_token_lengths",
    "require_matplotlib",
]

P = ParamSpec("P")

BLUE, VERMILION, GREY, INK = "#0072b2", "#d55e00", "#8a8f98", "#22262e"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
_MOST_LABELS = 16
"""With more bars than this, they are too narrow for a number above each."""


def is_matplotlib_available() -> bool:
    """Whether pictures can be made."""
    return find_spec("matplotlib") is not None


def require_matplotlib() -> None:
    """Refuses to draw without matplotlib.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if not is_matplotlib_available():
        raise MissingDependencyError(
            "Pictures need matplotlib: pip install 'hf-codec-bpe[report]'."
        )


def figure(
    width: float, height: float, rows: int = 1, ratios: tuple[int, ...] | None = None
) -> tuple[Figure, list[Axes]]:
    """An empty figure of so many inches, with panels one below the other that share time or length.

    For functions that are a `picture`, which gives it its style.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")  # no pyplot: no windows
    panels = fig.subplots(
        rows, 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios}
    )
    return fig, list(panels[:, 0])


def picture(draw: Callable[P, Figure]) -> Callable[P, bytes]:
    """Turns a function that draws a figure into one that gives a PNG file in our style.

    The same bytes every time. Nothing global changes. Without matplotlib, that function raises
    `MissingDependencyError`.
    """

    @wraps(draw)
    def png(*args: P.args, **kwargs: P.kwargs) -> bytes:
        require_matplotlib()
        from matplotlib import rc_context

        buffer = BytesIO()
        with rc_context(_STYLE):
            fig = draw(*args, **kwargs)
            fig.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
        return buffer.getvalue()

    return png


@picture
def plot_token_lengths(report: CompressionReport) -> Figure:
    """How many codes tokens hold: those of the held-out set, and those of the vocabulary."""
    fig, (audio, vocabulary) = figure(7.2, 4.2, rows=2)
    _bars(audio, report.token_lengths, BLUE)
    _bars(vocabulary, report.vocabulary_lengths, GREY)
    audio.set_title(f"Tokens of the held-out set ({report.num_tokens:,})")
    vocabulary.set_title(f"Tokens of the vocabulary ({report.vocabulary_size:,})")
    vocabulary.set_xlabel(f"codes in a token ({_frame(report)})")
    return fig


@picture
def plot_frequencies(report: CompressionReport) -> Figure:
    """How often tokens occur, by rank: Zipf's curve."""
    fig, (axes,) = figure(7.2, 3.8)
    ranks, counts = np.array(report.frequencies).T
    axes.loglog(ranks, counts, color=BLUE, linewidth=1.8, marker="o", markersize=2.5)
    axes.loglog(
        ranks, counts[0] / ranks, color=VERMILION, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1
    )
    axes.set_ylim(0.7, counts[0] * 2)
    legend = ["tokens of the held-out set", "Zipf's law: occurrences proportional to 1 / rank"]
    axes.legend(legend, loc="lower left")
    axes.grid(which="major")
    axes.set_xlabel("rank of the token by frequency")
    axes.set_ylabel("occurrences")
    axes.set_title(
        f"{report.num_tokens_used:,} of {report.vocabulary_size:,} tokens occurred "
        f"({report.coverage:.1%})"
    )
    return fig


def _bars(axes: Axes, histogram: Mapping[int, int], colour: str) -> None:
    """The share of each length, with its number where there is room."""
    from matplotlib.ticker import MaxNLocator

    lengths = np.array(list(histogram))
    shares = 100 * np.array(list(histogram.values())) / sum(histogram.values())
    bars = axes.bar(lengths, shares, width=0.72, color=colour)
    if len(lengths) <= _MOST_LABELS:
        axes.bar_label(bars, [_percent(share) for share in shares], padding=2, fontsize=7.5)
    axes.set_ylim(0, shares.max() * 1.18)
    axes.set_ylabel("share of tokens, %")
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=24, integer=True))


def _percent(share: float) -> str:
    return f"{share:.0f}" if share >= 9.95 else f"{share:.1f}" if share >= 0.05 else "<0.1"


def _frame(report: CompressionReport) -> str:
    num_codebooks = len(report.codebook_sizes)
    return f"a frame is {num_codebooks} code{'s' if num_codebooks > 1 else ''}"
