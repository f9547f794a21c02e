"""A clip that a visitor of the page sent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ...audio import Waveform
from ...audio_blocks import audio_blocks
from ...errors import AudioError

__all__ = ["LONGEST_SECONDS", "visitors_clip"]

LONGEST_SECONDS = 60
"""What a visitor may send: longer clips would keep others waiting."""


def visitors_clip(path: str | os.PathLike[str], sampling_rate: int) -> Waveform:
    """A file's samples `[S]`; errors call it by its name, not by the server's path.

    Raises:
        AudioError: A file that cannot be read or used, is too long, or is no longer there.
    """
    file = Path(path)
    blocks, num_samples = [], 0
    for block in audio_blocks({"bytes": _bytes_of(file), "path": file.name}, sampling_rate):
        blocks.append(block[0])
        num_samples += len(block[0])
        if num_samples > LONGEST_SECONDS * sampling_rate:
            raise AudioError(
                f"{file.name} is longer than {LONGEST_SECONDS} seconds, the most that this page "
                "takes: cut it, or use hf-codec-bpe encode, which takes any length."
            )
    return np.concatenate(blocks)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:  # the page deletes what it was sent after an hour or two
        raise AudioError(
            f"{file.name} is no longer here, as clips are kept only for a while: send it again."
        ) from error
