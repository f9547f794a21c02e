"""Hours of audio that one device encodes in an hour, and what that is spent on.

    python benchmarks/encode_throughput.py [--codec encodec --codec mimi] [--device cuda]
        [--way float32 --way bfloat16 --way compiled] [--batch-size 32] [--shortest 3]
        [--source FOLDER] [--runs 3]

EnCodec and Mimi have random weights at full size: computing costs what it costs with real ones. Any
other `--codec` is a folder or a preset, whose weights are loaded. By default the corpus is noise in
FLAC files of 30 seconds at the codec's rate, or from `--shortest` seconds on; reading it and
writing shards count. On a CPU it is one thread, and seconds are those of the processor, which other
work on the machine lengthens less.

Each way gives the hours, the model's share of the time, and the share of codes that differ from
float32's: only trained weights and real audio tell anything about that. The way `nothing` has no
model: what reading and writing allow at most.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

CLIP_SECONDS = 30
HOURS = 100_000
ON_CPU, ON_GPU = ["float32", "nothing"], ["float32", "bfloat16", "compiled", "nothing"]

Codes = list[np.ndarray]


def main(
    names: Annotated[list[str] | None, typer.Option("--codec")] = None,
    device: str = "cpu",
    ways: Annotated[list[str] | None, typer.Option("--way")] = None,
    source: Annotated[Path | None, typer.Option(help="Audio; by default noise.")] = None,
    files: Annotated[int | None, typer.Option(help="Of noise; by default 6, on a GPU 256.")] = None,
    batch_size: int = 8,
    shortest: Annotated[float, typer.Option(help="Seconds of the shortest file of noise.")] = 30,
    runs: int = 3,
) -> None:
    """Print a line for each codec and way."""
    ways = ways or (ON_CPU if device == "cpu" else ON_GPU)
    files = files or (6 if device == "cpu" else 256)
    lengths = np.random.default_rng(0).uniform(shortest, CLIP_SECONDS, files).tolist()
    for name in names or ["encodec", "mimi"]:
        for row in compared(name, device, ways, source, lengths, batch_size, runs):
            typer.echo(json.dumps({"codec": name, "device": device, **row}))


def compared(
    name: str,
    device: str,
    ways: list[str],
    source: Path | None,
    lengths: Sequence[float],
    batch_size: int,
    runs: int,
) -> list[dict[str, Any]]:
    """A row for each way."""
    import torch

    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    expected: Codes | None = None
    with tempfile.TemporaryDirectory() as folder:
        for way in ways:
            codec = _prepared(_codec(name), way, Path(folder, "codec")).to(device)
            if source is None:
                source = Path(folder, "in")
                _write(source, lengths, codec.sampling_rate)
            row, codes = _measured(codec, source, Path(folder, way), batch_size, runs)
            expected = codes if way == "float32" else expected
            if expected is not None and way not in ("float32", "nothing"):
                row["share_of_codes_changed"] = _share_changed(expected, codes)
                first = ([clip[:1] for clip in clips] for clips in (expected, codes))
                row["share_in_the_first_codebook"] = _share_changed(*first)
            rows.append({"way": way, **row})
    return rows


def _prepared(codec: Any, way: str, folder: Path) -> Any:
    import torch

    from hf_codec_bpe import load_codec

    if way == "bfloat16":  # as users load it, which leaves some buffers in float32
        codec.save_pretrained(folder)
        return load_codec(folder, num_codebooks=codec.num_codebooks, dtype="bfloat16")
    if way == "compiled":
        codec.compile()
    elif way == "nothing":
        codec._encode_batch = lambda values: torch.zeros(
            len(values), codec.num_codebooks, codec.num_frames(values.shape[-1]), dtype=torch.int64
        )
    return codec


def _measured(
    codec: Any, source: Path, out: Path, batch_size: int, runs: int
) -> tuple[dict[str, Any], Codes]:
    """The median of some runs after one that warms up, and the codes."""
    from hf_codec_bpe import CodeShards, encode_dataset

    on_cpu = codec.device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    in_model = _Stopwatch(codec, time.thread_time if on_cpu else clock)  # not those who read
    speeds, shares = [], []
    for _ in range(runs + 1):
        in_model.seconds, start = 0.0, clock()
        summary = encode_dataset(
            source, out, codec, batch_size=batch_size, overwrite=True, show_progress=False
        )
        seconds = clock() - start
        speeds.append(summary.seconds / seconds)
        shares.append(in_model.seconds / seconds)
    speed = statistics.median(speeds[1:])
    row = {
        "hours_per_hour": round(speed, 1),
        "share_of_time_in_the_model": round(statistics.median(shares[1:]), 3),
        f"device_hours_for_{HOURS}_hours": round(HOURS / speed),
    }
    return row, list(CodeShards(out))


class _Stopwatch:
    """Counts the seconds that a codec's model takes."""

    def __init__(self, codec: Any, clock: Callable[[], float]) -> None:
        self.seconds = 0.0
        encode_batch = codec._encode_batch

        def timed(values: Any) -> Any:
            _finish(codec)
            start = clock()
            codes = encode_batch(values)
            _finish(codec)
            self.seconds += clock() - start
            return codes

        codec._encode_batch = timed


def _finish(codec: Any) -> None:
    """Waits for what a GPU was given."""
    import torch

    if codec.device.type == "cuda":
        torch.cuda.synchronize(codec.device)
    elif codec.device.type == "mps":
        torch.mps.synchronize()


def _share_changed(expected: Codes, codes: Codes) -> float:
    changed = sum(
        int((a != b).sum()) if a.shape == b.shape else a.size  # frames merged in other ways
        for a, b in zip(expected, codes, strict=True)
    )
    return round(changed / sum(clip.size for clip in expected), 6)


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


def _write(folder: Path, lengths: Sequence[float], rate: int) -> None:
    from hf_codec_bpe.audio import save_audio

    rng = np.random.default_rng(0)
    for i, seconds in enumerate(lengths):
        noise = rng.standard_normal(int(seconds * rate)).astype(np.float32)
        save_audio((noise * 0.2).clip(-1, 0.99), folder / f"{i}.flac", rate)


if __name__ == "__main__":
    typer.run(main)
