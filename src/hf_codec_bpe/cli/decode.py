"""`hf-codec-bpe decode`: a folder of codes to audio files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import CodecName, Device, open_codec

__all__ = ["decode"]


def decode(
    codes: Annotated[Path, typer.Argument(help="A folder of codes, as encode writes it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of audio to write.")] = Path(
        "decoded"
    ),
    codec: CodecName = "demo",
    device: Device = "cpu",
    extension: Annotated[str, typer.Option(help="The format: wav, flac or ogg.")] = "wav",
) -> None:
    """Decode codes back to audio files, one for each .npy file."""
    from tqdm import tqdm

    from ..audio import save_audio
    from ..codes_folder import CodesFolder

    folder = CodesFolder(codes)
    info = folder.info
    model = open_codec(codec, info.num_codebooks if info else None, device)
    clips = zip(folder.files, folder, strict=True)
    for file, clip in tqdm(clips, total=len(folder), unit="file", desc="Decoding"):
        target = out / file.relative_to(codes).with_suffix(f".{extension}")
        save_audio(model.decode([clip])[0], target, model.output_sampling_rate)
    typer.echo(f"{len(folder)} files decoded: {out}")
