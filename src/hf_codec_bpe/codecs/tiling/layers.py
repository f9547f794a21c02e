"""Layers of convolutions as functions of a tile, which pad only where they are told to.

Axis letters: C = channels, T = positions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F  # noqa: N812

__all__ = ["Activation", "Convolution", "Layer", "Residual", "lengths", "main_path", "run"]

Activation = Callable[[torch.Tensor], torch.Tensor]
"""Maps each value of `[1, C, T]` by itself, possibly in place."""


@dataclass(frozen=True)
class Convolution:
    """A convolution that has `T / stride` outputs where it is padded on both sides.

    Unpadded, it has only the outputs whose inputs are all there.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: int
    dilation: int
    left: int
    """Positions of padding in front."""
    mode: str
    """The `mode` of `torch.nn.functional.pad`."""
    completes: bool
    """Whether a last stride that is not full is filled up at the end: `ceil(T / stride)`."""

    @property
    def channels(self) -> int:
        """C of the input."""
        return self.weight.shape[1]

    @property
    def pads_itself(self) -> bool:
        """Whether the model leaves padding to torch's convolution, which completes no strides."""
        return not self.completes

    @property
    def extent(self) -> int:
        """How many positions of the input an output sees."""
        return (self.weight.shape[2] - 1) * self.dilation + 1

    @property
    def right(self) -> int:
        """Positions of padding at the end, without those that complete the last stride."""
        return self.extent - self.stride - self.left

    def padding(self, length: int, starts: bool, ends: bool) -> tuple[int, int]:
        """Positions to add before and after."""
        return self.left if starts else 0, self.right + -length % self.stride if ends else 0

    def fits(self, length: int, ends: bool) -> bool:
        """Whether `padding` tells what the model does with an input of `length` positions."""
        return self.completes or not ends or length % self.stride == 0

    def num_outputs(self, length: int, starts: bool, ends: bool) -> int:
        """T of the output, for T of the input."""
        padded = length + sum(self.padding(length, starts, ends))
        return (padded - self.extent) // self.stride + 1

    def __call__(self, states: torch.Tensor, starts: bool, ends: bool) -> torch.Tensor:
        padding = self.padding(states.shape[-1], starts, ends)
        if any(padding):
            states = _padded(states, *padding, self.mode)
        return F.conv1d(states, self.weight, self.bias, self.stride, 0, self.dilation)


@dataclass(frozen=True)
class Residual:
    """Layers whose output is added to their input, or to a convolution of it.

    Their input is theirs to overwrite if there is a convolution beside them: it is read first.
    """

    branch: Sequence[Layer]
    shortcut: Convolution | None

    def __call__(self, states: torch.Tensor, starts: bool, ends: bool) -> torch.Tensor:
        outer = self.shortcut(states, starts, ends) if self.shortcut else states
        inner = run(self.branch, states, starts, ends)
        first = 0 if starts else sum(each.left for each in main_path(self.branch))
        return inner.add_(outer[..., first : first + inner.shape[-1]])


Layer = Convolution | Residual | Activation


def run(layers: Sequence[Layer], states: torch.Tensor, starts: bool, ends: bool) -> torch.Tensor:
    """Maps a tile through layers.

    Args:
        layers: From the first to the last.
        states: `[1, C, T]`.
        starts: Whether convolutions pad it in front, as the model pads a clip.
        ends: Whether they pad it at the end.

    Returns:
        `[1, C', T']`.
    """
    for layer in layers:
        if isinstance(layer, (Convolution, Residual)):
            states = layer(states, starts, ends)
        else:
            states = layer(states)
    return states


def main_path(layers: Sequence[Layer]) -> Iterator[Convolution]:
    """The convolutions that follow one another, in order: those that see furthest."""
    for layer in layers:
        if isinstance(layer, Convolution):
            yield layer
        elif isinstance(layer, Residual):
            yield from main_path(layer.branch)


def lengths(
    layers: Sequence[Layer], length: int, starts: bool, ends: bool
) -> Generator[tuple[Convolution, int], None, int]:
    """Every convolution with the T of its input, if the first layer's is `length`."""
    for layer in layers:
        if isinstance(layer, Convolution):
            yield layer, length
            length = layer.num_outputs(length, starts, ends)
        elif isinstance(layer, Residual):
            if layer.shortcut:
                yield layer.shortcut, length
            length = yield from lengths(layer.branch, length, starts, ends)
    return length


def _padded(states: torch.Tensor, left: int, right: int, mode: str) -> torch.Tensor:
    """What `F.pad` gives; it mirrors position by position, which takes twice as long."""
    if mode != "reflect":
        return F.pad(states, (left, right), mode=mode)
    front, behind = states[..., 1 : left + 1], states[..., -right - 1 : -1]
    return torch.cat([front.flip(-1), states, behind.flip(-1)], dim=-1)
