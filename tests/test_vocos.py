"""What WavTokenizer and SimVQ share: exact batches, lengths, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import EncodecFeatureExtractor
from transformers.models.encodec.modeling_encodec import EncodecEncoder

from hf_codec_bpe.codecs.registry import codec_class
from hf_codec_bpe.codecs.vocos.codebook import Codebook
from hf_codec_bpe.codecs.vocos.configuration_vocos import VocosCodecConfig
from hf_codec_bpe.codecs.vocos.modeling_vocos import VocosCodecModel
from hf_codec_bpe.errors import AudioError, CodecError, CodesError

from . import tiny

FAMILIES = ("simvq", "wavtokenizer")


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(family: str) -> VocosCodecModel:
    return tiny.MODELS[family]()


def padded(clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """`input_values` `[B, 1, S]` and `padding_mask` `[B, S]`, from the feature extractor."""
    extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000)
    features = extractor(clips, sampling_rate=24_000, padding=True, return_tensors="pt")
    return features["input_values"], features["padding_mask"]


@torch.inference_mode()
def test_every_length_has_the_frames_that_it_should(family: str, model: VocosCodecModel) -> None:
    codec = codec_class(family)(model)
    hop = codec.hop_length
    samples = torch.from_numpy(tiny.speech_like(5_000))[None, None]
    borders = {m * hop + d for m in range(2, 5_000 // hop) for d in (-1, 0, 1)}
    for length in sorted({*range(1, 2 * hop + 1), *borders}):
        frames = model.encoder(samples[..., :length]).shape[-1]
        assert frames == codec.num_frames(length) == -(-length // hop), length


@pytest.mark.parametrize("seed", range(4))
@torch.inference_mode()
def test_a_ragged_batch_is_exact(model: VocosCodecModel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = [1, 2, 319, 320, 321, 600, 601, *rng.integers(1, 9_000, 6).tolist()]
    clips = [tiny.speech_like(length, length) + 0.01 for length in rng.permutation(lengths)]
    input_values, padding_mask = padded(clips)
    # Whatever is behind the end must not matter.
    noisy = torch.where(padding_mask.bool()[:, None], input_values, torch.nan)
    together = model.encode(noisy, padding_mask)
    for i, clip in enumerate(clips):
        alone = torch.from_numpy(clip)[None, None]
        frames = -(-len(clip) // model.config.hop_length)
        assert together.audio_codes_mask[i].tolist() == [
            frame < frames for frame in range(together.audio_codes.shape[-1])
        ]
        codes = model.encode(alone).audio_codes[0]
        assert torch.equal(together.audio_codes[i, :, :frames], codes)


@torch.inference_mode()
def test_decoding_a_ragged_batch_is_exact(model: VocosCodecModel) -> None:
    clips = [tiny.speech_like(length, length) for length in (4_000, 700, 2_500)]
    input_values, padding_mask = padded(clips)
    output = model(input_values, padding_mask)
    assert output.audio_values.shape == input_values.shape
    for i, clip in enumerate(clips):
        alone = model(torch.from_numpy(clip)[None, None])
        found = output.audio_values[i, 0, : len(clip)]
        assert (found - alone.audio_values[0, 0]).abs().max() <= 1e-6


@pytest.mark.parametrize("causal", [True, False])
@torch.inference_mode()
def test_the_encoder_is_that_of_transformers(causal: bool) -> None:
    model = tiny.wavtokenizer(use_causal_conv=causal)
    theirs_config = tiny.EncodecConfig(
        num_filters=3, hidden_size=16, upsampling_ratios=[6, 5, 5, 4], use_causal_conv=causal
    )
    theirs = EncodecEncoder(theirs_config).eval()
    for module in theirs.modules():
        if hasattr(module, "parametrizations"):
            torch.nn.utils.parametrize.remove_parametrizations(module, "weight")
    theirs.load_state_dict(model.encoder.state_dict())
    for length in (1, 2, 7, 599, 600, 601, 5_000):
        samples = torch.from_numpy(tiny.speech_like(length, length))[None, None]
        assert torch.equal(model.encoder(samples), theirs(samples))


def test_equally_near_codes() -> None:
    codebook = Codebook(4, 2)
    with torch.no_grad():
        codebook.embed.copy_(torch.tensor([[9.0, 9.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
        assert codebook.encode(torch.zeros(1, 2, 3)).tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("shape", [(2, 100), (1, 2, 100), (1, 1, 0), (0, 1, 100)])
def test_samples_of_another_shape(model: VocosCodecModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match="input_values has shape"):
        model.encode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(2, 99), "padding_mask has shape"),
        (torch.zeros(2, 100), "a clip without samples"),
        (torch.arange(200).view(2, 100) > 50, "padding in front of samples"),
    ],
)
def test_bad_masks(model: VocosCodecModel, mask: torch.Tensor, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        model.encode(torch.zeros(2, 1, 100), mask)


def test_bad_codes(model: VocosCodecModel) -> None:
    for shape in ((1, 5), (1, 2, 5), (1, 1, 0)):
        with pytest.raises(CodesError, match="audio_codes has shape"):
            model.decode(torch.zeros(shape, dtype=torch.int64))
    for code in (-1, 64):
        with pytest.raises(CodesError, match=f"The codes range from {code} to {code}"):
            model.decode(torch.full((1, 1, 4), code))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"backbone_dim": 40}, "not a multiple of group_norm_num_groups=32"),
        ({"n_fft": 320}, "n_fft=320 is too short"),
        ({"default_bandwidth_id": 1}, "default_bandwidth_id=1 is none of this model's 1"),
    ],
)
def test_bad_configurations(numbers: dict[str, int], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        VocosCodecConfig(**numbers)
