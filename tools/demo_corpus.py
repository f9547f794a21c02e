"""The training audio of the demo codec, all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

RECORDINGS = "recording-*"
RECORDINGS_SHARE = 0.4  # of all crops: nothing synthetic is quite like them
SPEEDS = (0.84, 1.2)
COLOURS, COLOUR_DB = 8, 4.0  # points of a random equaliser, and their spread
LOUDNESS = (0.3, 1.0)


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
        end = len(self.samples) - length
        offsets = torch.randint(end, (count,))
        # Names sort recordings first.
        recorded = sum(path.match(RECORDINGS) for path in self.paths)
        if recorded:
            among = torch.randint(min(end, self.starts[recorded]), (count,))
            offsets = torch.where(torch.rand(count) < RECORDINGS_SHARE, among, offsets)
        return self.samples[offsets[:, None] + torch.arange(length)]

    def varied_crops(self, count: int, length: int) -> Tensor:
        """Return random pieces at another speed, colour and loudness, [count, length]."""
        speed = SPEEDS[0] + (SPEEDS[1] - SPEEDS[0]) * torch.rand(()).item()
        pieces = self.crops(count, round(length * speed))[:, None]
        audio = F.interpolate(pieces, length, mode="linear", align_corners=False)[:, 0]
        decibels = COLOUR_DB * torch.randn(count, 1, COLOURS)
        curve = F.interpolate(decibels, length // 2 + 1, mode="linear", align_corners=True)[:, 0]
        audio = torch.fft.irfft(torch.fft.rfft(audio) * 10 ** (curve / 20), length)
        low, high = LOUDNESS
        peak = audio.abs().amax(1, keepdim=True) + 1e-3
        return (
            audio / peak.clamp(min=0.1) * (low + (high - low) * torch.rand(count, 1)).clamp(max=1)
        )

    def utterances(self) -> Iterator[tuple[Path, Tensor]]:
        """Yield each file's path and samples, [N]."""
        for path, start, end in zip(self.paths, self.starts, self.starts[1:], strict=False):
            yield path, self.samples[start:end]
