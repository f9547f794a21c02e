"""The head of Vocos (Siuzdak 2023): spectra, and the inverse Fourier transform to sound.

Axis letters: B = batch, C = `backbone_dim`, N = `n_fft`, S = samples, T = frames.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .configuration_vocos import VocosCodecConfig

__all__ = ["VocosISTFTHead", "overlap_add"]

LARGEST_MAGNITUDE = 100.0


def overlap_add(frames: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Adds frames `[B, T, N]`, each `hop_length` after the last: `[B, (T - 1) * hop_length + N]`.

    Example:
        >>> overlap_add(torch.tensor([[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]]), 2)
        tensor([[1., 1., 3., 2., 2.]])
    """
    num_frames, width = frames.shape[1:]
    length = (num_frames - 1) * hop_length + width
    added = F.fold(frames.mT, (1, length), kernel_size=(1, width), stride=(1, hop_length))
    return added[:, 0, 0]


class VocosISTFTHead(nn.Module):
    """States `[B, T, C]` to waveforms `[B, S]`.

    A linear layer gives log-magnitudes and phases. The sum of the frames loses
    `(n_fft - hop_length) // 2` samples at both ends, so that T frames make T * `hop_length`
    samples, and one more where only one of `n_fft` and `hop_length` is odd.
    """

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        self.n_fft, self.hop_length = config.n_fft, config.hop_length
        self.linear = nn.Linear(config.backbone_dim, config.n_fft + 2)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        # In float32: half precision has no inverse transform on a CPU.
        log_magnitude, phase = self.linear(states).float().chunk(2, dim=-1)
        magnitude = log_magnitude.exp().clamp(max=LARGEST_MAGNITUDE)
        spectrum = magnitude * torch.complex(phase.cos(), phase.sin())
        # Made here: a buffer that is not saved would be lost by from_pretrained.
        window = torch.hann_window(self.n_fft, dtype=torch.float32, device=states.device)
        frames = torch.fft.irfft(spectrum, self.n_fft) * window
        envelope = overlap_add(window.square().expand(1, frames.shape[1], -1), self.hop_length)
        cut = (self.n_fft - self.hop_length) // 2
        added = overlap_add(frames, self.hop_length)
        return (added[:, cut:-cut] / envelope[:, cut:-cut]).to(states.dtype)
