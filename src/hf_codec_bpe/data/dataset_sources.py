"""The clips of a `datasets` dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np

from ..errors import AudioError, CodesError
from .sources import Source, Sources, check_ids, digest_of

__all__ = ["dataset_sources"]

NUM_PROBES = 8
"""How many rows tell one dataset from another; all would be too many."""


def dataset_sources(dataset: Any, audio_column: str, id_column: str | None) -> Sources:
    """The clips of a column; files in an Audio column are read by us, undecoded.

    Raises:
        AudioError: Several splits, no such column.
        CodesError: Two clips have the same id, or one has none.
    """
    import datasets

    if isinstance(dataset, (datasets.DatasetDict, datasets.IterableDatasetDict)):
        raise AudioError(
            f"This dataset has the splits {', '.join(dataset)}: encode one at a time, "
            f"dataset[{next(iter(dataset), 'train')!r}]."
        )
    features = dataset.features or {}
    names = [audio_column, *([id_column] if id_column else [])]
    missing = [name for name in names if features and name not in features]
    if missing:
        raise AudioError(
            f"The dataset has the columns {', '.join(features)}, but none named {missing[0]!r}: "
            "pass audio_column= or id_column=."
        )
    dataset = dataset.with_format(None)
    if features:
        dataset = dataset.select_columns(names)
    if isinstance(features.get(audio_column), datasets.Audio):
        dataset = dataset.cast_column(audio_column, datasets.Audio(decode=False))
    if isinstance(dataset, datasets.IterableDataset):
        return _StreamedColumn(dataset, audio_column, id_column)
    return _DatasetColumn(dataset, audio_column, id_column)


@dataclass(frozen=True)
class _Clips:
    """The clips of some rows, the first of which is row `start` of the dataset."""

    rows: Any
    start: int
    audio_column: str
    id_column: str | None

    def __iter__(self) -> Iterator[Source]:
        for index, row in enumerate(self.rows, self.start):
            audio = row.get(self.audio_column)
            name = self.id_column
            id_ = str(index) if name is None else _id(row[name], index, name)
            path = audio.get("path") if isinstance(audio, Mapping) else audio
            yield Source(id_, path if isinstance(path, str) else None, audio)


def _id(value: Any, index: int, column: str) -> str:
    """A row's id, which nothing stands in for."""
    if value is None or value == "":
        raise CodesError(
            f"Row {index} has {value!r} in the column {column!r}, which is no id: give every clip "
            "one, or leave id_column out, which numbers them."
        )
    return str(value)


_NUM_FIRST = 4
"""Clips that tell one stream from another, by what is in them."""


def _fingerprint(clip: Source) -> str:
    """What tells a clip from another one: its names, and the sound itself if it is here."""
    audio = clip.audio
    if isinstance(audio, Mapping):
        audio = audio.get("bytes") if audio.get("array") is None else audio["array"]
    if audio is None or isinstance(audio, str):
        content = b""
    else:
        content = audio if isinstance(audio, bytes) else np.asarray(audio).tobytes()
    return f"{clip.id}\0{clip.path}\0{blake2b(content, digest_size=16).hexdigest()}"


class _Column:
    """What all datasets have in common: rows, and a column with audio."""

    num_sources: int | None = None

    def __init__(self, dataset: Any, audio_column: str, id_column: str | None) -> None:
        self.dataset = dataset
        self.audio_column = audio_column
        self.id_column = id_column
        self.identity = digest_of([audio_column, str(id_column)])

    def _clips(self, rows: Any, start: int) -> _Clips:
        return _Clips(rows, start, self.audio_column, self.id_column)


class _StreamedColumn(_Column):
    """Clips that can only be read in order: continuing means skipping those that are done."""

    def __init__(self, dataset: Any, audio_column: str, id_column: str | None) -> None:
        super().__init__(dataset, audio_column, id_column)
        first = islice(self._clips(dataset, 0), _NUM_FIRST)
        self.identity = digest_of([self.identity, *map(_fingerprint, first)])
        self._begin()

    def read(self, start: int, stop: int) -> Iterator[Source]:
        if start < self._next:
            self._begin()
        for clip in islice(self._all, stop - self._next):
            self._next += 1
            self._check_id(clip.id)
            if self._next > start:
                yield clip

    def _begin(self) -> None:
        self._all = iter(self._clips(self.dataset, 0))
        self._next = 0
        self._ids: set[int] = set()

    def _check_id(self, id_: str) -> None:
        """Refuses an id that was there before; remembers hashes, which are shorter."""
        if self.id_column is not None:
            if hash(id_) in self._ids:
                raise CodesError(
                    f"Two clips of the stream have the id {id_!r}: name them by a column of unique "
                    "ids."
                )
            self._ids.add(hash(id_))


class _DatasetColumn(_Column):
    """Clips that can be reached one by one."""

    def __init__(self, dataset: Any, audio_column: str, id_column: str | None) -> None:
        super().__init__(dataset, audio_column, id_column)
        self.num_sources = len(dataset)
        column: Iterable[Any] = () if id_column is None else dataset[id_column]
        ids = [_id(value, index, str(id_column)) for index, value in enumerate(column)]
        check_ids(ids)
        step = max(1, len(dataset) // NUM_PROBES)
        probes = (repr(dataset[index]) for index in range(0, len(dataset), step))
        self.identity = digest_of([self.identity, *ids, *probes])

    def read(self, start: int, stop: int) -> Iterable[Source]:
        rows = self.dataset.select(range(start, min(stop, len(self.dataset))))
        return self._clips(rows, start)
