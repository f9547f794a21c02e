"""Residual codebooks for the demo codec: how they are fitted, and how they become DAC's quantizer.

Letters in shapes: D latent dimensions, N vectors, K codebooks, C codes in each.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.models.dac.modeling_dac import DacResidualVectorQuantizer, DacVectorQuantize

DEAD_SHARE = 0.05  # a code chosen less than this, relative to the mean, starts anew
EXTRA_DIMS = 2  # what `lift` adds to a code word: its penalty and a filler


class ResidualCodebooks:
    """K codebooks fitted by k-means; each one codes what the codebooks before it left over.

    Args:
        num_codebooks: K.
        codebook_size: C.
        dim: D.
    """

    def __init__(self, num_codebooks: int, codebook_size: int, dim: int) -> None:
        self.words = torch.zeros(num_codebooks, codebook_size, dim)

    def choose(self, vectors: Tensor, index: int) -> Tensor:
        """Return the codes of `vectors` [N, D] in codebook `index`, [N]: the nearest words."""
        words = self.words[index]
        return (vectors @ words.T - words.square().sum(1) / 2).argmax(1)

    @torch.no_grad()
    def fit(self, vectors: Tensor, rounds: int = 20) -> None:
        """Fit all codebooks to `vectors` [N, D] by `rounds` of k-means each, one after another."""
        residual = vectors
        for index in range(len(self.words)):
            self.words[index] = residual[torch.randperm(len(residual))[: self.words.shape[1]]]
            for _ in range(rounds):
                self.refit(index, residual)
            residual = residual - self.words[index][self.choose(residual, index)]

    @torch.no_grad()
    def quantize(self, vectors: Tensor) -> Tensor:
        """Return `vectors` [N, D] as the codebooks tell them, [N, D]."""
        residual = vectors
        for index in range(len(self.words)):
            residual = residual - self.words[index][self.choose(residual, index)]
        return vectors - residual

    def refit(self, index: int, vectors: Tensor) -> None:
        """Do one round of k-means for codebook `index`, moving dead codes onto random vectors."""
        codes = self.choose(vectors, index)
        words = torch.zeros_like(self.words[index]).index_add_(0, codes, vectors)
        counts = torch.bincount(codes, minlength=len(words))
        words /= counts.clamp(min=1)[:, None]
        dead = (counts < DEAD_SHARE * counts.float().mean()).nonzero()[:, 0]
        words[dead] = vectors[torch.randint(len(vectors), (len(dead),))]
        self.words[index] = words


def lift(words: Tensor, scale: float) -> Tensor:
    """Return code words for DAC, which compares directions only, that win exactly as `words` do.

    DAC normalises a vector x and every code word w and takes the largest cosine. We want the
    smallest |x - w|^2, which is the largest x.w - |w|^2 / 2. So the input gets a constant 1 (and
    a 0) appended, the code word gets -|w|^2 / 2, and a filler against the 0 brings all code words
    to one length, after which normalising changes nothing.

    Args:
        words: Code words, [C, D].
        scale: Length by which vectors are divided first, so that they compare with the 1.

    Returns:
        The lifted code words, [C, D + 2].
    """
    scaled = words / scale
    penalty = -scaled.square().sum(1, keepdim=True) / 2
    lengths = scaled.square().sum(1, keepdim=True) + penalty.square()
    filler = (lengths.max() - lengths).clamp(min=0).sqrt()
    return torch.cat([scaled, penalty, filler], dim=1)


@torch.no_grad()
def export(books: ResidualCodebooks, quantizer: DacResidualVectorQuantizer) -> None:
    """Write `books` into DAC's own quantizer, whose codebook_dim has to be D + EXTRA_DIMS."""
    for words, layer in zip(books.words, quantizer.quantizers, strict=True):
        scale = words.square().sum(1).mean().sqrt().item()
        layer.codebook.weight.copy_(lift(words, scale))
        write_projections(layer, scale)


def write_projections(layer: DacVectorQuantize, scale: float) -> None:
    """Make in_proj append (1, 0) to vectors divided by `scale`, and out_proj undo that."""
    dim = layer.out_proj.weight.shape[0]
    for projection in (layer.in_proj, layer.out_proj):
        projection.weight.zero_()
        projection.bias.zero_()
    layer.in_proj.weight[:dim, :, 0] = torch.eye(dim) / scale
    layer.in_proj.bias[dim] = 1.0
    layer.out_proj.weight[:, :dim, 0] = torch.eye(dim) * scale
