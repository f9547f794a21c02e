"""The training audio of the demo codec, all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from torch import Tensor


@dataclass
class Corpus:
    """All training audio in one row of samples, and where each utterance starts."""

    samples: Tensor
    starts: list[int]
    paths: list[Path]

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read every FLAC file of `folder`, in the order of their names."""
        paths = sorted(folder.glob("*.flac"))
        if not paths:
            raise SystemExit(f"{folder} has no .flac files; make some with synthesise_speech.py")
        clips = [sf.read(path, dtype="float32")[0] for path in paths]
        starts = np.cumsum([0, *map(len, clips)]).tolist()
        return cls(torch.from_numpy(np.concatenate(clips)), starts, paths)

    def crops(self, count: int, length: int) -> Tensor:
        """Return random pieces of the corpus, [count, length]."""
        offsets = torch.randint(len(self.samples) - length, (count,))
        return self.samples[offsets[:, None] + torch.arange(length)]

    def utterances(self) -> Iterator[tuple[Path, Tensor]]:
        """Yield each file's path and samples, [N]."""
        for path, start, end in zip(self.paths, self.starts, self.starts[1:], strict=False):
            yield path, self.samples[start:end]
