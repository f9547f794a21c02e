"""A report as files: JSON for programs, pictures, and one page of HTML for people."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..appearing import write_json
from .clip_plot import plot_clip
from .codec_figures import CodecReport
from .codec_plot import plot_codecs
from .codec_table import codec_table
from .compression_figures import CompressionReport
from .plots import plot_frequencies, plot_token_lengths, require_matplotlib

if TYPE_CHECKING:
    from .clip_tokens import ClipTokens

__all__ = ["write_codec_report", "write_report"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #22262e; max-width: 46rem; margin: 3rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; }
figure { margin: 2rem 0; } img { width: 100%; } figcaption { color: #5c636e; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid #e6e8eb; padding: 0.4rem; }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
"""
_CAPTIONS = {
    "clip": "Tokens over the loudest part of a clip: every cell is a code, coloured by how many "
    "codes its token holds.",
    "token_lengths": "How many codes tokens hold.",
    "frequencies": "How often tokens occur, by rank.",
}


def write_report(
    folder: str | os.PathLike[str], report: CompressionReport, clip: ClipTokens | None = None
) -> Path:
    """Writes `report.json`, pictures and `report.html`, which holds them all.

    Args:
        folder: Created if it does not exist.
        report: The figures.
        clip: A clip to show the tokens of, if it has some.

    Returns:
        The page.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require_matplotlib()
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    pictures = {"clip": plot_clip(clip)} if clip is not None and len(clip.lengths) else {}
    pictures["token_lengths"] = plot_token_lengths(report)
    pictures["frequencies"] = plot_frequencies(report)
    for name, data in pictures.items():
        (place / f"{name}.png").write_bytes(data)
    page = place / "report.html"
    page.write_text(_page(report, pictures), encoding="utf-8")
    write_json(place / "report.json", report.to_dict())  # last: where it is, nothing is missing
    return page


def write_codec_report(
    folder: str | os.PathLike[str], report: CodecReport, beside: Sequence[CodecReport] = ()
) -> Path:
    """Writes `report.json`, `table.md` and `plot.png`.

    Args:
        folder: Created if it does not exist.
        report: The figures.
        beside: Reports of other codecs on the same clips, for the table and the plot.

    Returns:
        The folder.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ReportError: A report beside it is of other clips.
    """
    require_matplotlib()
    table = codec_table([report, *beside])
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "plot.png").write_bytes(plot_codecs([report, *beside]))
    (place / "table.md").write_text(f"{table}\n", encoding="utf-8")
    write_json(place / "report.json", report.to_dict())  # last: where it is, nothing is missing
    return place


def _page(report: CompressionReport, pictures: Mapping[str, bytes]) -> str:
    rows = {
        "Clips": f"{report.num_clips:,}, {report.seconds:,.1f} s",
        "Tokens per second": f"{report.tokens_per_second:.2f}",
        "Codes per second, without BPE": f"{report.codes_per_second:.2f}",
        "Compression": f"{report.compression:.3f} codes per token",
        "Bits per second": f"{report.token_bits_per_second:.0f} as tokens, "
        f"{report.flat_bits_per_second:.0f} as codes",
        "Vocabulary used": f"{report.coverage:.1%} of {report.vocabulary_size:,} tokens",
        "Round trip": "exact for every clip",
    }
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items()
    )
    figures = "".join(
        f'<figure><img alt="{escape(_CAPTIONS[name])}" src="data:image/png;base64,'
        f'{b64encode(data).decode()}"><figcaption>{escape(_CAPTIONS[name])}</figcaption></figure>'
        for name, data in pictures.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Codec BPE report</title><style>{_STYLE}</style></head><body>"
        f"<h1>Codec BPE report</h1><p>Held-out set: {escape(report.name)}</p>"
        f"<table>{cells}</table>{figures}</body></html>\n"
    )
