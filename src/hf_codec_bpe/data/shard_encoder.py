"""What an actor of a Ray cluster does: it encodes shards, one after another."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CodecBPEError, CodesError, CodesFileError, first_line
from ..shard_files import SETTINGS_FILE
from .encoding_progress import Progress
from .output_folder import writing
from .shard_encoding import ShardFolder
from .source_encoding import EncodingOptions
from .sources import Source

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["ATTEMPTS_FOLDER", "ShardEncoder", "ShardJob"]

ATTEMPTS_FOLDER = ".attempts"
"""Has, for each shard that is being made, a file with a byte for each process that began it."""
MAX_DEATHS = 3
"""How many of them may die before that is taken to be the shard's fault: Ray tries forever."""


@dataclass(frozen=True)
class ShardJob:
    """What all actors of a run have in common."""

    codec: Any
    """A reference to the `PackedCodec` in Ray's object store."""
    device: str
    folder: ShardFolder
    options: EncodingOptions
    working_directory: str
    """Where relative paths start, on every node."""


class ShardEncoder:
    """Loads the codec once and encodes the shards that it is given; one process.

    Args:
        job: What to do.
    """

    def __init__(self, job: ShardJob) -> None:
        self.job = job

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """Encodes the shard of a batch, an Arrow table with one row: `index` and `clips`.

        Returns:
            A row that says how that went; `error` is empty, or the pickled error that ends the
            run. (Raised, it would come wrapped in three layers of traces.)
        """
        from ray import cloudpickle

        (shard,) = batch.to_pylist()
        progress = Progress(is_shown=False, total=None)
        error = b""
        try:
            self._encode(shard["index"], cloudpickle.loads(shard["clips"]), progress)
        except CodecBPEError as problem:
            error = cloudpickle.dumps(problem)
        return {
            "num_encoded": [progress.num_encoded],
            "seconds": [progress.seconds],
            "num_failed": [progress.num_failed],
            "error": [error],
        }

    def _encode(self, index: int, clips: Iterable[Source], progress: Progress) -> None:
        self._go_where_paths_lead()
        folder = self.job.folder
        with _attempt(folder.path / ATTEMPTS_FOLDER / f"{index:05d}"):
            for _ in folder.encode(self._codec, [(index, clips)], self.job.options, progress):
                pass

    def _go_where_paths_lead(self) -> None:
        seen = self.job.folder.path / SETTINGS_FILE
        try:
            os.chdir(self.job.working_directory)
            seen.stat()
        except OSError as error:
            raise CodesFileError(
                f"The node {socket.gethostname()} does not see what the caller sees "
                f"({first_line(error)}): the folder of codes, the audio, and the folder that the "
                "run is started in must be where all nodes have them, at the same path."
            ) from error

    @cached_property
    def _codec(self) -> AudioCodec:
        import ray
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # of every actor, on the caller's screen
        codec: AudioCodec = ray.get(self.job.codec).load(self.job.device)
        return codec


@contextmanager
def _attempt(path: Path) -> Iterator[None]:
    """Counts how often something is begun; only the death of the process leaves it counted.

    Raises:
        CodesError: Too many processes died.
        CodesFileError: The file cannot be written.
    """
    with writing(path):
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("x")
    num_deaths = path.stat().st_size - 1
    try:
        if num_deaths > MAX_DEATHS:
            raise CodesError(
                f"{num_deaths} processes died while they encoded shard {int(path.name)}: one of "
                "its clips may need more memory than there is, or crash its decoder. Find out "
                "which, put an empty file in its place, and run the same again."
            )
        yield
    finally:
        path.unlink(missing_ok=True)
