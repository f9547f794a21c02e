"""Seconds of audio that one device encodes in a second, and what 100,000 hours take at that.

    python benchmarks/encode_throughput.py [--codec encodec --codec mimi] [--device cuda] [--runs 3]

EnCodec and Mimi have random weights at full size: computing costs what it costs with real ones. Any
other `--codec` is a folder or a preset, whose weights are loaded. The corpus is noise in FLAC files
of 30 seconds at the codec's rate; reading it and writing shards count. On a CPU it is one thread,
and seconds are those of the processor, which other work on the machine lengthens less.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

CLIP_SECONDS = 30
HOURS = 100_000


def main(
    names: Annotated[list[str] | None, typer.Option("--codec")] = None,
    device: str = "cpu",
    files: int = 6,
    runs: int = 3,
) -> None:
    """Print the median of some runs for each codec."""
    for name in names or ["encodec", "mimi"]:
        speed = statistics.median(speeds(name, device, files, runs))
        row = {"codec": name, "device": device, "audio_seconds_per_second": round(speed, 1)}
        typer.echo(json.dumps({**row, "device_hours": round(HOURS / speed)}))


def speeds(name: str, device: str, files: int, runs: int) -> list[float]:
    """What each run gives, after one that warms up."""
    import torch

    from hf_codec_bpe import encode_dataset

    torch.set_num_threads(1)
    clock = time.process_time if device == "cpu" else time.perf_counter
    codec = _codec(name).to(device)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        _write(source, files, codec.sampling_rate)
        for _ in range(runs + 1):
            start = clock()
            summary = encode_dataset(
                source, Path(folder, "out"), codec, overwrite=True, show_progress=False
            )
            found.append(summary.seconds / (clock() - start))
    return found[1:]


def _codec(name: str) -> Any:
    import torch
    from transformers import EncodecConfig, EncodecModel, MimiConfig, MimiModel

    from hf_codec_bpe import load_codec
    from hf_codec_bpe.codecs import EncodecCodec, MimiCodec

    torch.manual_seed(0)
    if name == "encodec":
        return EncodecCodec(EncodecModel(EncodecConfig()), num_codebooks=8)
    if name == "mimi":
        return MimiCodec(MimiModel(MimiConfig()), num_codebooks=8)
    return load_codec(name)


def _write(folder: Path, files: int, rate: int) -> None:
    from hf_codec_bpe.audio import save_audio

    rng = np.random.default_rng(0)
    for i in range(files):
        noise = rng.standard_normal(CLIP_SECONDS * rate).astype(np.float32)
        save_audio((noise * 0.2).clip(-1, 0.99), folder / f"{i}.flac", rate)


if __name__ == "__main__":
    typer.run(main)
