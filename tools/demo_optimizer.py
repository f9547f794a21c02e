"""The optimizer of the demo codec: Muon for the convolutions, AdamW for all else.

Muon (Jordan et al. 2024) steps along the nearest orthogonal matrix of a momentum, so that no
direction of a layer's weights is left behind: it takes fewer steps than AdamW alone, and steps are
what two CPU cores have least of.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

ADAM_BETAS = (0.8, 0.99)
MUON_FACTOR = 5.0  # its learning rate over AdamW's
MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of the iteration, and how often:
ITERATIONS = 5
SMALLEST_SIDE = 9  # rows and columns of a weight that are worth it


class MuonAndAdam:
    """Both optimizers as one, with one learning rate.

    Args:
        parameters: All that is to be trained.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        parameters = list(parameters)
        self.matrices = [p for p in parameters if _is_matrix(p)]
        self.momenta = [torch.zeros_like(p) for p in self.matrices]
        others = [p for p in parameters if not _is_matrix(p)]
        self.adam = torch.optim.AdamW(others, betas=ADAM_BETAS)

    def step(self, rate: float) -> None:
        """Move all weights by their gradients at a learning rate, and forget the gradients."""
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()
        self.adam.zero_grad()
        for parameter, momentum in zip(self.matrices, self.momenta, strict=True):
            if parameter.grad is not None:
                _move(parameter, momentum, MUON_FACTOR * rate)


def _is_matrix(parameter: nn.Parameter) -> bool:
    return parameter.ndim == 3 and min(parameter.flatten(1).shape) >= SMALLEST_SIDE


@torch.no_grad()
def _move(parameter: nn.Parameter, momentum: Tensor, rate: float) -> None:
    assert parameter.grad is not None
    momentum.lerp_(parameter.grad, 1 - MOMENTUM)
    ahead = parameter.grad.lerp(momentum, MOMENTUM)
    step = orthogonal(ahead.flatten(1))
    scale = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
    parameter.add_(step.view_as(parameter), alpha=-rate * scale)
    parameter.grad = None


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix whose singular values are 1, by Newton and Schulz."""
    a, b, c = NEWTON_SCHULZ
    is_tall = matrix.shape[0] > matrix.shape[1]
    near = (matrix.T if is_tall else matrix) / (matrix.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = near @ near.T
        near = a * near + (b * square + c * square @ square) @ near
    return near.T if is_tall else near
