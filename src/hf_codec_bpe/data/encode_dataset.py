"""`encode_dataset`: a corpus of any size to a folder of codes.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import CodesError
from ..named_paths import named_path
from ..shard_files import encoding_errors
from .audio_files import EXTENSIONS
from .encoding import encode_to_files
from .shard_encoding import ShardPlan, encode_to_shards
from .source_encoding import EncodingOptions
from .sources import open_sources

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["EncodingSummary", "check_shard_size", "encode_dataset"]


class EncodingSummary(NamedTuple):
    """What a run did."""

    num_encoded: int
    """Clips that this run encoded."""
    seconds: float
    """Seconds of audio in them."""
    num_there: int
    """Shards, or files, that were there already."""
    errors: list[dict[str, Any]]
    """All clips that are noted in the folder as failed: `id`, `path` and `reason`."""


def encode_dataset(
    source: Any,
    out: str | os.PathLike[str],
    codec: AudioCodec,
    *,
    format: Literal["parquet", "npy"] = "parquet",
    per_channel: bool = False,
    batch_size: int = 8,
    chunk_seconds: float | None = 30.0,
    context_seconds: float = 0.0,
    shard_size: int = 256,
    file_per_chunk: bool = False,
    num_shards: int = 1,
    shard_index: int = 0,
    retry_errors: bool = False,
    overwrite: bool = False,
    extensions: Sequence[str] = EXTENSIONS,
    audio_filter: str | Sequence[str] | None = None,
    audio_column: str = "audio",
    id_column: str | None = None,
    sampling_rate: int | None = None,
    num_workers: int | None = None,
    show_progress: bool = True,
) -> EncodingSummary:
    """Encodes a corpus; an interrupted run continues where it stopped.

    Threads read and resample ahead while the codec encodes. Memory does not grow with the
    corpus, nor, with `chunk_seconds`, with the length of a file.

    The result is a folder of Parquet shards that `datasets.load_dataset`, `CodeShards` and
    `train_tokenizer` read; `shard_files` describes it. Rows are in the order of the source: `id`,
    `path`, `channel`, `duration` in seconds, and `codes` `[K, T]` as uint16, or as uint32 for
    codebooks of more than 65,536 codes.

    However a run was interrupted, running it again gives the same bytes as an uninterrupted run:
    shards appear when they are whole, finished ones stay, and the unfinished one is made again. A
    clip that cannot be encoded is noted in `errors/` with the reason and affects no other.
    Where memory is short, batches become smaller, which does not change codes.

    Args:
        source: A folder, searched recursively and through links; a file; a list of files and
            folders; a manifest of files (`.jsonl`, `.csv` or `.tsv` with a column `path` or
            `audio_filepath`, and maybe `id`); or a `datasets` dataset, whose Audio columns are
            decoded as files are, not by torchcodec. An `IterableDataset` must give its rows in the
            same order every time, and is read from the start every time.
        out: The folder to write to.
        codec: The codec.
        format: `"npy"` lays the folder out as codec-bpe does: a clip `a/b.wav` becomes
            `a/b_c0.npy`, and its second channel `a/b_c1.npy`. Files may then be added later.
        per_channel: Encode channels separately; by default they are mixed down.
        batch_size: See `AudioCodec.encode`. Batches hold chunks of different clips.
        chunk_seconds: Cut clips into chunks, see `AudioCodec.encode`; `None` does not, and long
            clips then need memory.
        context_seconds: The length of the window that a chunk is encoded in; likewise.
        shard_size: How many clips of the source a shard holds: what is lost if a run is killed.
        file_per_chunk: With `"npy"`, write each chunk to a file of its own, which says in seconds
            and milliseconds where it starts: `a/b_c0_t000030_000.npy`.
        num_shards: In a job array, how many jobs fill the folder together.
        shard_index: Which of them this one is, from 0: it makes the shards, or the files, whose
            number modulo `num_shards` this is.
        retry_errors: Redo shards in which a clip could not be encoded. As `.npy` files, such
            clips are tried again in any case.
        overwrite: Make everything again; the settings must be the same, and as Parquet the source
            too.
        extensions: The endings to look for inside folders, in any case.
        audio_filter: Take only files whose path holds this string, or one of these; not for a
            `datasets` dataset.
        audio_column: The dataset's column of audio.
        id_column: The dataset's column of unique names; by default clips are numbered.
        sampling_rate: The rate of bare arrays in a dataset, in Hz; all else knows its own.
        num_workers: How many threads read, each a clip of its own; by default one, which keeps
            ahead of any CPU, and on a GPU eight, or as many as there are cores. It changes no
            codes.
        show_progress: Show clips done, hours of audio per second, and the time left.

    Raises:
        AudioError: There is nothing to encode.
        CodecError: Chunks that this codec cannot have.
        CodesError: The folder holds codes of another source, or made with other settings; the
            message says what differs. Or two clips would have one name.
        CodesFileError: The folder cannot be written, as when the disk is full; what is finished
            stays.

    Example:
        ```python
        codec = load_codec("mimi", num_codebooks=8)
        encode_dataset("recordings/", "codes/", codec)
        tokenizer = train_tokenizer("codes/", codebook_sizes=codec.codebook_sizes)
        ```
    """
    _check(format, file_per_chunk, shard_size, num_shards, shard_index)
    folder = named_path(out)
    options = EncodingOptions(
        per_channel, batch_size, chunk_seconds, context_seconds, sampling_rate, num_workers
    )
    options.check(codec)
    sources = open_sources(
        source,
        extensions=extensions,
        audio_filter=audio_filter,
        audio_column=audio_column,
        id_column=id_column,
    )
    plan = ShardPlan(sources, shard_size, num_shards, shard_index)
    common: dict[str, Any] = {"overwrite": overwrite, "show_progress": show_progress}
    if format == "npy":
        progress, num_there = encode_to_files(
            plan, folder, codec, options, file_per_chunk=file_per_chunk, **common
        )
    else:
        progress, num_there = encode_to_shards(
            plan, folder, codec, options, retry_errors=retry_errors, **common
        )
    return EncodingSummary(
        progress.num_encoded, progress.seconds, num_there, encoding_errors(folder)
    )


def _check(
    format: str, file_per_chunk: bool, shard_size: int, num_shards: int, shard_index: int
) -> None:
    if format not in ("parquet", "npy"):
        raise CodesError(f"format={format!r} is unknown: pass 'parquet' or 'npy'.")
    if file_per_chunk and format != "npy":
        raise CodesError("file_per_chunk=True is for codec-bpe's layout: pass format='npy' too.")
    check_shard_size(shard_size)
    if not 0 <= shard_index < num_shards:
        raise CodesError(
            f"shard_index={shard_index} is not one of {num_shards} job(s): they count from 0 to "
            f"{num_shards - 1}."
        )


def check_shard_size(shard_size: int) -> None:
    """Refuses shards that hold nothing.

    Raises:
        CodesError: `shard_size` is less than 1.
    """
    if shard_size < 1:
        raise CodesError(f"shard_size={shard_size} is not possible: pass 1 or more.")
