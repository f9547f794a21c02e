"""`hf-codec-bpe decode`: a folder of codes to audio files."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import CodecMismatchError, CodesError
from .options import CodecName, Device, Revision, check_folder, open_codec

if TYPE_CHECKING:
    from ..code_shards import CodeShards
    from ..codecs import AudioCodec
    from ..codes_folder import CodecInfo, CodesFolder

__all__ = ["decode"]


def decode(
    codes: Annotated[
        Path, typer.Argument(help="A folder of codes: encode's, or codec-bpe's.", metavar="CODES")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of audio to write.", metavar="PATH")
    ] = Path("decoded"),
    codec: CodecName = "demo",
    revision: Revision = None,
    device: Device = "cpu",
    extension: Annotated[
        str, typer.Option(help="The format: wav, flac or ogg.", metavar="ENDING")
    ] = "wav",
) -> None:
    """Decode codes back to audio.

    Writes one file for each clip and channel, chunks in one piece again, but none for those shorter
    than a frame, which have no codes.
    """
    from tqdm import tqdm

    from ..audio import save_audio
    from ..code_shards import CodeShards, info_of, open_codes
    from ..data.recordings import Recordings

    folder = open_codes(codes)
    clips = folder if isinstance(folder, CodeShards) else Recordings(folder)
    targets = _targets(clips.names, out, extension)
    check_folder(out)
    info = folder.info
    num_codebooks = info.num_codebooks if info else None
    model = open_codec(codec, num_codebooks, device, revision=revision)
    _check_pin(_made_by(folder), model)
    if info:
        _check(info, info_of(model.pin.to_dict()))
    num_decoded = 0
    pairs = zip(targets, clips, strict=True)
    for target, clip in tqdm(pairs, total=len(clips), unit="file", desc="Decoding"):
        if clip.size:
            save_audio(model.decode([clip])[0], target, model.output_sampling_rate)
            num_decoded += 1
        else:
            tqdm.write(f"No codes, so no sound: {target}", file=sys.stderr)
    typer.echo(f"{num_decoded} files decoded: {out}")


def _targets(names: list[str], out: Path, extension: str) -> list[Path]:
    """The files that clips become.

    Raises:
        AudioError: The ending is that of no audio format.
        CodesError: Two clips would become one file, or one a file of too long a name.
    """
    from ..audio import audio_format
    from ..codes_folder import check_length

    targets = [out / f"{name}.{extension.lstrip('.')}" for name in names]
    audio_format(targets[0])
    for target in targets:
        check_length(target)
    twice = [target for target, number in Counter(targets).items() if number > 1]
    if twice:
        raise CodesError(
            f"Two clips, whose names differ only in the ending, would both become {twice[0]}: "
            "rename one, and encode to another folder."
        )
    return targets


def _check(made_by: CodecInfo, codec: CodecInfo) -> None:
    """Refuses to decode codes with a codec of another kind than the one that made them."""
    for name in ("codec_type", "codebook_size", "framerate", "sampling_rate_decoder"):
        theirs, ours = getattr(made_by, name), getattr(codec, name)
        if theirs != ours:
            raise CodecMismatchError(
                f"The codes were made by {made_by.codec_model}, whose {name} is {theirs}, but the "
                f"codec's is {ours}: pass --codec {made_by.codec_model}."
            )


def _made_by(folder: CodesFolder | CodeShards) -> dict[str, Any]:
    """What encode noted of the codec; nothing where codec-bpe made the codes."""
    from ..code_shards import CodeShards
    from ..shard_files import SETTINGS_FILE, read_made_by

    if isinstance(folder, CodeShards):
        return folder.pin
    path = folder.path / SETTINGS_FILE
    return read_made_by(path) if path.exists() else {}


def _check_pin(made_by: dict[str, Any], codec: AudioCodec) -> None:
    """Refuses to decode codes with another codec of the same kind.

    A type of numbers and settings for encoding may differ: a code stands for the same sound.
    """
    ours = codec.pin.to_dict()
    names = ["family", "codebook_sizes", "frame_rate", "sampling_rate", "output_sampling_rate"]
    if made_by.get("revision") and made_by.get("name_or_path") == ours["name_or_path"]:
        names.append("revision")
    if made_by.get("fingerprint") and made_by.get("dtype") == ours["dtype"]:
        names.append("fingerprint")
        ours["fingerprint"] = codec.fingerprint
    for name in names:
        if name in made_by and made_by[name] != ours[name]:
            raise CodecMismatchError(
                f"The codes were made by {_name(made_by)}, whose {name} is {made_by[name]}, but "
                f"the codec's is {ours[name]}: {_advice(made_by)}."
            )


def _name(made_by: dict[str, Any]) -> str:
    return made_by.get("name_or_path") or f"a local codec of the family {made_by.get('family')}"


def _advice(made_by: dict[str, Any]) -> str:
    if not made_by.get("revision"):
        return "pass its folder as --codec, or demo for the bundled one"
    return f"pass --codec {made_by['name_or_path']} --revision {made_by['revision']}"
