"""What there is to encode: files, a manifest of files, or a dataset; always in the same order."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..errors import AudioError, AudioNotFoundError, CodesError
from ..named_paths import named_path
from .audio_files import EXTENSIONS, AudioFile, find_audio

__all__ = [
    "Source",
    "SourceList",
    "Sources",
    "check_ids",
    "digest_of",
    "open_sources",
    "read_clips",
]

MANIFESTS = (".jsonl", ".csv", ".tsv")
PATH_COLUMNS = ("path", "audio_filepath")
OTHER_COLUMNS = ("id", "text", "offset")


class Source(NamedTuple):
    """One clip to encode."""

    id: str
    """Unique among the clips."""
    path: str | None
    """Where it comes from, for people; `None` for audio without a name."""
    audio: Any
    """What `load_audio` takes."""
    text: str | None = None
    """What is said in it, if a manifest tells in a column `text`."""


class Sources(Protocol):
    """Clips in an order that never changes."""

    num_sources: int | None
    """How many; `None` if nobody can tell."""
    identity: str
    """A hash that two runs must have in common, so that one may go on where the other stopped."""

    def read(self, start: int, stop: int) -> Iterable[Source]:
        """The clips from one place to another, fewer if there are no more.

        Unless nobody can tell how many there are, they may be sent to another process.
        """


class SourceList:
    """Clips that are all known by name.

    Args:
        sources: The clips.

    Raises:
        CodesError: Two clips have the same id.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.sources = list(sources)
        check_ids(source.id for source in self.sources)
        self.num_sources: int | None = len(self.sources)
        self.identity = digest_of(f"{source.id}\0{source.path}" for source in self.sources)

    def read(self, start: int, stop: int) -> Iterable[Source]:
        """The clips from one place to another, fewer if there are no more."""
        return self.sources[start:stop]


def open_sources(
    source: Any,
    *,
    extensions: Sequence[str] = EXTENSIONS,
    audio_filter: str | Sequence[str] | None = None,
    audio_column: str = "audio",
    id_column: str | None = None,
) -> Sources:
    """Finds out what is to be encoded; for the arguments see `encode_dataset`.

    Raises:
        AudioNotFoundError: There is nothing to encode.
        AudioError: A manifest that names no files, a dataset without such a column, or a filter of
            paths for one.
        CodesError: Two clips have the same id.
    """
    if isinstance(source, SourceList):
        return source
    if isinstance(source, (str, os.PathLike)):
        source = [source]
    if hasattr(source, "column_names"):  # without importing datasets
        from .dataset_sources import dataset_sources

        if audio_filter:
            raise AudioError("audio_filter is for files: choose rows with dataset.filter.")
        found = dataset_sources(source, audio_column, id_column)
        if found.num_sources == 0:
            raise AudioNotFoundError("The dataset is empty: there is nothing to encode.")
        return found
    return SourceList(read_clips(source, extensions=extensions, audio_filter=audio_filter))


def read_clips(
    source: Iterable[str | os.PathLike[str]],
    *,
    extensions: Sequence[str] = EXTENSIONS,
    audio_filter: str | Sequence[str] | None = None,
) -> list[Source]:
    """The clips of files and folders, or of one manifest; for the arguments see `encode_dataset`.

    Raises:
        AudioNotFoundError: There are none.
        AudioError: A manifest that names no files, or that is not the only source.
    """
    paths = [named_path(path, "A source", AudioNotFoundError) for path in source]
    manifest = next(filter(_is_manifest, paths), None)
    if manifest is None:
        files = find_audio(paths, extensions=extensions, audio_filter=audio_filter)
        return list(map(_file_source, files))
    if len(paths) > 1:
        raise AudioError(
            f"{manifest} is a manifest, and there are {len(paths) - 1} other source(s): a manifest "
            "must be the only one. Name the other files in it, too."
        )
    clips = list(_manifest(manifest))
    if not clips:
        raise AudioNotFoundError(f"{manifest} is empty: there are no clips in it.")
    wanted = [audio_filter] if isinstance(audio_filter, str) else audio_filter
    chosen = [clip for clip in clips if not wanted or any(part in clip.audio for part in wanted)]
    if not chosen:
        raise AudioNotFoundError(
            f"No path of {manifest} contains {' or '.join(wanted or ())}: check the filter."
        )
    return chosen


def _is_manifest(path: Path) -> bool:
    return path.suffix.lower() in MANIFESTS and path.is_file()


def check_ids(ids: Iterable[str]) -> None:
    """Refuses ids that are not unique.

    Raises:
        CodesError: Two clips have the same id.
    """
    for id_, count in Counter(ids).most_common(1):
        if count > 1:
            raise CodesError(
                f"{count} clips have the id {id_!r}: rename them, encode them to different "
                "folders, or name them by a column of unique ids."
            )


def digest_of(names: Iterable[str]) -> str:
    """A hash of names in their order."""
    digest = blake2b(digest_size=16)
    for name in names:
        digest.update(f"{name}\0\0".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _file_source(file: AudioFile) -> Source:
    """A file as a clip, whose id is its place in its folder."""
    return Source(file.relative.as_posix(), str(file.path), str(file.path))


def _manifest(path: Path) -> Iterator[Source]:
    """The clips of a manifest; relative paths are taken from its folder."""
    for number, row in enumerate(_rows(path), start=1):
        column = next((name for name in PATH_COLUMNS if row.get(name)), None)
        if column is None:
            raise AudioError(
                f"Entry {number} of {path} names no file: it needs a column "
                f"{' or '.join(PATH_COLUMNS)}, but has {', '.join(map(str, row))}."
            )
        if str(row.get("offset") or "").strip("0."):
            raise AudioError(
                f"Entry {number} of {path} has an offset, but only whole files are encoded: cut "
                "them first."
            )
        for used in (column, "id", "text"):
            _check_plain(row.get(used), used, f"Entry {number} of {path}")
        name = str(row[column])
        id_ = row.get("id")
        id_ = name.lstrip("/") if id_ is None or id_ == "" else str(id_)
        text = row.get("text")
        audio = name if "://" in name else str(path.parent / name)
        yield Source(id_, name, audio, None if text is None else str(text))


def _check_plain(value: Any, column: str, entry: str) -> None:
    """Refuses lists, objects and truth values of JSON: as text, they would name something else."""
    if isinstance(value, (list, dict, bool)):
        raise AudioError(
            f"{entry} has {json.dumps(value)} in the column {column}, which takes text: write an "
            "entry for each clip."
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    read = _json_rows if path.suffix.lower() == ".jsonl" else _table_rows
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from read(file, path)
    except UnicodeDecodeError as error:
        raise AudioError(f"{path} is not UTF-8 ({error.reason}): convert it first.") from error


def _json_rows(file: Iterable[str], path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(filter(str.strip, file), start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise AudioError(f"Entry {number} of {path} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise AudioError(f"Entry {number} of {path} is not a JSON object: {line.strip()}")
        yield row


def _table_rows(file: Iterable[str], path: Path) -> Iterator[dict[str, Any]]:
    """Rows by the names in the first one; a lone quote must not swallow those after it."""
    is_tsv = path.suffix.lower() == ".tsv"
    reader = csv.reader(file, delimiter="\t" if is_tsv else ",", strict=not is_tsv)
    rows = filter(None, reader)
    try:
        names = next(rows, [])
        _check_columns(names, path)
        for row in rows:
            if is_tsv and any("\n" in field or "\r" in field for field in row):
                raise csv.Error("a field goes on in the next line")
            if any(row[len(names) :]):
                raise csv.Error(f"{len(row)} fields, but the first row names {len(names)}")
            yield dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise AudioError(
            f"{path} cannot be read up to line {reader.line_num} ({error}). A field that "
            "holds a separator must be quoted, and a quote that begins a field must end it and be "
            "doubled inside of it: repair the quotes, or write a .jsonl."
        ) from error


def _check_columns(names: Sequence[str], path: Path) -> None:
    """Refuses a column that is there twice, of those that are read: one would hide the other."""
    for name in (*PATH_COLUMNS, *OTHER_COLUMNS):
        if names.count(name) > 1:
            raise AudioError(
                f"{path} has {names.count(name)} columns {name}, but one counts: rename the others "
                "in its first row."
            )
