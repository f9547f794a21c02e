"""What the demo codec is trained to keep: waveform, spectrum at several windows, and envelopes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WINDOWS = {256: 24, 512: 40, 1024: 64, 2048: 80}  # samples in a window: mel bands
LOG_FLOOR = 1e-3

ENVELOPE_WINDOW, ENVELOPE_HOP = 400, 200  # samples
LOWEST_BAND, NUM_BANDS = 150.0, 15  # hertz; a third of an octave each
SEGMENT, SEGMENT_STEP = 30, 5  # frames: a segment lasts 0.38 s


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


class EnvelopeLoss(nn.Module):
    """How unlike the loudness over time is, in bands of a third of an octave: 0 is alike, 1 is not.

    One minus the correlation over segments of 0.38 s, which intelligibility goes along with (Taal
    et al. 2011, "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy
    Speech").
    """

    bands: Tensor
    hann: Tensor

    def __init__(self, sampling_rate: int) -> None:
        super().__init__()
        centres = LOWEST_BAND * 2 ** (torch.arange(NUM_BANDS) / 3)
        bins = torch.linspace(0, sampling_rate / 2, ENVELOPE_WINDOW // 2 + 1)[:, None]
        inside = (bins >= centres * 2 ** (-1 / 6)) & (bins < centres * 2 ** (1 / 6))
        nearest = (bins - centres).abs().argmin(0)  # low bands are narrower than bins
        inside[nearest, torch.arange(NUM_BANDS)] = True
        self.register_buffer("bands", inside.float())
        self.register_buffer("hann", torch.hann_window(ENVELOPE_WINDOW))

    def forward(self, decoded: Tensor, audio: Tensor) -> Tensor:
        """Return the mean over bands and segments, a scalar; both inputs [B, N]."""
        ours, theirs = self.segments(decoded), self.segments(audio)
        correlation = (ours * theirs).sum(-1) / (ours.norm(dim=-1) * theirs.norm(dim=-1) + 1e-3)
        return 1 - correlation.mean()

    def segments(self, audio: Tensor) -> Tensor:
        """Return envelopes of [B, N] less their means, [B, bands, segments, frames]."""
        spectrum = torch.stft(
            audio, ENVELOPE_WINDOW, ENVELOPE_HOP, window=self.hann, return_complex=True
        )
        power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.bands
        envelopes = (power / self.hann.sum() + 1e-7).sqrt().transpose(1, 2)
        segments = envelopes.unfold(-1, SEGMENT, SEGMENT_STEP)
        return segments - segments.mean(-1, keepdim=True)
