"""SenseVoice's front end: Kaldi's filter banks, a few frames at a time, normalised.

Axis letters: M = mel bands, N = features, S = samples, W = frames of 10 ms.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn
from transformers.audio_utils import mel_filter_bank

from .configuration_flexicodec import FEATURE_SIZE, SAMPLING_RATE

__all__ = ["SenseVoiceFrontEnd", "fewest_samples", "filter_banks", "num_features", "stacked"]

FRAME_LENGTH, FRAME_SHIFT, FFT_LENGTH = 400, 160, 512
"""25 ms every 10 ms."""
NUM_MEL_BANDS, LOWEST_HZ = 80, 20
PREEMPHASIS = 0.97
FULL_SCALE = 32_768
"""Samples are taken as 16-bit integers are."""
FLOOR = torch.finfo(torch.float32).eps
STACKED, STACKED_SHIFT = FEATURE_SIZE // NUM_MEL_BANDS, 6
"""Frames in a feature, 7, and between one and the next."""
DITHER_SEED = 0


def num_features(num_samples: int) -> int:
    """N: how many features so many samples make.

    Example:
        >>> num_features(399), num_features(400), num_features(1360)
        (0, 1, 2)
    """
    frames = (num_samples - FRAME_LENGTH) // FRAME_SHIFT + 1
    return max(0, -(-frames // STACKED_SHIFT))


def fewest_samples(features: int) -> int:
    """The fewest samples that make so many features, at least one.

    Example:
        >>> fewest_samples(2)
        1360
    """
    return FRAME_LENGTH + STACKED_SHIFT * (features - 1) * FRAME_SHIFT


def filter_banks(samples: torch.Tensor, dither: float = 0.0) -> torch.Tensor:
    """Samples `[S]` between -1 and 1 to log-mel energies `[W, M]`, as Kaldi computes them.

    `dither` is the strength of the noise that is added, in steps of 16-bit samples: the same noise
    for every clip, so that equal clips have equal features.
    """
    frames = (samples.float() * FULL_SCALE).unfold(0, FRAME_LENGTH, FRAME_SHIFT)
    if dither:
        generator = torch.Generator().manual_seed(DITHER_SEED)
        noise = torch.randn(frames.shape, generator=generator, dtype=frames.dtype, device="cpu")
        frames = frames + dither * noise.to(frames.device)
    frames = frames - frames.mean(dim=1, keepdim=True)
    previous = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    window = torch.hamming_window(
        FRAME_LENGTH, periodic=False, dtype=frames.dtype, device=samples.device
    )
    spectrum = torch.fft.rfft((frames - PREEMPHASIS * previous) * window, FFT_LENGTH)
    power = spectrum.abs().square()
    return (power @ _mel_filters().to(samples.device)).clamp(min=FLOOR).log()


def stacked(frames: torch.Tensor) -> torch.Tensor:
    """Frames `[W, M]` to features `[N, 7 M]`: seven frames around every sixth.

    The first and the last frame stand in for those beyond the ends.

    Example:
        >>> stacked(torch.arange(8.0)[:, None])
        tensor([[0., 0., 0., 0., 1., 2., 3.],
                [3., 4., 5., 6., 7., 7., 7.]])
    """
    centres = torch.arange(0, len(frames), STACKED_SHIFT, device=frames.device)
    around = torch.arange(STACKED, device=frames.device) - STACKED // 2
    places = (centres[:, None] + around).clamp(0, len(frames) - 1)
    return frames[places].flatten(1)


class SenseVoiceFrontEnd(nn.Module):
    """Samples to the normalised features that `SenseVoiceEncoder` takes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(FEATURE_SIZE))
        self.register_buffer("scale", torch.ones(FEATURE_SIZE))
        self.shift: torch.Tensor
        self.scale: torch.Tensor

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, samples: torch.Tensor, dither: float = 0.0) -> torch.Tensor:
        """Samples `[S]` to features `[N, 7 M]`."""
        features = stacked(filter_banks(samples, dither))
        return ((features + self.shift.float()) * self.scale.float()).to(self.scale.dtype)


@lru_cache(maxsize=1)
def _mel_filters() -> torch.Tensor:
    """`[frequencies, M]`."""
    filters = mel_filter_bank(
        num_frequency_bins=FFT_LENGTH // 2 + 1,
        num_mel_filters=NUM_MEL_BANDS,
        min_frequency=LOWEST_HZ,
        max_frequency=SAMPLING_RATE / 2,
        sampling_rate=SAMPLING_RATE,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return torch.from_numpy(filters).float()
