"""Folders of codes as codec-bpe lays them out: `.npy` files and a `codec_info.json`.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .appearing import appearing_file
from .errors import CodesError
from .named_paths import named_path

__all__ = [
    "INFO_FILE",
    "CodecInfo",
    "CodesFolder",
    "check_length",
    "check_num_files",
    "file_name",
    "sample",
    "save_codes",
]

Codes = npt.NDArray[np.integer[Any]]

INFO_FILE = "codec_info.json"
_LONGEST_NAME = 255
_ENDING = re.compile(r"\.(?=\w*[A-Za-z])\w{2,5}$")


@dataclass(frozen=True)
class CodecInfo:
    """What codec-bpe writes beside codes."""

    codec_type: str
    codec_model: str
    sampling_rate_encoder: int
    sampling_rate_decoder: int
    num_codebooks: int
    codebook_size: int
    framerate: float

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes `codec_info.json`, which is never seen half written."""
        with appearing_file(Path(folder, INFO_FILE), is_shared=True) as partial:
            partial.write_text(json.dumps(asdict(self), indent=4), encoding="utf-8")


class CodesFolder:
    """The clips of a folder, in the order of their paths; may be iterated any number of times.

    Args:
        path: The folder; `.npy` files in folders below it count too. Each holds codes `[K, T]`,
            or `[1, K, T]` or `[1, 1, K, T]`, as codec-bpe saves them.
        num_codebooks: Use only this many codebooks of each clip, the first ones; by default all.
        codes_filter: Use only files whose path holds this string, or one of these.
        num_files: Use only this many of them, the first ones.
        max_seconds: Of those, use a random sample of about this much audio; needs
            `codec_info.json`.
        seed: Chooses the sample; the same seed chooses the same clips.

    Raises:
        CodesError: No such files, or one that does not hold codes with enough codebooks.
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
        wanted = [codes_filter] if isinstance(codes_filter, str) else codes_filter
        files = sorted(self.path.rglob("*.npy"), key=str)
        if wanted:
            files = [file for file in files if any(part in str(file) for part in wanted)]
        check_num_files(num_files)
        self.files = files[:num_files]
        if not self.files:
            raise CodesError(
                f"There are no codes in {self.path}: name a folder that encode wrote, or one of "
                ".npy files" + (f" whose paths contain {' or '.join(wanted)}." if wanted else ".")
            )
        if max_seconds is not None:
            self.files = [self.files[i] for i in sample(self._seconds(), max_seconds, seed)]

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Codes]:
        return map(self.load, self.files)

    @property
    def names(self) -> list[str]:
        """What to call each clip: the path of its file in the folder, without `.npy`."""
        return [file.relative_to(self.path).with_suffix("").as_posix() for file in self.files]

    @property
    def seconds(self) -> float:
        """How much audio the clips are.

        Raises:
            CodesError: There is no `codec_info.json` that says how long a frame is.
        """
        return sum(self._seconds())

    @property
    def info(self) -> CodecInfo | None:
        """What `codec_info.json` says; `None` if there is none.

        Raises:
            CodesError: The file is there, but is not what codec-bpe writes.
        """
        path = self.path / INFO_FILE
        if not path.exists():
            return None
        try:
            return CodecInfo(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise CodesError(
                f"{path} is not what codec-bpe writes ({error}): repair it, or remove it "
                "and pass what it would say."
            ) from error

    def load(self, file: Path) -> Codes:
        """The codes `[K, T]` of one of the files.

        Raises:
            CodesError: The file does not hold codes with enough codebooks.
        """
        codes = _load(file)
        while codes.ndim > 2 and len(codes) == 1:
            codes = codes[0]
        if codes.ndim != 2 or len(codes) < (self.num_codebooks or 1):
            raise CodesError(
                f"{file} holds an array of shape {list(codes.shape)}: codes are [K, T] with at "
                f"least {self.num_codebooks or 1} codebook(s)."
            )
        return codes[: self.num_codebooks]

    def _seconds(self) -> list[float]:
        """How long each clip is, by the headers of the files."""
        info = self.info
        if info is None:
            raise CodesError(
                f"{self.path} has no {INFO_FILE} that says how long a frame is: use num_files."
            )
        return [_load(file, mmap_mode="r").shape[-1] / info.framerate for file in self.files]


def _load(file: Path, mmap_mode: Literal["r"] | None = None) -> Codes:
    try:
        codes: Codes = np.load(file, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise CodesError(
            f"{file} is not a whole .npy file of numbers: remove it, or encode its clip again."
        ) from error
    return codes


def sample(seconds: npt.ArrayLike, max_seconds: float, seed: int) -> list[int]:
    """Chooses clips at random until they are `max_seconds` long; the last one may go beyond.

    Returns:
        Their indices, ascending.

    Raises:
        CodesError: `max_seconds` is not positive.

    Example:
        >>> sample([5.0, 5.0, 5.0, 5.0], 10.0, seed=0)
        [0, 2]
    """
    if not max_seconds > 0:
        raise CodesError(f"max_seconds={max_seconds} chooses nothing: pass seconds of audio.")
    lengths = np.asarray(seconds)
    order = np.random.default_rng(seed).permutation(len(lengths))
    before = np.cumsum(lengths[order]) - lengths[order]
    return sorted(order[before < max_seconds].tolist())


def check_num_files(num_files: int | None) -> None:
    """Refuses a number of files that chooses nothing, or all but the last ones.

    Raises:
        CodesError: `num_files` is less than 1.
    """
    if num_files is not None and num_files < 1:
        raise CodesError(f"num_files={num_files} chooses nothing: pass 1 or more.")


def file_name(id_: str) -> str:
    """What to call a clip's file: its id without the ending of an audio file.

    Raises:
        CodesError: The id leads out of the folder that the file belongs in.

    Example:
        >>> file_name("a/b.wav"), file_name("take.2")
        ('a/b', 'take.2')
    """
    path = PurePosixPath(id_)
    if path.is_absolute() or ".." in path.parts:
        raise CodesError(
            f"The id {id_!r} leads out of the folder, but files are named by ids: give such clips "
            "others, as in the column id of a manifest."
        )
    return _ENDING.sub("", str(path))


def check_length(path: Path) -> None:
    """Refuses a file whose name no file system takes, before any work.

    Raises:
        CodesError: It is too long.
    """
    length = max(len(part.encode(errors="surrogatepass")) for part in path.parts)
    if length > _LONGEST_NAME:
        raise CodesError(
            f"{path} has a name of {length} bytes, and files have at most {_LONGEST_NAME}: give "
            "the clip a shorter one, as in the column id of a manifest."
        )


def save_codes(path: str | os.PathLike[str], codes: Codes) -> None:
    """Writes codes `[K, T]` so that codec-bpe reads them too (it needs 32 bits)."""
    buffer = io.BytesIO()  # written to a file, numpy may leave its end out and not say so
    np.save(buffer, codes.astype(np.int32), allow_pickle=False)
    with appearing_file(Path(path), is_durable=True, is_shared=True) as partial:
        partial.write_bytes(buffer.getbuffer())
