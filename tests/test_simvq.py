"""SimVQ: equal to the original, and converted strictly, raw or averaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel

from hf_codec_bpe.codecs import SimVQCodec, convert_simvq_checkpoint
from hf_codec_bpe.codecs.simvq.configuration_simvq import SimVQConfig
from hf_codec_bpe.codecs.simvq.modeling_simvq import SimVQModel
from hf_codec_bpe.errors import CodecError

from . import tiny
from .golden_cases import AUDIO, Golden, as_original, outputs_of_a_fresh_process

FROZEN = "quantize.embedding.weight"


@pytest.fixture
def golden() -> Golden:
    return Golden("simvq")


def with_averages(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A checkpoint whose averages are these weights, and whose raw weights are others."""
    averages = {
        f"model_ema.{name.replace('.', '')}": tensor
        for name, tensor in weights.items()
        if name not in (FROZEN, "head.istft.window")
    }
    raw = {name: tensor * 0.5 for name, tensor in weights.items() if name != FROZEN}
    counters = {
        "model_ema.decay": torch.tensor(0.999),
        "model_ema.num_updates": torch.tensor(7),
        "model_ema.decodermodel0convconvbias": torch.ones(3),
    }
    return {**raw, **averages, **counters, FROZEN: weights[FROZEN]}


@pytest.mark.parametrize("with_config", [True, False])
def test_equal_to_the_original(golden: Golden, with_config: bool) -> None:
    model = convert_simvq_checkpoint(golden.state_dict(), golden.config if with_config else None)
    assert isinstance(model, SimVQModel)
    assert model.config.use_causal_conv
    assert model.config.ema is False
    golden.check(model)
    golden.check_ragged_batch(model)
    codebook = model.quantizer.codebook.embed - golden.expected["projected_codebook"]
    assert codebook.abs().max() <= 1e-6


def test_equal_to_the_original_after_saving(golden: Golden, tmp_path: Path) -> None:
    SimVQCodec(convert_simvq_checkpoint(golden.state_dict())).save_pretrained(tmp_path / "codec")
    golden.check(AutoModel.from_pretrained(tmp_path / "codec"))
    outputs_of_a_fresh_process(tmp_path / "codec", golden.inputs, tmp_path)
    for name, found in load_file(tmp_path / "out.safetensors").items():
        difference = (found - golden.expected[name]).abs().max()
        assert difference <= (0 if name.endswith("codes") else AUDIO), name


def test_averages_and_raw_weights_are_different_codecs(golden: Golden, tmp_path: Path) -> None:
    weights = with_averages(golden.state_dict())
    averaged = convert_simvq_checkpoint(weights, ema=True)
    golden.check(averaged)
    averaged.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).ema is True
    raw = convert_simvq_checkpoint(weights)
    assert raw.config.ema is False
    samples = golden.inputs["a"]
    assert not torch.equal(raw.encode(samples).audio_codes, averaged.encode(samples).audio_codes)


def test_averages_that_are_not_there(golden: Golden) -> None:
    with pytest.raises(CodecError, match="lacks moving averages"):
        convert_simvq_checkpoint(golden.state_dict(), ema=True)
    weights = with_averages(golden.state_dict())
    del weights["model_ema.headoutbias"]
    with pytest.raises(CodecError, match=r"averages of its weights: model_ema\.headoutbias"):
        convert_simvq_checkpoint(weights, ema=True)


def test_other_sizes() -> None:
    model = tiny.simvq(upsampling_ratios=[5, 4, 3], n_fft=240, codebook_size=100, num_filters=5)
    weights = {
        **as_original(model),
        FROZEN: model.quantizer.codebook.embed.data,
        "quantize.embedding_proj.weight": torch.eye(16),
        "quantize.embedding_proj.bias": torch.zeros(16),
    }
    converted = convert_simvq_checkpoint(weights)
    samples = torch.from_numpy(tiny.speech_like(4_321))[None, None]
    assert torch.equal(converted.encode(samples).audio_codes, model.encode(samples).audio_codes)


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        models = [SimVQModel(SimVQConfig(codebook_size=n)) for n in (4096, 262_144)]
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    # 0.26 M fewer than the original's: no projection.
    assert [round(size / 1e4) for size in sizes] == [7378, 20591]


def test_what_only_training_needed_is_left_out(golden: Golden) -> None:
    extra = {name: torch.ones(2) for name in ("loss.discriminator.a", "decoder.model.0.bias")}
    golden.check(convert_simvq_checkpoint({**golden.state_dict(), **extra}))


@pytest.mark.parametrize(
    "name",
    [
        "encoder.model.0.conv.conv.bias",
        "encoder.model.6.conv.conv.weight_g",
        "encoder.model.13.lstm.weight_ih_l1",
        FROZEN,
        "quantize.embedding_proj.weight",
        "quantize.embedding_proj.bias",
        "backbone.norm.weight",
        "backbone.convnext.1.norm.bias",
        "head.out.bias",
    ],
)
def test_a_missing_weight(golden: Golden, name: str) -> None:
    weights = golden.state_dict()
    del weights[name]
    with pytest.raises(CodecError, match=r"lacks|missing|unknown"):
        convert_simvq_checkpoint(weights)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (FROZEN, (64,)),
        (FROZEN, (64, 15)),
        ("quantize.embedding_proj.bias", (1,)),
        ("encoder.model.6.conv.conv.weight_g", (1, 1, 1)),
        ("encoder.model.6.conv.conv.weight_v", (4,)),
        ("head.out.weight", ()),
    ],
)
def test_an_impossible_shape(golden: Golden, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CodecError, match="shape"):
        convert_simvq_checkpoint({**golden.state_dict(), name: torch.ones(shape)})


@pytest.mark.parametrize("name", ["backbone.surprise", "surprise", "quantize.surprise"])
def test_an_unknown_weight(golden: Golden, name: str) -> None:
    with pytest.raises(CodecError, match="unknown"):
        convert_simvq_checkpoint({**golden.state_dict(), name: torch.ones(3)})


def test_a_checkpoint_of_another_family() -> None:
    with pytest.raises(CodecError, match="not a SimVQ checkpoint"):
        convert_simvq_checkpoint(Golden("wavtokenizer/frame75").state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codec": "wavtokenizer"}, "that of 'wavtokenizer'"),
        ({"n_fft": 2400}, "n_fft=2400, but"),
        ({"adanorm_num_embeddings": 4}, "adanorm_num_embeddings=4, but"),
        ({"fixed": {"audio_normalize": True}}, "audio_normalize=True, but"),
    ],
)
def test_a_configuration_that_does_not_fit(
    golden: Golden, change: dict[str, object], message: str
) -> None:
    with pytest.raises(CodecError, match=message):
        convert_simvq_checkpoint(golden.state_dict(), {**golden.config, **change})


def test_the_search_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.simvq()
    samples = torch.from_numpy(tiny.speech_like(30_000))[None, None]
    expected = model.encode(samples).audio_codes
    for at_once in (1, 64 * 7):
        monkeypatch.setattr("hf_codec_bpe.codecs.vocos.codebook.SEARCHED_AT_ONCE", at_once)
        assert torch.equal(model.encode(samples).audio_codes, expected)
