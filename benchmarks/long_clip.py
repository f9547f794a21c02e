"""Memory above the waveform, against the length of a clip: flat, because chunks bound it.

    python benchmarks/long_clip.py [--hours 3]

Encodes noise with the bundled codec in chunks of 30 seconds; each length in a process of its own.
"""

from __future__ import annotations

import multiprocessing

import typer
from measuring import measured, tell


def main(hours: float = 3.0) -> None:
    """Print the peak of memory above the waveform for a clip of ten minutes and of some hours."""
    tell(compare(hours))


def compare(hours: float) -> list[dict[str, float]]:
    """Peaks for a clip of ten minutes and for one of so many hours."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        return [pool.apply(peak, (length,)) for length in (1 / 6, hours)]


def peak(hours: float) -> dict[str, float]:
    """Peak megabytes while encoding, above those right before."""
    import numpy as np

    from hf_codec_bpe import demo_repo, load_codec

    codec = load_codec(demo_repo() / "codec")
    codec.encode([np.zeros(codec.sampling_rate * 40, dtype=np.float32)], chunk_seconds=30)
    rng = np.random.default_rng(0)
    clip = rng.standard_normal(int(hours * 3600 * codec.sampling_rate), dtype=np.float32)
    (codes,), used = measured(lambda: codec.encode([clip], chunk_seconds=30))
    return {
        "hours": hours,
        "waveform_mb": round(clip.nbytes / 1e6, 1),
        "codes_mb": round(codes.nbytes / 1e6, 1),
        "peak_above_mb": round(used["megabytes"], 1),
    }


if __name__ == "__main__":
    typer.run(main)
