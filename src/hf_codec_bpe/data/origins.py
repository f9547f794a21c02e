"""Which file each clip of a folder of `.npy` files is of: names alone may be those of others.

origins/train-00000.json  the clips that a job encodes: their ids, and whole paths
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import CodesError
from ..shard_files import read_made_by
from .output_folder import write_json
from .sources import Source

__all__ = ["ORIGINS_FOLDER", "note_origins", "origins_path"]

ORIGINS_FOLDER = "origins"


def origins_path(folder: Path, shard_index: int) -> Path:
    """Where the origins of a job's clips are."""
    return folder / ORIGINS_FOLDER / f"train-{shard_index:05d}.json"


def note_origins(
    folder: Path, shard_index: int, sources: Iterable[Source], *, overwrite: bool
) -> None:
    """Adds what a job is going to encode to what was encoded before.

    Raises:
        CodesError: A clip has the name of another one that was encoded before, unless that is
            overwritten.
        CodesFileError: The folder cannot be written.
    """
    path = origins_path(folder, shard_index)
    own = read_made_by(path) if path.exists() else {}
    known: dict[str, str] = {}
    for file in sorted(path.parent.glob("train-*.json")):
        known |= read_made_by(file)
    known |= own  # what others noted before an overwriting may be out of date
    new = {source.id: _origin(source) for source in sources}
    for id_, origin in new.items():
        if not overwrite and known.get(id_, origin) != origin:
            raise CodesError(
                f"{folder} holds codes of {id_!r} already, but of {known[id_]} instead of "
                f"{origin}: encode to another folder, or overwrite."
            )
    write_json(path, dict(sorted({**own, **new}.items())))


def _origin(source: Source) -> str:
    name = str(source.audio)
    return name if "://" in name else os.path.abspath(name)
