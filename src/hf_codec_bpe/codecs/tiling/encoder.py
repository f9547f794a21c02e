"""An encoder whose first layers are computed tile by tile.

Axis letters: B = batch, C = channels, D = hidden size, S = samples, T = frames or positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import nn

from .backend import can_tile, is_exact, tile_samples, tiles_at_once
from .layers import Convolution, Layer, main_path, run
from .plan import Geometry, Tile, plan
from .reading import is_plain, modules_of, read_layer

__all__ = ["run_encoder"]


_TRIED: WeakKeyDictionary[nn.Module, dict[tuple[int, int], tuple[int, bool]]] = WeakKeyDictionary()
"""By encoder, and by how many layers and threads: how many tiles were tried out at most, and
whether they gave the clip's bits."""


def run_encoder(encoder: nn.Module, input_values: torch.Tensor) -> torch.Tensor:
    """Runs an encoder so that on a CPU its working set stays in the cache.

    The first layers of a codec's encoder make megabytes per second of audio, all of which go
    through main memory if each layer is computed for the whole clip before the next. Tile by tile
    they stay in the cache, and a long clip needs a fraction of the memory. Each tile is given all
    samples that its outputs see, so that every output is the same number, bit for bit.

    That holds where the same algorithm computes tile and clip. `is_exact` tells when; and because
    it speaks of code that is not ours, the beginning of the first clip is computed in both ways: an
    encoder for which they differ on this machine is left alone from then on. So is what `can_tile`
    leaves out: GPUs, other types than float32, processors without AVX2, short clips, batches.

    Layers whose weights outweigh a tile run on the whole clip, as does all that sees the whole of
    it, such as an LSTM.

    Args:
        encoder: SEANet's or DAC's, of Transformers or of this package.
        input_values: Samples `[B, 1, S]`.

    Returns:
        Embeddings `[B, D, T]`: what `encoder(input_values)` gives.
    """
    if can_tile(input_values) and is_plain(encoder):
        modules = modules_of(encoder)
        read = [read_layer(module) for module in modules]
        layers, tiles = _deepest_plan(_worthwhile(read), input_values.shape[-1])
        rest = list(map(_on_whole_clip, modules, read))[len(layers) :]
        if tiles and _is_proven(encoder, layers, rest, input_values):
            return _computed(layers, tiles, rest, input_values)
    embeddings: torch.Tensor = encoder(input_values)
    return embeddings


def _worthwhile(layers: Iterable[Layer | None]) -> list[Layer]:
    """The first layers, as far as it is worth reading their weights again for every tile."""
    worthwhile: list[Layer] = []
    for layer in layers:
        if layer is None:
            break
        positions = tile_samples() // Geometry.of(worthwhile).hop
        if any(c.weight.numel() > c.channels * positions for c in main_path([layer])):
            break
        worthwhile.append(layer)
    return worthwhile


def _deepest_plan(layers: Sequence[Layer], length: int) -> tuple[Sequence[Layer], list[Tile]]:
    """As many of the first layers as tiles are exact for, and the tiles; or none.

    The last layer is one that leaves little to keep, a downsampling convolution.
    """
    for depth in range(len(layers), 0, -1):
        last, some = layers[depth - 1], layers[:depth]
        if isinstance(last, Convolution) and last.stride > 1:
            tiles = plan(Geometry.of(some), length, tile_samples())
            if tiles and is_exact(some, length, tiles):
                return some, tiles
    return [], []


def _on_whole_clip(module: nn.Module, layer: Layer | None) -> Layer:
    """What computes a whole clip: the layer, which does with fewer copies, or the module itself."""
    if layer is None or any(convolution.pads_itself for convolution in main_path([layer])):
        return module
    return layer


def _is_proven(
    encoder: nn.Module, layers: Sequence[Layer], rest: Sequence[Layer], states: torch.Tensor
) -> bool:
    """Whether tiles give the clip's bits on this machine, tried out once, on the first of them."""
    tile = tile_samples()
    sample = states[..., : (2 + tiles_at_once()) * tile + states.shape[-1] % tile]
    tiles = plan(Geometry.of(layers), sample.shape[-1], tile)
    tries = _TRIED.setdefault(encoder, {})
    case = len(layers), torch.get_num_threads()
    most, agree = tries.get(case, (0, True))
    if agree and most < len(tiles):
        if not is_exact(layers, sample.shape[-1], tiles):
            return False
        agree = torch.equal(_computed(layers, tiles, rest, sample), encoder(sample))
        tries[case] = len(tiles), agree
    return agree


def _computed(
    layers: Sequence[Layer], tiles: Sequence[Tile], rest: Sequence[Layer], states: torch.Tensor
) -> torch.Tensor:
    """Samples `[1, 1, S]` to embeddings `[1, D, T]`."""
    return run(rest, _tiled(layers, tiles, states), starts=True, ends=True)


def _tiled(layers: Sequence[Layer], tiles: Sequence[Tile], states: torch.Tensor) -> torch.Tensor:
    """Samples `[1, 1, S]` to the layers' outputs `[1, C, T]`."""
    outputs: list[torch.Tensor] = []
    for some in _alike(tiles):
        batch = torch.cat([states[..., tile.first : tile.last] for tile in some])
        tile = some[0]
        computed = run(layers, batch, tile.starts, tile.ends)
        outputs += computed[..., tile.skipped : tile.skipped + tile.stop - tile.start]
    return torch.cat(outputs, dim=-1)[None]


def _alike(tiles: Sequence[Tile]) -> Iterator[Sequence[Tile]]:
    """The first tile, then some at once of those between, which are equally long, and the last."""
    between, at_once = tiles[1:-1], tiles_at_once()
    yield tiles[:1]
    for index in range(0, len(between), at_once):
        yield between[index : index + at_once]
    yield tiles[-1:]
