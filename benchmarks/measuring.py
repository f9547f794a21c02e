"""What benchmarks share: codes, work in a process of its own, and medians.

Every comparison alternates between its sides, so that whatever else the machine does meets both.
Linux only: memory is what the kernel says.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def load_clips(file: Path) -> list[np.ndarray]:
    """Every array `[K, T]` of an `.npz` file."""
    with np.load(file) as arrays:
        return [arrays[name] for name in arrays.files]


def as_many(clips: list[np.ndarray], num_codes: int, seed: int = 0) -> list[np.ndarray]:
    """So many codes: the clips, then again and again, with other borders and a tenth exchanged.

    Mere copies would be words that `tokenizers` counts instead of looking at them again.
    """
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    size = 0
    while size < num_codes:
        clip = clips[len(found) % len(clips)]
        if len(found) >= len(clips):
            clip = np.roll(clip, rng.integers(clip.shape[1]), axis=1)
            exchanged = rng.random(clip.shape[1]) < 0.1
            clip[:, exchanged] = rng.permuted(clip[:, exchanged], axis=1)
        found.append(clip)
        size += clip.size
    return found


def save_clips(folder: Path, clips: list[np.ndarray]) -> None:
    """Files as codec-bpe reads them."""
    folder.mkdir(parents=True)
    for i, clip in enumerate(clips):
        np.save(folder / f"{i:06d}_c0.npy", clip.astype(np.int32))


def memory(name: str) -> float:
    """A field of /proc/self/status in MB (10^6 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"This kernel tells no {name}.")


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What some work gives, and its seconds and megabytes above those before."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "megabytes": memory("VmHWM") - before,
    }


def tell(report: Any, out: Path | None = None) -> None:
    """Prints numbers, and writes them to a file if there is one."""
    text = json.dumps(report, indent=2)
    print(text)
    if out:
        out.write_text(text, encoding="utf-8")


def in_turn(sides: dict[str, Callable[..., Any]], *args: Any, runs: int) -> dict[str, list[Any]]:
    """What each side gives, every time in a new process, one side after the other."""
    found: dict[str, list[Any]] = {name: [] for name in sides}
    context = multiprocessing.get_context("spawn")
    for _ in range(runs):
        for name, work in sides.items():
            with context.Pool(1) as pool:
                found[name].append(pool.apply(work, args))
    return found


def summary(numbers: list[float]) -> dict[str, float]:
    """The median of some runs, and their spread."""
    rounded = [float(f"{number:.4g}") for number in sorted(numbers)]
    return {"median": statistics.median(rounded), "least": rounded[0], "most": rounded[-1]}
