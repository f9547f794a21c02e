"""`hf-codec-bpe encode`: audio to a folder of codes."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import CodesError
from .options import Bandwidth, CodecName, Device, NumCodebooks, Revision, check_finite, open_codec

__all__ = ["encode"]


class Layout(str, Enum):
    """How a folder of codes may be laid out."""

    PARQUET = "parquet"
    NPY = "npy"


def encode(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Audio files, folders of them, or one manifest (.jsonl, .csv, .tsv) with a "
            "column 'path'.",
            metavar="SOURCES",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The folder of codes to write.", metavar="OUT")],
    codec: CodecName = "demo",
    revision: Revision = None,
    num_codebooks: NumCodebooks = None,
    bandwidth: Bandwidth = None,
    device: Device = "cpu",
    batch_size: Annotated[
        int, typer.Option(help="Chunks that a GPU encodes at once.", min=1, metavar="N")
    ] = 8,
    chunk_seconds: Annotated[
        float,
        typer.Option(
            help="Cut files into chunks of this length, which bounds memory; 0 does not cut.",
            metavar="SECONDS",
            callback=check_finite,
        ),
    ] = 30.0,
    context_seconds: Annotated[
        float,
        typer.Option(
            help="Encode each chunk in a window of this length: the chunk, and audio before it.",
            metavar="SECONDS",
            callback=check_finite,
        ),
    ] = 0.0,
    stereo: Annotated[
        bool,
        typer.Option("--stereo", help="Encode channels separately instead of mixing them down."),
    ] = False,
    extension: Annotated[
        list[str] | None,
        typer.Option(
            help="An ending to look for in folders, such as .wav; repeat for more.",
            metavar="ENDING",
        ),
    ] = None,
    audio_filter: Annotated[
        list[str] | None,
        typer.Option(help="Only files whose path holds this; repeat for more.", metavar="TEXT"),
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Redo shards in which a clip failed.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Encode again what is there already: the settings must be the same, and with "
            "--format parquet the clips too.",
        ),
    ] = False,
    shard_size: Annotated[
        int,
        typer.Option(help="Clips in a shard: what is lost if a run is killed.", min=1, metavar="N"),
    ] = 256,
    num_shards: Annotated[
        int,
        typer.Option(
            help="In a job array, how many jobs fill the folder together.", min=1, metavar="N"
        ),
    ] = 1,
    shard_index: Annotated[
        int, typer.Option(help="Which of them this is, from 0.", min=0, metavar="N")
    ] = 0,
    num_workers: Annotated[
        int | None,
        typer.Option(
            help="Threads that read audio; by default 1, and on a GPU up to 8.", min=1, metavar="N"
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Encode on a Ray cluster: 'auto' is the one that runs here, 'local' all of this "
            "machine. With --device cuda, every worker has a GPU.",
        ),
    ] = None,
    layout: Annotated[
        Layout,
        typer.Option(
            "--format",
            help="parquet: shards; npy: codec-bpe's layout, a file for each clip.",
            metavar="NAME",
        ),
    ] = Layout.PARQUET,
    file_per_chunk: Annotated[
        bool, typer.Option("--file-per-chunk", help="With --format npy, a file for each chunk.")
    ] = False,
    codec_info_only: Annotated[
        bool, typer.Option("--codec-info-only", help="Only write codec-bpe's codec_info.json.")
    ] = False,
) -> None:
    """Encode audio to codes.

    Writes Parquet shards that train, datasets and pandas read. Run it again after any interruption,
    and it continues where it stopped. A clip that cannot be encoded is noted in OUT/errors,
    reported at the end, and affects no other.
    """
    from ..data.audio_files import EXTENSIONS
    from ..data.encode_dataset import encode_dataset
    from ..data.encoding import codec_info

    # On a cluster, only the workers need the device.
    where = "cpu" if ray else device
    model = open_codec(codec, num_codebooks, where, bandwidth=bandwidth, revision=revision)
    if codec_info_only:
        out.mkdir(parents=True, exist_ok=True)
        codec_info(model).save(out)
        return
    options: dict[str, Any] = {
        "per_channel": stereo,
        "batch_size": batch_size,
        "chunk_seconds": chunk_seconds or None,
        "context_seconds": context_seconds,
        "shard_size": shard_size,
        "retry_errors": retry_errors,
        "overwrite": overwrite,
        "extensions": extension or EXTENSIONS,
        "audio_filter": audio_filter,
        "num_workers": num_workers,
    }
    if ray:
        from ..data.ray import encode_dataset as encode_on_ray

        if layout is Layout.NPY or file_per_chunk or num_shards > 1:
            raise CodesError(
                "--ray makes Parquet shards, and shares them out itself: leave out --format npy, "
                "--file-per-chunk, --num-shards and --shard-index."
            )
        if device not in ("cpu", "cuda"):
            raise CodesError(
                f"--device {device} is not for --ray, which gives each worker a GPU of its own: "
                "say cuda, or cpu."
            )
        num_gpus = int(device == "cuda")
        summary = encode_on_ray(sources, out, model, address=ray, num_gpus=num_gpus, **options)
    else:
        summary = encode_dataset(
            sources,
            out,
            model,
            format=layout.value,
            file_per_chunk=file_per_chunk,
            num_shards=num_shards,
            shard_index=shard_index,
            **options,
        )
    for error in summary.errors:
        typer.echo(f"Not encoded: {error['id']}: {error['reason']}", err=True)
    kind = "shards" if layout is Layout.PARQUET else "clips"
    typer.echo(
        f"{summary.num_encoded} clips encoded ({summary.seconds:.1f} s of audio), "
        f"{summary.num_there} {kind} there already, {len(summary.errors)} clips failed: {out}"
    )
    if summary.errors:
        raise typer.Exit(1)
