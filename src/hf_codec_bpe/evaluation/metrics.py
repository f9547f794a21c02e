"""How close decoded audio is to the original: PESQ, STOI, SI-SDR and a mel distance.

PESQ and STOI need the packages `pesq` and `pystoi`, the extra `evaluate`.

Axis letters: B = waveforms, S = samples, T = frames of a spectrogram, F = frequencies, M = mel
bands.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import torch

from ..audio import Waveform, load_audio
from ..errors import AudioError, MissingDependencyError

__all__ = [
    "METRICS",
    "SPEECH_RATE",
    "are_metrics_available",
    "measure",
    "mel_distance",
    "pesq",
    "require_metrics",
    "si_sdr",
    "speech_pair",
    "stoi",
]

SPEECH_RATE = 16_000
"""Where PESQ, STOI and speech recognition work, in Hz."""
_SILENCE = 1e-4
"""A peak below this, -80 dB of full scale, is silence with its dither."""
_LONGEST_PESQ = 15 * SPEECH_RATE
"""The `pesq` package writes beyond its memory when it finds more than 50 utterances, each of at
least 0.4 s with the pause after it."""
_MEL_BANDS = {256: 10, 512: 20, 1024: 40, 2048: 80}
"""How many for each window, in samples."""


def are_metrics_available() -> bool:
    """Whether PESQ and STOI can be measured."""
    return all(find_spec(name) is not None for name in ("pesq", "pystoi"))


def require_metrics() -> None:
    """Refuses to measure without the packages that do.

    Raises:
        MissingDependencyError: pesq or pystoi is not installed.
    """
    if not are_metrics_available():
        raise MissingDependencyError(
            "PESQ and STOI need the packages pesq and pystoi: pip install 'hf-codec-bpe[evaluate]'."
        )


def pesq(original: Waveform, decoded: Waveform, sampling_rate: int) -> float:
    """Perceived quality of speech (ITU-T P.862.2, wide band at 16 kHz): 1.04 to 4.64, the best.

    P.862 was made for clips of a sentence or two. Clips longer than 15 s are cut into equal parts,
    and the mean of the parts that are not silent counts.

    Args:
        original: Samples `[S]`.
        decoded: Samples `[S]`; where lengths differ, the end of the longer one is ignored.
        sampling_rate: Of both, in Hz.

    Raises:
        AudioError: Silence, no speech, or less than 0.25 s.
    """
    from pesq import NoUtterancesError
    from pesq import pesq as wide_band

    original, decoded = speech_pair(original, decoded, sampling_rate)
    if len(original) < SPEECH_RATE // 4:
        raise AudioError("PESQ needs at least 0.25 s of audio.")
    count = -(-len(original) // _LONGEST_PESQ)
    pairs = zip(np.array_split(original, count), np.array_split(decoded, count), strict=True)
    scores = []
    for part, decoded_part in pairs:
        if _is_silent(part):
            continue
        if not decoded_part.any():
            raise AudioError("PESQ cannot be measured where the decoded audio is silent.")
        try:
            scores.append(wide_band(SPEECH_RATE, part, decoded_part, "wb"))
        except (NoUtterancesError, ValueError) as error:  # the latter of a NaN inside
            raise AudioError("PESQ finds no speech.") from error
    return float(np.mean(scores))


def stoi(original: Waveform, decoded: Waveform, sampling_rate: int) -> float:
    """How much of the speech can be understood (Taal et al. 2011), without a unit: 1 is all of it.

    Args:
        original: Samples `[S]`.
        decoded: Samples `[S]`; where lengths differ, the end of the longer one is ignored.
        sampling_rate: Of both, in Hz.

    Raises:
        AudioError: Less than 0.4 s of speech, pauses not counted; a silent original; or decoded
            samples that are NaN or infinite.
    """
    from pystoi import stoi as intelligibility

    original, decoded = speech_pair(original, decoded, sampling_rate)
    too_short = "STOI needs at least 0.4 s of speech."
    if len(original) < 0.4 * SPEECH_RATE:
        raise AudioError(too_short)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
        try:
            return float(intelligibility(original, decoded, SPEECH_RATE))
        except RuntimeWarning as warning:
            raise AudioError(too_short) from warning


def si_sdr(original: Waveform, decoded: Waveform, sampling_rate: int) -> float:
    """The scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), in dB.

    It compares waveforms sample by sample, so that a codec that sounds right but moves phases
    scores low. From -100 to 100: beyond, rounding decides.

    Args:
        original: Samples `[S]`, any number of them.
        decoded: Samples `[S]`; where lengths differ, the end of the longer one is ignored.
        sampling_rate: Of both, in Hz; it changes nothing.

    Raises:
        AudioError: No samples, silence on either side, or decoded samples that are NaN or infinite.
    """
    original, decoded = _comparable(original, decoded)
    if not decoded.any():
        raise AudioError("SI-SDR cannot be measured where the decoded audio is silent.")
    reference, estimate = original.astype(np.float64), decoded.astype(np.float64)
    target = reference * (estimate @ reference) / (reference @ reference)
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10((target @ target) / np.sum((target - estimate) ** 2))
    return float(np.clip(decibels, -100, 100))


def mel_distance(original: Waveform, decoded: Waveform, sampling_rate: int) -> float:
    """The mean absolute difference of log10 mel magnitudes at four resolutions: 0 is the best.

    For Hann windows of 256, 512, 1024 and 2048 samples, a quarter of a window apart: magnitudes of
    the Fourier transform, 1 for a sine at full scale, summed to 10, 20, 40 and 80 mel bands (HTK's
    scale up to half the sampling rate, triangles of height 1), at least 1e-5. The mean over bands
    and frames, then over windows; the kind of distance of DAC (Kumar et al. 2023). Windows are in
    samples: compare codecs of one sampling rate.

    Args:
        original: Samples `[S]`, any number of them.
        decoded: Samples `[S]`; where lengths differ, the end of the longer one is ignored.
        sampling_rate: Of both, in Hz.

    Raises:
        AudioError: No samples, a silent original, or decoded samples that are NaN or infinite.
    """
    pair = torch.from_numpy(np.stack(_comparable(original, decoded))).float()
    distances = []
    for window in _MEL_BANDS:
        first, second = _log_mel(pair, window, sampling_rate)
        distances.append((first - second).abs().mean())
    return float(torch.stack(distances).mean())


METRICS: Mapping[str, Callable[[Waveform, Waveform, int], float]] = {
    "pesq": pesq,
    "stoi": stoi,
    "si_sdr": si_sdr,
    "mel_distance": mel_distance,
}


def measure(
    original: Waveform, decoded: Waveform, sampling_rate: int, names: Iterable[str] = METRICS
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The metrics of a pair of waveforms `[S]`, `None` for those that cannot be measured.

    Returns:
        The metrics, and for each that is `None` a sentence that says why.
    """
    scores: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name in names:
        try:
            scores[name] = METRICS[name](original, decoded, sampling_rate)
        except AudioError as error:
            scores[name], reasons[name] = None, str(error)
    return scores, reasons


def speech_pair(
    original: Waveform, decoded: Waveform, sampling_rate: int
) -> tuple[Waveform, Waveform]:
    """A pair of waveforms `[S]` at `SPEECH_RATE`, both of the length of the shorter one.

    Raises:
        AudioError: Nothing was decoded, or samples that are not finite, or the original is silent.
    """
    pair = _comparable(original, decoded)
    at_rate = (
        load_audio(each, SPEECH_RATE, source_rate=sampling_rate, resample=True) for each in pair
    )
    return _comparable(*at_rate)


def _comparable(original: Waveform, decoded: Waveform) -> tuple[Waveform, Waveform]:
    """Both at the length of the shorter one."""
    length = min(len(original), len(decoded))
    if length == 0:
        raise AudioError("The clip is shorter than a frame of the codec: nothing was decoded.")
    original, decoded = original[:length], decoded[:length]
    if _is_silent(original):
        raise AudioError("The original is silent.")
    if not np.isfinite(decoded).all():
        raise AudioError("The decoded audio holds NaN or infinite samples.")
    return original, decoded


def _is_silent(samples: Waveform) -> bool:
    return float(np.abs(samples).max()) < _SILENCE


def _log_mel(samples: torch.Tensor, window: int, sampling_rate: int) -> torch.Tensor:
    """Waveforms `[B, S]` to log10 mel magnitudes `[B, M, T]`."""
    hann = torch.hann_window(window)
    spectrum = torch.stft(
        samples,
        window,
        hop_length=window // 4,
        window=hann * 2 / hann.sum(),
        pad_mode="constant",
        return_complex=True,
    )
    bands = _mel_filters(window, sampling_rate) @ spectrum.abs()
    return bands.clamp(min=1e-5).log10()


@lru_cache
def _mel_filters(window: int, sampling_rate: int) -> torch.Tensor:
    """Triangles `[M, F]`."""
    from transformers.audio_utils import mel_filter_bank

    bands, top = _MEL_BANDS[window], sampling_rate / 2
    filters = mel_filter_bank(window // 2 + 1, bands, 0.0, top, sampling_rate, mel_scale="htk")
    return torch.from_numpy(filters.T).float()
