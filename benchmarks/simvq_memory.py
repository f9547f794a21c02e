"""How much memory SimVQ with 262,144 codes needs over its weights to encode a clip.

The model has the published sizes and random weights, which need as much memory as learnt ones. The
original makes 2.4 GB of distances for 30 s, several times over.

    python benchmarks/simvq_memory.py --seconds 30

Linux only: the peak is the kernel's own (`VmHWM`), reset before the clip is encoded.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from hf_codec_bpe.codecs.simvq.configuration_simvq import SimVQConfig
from hf_codec_bpe.codecs.simvq.modeling_simvq import SimVQModel


def memory(name: str) -> float:
    """A field of /proc/self/status in MB (10^6 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"This kernel tells no {name}.")


@torch.inference_mode()
def measure(codebook_size: int, seconds: float) -> None:
    """Encodes noise once and prints what it took."""
    libraries = memory("VmRSS")
    model = SimVQModel(SimVQConfig(codebook_size=codebook_size)).eval()
    weights = sum(p.numel() * p.element_size() for p in model.parameters()) / 1e6
    num_samples = int(seconds * model.config.sampling_rate)
    input_values = torch.randn(1, 1, num_samples) * 0.1
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    start = time.perf_counter()
    codes = model.encode(input_values).audio_codes
    taken, peak = time.perf_counter() - start, memory("VmHWM")
    print(
        f"{codebook_size} codes, {seconds:g} s, {codes.shape[-1]} frames: libraries "
        f"{libraries:.0f} MB, weights {weights:.0f} MB, peak {peak:.0f} MB, so "
        f"{peak - libraries - weights:.0f} MB over both; {taken:.1f} s on "
        f"{torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codebook-size", type=int, default=262_144)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    measure(options.codebook_size, options.seconds)
