"""`hf-codec-bpe encode`: audio files to a folder of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Bandwidth, CodecName, Device, NumCodebooks, open_codec

__all__ = ["encode"]


def encode(
    sources: Annotated[list[Path], typer.Argument(help="Audio files, and folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of codes to write.")] = Path(
        "codes"
    ),
    codec: CodecName = "demo",
    num_codebooks: NumCodebooks = None,
    bandwidth: Bandwidth = None,
    chunk_seconds: Annotated[
        float,
        typer.Option(help="Cut files into chunks of this length, which bounds memory; 0: do not."),
    ] = 30.0,
    context_seconds: Annotated[
        float,
        typer.Option(help="Encode each chunk in a window of this length, with audio before it."),
    ] = 0.0,
    stereo: Annotated[
        bool, typer.Option("--stereo", help="Encode channels apart; else they are mixed down.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Chunks that a GPU encodes at once.", min=1)] = 8,
    device: Device = "cpu",
    extension: Annotated[
        list[str] | None, typer.Option(help="An ending that counts in folders; repeat for more.")
    ] = None,
    audio_filter: Annotated[
        list[str] | None, typer.Option(help="Only files whose path holds this; repeat for more.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Encode files again that are there already.")
    ] = False,
) -> None:
    """Encode audio files to codes, one .npy file each.

    A run that was broken off goes on where it stopped. A file that cannot be encoded is reported
    at the end and touches no other. The folder is laid out as codec-bpe's: train reads it.
    """
    from tqdm import tqdm

    from ..data.audio_files import EXTENSIONS, find_audio
    from ..data.encoding import encode_files

    files = find_audio(sources, extensions=extension or EXTENSIONS, audio_filter=audio_filter)
    results = encode_files(
        open_codec(codec, num_codebooks, device, bandwidth),
        files,
        out,
        per_channel=stereo,
        batch_size=batch_size,
        chunk_seconds=chunk_seconds or None,
        context_seconds=context_seconds,
        overwrite=overwrite,
    )
    done = list(tqdm(results, total=len(files), unit="file", desc="Encoding"))
    failed = [result for result in done if result.error]
    skipped = [result for result in done if not result.error and not result.outputs]
    for result in failed:
        typer.echo(f"Not encoded: {result.source}: {result.error}", err=True)
    typer.echo(
        f"{len(done) - len(failed) - len(skipped)} files encoded "
        f"({sum(result.seconds for result in done):.1f} s of audio), {len(skipped)} there already, "
        f"{len(failed)} failed: {out}"
    )
    if failed:
        raise typer.Exit(1)
