"""Reports of codecs side by side, as a table in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..errors import ReportError
from .codec_figures import CodecReport

__all__ = ["METRIC_NAMES", "check_same_clips", "codec_notes", "codec_table", "quality_rows"]

METRIC_NAMES: Mapping[str, str] = {
    "pesq": "PESQ, wide band \u2191",
    "stoi": "STOI \u2191",
    "si_sdr": "SI-SDR, dB \u2191",
    "mel_distance": "Mel distance \u2193",
    "wer": "Word error rate \u2193",
}
"""With an arrow to where better figures are."""
_FORMATS = {"pesq": ".2f", "stoi": ".3f", "si_sdr": ".2f", "mel_distance": ".3f", "wer": ".1%"}
_NOTHING = "not measured"


def codec_table(reports: Sequence[CodecReport]) -> str:
    """A column for each report, then quality by number of codebooks, then what to know of them.

    Raises:
        ReportError: The reports are of different clips.
    """
    first, *others = reports
    check_same_clips([clip.name for clip in first.clips], first.codec, first.name, others)
    columns = [{**quality_rows(report), **_rate_rows(report)} for report in reports]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    rows = [[label, *(column.get(label, "") for column in columns)] for label in labels]
    parts = [
        f"{first.name}: {_clips(len(first.clips))}, {first.seconds:,.1f} s",
        _markdown(["", *(report.codec for report in reports)], rows),
        *(_by_codebooks(report) for report in reports if len(report.by_codebooks) > 1),
        "\n".join(f"- {note}" for report in reports for note in codec_notes(report)),
    ]
    return "\n\n".join(parts)


def check_same_clips(
    names: Sequence[str], codec: str, title: str, others: Iterable[CodecReport]
) -> None:
    """Refuses reports of other clips than those a codec is measured on, which `title` describes.

    Raises:
        ReportError: The names of a report's clips are others, or in another order.
    """
    for other in others:
        if [clip.name for clip in other.clips] != list(names):
            raise ReportError(
                f"{other.codec} was measured on other clips ({other.name}) than {codec} "
                f"({title}): measure both on the same ones to compare them."
            )


def quality_rows(report: CodecReport) -> dict[str, str]:
    """How well, and how fast, audio comes back: figures by their names."""
    return {
        **{METRIC_NAMES[name]: _figure(name, report.mean(name)) for name in report.metrics},
        "Real-time factor, encoding \u2193": f"{report.encode_rtf:.3f}",
        "Real-time factor, decoding \u2193": f"{report.decode_rtf:.3f}",
    }


def codec_notes(report: CodecReport) -> list[str]:
    """What figures depend on, and which clips have none."""
    notes = [
        f"{report.codec} ran on: {report.device}. Real-time factors are seconds of computing for a "
        "second of audio."
    ]
    if report.asr:
        reference = (
            "the transcripts"
            if report.has_transcripts
            else "its own transcripts of the originals, because the clips came without any"
        )
        notes.append(f"Words were recognised by {report.asr}; errors count against {reference}.")
    for name in report.metrics:
        for reason, count in report.not_measured(name).items():
            notes.append(
                f"{report.codec}, {METRIC_NAMES[name][:-2]}: {_clips(count)} of "
                f"{len(report.clips)} not measured. {reason}"
            )
    return notes


def _rate_rows(report: CodecReport) -> dict[str, str]:
    rows = {
        "Sampling rate, Hz": _rates(report),
        "Frames per second": f"{report.frame_rate:g}",
        "Codebooks": _sizes(report.codebook_sizes),
        "Codes that occurred": _shares(report.codebook_usage),
        "Tokens per second, without BPE": f"{report.codes_per_second:.1f}",
        "Bits per second, without BPE": f"{report.bits_per_second:,.0f}",
    }
    if report.bpe:
        rows |= {
            "Tokens per second, with BPE": f"{report.bpe.tokens_per_second:.1f}",
            "Bits per second, with BPE": f"{report.bpe.token_bits_per_second:,.0f}",
            "Codes per token": f"{report.bpe.compression:.3f}",
        }
    return rows


def _by_codebooks(report: CodecReport) -> str:
    rows = [
        [
            str(each.num_codebooks),
            f"{each.bits_per_second:,.0f}",
            _figure("pesq", each.pesq),
            _figure("stoi", each.stoi),
        ]
        for each in report.by_codebooks
    ]
    head = ["Codebooks", "Bits per second", METRIC_NAMES["pesq"], METRIC_NAMES["stoi"]]
    return f"With the first codebooks of {report.codec} alone:\n\n{_markdown(head, rows)}"


def _figure(metric: str, value: float | None) -> str:
    return _NOTHING if value is None else format(value, _FORMATS[metric])


def _clips(count: int) -> str:
    return f"{count:,} clip{'' if count == 1 else 's'}"


def _rates(report: CodecReport) -> str:
    rates = dict.fromkeys([report.sampling_rate, report.output_sampling_rate])
    return " in, ".join(map(str, rates)) + (" out" if len(rates) > 1 else "")


def _sizes(sizes: Sequence[int]) -> str:
    return " + ".join(f"{count} x {size:,}" for size, count in Counter(sizes).items())


def _shares(usage: Sequence[float]) -> str:
    least, most = f"{min(usage):.1%}", f"{max(usage):.1%}"
    return least if least == most else f"{least} to {most}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, aligned for readers of plain text too; figures to the right."""
    table = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    lines = [
        [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in (table[0], rule, *table[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
