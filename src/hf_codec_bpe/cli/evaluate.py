"""`hf-codec-bpe evaluate`: what becomes of audio in a codec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ReportError
from .options import (
    Device,
    NumCodebooks,
    Revision,
    check_folder,
    hide_loading_bars,
    open_codec,
    readable_clips,
)

if TYPE_CHECKING:
    from ..codecs import AudioCodec
    from ..evaluation.codec_figures import CodecReport
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["evaluate"]


def evaluate(
    codec: Annotated[
        str,
        typer.Argument(
            help="A codec: a preset, a Hub id or a folder. Or a processor, such as 'demo': then "
            "with its BPE.",
            metavar="CODEC",
        ),
    ],
    audio: Annotated[
        list[Path],
        typer.Argument(
            help="Clips of a sentence or so: files, folders, or one manifest (.jsonl, .csv, .tsv) "
            "with columns 'path' and perhaps 'text'.",
            metavar="AUDIO",
        ),
    ],
    num_codebooks: NumCodebooks = None,
    revision: Revision = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="A folder for report.json, table.md and plot.png.", metavar="PATH"
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            help="The report.json of another codec on the same clips, to show beside; repeat for "
            "more.",
            metavar="PATH",
        ),
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            help="A speech recogniser of Transformers, to count word errors.", metavar="MODEL"
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Only the first N clips.", min=1, metavar="N")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the clips are; by default their path.", metavar="TEXT")
    ] = None,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure how well, how fast and in how few bits a codec works.

    Prints PESQ, STOI, SI-SDR and a mel distance of what comes back, real-time factors, tokens and
    bits per second with and without BPE, and with --asr word errors. A clip that cannot be read is
    reported and left out; the exit code is then 1.
    """
    from tqdm import tqdm

    from ..data.sources import read_clips
    from ..evaluation.codec_table import check_same_clips, codec_table
    from ..evaluation.metrics import require_metrics
    from ..evaluation.pages import write_codec_report
    from ..evaluation.plots import require_matplotlib
    from ..evaluation.recognition import open_recogniser
    from ..evaluation.reconstruction import clip_name, codec_report

    require_metrics()
    if out is not None:
        require_matplotlib()
        check_folder(out)
    others = [_read(path) for path in beside or ()]
    clips = read_clips(audio)[:limit]
    opened = _open(codec, num_codebooks, device, revision)
    good = readable_clips(clips, opened)
    title, label = name or ", ".join(map(str, audio)), _label(codec, num_codebooks)
    names = [clip_name(clip.audio, index) for index, clip in enumerate(good)]
    check_same_clips(names, label, title, others)
    rows = [{"audio": clip.audio, "text": clip.text} for clip in good]
    found = codec_report(
        opened,
        tqdm(rows, unit="clip", desc="Measuring"),
        name=title,
        label=label,
        asr=None if asr is None else open_recogniser(asr, device),
    )
    if out is not None:
        write_codec_report(out, found, others)
    typer.echo(json.dumps(found.to_dict()) if as_json else codec_table([found, *others]))
    if len(good) < len(clips):
        raise typer.Exit(1)


def _label(codec: str, num_codebooks: int | None) -> str:
    """What the codec is called in tables, beside itself with other numbers of codebooks."""
    name = Path(codec).name if Path(codec).exists() else codec
    if num_codebooks is None:
        return name
    return f"{name}, {num_codebooks} codebook{'s' * (num_codebooks > 1)}"


def _open(
    name: str, num_codebooks: int | None, device: str, revision: str | None
) -> AudioCodec | CodecBPEProcessor:
    """The processor or the codec of that name."""
    from ..bundled import place_of
    from ..processing_codec_bpe import CodecBPEProcessor

    place = place_of(name)
    if not _is_processor(place, revision):
        return open_codec(name, num_codebooks, device, revision=revision)
    if num_codebooks is not None:
        raise ReportError(
            f"{name} is a processor, whose tokenizer was made for its codebooks: leave out "
            "--num-codebooks, or name the codec alone."
        )
    if revision is not None and Path(place).is_dir():
        raise ReportError(f"--revision {revision} is for the Hub, but {name} is on this machine.")
    hide_loading_bars()
    options = {} if revision is None else {"revision": revision}
    return CodecBPEProcessor.from_pretrained(place, **options).to(device)


def _is_processor(place: str, revision: str | None) -> bool:
    """Whether a processor is there; `False` if nobody can tell."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    from ..presets import find_preset

    if Path(place).is_dir():
        return Path(place, "processor_config.json").exists()
    if find_preset(place):
        return False
    try:
        hf_hub_download(place, "processor_config.json", revision=revision)
    except (HfHubHTTPError, HFValidationError, OSError):
        return False
    return True


def _read(path: Path) -> CodecReport:
    from ..evaluation.codec_figures import CodecReport

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReportError(f"{path} is not JSON: pass what evaluate wrote. ({error})") from error
    return CodecReport.from_dict(values)
