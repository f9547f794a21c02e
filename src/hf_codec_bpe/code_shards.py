"""Reading the shards of codes that `encode_dataset` wrote; `shard_files` says how they lie.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from .codes_folder import CodecInfo, CodesFolder, check_num_files, file_name, sample
from .errors import CodesError, first_line
from .named_paths import named_path
from .shard_files import (
    MADE_BY,
    PIN_FILE,
    SETTINGS_FILE,
    changed_settings,
    errors_path,
    read_made_by,
    shard_number,
    shard_path,
)

__all__ = ["CodeShards", "clips_in", "info_of", "num_clips", "open_codes"]

logger = logging.getLogger(__name__)

Codes = npt.NDArray[np.integer[Any]]

BATCH_ROWS = 64
"""Clips that are read at once."""
_IN_PIN = {
    "family": str,
    "num_codebooks": int,
    "codebook_sizes": list,
    "sampling_rate": int,
    "output_sampling_rate": int,
    "frame_rate": (int, float),
}
_IN_SETTINGS = {"num_sources": (int, NoneType), "shard_size": int}
_ROW = np.dtype([("shard", np.int32), ("row", np.int32), ("seconds", np.float64)])


def num_clips(folder: Path, index: int) -> int:
    """How many clips a finished shard accounts for, failed ones included."""
    channels = (
        batch.column(0).to_pylist()
        for batch in _batches(shard_path(folder, index), ["channel"], 10_000)
    )
    errors = errors_path(folder, index)
    num_failed = errors.read_text(encoding="utf-8").count("\n") if errors.exists() else 0
    return sum(column.count(0) for column in channels) + num_failed


class CodeShards:
    """The clips of shards in the order of their sources; may be iterated any number of times.

    Only a few clips are in memory at a time.

    Args:
        path: The folder.
        num_codebooks: Use only this many codebooks of each clip, the first ones; by default all.
        codes_filter: Use only clips whose id or path holds this string, or one of these.
        num_files: Use only this many of them, the first ones.
        max_seconds: Of those, use a random sample of about this much audio; by default all.
        seed: Chooses the sample; the same seed chooses the same clips.

    Raises:
        CodesError: No shards, no clips left, or fewer codebooks.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        num_codebooks: int | None = None,
        codes_filter: str | Sequence[str] | None = None,
        num_files: int | None = None,
        max_seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        self.path = named_path(path)
        self.num_codebooks = num_codebooks
        self.shards = sorted(self.path.glob("data/train-*.parquet"), key=shard_number)
        if not self.shards:
            raise CodesError(f"There are no codes in {self.path}: it holds no finished shard.")
        self.pin: dict[str, Any] = read_made_by(self.path / PIN_FILE, _IN_PIN)
        self._made_by = read_made_by(self.path / SETTINGS_FILE, _IN_SETTINGS)
        if num_codebooks is not None and num_codebooks > self.pin["num_codebooks"]:
            raise CodesError(
                f"{self.path} holds codes of {self.pin['num_codebooks']} codebooks, not of "
                f"{num_codebooks}: ask for fewer."
            )
        self._warn_of_missing_shards()
        self._wanted = [codes_filter] if isinstance(codes_filter, str) else codes_filter
        check_num_files(num_files)
        rows = np.fromiter(self._rows(), dtype=_ROW)[:num_files]
        self.total_seconds = float(rows["seconds"].sum())
        """How much audio there would be without `max_seconds`."""
        if max_seconds is not None:
            rows = rows[sample(rows["seconds"], max_seconds, seed)]
        if not len(rows):
            raise CodesError(
                f"There are no codes in {self.path}"
                + (
                    f" whose id or path contains {' or '.join(self._wanted)}."
                    if self._wanted
                    else "."
                )
            )
        self._chosen = rows

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[Codes]:
        for codes in self._column("codes", BATCH_ROWS):
            streams = codes.values
            yield streams.flatten().to_numpy().reshape(len(streams), -1)[: self.num_codebooks]

    @property
    def seconds(self) -> float:
        """How much audio the clips are."""
        return float(self._chosen["seconds"].sum())

    @property
    def names(self) -> list[str]:
        """What to call each clip in a folder of files: `a/b_c0` for channel 0 of `a/b.wav`.

        Raises:
            CodesError: An id that leads out of the folder.
        """
        ids = (id_.as_py() for id_ in self._column("id", 10_000))
        channels = self._column("channel", 10_000)
        return [f"{file_name(id_)}_c{channel}" for id_, channel in zip(ids, channels, strict=True)]

    @property
    def codebook_sizes(self) -> list[int]:
        """The size of each of the K codebooks in use."""
        return list(self.pin["codebook_sizes"][: self.num_codebooks])

    @property
    def info(self) -> CodecInfo:
        """What codec-bpe would write of the codec; see `info_of`."""
        return info_of(self.pin)

    def _rows(self) -> Iterator[tuple[int, int, float]]:
        """Shard, row and seconds of all clips that are wanted."""
        for shard, file in enumerate(self.shards):
            number = count()
            for batch in _batches(file, ["id", "path", "duration"], 10_000, self._made_by):
                for id_, path, seconds in zip(*batch.to_pydict().values(), strict=True):
                    row = next(number)
                    name = f"{id_}\n{path or ''}"
                    if not self._wanted or any(part in name for part in self._wanted):
                        yield shard, row, seconds

    def _column(self, name: str, num_rows: int) -> Iterator[Any]:
        """A column's values for the chosen clips, reading some rows at a time."""
        for shard in np.unique(self._chosen["shard"]):
            chosen = self._chosen[self._chosen["shard"] == shard]["row"]
            start = 0
            for batch in _batches(self.shards[shard], [name], num_rows):
                rows = chosen[(chosen >= start) & (chosen < start + len(batch))] - start
                yield from map(batch.column(0).__getitem__, rows.tolist())
                start += len(batch)

    def _warn_of_missing_shards(self) -> None:
        num_sources = self._made_by.get("num_sources")
        if num_sources is None:
            return
        expected = -(-num_sources // self._made_by["shard_size"])
        if len(self.shards) < expected:
            logger.warning(
                "%s holds %d of %d shards: encoding has not finished.",
                self.path,
                len(self.shards),
                expected,
            )


def info_of(pin: Mapping[str, Any]) -> CodecInfo:
    """What codec-bpe would write of a codec; the size is that of its largest codebook."""
    return CodecInfo(
        codec_type=pin["family"],
        codec_model=pin.get("name_or_path") or pin["family"],
        sampling_rate_encoder=pin["sampling_rate"],
        sampling_rate_decoder=pin["output_sampling_rate"],
        num_codebooks=pin["num_codebooks"],
        codebook_size=max(pin["codebook_sizes"]),
        framerate=pin["frame_rate"],
    )


def open_codes(path: str | os.PathLike[str], **options: Any) -> CodesFolder | CodeShards:
    """A folder of codes of either layout; for the options see `CodeShards` and `CodesFolder`.

    Raises:
        CodesError: There are no codes, or none that the options allow.
    """
    is_shards = any(Path(path).glob("data/train-*.parquet"))
    return CodeShards(path, **options) if is_shards else CodesFolder(path, **options)


def clips_in(codes: str | os.PathLike[str] | Iterable[Any]) -> Iterable[Any]:
    """The clips `[K, T]` of a folder, or of any iterable but a dataset of several columns.

    Raises:
        CodesError: There are none in the folder, or it is a dataset, whose rows are no codes.
    """
    if isinstance(codes, (str, os.PathLike)):
        return open_codes(codes)
    if isinstance(codes, Mapping) or hasattr(codes, "column_names"):
        names = codes if isinstance(codes, Mapping) else codes.column_names or ()
        raise CodesError(
            f"This {type(codes).__name__} ({', '.join(map(str, names))}) is not clips of codes: "
            "pass the column that holds them, such as dataset['codes'], of one split."
        )
    return codes


def _batches(
    file: Path, columns: list[str], num_rows: int, made_by: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """Columns of a shard, some rows at a time; with `made_by`, only if it was made like that."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            settings = json.loads((parquet.schema_arrow.metadata or {}).get(MADE_BY, "null"))
            if settings and not changed_settings(settings, made_by or settings):
                yield from parquet.iter_batches(num_rows, columns=columns, use_threads=False)
                return
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise CodesError(
            f"{file} is not a whole shard that encode_dataset wrote ({first_line(error)}): remove "
            "it, and run the same encoding again, which makes it anew."
        ) from error
    raise CodesError(
        f"{file} was made otherwise than {SETTINGS_FILE} says of its folder: remove it, and run "
        "the same encoding again, which makes it anew."
    )
