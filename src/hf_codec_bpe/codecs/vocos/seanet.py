"""The SEANet encoder of EnCodec (Défossez et al. 2022), padded item by item.

Transformers has the same encoder (`EncodecEncoder`, equal outputs). This one adds what exact
batches need: each clip of a batch is padded by reflection at its own end. It also keeps strides
as Python numbers, which no `from_pretrained` can lose.

Axis letters: B = batch, C = channels, D = hidden size, S = samples, T = frames or positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .configuration_vocos import VocosCodecConfig

__all__ = ["SEANetEncoder", "pad_by_reflection", "pad_each_by_reflection"]

KERNEL_SIZE = 7
RESIDUAL_KERNEL_SIZE = 3


def pad_by_reflection(states: torch.Tensor, left: int, right: int) -> torch.Tensor:
    """Pads `[B, C, T]` to `[B, C, left + T + right]` by reflection without repeating the edge.

    States too short to be reflected are extended with zeros first, as EnCodec does.

    Example:
        >>> pad_by_reflection(torch.tensor([[[1.0, 2.0, 3.0]]]), 2, 1)
        tensor([[[3., 2., 1., 2., 3., 2.]]])
        >>> pad_by_reflection(torch.tensor([[[1.0]]]), 2, 1)
        tensor([[[0., 0., 1., 0.]]])
    """
    length = states.shape[-1]
    missing = max(0, max(left, right) + 1 - length)
    extended = F.pad(states, (0, missing)) if missing else states
    return F.pad(extended, (left, right), mode="reflect")[..., : left + length + right]


def pad_each_by_reflection(
    states: torch.Tensor, lengths: torch.Tensor, left: int, right: torch.Tensor, total: int
) -> torch.Tensor:
    """`pad_by_reflection` for items of different lengths, each at its own end.

    Args:
        states: `[B, C, T]`; what lies after an item's length is never read.
        lengths: `[B]`, int64.
        left: Positions to add in front.
        right: `[B]`, int64: positions to add after each item.
        total: The length of the result; zeros fill it.

    Returns:
        `[B, C, total]`.

    Example:
        >>> states = torch.tensor([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 9.0]]])
        >>> lengths, right = torch.tensor([3, 2]), torch.tensor([1, 1])
        >>> pad_each_by_reflection(states, lengths, 1, right, 5)
        tensor([[[2., 1., 2., 3., 2.]],
        <BLANKLINE>
                [[5., 4., 5., 4., 0.]]])
    """
    position = torch.arange(-left, total - left, device=states.device)[None]
    length, end = lengths[:, None], (lengths + right)[:, None]
    extended = torch.maximum(length, right[:, None].clamp(min=left) + 1)
    source = torch.where(position >= extended, 2 * (extended - 1) - position, position.abs())
    known = (position < end) & (source < length)
    source = source.clamp(0, states.shape[-1] - 1)[:, None].expand(-1, states.shape[1], -1)
    return states.gather(-1, source).masked_fill(~known[:, None], 0.0)


class SEANetConv1d(nn.Module):
    """A convolution of `ceil(T / stride)` outputs, padded by reflection.

    Causal ones are padded on the left; others on both sides, by one more on the left where the
    padding is odd. Positions are added on the right for a last window that is not full.
    """

    pad_mode = "reflect"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        causal: bool,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, stride)
        self.causal = causal
        self.stride = stride
        self.padding = kernel_size - stride
        self.right = 0 if causal else self.padding // 2
        self.left = self.padding - self.right

    def forward(self, states: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        if self.padding:
            states = self._padded(states, lengths)
        return self.conv(states)

    def _padded(self, states: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        missing = -states.shape[-1] % self.stride
        if lengths is None:
            return pad_by_reflection(states, self.left, self.right + missing)
        right = self.right + -lengths % self.stride
        total = self.padding + states.shape[-1] + missing
        return pad_each_by_reflection(states, lengths, self.left, right, total)


class SEANetResidualBlock(nn.Module):
    """Two convolutions through half the channels, and a learnt 1x1 convolution beside them."""

    def __init__(self, channels: int, *, causal: bool) -> None:
        super().__init__()
        half = channels // 2
        self.block = nn.ModuleList(
            [
                nn.ELU(),
                SEANetConv1d(channels, half, RESIDUAL_KERNEL_SIZE, causal=causal),
                nn.ELU(),
                SEANetConv1d(half, channels, 1, causal=causal),
            ]
        )
        self.shortcut = SEANetConv1d(channels, channels, 1, causal=causal)

    def forward(self, states: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        activate, narrow, activate_again, widen = self.block
        inner = widen(activate_again(narrow(activate(states), lengths)), lengths)
        return self.shortcut(states, lengths) + inner


class SEANetLSTM(nn.Module):
    """An LSTM over positions, added to its input. It runs forward: padding harms nothing before."""

    def __init__(self, channels: int, num_layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, num_layers)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = states.permute(2, 0, 1)
        return (self.lstm(states)[0] + states).permute(1, 2, 0)


class SEANetEncoder(nn.Module):
    """Waveforms `[B, 1, S]` to latents `[B, D, ceil(S / hop_length)]`.

    The layers have the same places in `layers` as in the original and in `EncodecEncoder`.
    """

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        causal, channels = config.use_causal_conv, config.num_filters
        layers: list[nn.Module] = [SEANetConv1d(1, channels, KERNEL_SIZE, causal=causal)]
        for ratio in reversed(config.upsampling_ratios):
            layers += [
                SEANetResidualBlock(channels, causal=causal),
                nn.ELU(),
                SEANetConv1d(channels, 2 * channels, 2 * ratio, ratio, causal=causal),
            ]
            channels *= 2
        layers += [
            SEANetLSTM(channels, config.num_lstm_layers),
            nn.ELU(),
            SEANetConv1d(channels, config.hidden_size, KERNEL_SIZE, causal=causal),
        ]
        self.layers = nn.ModuleList(layers)

    def forward(
        self, input_values: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Encodes clips, each as if it were alone.

        Args:
            input_values: `[B, 1, S]`.
            lengths: Samples of each clip, `[B]`, int64; `None` if all have S.

        Returns:
            `[B, D, T]`; the frames after `ceil(length / hop_length)` mean nothing.
        """
        states = input_values
        for layer in self.layers:
            if isinstance(layer, (SEANetConv1d, SEANetResidualBlock)):
                states = layer(states, lengths)
            else:
                states = layer(states)
            if lengths is not None and isinstance(layer, SEANetConv1d):
                lengths = -(-lengths // layer.stride)
        return states
