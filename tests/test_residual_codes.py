"""EnCodec's quantizer: the model's own is the oracle."""

from __future__ import annotations

import pytest
import torch
from transformers import EncodecConfig
from transformers.models.encodec.modeling_encodec import EncodecResidualVectorQuantizer

from hf_codec_bpe.codecs.residual_codes import residual_codes


@pytest.fixture(scope="module")
def quantizer() -> EncodecResidualVectorQuantizer:
    """At full size, with vectors that occur twice: the first of them is the nearest."""
    quantizer = EncodecResidualVectorQuantizer(EncodecConfig()).eval()
    generator = torch.Generator().manual_seed(0)
    for layer in quantizer.layers:
        layer.codebook.embed.normal_(generator=generator)
        layer.codebook.embed[512:] = layer.codebook.embed[:512]
    return quantizer


@pytest.mark.parametrize("num_frames", [1, 2, 127, 128, 129, 660])
@pytest.mark.parametrize("batch", [1, 3])
@torch.inference_mode()
def test_the_models_codes(
    quantizer: EncodecResidualVectorQuantizer, batch: int, num_frames: int
) -> None:
    embeddings = torch.randn(batch, 128, num_frames)
    expected = quantizer.encode(embeddings, 24.0).transpose(0, 1)
    codes = residual_codes(quantizer.layers, embeddings)
    assert codes.shape == (batch, 32, num_frames)
    assert torch.equal(codes, expected)
    assert codes.max() < 512


@torch.inference_mode()
def test_a_codebook_that_is_all_zero(quantizer: EncodecResidualVectorQuantizer) -> None:
    empty = EncodecResidualVectorQuantizer(EncodecConfig()).eval()
    assert residual_codes(empty.layers[:2], torch.randn(1, 128, 200)).unique().tolist() == [0]
