"""Memory that `encode_dataset` needs above its codec: flat, however many or long the files are.

    python benchmarks/encode_memory.py [--hours 3] [--files 10000]

One long file and many short ones, each corpus in a process of its own. Prints the peak above the
memory right before, with the bundled codec loaded and warm.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import typer
from measuring import measured, memory, tell

RATE = 16_000


def main(hours: float = 3.0, files: int = 10_000, seconds: float = 1.0) -> None:
    """Encode a file of so many hours, and so many files of so many seconds."""
    tell(compare(hours, files, seconds))


def compare(hours: float, files: int, seconds: float = 1.0) -> list[dict[str, Any]]:
    """Peaks for a long file and for many short ones."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder, "long", "clip.flac"), hours * 3600)
        first = Path(folder, "short", "00000.flac")
        _write(first, seconds)
        for i in range(1, files):
            first.with_name(f"{i:05d}.flac").hardlink_to(first)
        with context.Pool(1, maxtasksperchild=1) as pool:
            return [pool.apply(peak, (folder, name)) for name in ("long", "short")]


def peak(folder: str, name: str) -> dict[str, Any]:
    """Peak megabytes while encoding, above those right before."""
    import numpy as np
    import torch

    from hf_codec_bpe import demo_repo, encode_dataset, load_codec

    torch.set_num_threads(1)
    codec = load_codec(demo_repo() / "codec")
    codec.encode([np.zeros(30 * codec.sampling_rate, dtype=np.float32)])
    before = memory("VmRSS")
    summary, used = measured(
        lambda: encode_dataset(Path(folder, name), Path(folder, f"{name} codes"), codec)
    )
    return {
        "corpus": name,
        "clips": summary.num_encoded,
        "audio_hours": round(summary.seconds / 3600, 2),
        "minutes": round(used["seconds"] / 60, 1),
        "codec_mb": round(before),
        "peak_above_mb": round(used["megabytes"]),
    }


def _write(path: Path, seconds: float) -> None:
    """A FLAC of a wave that repeats, in blocks."""
    import numpy as np
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    minute = (np.sin(np.arange(RATE * 60) / 20) * 8_000).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for start in range(0, int(seconds * RATE), len(minute)):
            file.write(minute[: int(seconds * RATE) - start])


if __name__ == "__main__":
    typer.run(main)
