"""What the demo codec is trained to keep: the waveform and, at several windows, the spectrum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WINDOWS = {256: 24, 512: 40, 1024: 64, 2048: 80}  # samples in a window: mel bands
LOG_FLOOR = 1e-3


def waveform_loss(decoded: Tensor, audio: Tensor) -> Tensor:
    """Return log10 of the squared error relative to the signal, mean over clips; both [B, N].

    A perfect copy with 1 % of the energy missing gives about -2, silence gives 0.
    """
    error = (decoded - audio).square().sum(-1)
    energy = audio.square().sum(-1)
    return torch.log10((error + 1e-2) / (energy + 1e-2)).mean()


def mel_filters(window: int, bands: int, sampling_rate: int) -> Tensor:
    """Return triangular filters evenly spaced in mel, [window // 2 + 1, bands]."""
    top = 2595 * torch.log10(torch.tensor(1 + sampling_rate / 2 / 700))
    edges = 700 * (10 ** (torch.linspace(0, top.item(), bands + 2) / 2595) - 1)
    bins = torch.linspace(0, sampling_rate / 2, window // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)
    return filters / filters.sum(0).clamp(min=1e-3)


class SpectralLoss(nn.Module):
    """Distance of two batches of clips in magnitude, mel and log-mel spectra at several windows."""

    def __init__(self, sampling_rate: int) -> None:
        super().__init__()
        for window, bands in WINDOWS.items():
            self.register_buffer(f"hann_{window}", torch.hann_window(window))
            self.register_buffer(f"mel_{window}", mel_filters(window, bands, sampling_rate))

    def magnitudes(self, audio: Tensor, window: int) -> Tensor:
        """Return the magnitude spectrogram of [B, N] as [B, T, window // 2 + 1]."""
        hann = getattr(self, f"hann_{window}")
        spectrum = torch.stft(audio, window, window // 4, window=hann, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        return (power + 1e-8).sqrt().transpose(1, 2) / hann.sum().sqrt()

    def forward(self, decoded: Tensor, audio: Tensor) -> Tensor:
        """Return the mean distance over all windows; both inputs [B, N]."""
        return torch.stack([self.distance(decoded, audio, window) for window in WINDOWS]).mean()

    def distance(self, decoded: Tensor, audio: Tensor, window: int) -> Tensor:
        """Return relative magnitude and mel errors plus the log-mel error at one window."""
        ours, theirs = self.magnitudes(decoded, window), self.magnitudes(audio, window)
        mel = getattr(self, f"mel_{window}")
        our_mel, their_mel = ours @ mel, theirs @ mel
        logs = torch.log10(our_mel + LOG_FLOOR) - torch.log10(their_mel + LOG_FLOOR)
        return relative(ours, theirs) + relative(our_mel, their_mel) + 2 * logs.abs().mean()


def relative(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the mean absolute difference relative to the mean of `theirs`, a scalar."""
    return (ours - theirs).abs().mean() / (theirs.abs().mean() + LOG_FLOOR)
