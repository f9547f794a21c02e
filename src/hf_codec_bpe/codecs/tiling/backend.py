"""When torch computes a tile's values with the same roundings as the whole clip's.

A sum of float32 products depends on the order of its terms, and torch chooses among algorithms by
shape. What is here was read in the sources of PyTorch and oneDNN, errs on the safe side, and is
tried out on every machine besides (see `run_encoder`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from .layers import Convolution, Layer, lengths
from .plan import Tile

__all__ = ["CAPABILITIES", "can_tile", "is_exact", "tile_samples", "tiles_at_once"]

CAPABILITIES = ("AVX2", "AVX512")
"""The vector instructions for which it was read."""
TILE = 24_000
"""Samples: with 32 channels 3 MB, so that a layer finds in the cache what the last one wrote."""
SMALLEST = 20_480
"""A convolution of one clip of up to this many values is not given to oneDNN."""
GRAIN = 32_768
"""Values that are worth a thread for an activation."""
MOST_THREADS = 8
"""Threads for which oneDNN chooses its 1x1 convolution without regard to how many clips there are
(`jit_avx512_common_1x1_conv_kernel.cpp`)."""
SHORT = 13
"""Positions of weights up to which oneDNN's AVX-512 convolution pads by itself: 15 bytes of code,
for 16 channels, 28 outputs, and 3 kinds of border each, are to fit 256 KiB."""
LONGEST = 2**24
"""Samples. Transformers' own EnCodec counts padding in float32, which is exact so far. Codecs count
in integers (`integer_padding.py`), but longer clips are left to the model nevertheless."""


def can_tile(states: torch.Tensor) -> bool:
    """Whether samples `[B, 1, S]` are worth tiles, and anything is known about their sums."""
    return (
        states.device.type == "cpu"
        and states.dtype == torch.float32
        and len(states) == 1
        and 2 * tile_samples() <= states.shape[-1] <= LONGEST
        and torch.backends.cpu.get_cpu_capability() in CAPABILITIES
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and not torch.is_grad_enabled()
    )


def tile_samples() -> int:
    """Samples that a tile is made for: more for many threads, each of which needs its share."""
    return TILE * max(1, torch.get_num_threads() // 2)


def tiles_at_once() -> int:
    """How many tiles alike are computed at once: two, if each is for one half of the threads.

    With more than 8 threads, oneDNN adds a 1x1 convolution's products in another order for two.
    """
    return 2 if 2 <= torch.get_num_threads() <= MOST_THREADS else 1


def is_exact(layers: Sequence[Layer], length: int, tiles: Iterable[Tile]) -> bool:
    """Whether tiles of a clip of `length` samples are computed as the whole clip is."""
    pieces = {(length, True, True)} | {(t.last - t.first, t.starts, t.ends) for t in tiles}
    return all(_is_usual(layers, *piece) for piece in pieces)


def _is_usual(layers: Sequence[Layer], length: int, starts: bool, ends: bool) -> bool:
    threads = torch.get_num_threads()
    for index, (convolution, positions) in enumerate(lengths(layers, length, starts, ends)):
        values = convolution.channels * positions
        if values <= SMALLEST or not convolution.fits(positions, ends):
            return False
        if _pads_otherwise(convolution):
            return False
        if threads == 1:
            continue
        # Each thread activates the same number of channels: none begins within one.
        if index and (convolution.channels % threads or values < GRAIN * threads):
            return False
        if convolution.extent == 1 and _is_split(convolution.channels, positions):
            return False
    return True


def _pads_otherwise(convolution: Convolution) -> bool:
    """Whether the model's convolution pads in an algorithm of its own, while tiles are not padded.

    oneDNN's kernels refuse some padding, and a matrix product takes their place. Those for AVX-512
    do where their code became too long (`jit_avx512_common_conv_kernel.cpp`, "code size limit
    exceeded"), as for DAC's strides of 8; those for AVX2 do in more cases, DAC's dilations among
    them (`jit_avx2_conv_kernel_f32.cpp`).
    """
    is_avx2 = torch.backends.cpu.get_cpu_capability() == "AVX2"
    return convolution.pads_itself and (is_avx2 or convolution.weight.shape[2] > SHORT)


def _is_split(channels: int, positions: int) -> bool:
    """Whether oneDNN might cut the sum of a 1x1 convolution in two because of its length.

    It does (`jit_avx512_common_1x1_conv_kernel.cpp`, "cache aliasing") where 7 or more of the rows
    of 16 channels begin so near to a multiple of 1024 vectors apart that a step of its loop, of at
    most 30 positions, meets them all. With one thread, torch gives 1x1 convolutions to a matrix
    product instead, which does not. Nor does oneDNN's kernel for AVX2, which always adds 128
    channels at a time; but there the rule does no harm.
    """
    rows = channels // 16
    return any((step * positions + 8) % 1024 <= 16 for step in range(1, rows // 7 + 1))
