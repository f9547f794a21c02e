"""Encoding to Parquet shards, each of a fixed part of the sources."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..code_shards import num_clips
from ..codecs.encoding import plain_number
from ..shard_files import PIN_FILE, SETTINGS_FILE, errors_path, shard_number, shard_path
from .encoding_progress import Progress
from .output_folder import begin_folder, sweep, write_json
from .shard_writing import shard_schema, write_shard
from .source_encoding import EncodingOptions, code_dtype, encode_groups
from .sources import Source, Sources

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["ENDLESS", "ShardFolder", "ShardPlan", "encode_to_shards"]

ENDLESS = 1 << 40
"""More clips, and shards, than any stream has."""


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
        """What runs that fill one folder must have in common."""
        return {
            "shard_size": plain_number(self.shard_size),
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

    def read(self, kept: Container[int]) -> Iterator[tuple[int, Iterable[Source]]]:
        """The clips of the shards of this job, but for those that are kept, one after another."""
        for index in self.indices:
            if index in kept:
                continue
            start = index * self.shard_size
            clips = self.sources.read(start, start + self.shard_size)
            if self.sources.num_sources is None:  # it may have ended
                stream = iter(clips)
                first = next(stream, None)
                if first is None:
                    return
                clips = chain([first], stream)
            yield index, clips


class ShardFolder(NamedTuple):
    """A folder of shards, which several processes may fill together."""

    path: Path
    settings: dict[str, Any]
    """All that the codes depend on."""

    @classmethod
    def begin(
        cls, path: Path, plan: ShardPlan, codec: AudioCodec, options: EncodingOptions
    ) -> ShardFolder:
        """Makes the folder, or checks that it was made likewise; see `begin_folder`."""
        pin = codec.pin.to_dict()
        settings = {**pin, **options.settings, **plan.settings}
        begin_folder(path, settings)
        if not (path / PIN_FILE).exists():
            write_json(path / PIN_FILE, pin)
        return cls(path, settings)

    def kept(self, plan: ShardPlan, retry_errors: bool, overwrite: bool) -> set[int]:
        """Which of the shards of a job are there and stay."""
        if overwrite:
            return set()
        indices = plan.indices
        there = set(map(shard_number, self.path.glob("data/train-*.parquet")))
        if retry_errors:
            there = {index for index in there if not errors_path(self.path, index).exists()}
        there = {index for index in there if index in indices}
        if plan.sources.num_sources is None and there:
            last = max(there)
            if not self._ends(plan, last):
                there.remove(last)
        return there

    def _ends(self, plan: ShardPlan, index: int) -> bool:
        """Whether a shard of a stream is full, or the stream still ends where it did."""
        held = num_clips(self.path, index)
        if held == plan.shard_size:
            return True
        start = index * plan.shard_size
        return held == sum(1 for _ in plan.sources.read(start, start + plan.shard_size))

    def encode(
        self,
        codec: AudioCodec,
        shards: Iterable[tuple[int, Iterable[Source]]],
        options: EncodingOptions,
        progress: Progress,
    ) -> Iterator[int]:
        """Makes shards one after another, and says which is whole."""
        schema = shard_schema(code_dtype(codec), self.settings)
        with closing(encode_groups(codec, shards, options)) as groups:
            for index, results in groups:
                write_shard(self.path, index, progress.counting(results), schema)
                yield index

    def sweep(self, indices: Iterable[int]) -> None:
        """Removes what is left of killed runs."""
        sweep(self.path, {SETTINGS_FILE, PIN_FILE})
        for place in (shard_path, errors_path):
            names = {place(self.path, index).name for index in indices}
            sweep(place(self.path, 0).parent, names)


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
    folder = ShardFolder.begin(out, plan, codec, options)
    kept = folder.kept(plan, retry_errors, overwrite)
    with Progress(show_progress, plan.num_sources(kept)) as progress:
        made = set(folder.encode(codec, plan.read(kept), options, progress))
    folder.sweep(kept | made)
    return progress, len(kept)
