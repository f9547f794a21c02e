"""Writing shards of codes; `shard_files` says how they are laid out, and `code_shards` reads them.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..shard_files import MADE_BY, errors_path, shard_path
from .output_folder import appearing, writing
from .source_encoding import EncodedSource
from .window_batches import Codes

__all__ = ["shard_schema", "write_errors", "write_shard"]

GROUP_CODES = 1 << 22
"""A row group is written once it holds this many codes: no more wait in memory."""
GROUP_ROWS = 1000
"""Or this many rows."""


def shard_schema(dtype: np.dtype[Any], settings: dict[str, Any]) -> pa.Schema:
    """The columns of a shard, and all that its codes depend on as metadata."""
    return pa.schema(
        [
            ("id", pa.string()),
            ("path", pa.string()),
            ("channel", pa.int32()),
            ("duration", pa.float64()),
            ("codes", pa.list_(pa.list_(pa.from_numpy_dtype(dtype)))),
        ],
        metadata={MADE_BY: json.dumps(settings)},
    )


def write_shard(
    folder: Path, index: int, results: Iterable[EncodedSource], schema: pa.Schema
) -> None:
    """Writes what was encoded as it comes; the shard appears when it is whole.

    Equal results make equal bytes.

    Raises:
        CodesFileError: The shard cannot be written.
    """
    path = shard_path(folder, index)
    failed: list[dict[str, Any]] = []
    with appearing(path) as partial:
        with writing(path):
            writer = pq.ParquetWriter(partial, schema, compression="zstd", write_page_checksum=True)
        try:
            for rows in _row_groups(results, failed):
                with writing(path):
                    writer.write_table(_table(rows, schema))
        finally:
            with writing(path):
                writer.close()
        errors = errors_path(folder, index)
        if failed or errors.exists():
            # A shard is never there without its errors, nor an old one with new errors.
            with writing(path):
                path.unlink(missing_ok=True)
            write_errors(errors, failed)


class _Row(NamedTuple):
    """One channel of a clip."""

    result: EncodedSource
    channel: int
    codes: Codes


def _row_groups(
    results: Iterable[EncodedSource], failed: list[dict[str, Any]]
) -> Iterator[list[_Row]]:
    """Rows that are written together; puts sources that have none to the failed ones."""
    rows: list[_Row] = []
    for result in results:
        if result.error:
            failed.append(result.as_error())
        rows += [_Row(result, i, codes) for i, codes in enumerate(result.channels)]
        if len(rows) >= GROUP_ROWS or sum(row.codes.size for row in rows) >= GROUP_CODES:
            yield rows
            rows = []
    if rows:
        yield rows


def _table(rows: Sequence[_Row], schema: pa.Schema) -> pa.Table:
    columns = [
        [row.result.source.id for row in rows],
        [row.result.source.path for row in rows],
        [row.channel for row in rows],
        [row.result.seconds for row in rows],
    ]
    arrays = [pa.array(values, schema.types[i]) for i, values in enumerate(columns)]
    return pa.Table.from_arrays([*arrays, _nested([row.codes for row in rows])], schema=schema)


def _nested(clips: Sequence[Codes]) -> pa.Array:
    """Codes `[K, T]` of clips as lists of K lists of T."""
    streams = [stream for codes in clips for stream in codes]
    inner = pa.ListArray.from_arrays(
        _offsets([len(stream) for stream in streams]), np.concatenate(streams)
    )
    return pa.ListArray.from_arrays(_offsets([len(codes) for codes in clips]), inner)


def _offsets(lengths: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


def write_errors(path: Path, failed: Sequence[dict[str, Any]]) -> None:
    """Writes what could not be encoded; no file if there is nothing."""
    if not failed:
        with writing(path):
            path.unlink(missing_ok=True)
        return
    lines = [json.dumps(each, ensure_ascii=False) for each in failed]
    with appearing(path) as partial, writing(path):
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
