"""Finding the audio files of a corpus."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import AudioError, AudioNotFoundError, first_line

__all__ = ["EXTENSIONS", "AudioFile", "find_audio"]

EXTENSIONS = (".wav", ".flac", ".mp3", ".ogg", ".opus")


class AudioFile(NamedTuple):
    """A file, and its place below the folder in which it was found."""

    path: Path
    relative: Path


def find_audio(
    sources: Iterable[str | os.PathLike[str]],
    *,
    extensions: Sequence[str] = EXTENSIONS,
    audio_filter: str | Sequence[str] | None = None,
) -> list[AudioFile]:
    """All audio files among files and folders, folders in the order of their paths.

    Args:
        sources: Files, taken whatever their ending, and folders, searched recursively.
        extensions: The endings to look for inside folders, in any case, with their dot or without.
        audio_filter: Take only files whose path holds this string, or one of these.

    Raises:
        AudioNotFoundError: A source that does not exist, or no file at all.
        AudioError: A folder that cannot be read.
    """
    wanted = [audio_filter] if isinstance(audio_filter, str) else audio_filter
    endings = {f".{extension.lower().lstrip('.')}" for extension in extensions}
    found = [
        file
        for source in sources
        for file in _below(Path(source), endings)
        if not wanted or any(part in str(file.path) for part in wanted)
    ]
    if not found:
        raise AudioNotFoundError(
            f"There is no audio in {', '.join(map(str, sources))}: files must end in "
            f"{', '.join(sorted(endings))}"
            + (f" and contain {' or '.join(wanted)}." if wanted else ".")
        )
    return found


def _below(source: Path, endings: set[str]) -> Iterator[AudioFile]:
    if source.is_dir():
        for path in _files_below(source):
            if path.suffix.lower() in endings:
                yield AudioFile(path, path.relative_to(source))
    elif source.exists():
        yield AudioFile(source, Path(source.name))
    else:
        raise AudioNotFoundError(f"There is no audio file or folder at {source}: check the path.")


def _files_below(folder: Path, around: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """All files of a folder in the order of their paths, those behind links too.

    A link to nothing counts as a file: it is for the reader of the file to complain.
    """
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise AudioError(
            f"The folder {folder} cannot be read ({first_line(error)}): some of its files would be "
            "missing."
        ) from error
    here = (status.st_dev, status.st_ino)
    if here in around:  # a link back to a folder that it is in
        return
    for entry in entries:
        path = Path(entry)
        # An entry knows what it is without asking the disk, but fails at links in circles.
        known = path if entry.is_symlink() else entry
        if known.is_dir():
            yield from _files_below(path, around | {here})
        elif known.is_file() or known.is_symlink():
            yield path
