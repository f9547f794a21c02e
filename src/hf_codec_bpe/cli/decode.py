"""`hf-codec-bpe decode`: a folder of codes to audio files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CodecMismatchError
from .options import CodecName, Device, Revision, make_folder, open_codec

if TYPE_CHECKING:
    from ..codes_folder import CodecInfo

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

    Writes one file for each clip and channel.
    """
    from tqdm import tqdm

    from ..audio import save_audio
    from ..code_shards import info_of, open_codes

    make_folder(out)
    folder = open_codes(codes)
    info = folder.info
    num_codebooks = info.num_codebooks if info else None
    model = open_codec(codec, num_codebooks, device, revision=revision)
    clips = zip(folder.names, folder, strict=True)
    if info:
        _check(info, info_of(model.pin.to_dict()))
    for name, clip in tqdm(clips, total=len(folder), unit="file", desc="Decoding"):
        target = out / f"{name}.{extension.lstrip('.')}"
        save_audio(model.decode([clip])[0], target, model.output_sampling_rate)
    typer.echo(f"{len(folder)} files decoded: {out}")


def _check(made_by: CodecInfo, codec: CodecInfo) -> None:
    """Refuses to decode codes with another codec than the one that made them."""
    for name in ("codec_type", "codebook_size", "framerate", "sampling_rate_decoder"):
        theirs, ours = getattr(made_by, name), getattr(codec, name)
        if theirs != ours:
            raise CodecMismatchError(
                f"The codes were made by {made_by.codec_model}, whose {name} is {theirs}, but the "
                f"codec's is {ours}: pass --codec {made_by.codec_model}."
            )
