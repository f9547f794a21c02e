"""Codes like a codec's, of speech that this machine makes itself.

    python benchmarks/speech_codes.py CODES.npz [--hours 0.5] [--audio DIR]

`tools/synthesise_speech.py` speaks; then each of 75 frames a second, a log-mel spectrum, becomes
four codes: the nearest of 1,024 centres, then the nearest to what is left, and so on. The centres
are frames that are far apart, so that common sounds share few of them, as in a learnt codebook,
where loud and rare sounds cost most. So codes are like EnCodec's in number, and follow each other
as those of speech do, which is all that BPE sees. Needs the programs `espeak-ng` and `flite`.

Axis letters: K = codebooks, T = frames, M = mel bands, C = centres.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from measuring import load_clips, tell
from transformers.audio_utils import mel_filter_bank

from hf_codec_bpe import train_tokenizer
from hf_codec_bpe.audio import load_audio

RATE, HOP, WINDOW, MELS = 24_000, 320, 2048, 32
FLOOR = 1.0
"""Power that is added to every band: silences are alike."""
K, SIZE = 4, 1024
SAMPLE = 12_000
"""How many frames centres are chosen among."""


def main(out: Path, hours: float = 0.5, audio: Path | None = None) -> None:
    """Make codes, of a folder of speech if there is one; print how predictable they are."""
    save_speech_codes(out, hours, audio)
    tell(described(load_clips(out)))


def save_speech_codes(file: Path, hours: float, audio: Path | None = None) -> None:
    """Writes clips `[K, T]` of at least so many hours, or of a folder, to an `.npz` file."""
    if audio is None:
        sys.path.append(str(Path(__file__).parents[1] / "tools"))
        from synthesise_speech import synthesise

        with tempfile.TemporaryDirectory() as name:
            synthesise(Path(name), hours, 0, [])
            return save_speech_codes(file, hours, Path(name))
    spectra = [log_mel(load_audio(path, RATE)) for path in sorted(audio.glob("*.flac"))]
    codes = quantized(torch.cat(spectra))
    clips = codes.split([len(spectrum) for spectrum in spectra], dim=1)
    np.savez_compressed(file, *(clip.numpy().astype(np.uint16) for clip in clips))
    return None


def log_mel(samples: Any) -> torch.Tensor:
    """Samples to spectra `[T, M]`."""
    bands = mel_filter_bank(WINDOW // 2 + 1, MELS, 40.0, RATE / 2, RATE)
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(
        torch.from_numpy(samples), WINDOW, HOP, window=window, return_complex=True
    )
    power = spectrum.abs().square()
    return (torch.from_numpy(bands).float().T @ power).add_(FLOOR).log_().T.contiguous()


def quantized(frames: torch.Tensor) -> torch.Tensor:
    """Codes `[K, T]` of frames `[T, M]`, each codebook's of what the ones before have left."""
    torch.manual_seed(0)
    codes = torch.empty(K, len(frames), dtype=torch.int64)
    for codebook in range(K):
        centres = far_apart(frames[torch.randperm(len(frames))[:SAMPLE]])
        codes[codebook] = nearest(frames, centres)
        frames = frames - centres[codes[codebook]]
    return codes


def far_apart(frames: torch.Tensor) -> torch.Tensor:
    """Centres `[C, M]` among frames `[T, M]`: each the furthest from all before."""
    chosen = [0]
    distances = (frames - frames[0]).square().sum(dim=1)
    while len(chosen) < SIZE:
        chosen.append(int(distances.argmax()))
        distances = torch.minimum(distances, (frames - frames[chosen[-1]]).square().sum(dim=1))
    return frames[chosen]


def nearest(frames: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """The nearest centre `[T]` of frames `[T, M]`."""
    lengths = centres.square().sum(dim=1)
    blocks = [(lengths - 2 * block @ centres.T).argmin(dim=1) for block in frames.split(10_000)]
    return torch.cat(blocks)


def described(clips: list[np.ndarray]) -> dict[str, Any]:
    """The entropy of each codebook, and by how much BPE shortens every other clip."""
    tokenizer = train_tokenizer(clips[::2], codebook_sizes=[SIZE] * K, chunk_frames=2250)
    held_out = clips[1::2]
    num_codes = sum(clip.size for clip in held_out)
    num_tokens = sum(len(tokenizer.codes_to_ids(clip)) for clip in held_out)
    rows = [np.concatenate(row) for row in zip(*clips, strict=True)]
    return {
        "codes": sum(clip.size for clip in clips),
        "hours": round(sum(clip.shape[1] for clip in clips) * HOP / RATE / 3600, 2),
        "bits_of_each_codebook": [round(entropy(row), 2) for row in rows],
        "codes_per_token": round(num_codes / num_tokens, 2),
    }


def entropy(codes: np.ndarray) -> float:
    """Bits of a code."""
    shares = np.bincount(codes) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


if __name__ == "__main__":
    typer.run(main)
