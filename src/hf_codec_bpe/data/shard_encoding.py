"""Encoding to Parquet shards, each of a fixed part of the sources."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..code_shards import PIN_FILE, SETTINGS_FILE, errors_path, shard_path
from .encoding_progress import Progress
from .output_folder import begin_folder, sweep, write_json
from .shard_writing import shard_schema, write_shard
from .source_encoding import EncodingOptions, code_dtype, encode_groups
from .sources import Source, Sources

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["ShardPlan", "encode_to_shards"]

ENDLESS = 1 << 40


class ShardPlan(NamedTuple):
    """Which clips belong to which shard, and which shards are made now."""

    sources: Sources
    shard_size: int
    num_shards: int
    """How many jobs there are."""
    shard_index: int
    """Which of them this is."""

    @property
    def settings(self) -> dict[str, Any]:
        """What runs must have in common that fill one folder."""
        return {
            "shard_size": self.shard_size,
            "num_sources": self.sources.num_sources,
            "sources": self.sources.identity,
        }

    @property
    def indices(self) -> range:
        """The shards of this job; far too many of a stream, which ends somewhere."""
        total = self.sources.num_sources
        stop = ENDLESS if total is None else -(-total // self.shard_size)
        return range(self.shard_index, stop, self.num_shards)

    def num_sources(self, kept: Container[int]) -> int | None:
        """How many clips there are in the shards of this job, but for those that are kept."""
        total = self.sources.num_sources
        if total is None:
            return None
        starts = (index * self.shard_size for index in self.indices if index not in kept)
        return sum(min(self.shard_size, total - start) for start in starts)

    def read(self, kept: Container[int]) -> Iterator[tuple[int, Iterator[Source]]]:
        """The clips of the shards of this job, but for those that are kept, one after another."""
        for index in self.indices:
            if index in kept:
                continue
            start = index * self.shard_size
            clips = self.sources.read(start, start + self.shard_size)
            first = next(clips, None)
            if first is None:
                return
            yield index, chain([first], clips)


def encode_to_shards(
    plan: ShardPlan,
    out: Path,
    codec: AudioCodec,
    options: EncodingOptions,
    *,
    retry_errors: bool,
    overwrite: bool,
    show_progress: bool,
) -> tuple[Progress, int]:
    """Makes the shards that are not there; for the arguments and errors see `encode_dataset`.

    Returns:
        What was encoded, and how many shards were there already.
    """
    settings = {**codec.pin.to_dict(), **options.settings, **plan.settings}
    begin_folder(out, settings)
    if not (out / PIN_FILE).exists():
        write_json(out / PIN_FILE, codec.pin.to_dict())
    there = {int(file.stem[len("train-") :]) for file in out.glob("data/train-*.parquet")}
    if retry_errors:
        there = {index for index in there if not errors_path(out, index).exists()}
    kept = set() if overwrite else {index for index in there if index in plan.indices}
    schema = shard_schema(code_dtype(codec), settings)
    made = set(kept)
    groups = encode_groups(codec, plan.read(kept), options)
    with Progress(show_progress, plan.num_sources(kept)) as progress, closing(groups):
        for index, results in groups:
            write_shard(out, index, progress.counting(results), schema)
            made.add(index)
    _sweep(out, made)
    return progress, len(kept)


def _sweep(out: Path, indices: Iterable[int]) -> None:
    """Removes what is left of killed runs; nobody else makes these shards."""
    sweep(out, {SETTINGS_FILE, PIN_FILE})
    for place in (shard_path, errors_path):
        sweep(place(out, 0).parent, {place(out, index).name for index in indices})
