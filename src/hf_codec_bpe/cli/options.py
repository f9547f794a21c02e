"""Options that several commands share."""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ..errors import AlphabetError, CodecBPEError, CodesError, TokenizerError, first_line

if TYPE_CHECKING:
    from ..codec_vocabulary import CodecVocabulary
    from ..codecs import AudioCodec
    from ..data.sources import Source
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = [
    "Bandwidth",
    "CodecIndex",
    "CodecName",
    "Device",
    "NumCodebooks",
    "Revision",
    "check_file",
    "check_finite",
    "check_folder",
    "check_new_folder",
    "code_point",
    "frame_rate_of",
    "hide_loading_bars",
    "open_codec",
    "open_vocabulary",
    "readable_clips",
]


def check_finite(value: float | None) -> float | None:
    """Refuses infinity, and what is not a number: Python reads both as one."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


CodecName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--codec",
        "-c",
        help="A preset (hf-codec-bpe presets), a Hub id, a folder, or 'demo' for the bundled one.",
        metavar="CODEC",
    ),
]
NumCodebooks: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--num-codebooks",
        "-k",
        help="Use only the first N codebooks; by default all.",
        min=1,
        metavar="N",
    ),
]
Bandwidth: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--bandwidth",
        help="Or as many as make this bandwidth, in kbps or bps.",
        metavar="RATE",
        callback=check_finite,
    ),
]
Revision: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--revision",
        help="Which commit, tag or branch of the codec's repository.",
        metavar="REVISION",
    ),
]
CodecIndex: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--codec-index",
        help="Which codec, where the tokenizer was extended with several: 0 is the first.",
        min=0,
        metavar="N",
    ),
]
Device: TypeAlias = Annotated[
    str,
    typer.Option("--device", help="Where the codec runs: cpu, cuda, cuda:1...", metavar="DEVICE"),
]


def hide_loading_bars() -> None:
    """Transformers shows a bar for every model it loads: here they would only flicker."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def check_folder(out: Path) -> None:
    """Refuses a folder that cannot be made or written, before hours of work for it; makes none.

    Raises:
        OSError: It is a file, or nothing can be written there.
    """
    there = next(place for place in (out, *out.parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "This is a file, not a folder", str(there))
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise OSError(error.errno, "No file can be made in this folder", str(there)) from error


def check_file(out: Path) -> None:
    """Refuses a file that cannot be written, before hours of work for it.

    Raises:
        OSError: It is a folder, or nothing can be written there.
    """
    if out.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder, not a file", str(out))
    check_folder(out.parent)


def check_new_folder(out: Path) -> None:
    """Refuses a folder that holds something, which would be mixed with what is written.

    Raises:
        CodecBPEError: It does, or is a file.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CodecBPEError(f"{out} exists already: choose a new folder, or an empty one.")


def code_point(text: str) -> int:
    """The number that `--unicode-offset` says, decimal or as `0x4E00`.

    Raises:
        AlphabetError: It is not a whole number.
    """
    try:
        return int(text, 0)
    except ValueError as error:
        raise AlphabetError(
            f"--unicode-offset {text} is not a number: pass one such as 0x4E00."
        ) from error


def open_codec(
    name: str,
    num_codebooks: int | None,
    device: str,
    *,
    bandwidth: float | None = None,
    revision: str | None = None,
) -> AudioCodec:
    """The codec that the options name."""
    from ..codecs import load_codec

    hide_loading_bars()
    return load_codec(
        name,
        revision=revision,
        num_codebooks=num_codebooks,
        bandwidth=bandwidth,
        device=device,
    )


def open_vocabulary(tokenizer: str, codec_index: int | None) -> CodecVocabulary:
    """The audio tokens of a tokenizer's only codec, or of that one.

    Raises:
        TokenizerError: The tokenizer cannot be loaded, or knows no codec or several.
    """
    from transformers import AutoTokenizer

    from ..bundled import place_of
    from ..codec_vocabulary import CodecVocabulary

    try:
        loaded = AutoTokenizer.from_pretrained(place_of(tokenizer))
    except (OSError, ValueError, KeyError) as error:
        raise TokenizerError(
            f"{tokenizer} could not be loaded ({first_line(error).rstrip(': ')}): name a folder "
            "that train, extend or save_pretrained wrote, or a Hub repository."
        ) from error
    return CodecVocabulary.of(loaded, index=codec_index)


def frame_rate_of(given: float | None, tokenizer: str, codes: Path | None) -> float:
    """Frames per second: as given, or of the codes, or of the processor the tokenizer is part of.

    Raises:
        CodesError: Nothing says the frame rate, or the codec merges frames.
    """
    from ..bundled import place_of
    from ..code_shards import open_codes
    from ..untrusted import MAX_CONFIG_BYTES, checked_object, read_json

    if given:
        return given
    info = open_codes(codes, num_files=1).info if codes else None
    if info:
        _check_frames(info.codec_type)
        return info.framerate
    path = Path(place_of(tokenizer), "processor_config.json")
    written = read_json(path, MAX_CONFIG_BYTES) if path.exists() else {}
    codec = checked_object(written, str(path)).get("codec")
    if not codec:
        raise CodesError(
            f"Neither {codes or 'a folder of codes'} nor {tokenizer} says how many frames a second "
            "has: pass --frame-rate."
        )
    _check_frames(codec["family"])
    return float(codec["frame_rate"])


def _check_frames(family: str) -> None:
    """Refuses codecs whose frames last for different times."""
    from ..codecs.registry import merges_frames

    if merges_frames(family):
        raise CodesError(
            f"Frames of {family} codecs have no fixed length, because such codecs merge frames: "
            "there is no rate to count seconds by. Pass --frame-rate to count by an average."
        )


def readable_clips(clips: Iterable[Source], codec: AudioCodec | CodecBPEProcessor) -> list[Source]:
    """The clips that can be measured; says of the others why not.

    Raises:
        ReportError: None of them can be read.
    """
    from tqdm import tqdm

    from ..evaluation.readable import readable

    rate = getattr(codec, "codec", codec).sampling_rate
    bar = tqdm(clips, unit="clip", desc="Reading")
    return readable(bar, rate, lambda line: tqdm.write(line, file=sys.stderr))
