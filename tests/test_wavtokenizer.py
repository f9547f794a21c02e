"""WavTokenizer: equal to the original, and converted strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from hf_codec_bpe import load_codec
from hf_codec_bpe.codecs import WavTokenizerCodec, convert_wavtokenizer_checkpoint
from hf_codec_bpe.codecs.wavtokenizer.configuration_wavtokenizer import WavTokenizerConfig
from hf_codec_bpe.codecs.wavtokenizer.modeling_wavtokenizer import WavTokenizerModel
from hf_codec_bpe.errors import CodecError

from . import tiny
from .golden_cases import AUDIO, Golden, as_original, outputs_of_a_fresh_process

CODEBOOK = "feature_extractor.encodec.quantizer.vq.layers.0._codebook."
ENCODER = "feature_extractor.encodec.encoder.model."


@pytest.fixture(params=["frame75", "frame40"])
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(f"wavtokenizer/{request.param}")


def original(model: WavTokenizerModel) -> dict[str, torch.Tensor]:
    """The model's weights as the original would have saved them."""
    codebook = model.state_dict()["quantizer.codebook.embed"]
    return {
        **as_original(model, ENCODER),
        f"{CODEBOOK}embed": codebook,
        f"{CODEBOOK}inited": torch.ones(1),
    }


@pytest.mark.parametrize("with_config", [True, False])
def test_equal_to_the_original(golden: Golden, with_config: bool) -> None:
    config = golden.config if with_config else None
    model = convert_wavtokenizer_checkpoint(golden.state_dict(), config)
    assert isinstance(model, WavTokenizerModel)
    assert not model.training
    golden.check(model)
    golden.check_ragged_batch(model)


def test_equal_to_the_original_after_saving(golden: Golden, tmp_path: Path) -> None:
    model = convert_wavtokenizer_checkpoint(golden.state_dict())
    WavTokenizerCodec(model).save_pretrained(tmp_path / "codec")
    golden.check(AutoModel.from_pretrained(tmp_path / "codec"))
    outputs_of_a_fresh_process(tmp_path / "codec", golden.inputs, tmp_path)
    for name, found in load_file(tmp_path / "out.safetensors").items():
        expected = golden.expected.get(name)
        if expected is not None:
            difference = (found.reshape(expected.shape) - expected).abs().max()
            assert difference <= (0 if name.endswith("codes") else AUDIO), name


def test_another_condition() -> None:
    golden = Golden("wavtokenizer/frame75")
    model = convert_wavtokenizer_checkpoint(golden.state_dict())
    codes = model.encode(golden.inputs["d"]).audio_codes
    with torch.inference_mode():
        audio = model.decode(codes, bandwidth_id=2).audio_values[:, 0]
    assert (audio - golden.expected["d.audio_bandwidth_id_2"]).abs().max() <= AUDIO
    with pytest.raises(CodecError, match="bandwidth_id=4 is none of this model's 4 conditions"):
        model.decode(codes, bandwidth_id=4)


def test_numbers_come_from_shapes(golden: Golden) -> None:
    config = convert_wavtokenizer_checkpoint(golden.state_dict()).config
    for name in ("sampling_rate", "upsampling_ratios", "hop_length", "num_filters", "hidden_size"):
        assert getattr(config, name) == golden.config[name]
    for name in ("codebook_size", "backbone_dim", "backbone_intermediate_dim", "n_fft"):
        assert getattr(config, name) == golden.config[name]
    assert config.backbone_num_layers == golden.config["backbone_num_layers"]
    assert config.adanorm_num_embeddings == golden.config["adanorm_num_embeddings"]
    assert config.use_causal_conv is False


@pytest.mark.parametrize(
    ("ratios", "n_fft"),
    [([8, 5, 4, 2], 1280), ([6, 5, 5, 4], 1200), ([4, 3, 2], 96), ([5, 3, 3, 5], 900), ([7], 20)],
)
def test_other_ratios(ratios: list[int], n_fft: int) -> None:
    model = tiny.wavtokenizer(upsampling_ratios=ratios, n_fft=n_fft)
    converted = convert_wavtokenizer_checkpoint(original(model))
    assert converted.config.upsampling_ratios == ratios
    samples = torch.from_numpy(tiny.speech_like(4_321))[None, None]
    with torch.inference_mode():
        codes = converted.encode(samples).audio_codes
        assert torch.equal(codes, model.encode(samples).audio_codes)
        audio = converted.decode(codes).audio_values
    assert audio.shape == (1, 1, WavTokenizerCodec(converted).num_samples(codes.shape[2]))
    assert audio.isfinite().all()


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        models = [
            WavTokenizerModel(WavTokenizerConfig()),
            WavTokenizerModel(WavTokenizerConfig(upsampling_ratios=[6, 5, 5, 4], n_fft=2400)),
        ]
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    assert [round(size / 1e4) for size in sizes] == [7384, 7421]


def test_what_only_training_needed_is_left_out() -> None:
    golden = Golden("wavtokenizer/frame40")
    extra = (
        "multiperioddisc.a",
        "multiresddisc.a",
        "dac.a",
        "dacdiscriminator.a",
        "melspec_loss.a",
    )
    decoder = ("feature_extractor.encodec.decoder.model.0.conv.conv.bias",)
    weights = {**golden.state_dict(), **{name: torch.ones(2) for name in extra + decoder}}
    golden.check(convert_wavtokenizer_checkpoint(weights))


def test_the_weights_are_copies() -> None:
    golden = Golden("wavtokenizer/frame40")
    weights = {name: tensor.float() for name, tensor in golden.state_dict().items()}
    model = convert_wavtokenizer_checkpoint(weights)
    for tensor in weights.values():
        tensor.zero_()
    golden.check(model)


@pytest.mark.parametrize(
    "name",
    [
        f"{ENCODER}0.conv.conv.bias",
        f"{ENCODER}3.conv.conv.weight_v",
        f"{ENCODER}3.conv.conv.weight_g",
        f"{ENCODER}13.lstm.weight_hh_l1",
        f"{CODEBOOK}embed",
        f"{CODEBOOK}inited",
        "backbone.embed.weight",
        "backbone.norm.scale.weight",
        "backbone.convnext.0.gamma",
        "backbone.pos_net.2.proj_out.bias",
        "head.out.weight",
        "head.out.bias",
    ],
)
def test_a_missing_weight(name: str) -> None:
    weights = Golden("wavtokenizer/frame40").state_dict()
    del weights[name]
    with pytest.raises(CodecError, match=r"lacks|missing|unknown|instead of"):
        convert_wavtokenizer_checkpoint(weights)


@pytest.mark.parametrize(
    "name",
    [
        "backbone.surprise",
        "surprise",
        f"{ENCODER}16.conv.conv.bias",
        CODEBOOK.replace("layers.0", "layers.1") + "embed",
        f"{CODEBOOK}surprise",
        "head.istft.surprise",
    ],
)
def test_an_unknown_weight(name: str) -> None:
    weights = {**Golden("wavtokenizer/frame40").state_dict(), name: torch.ones(3)}
    with pytest.raises(CodecError, match="unknown"):
        convert_wavtokenizer_checkpoint(weights)


def test_a_weight_of_another_shape() -> None:
    weights = Golden("wavtokenizer/frame40").state_dict()
    weights["backbone.final_layer_norm.bias"] = torch.ones(3)
    with pytest.raises(CodecError, match=r"final_layer_norm\.bias \(\[3\] instead of \[64\]\)"):
        convert_wavtokenizer_checkpoint(weights)


def test_a_codebook_that_was_never_learnt() -> None:
    weights = Golden("wavtokenizer/frame40").state_dict()
    weights[f"{CODEBOOK}inited"] = torch.zeros(1)
    with pytest.raises(CodecError, match="never learnt"):
        convert_wavtokenizer_checkpoint(weights)


def test_a_checkpoint_of_another_family() -> None:
    with pytest.raises(CodecError, match="not a WavTokenizer checkpoint"):
        convert_wavtokenizer_checkpoint(Golden("simvq").state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codebook_size": 4096}, "codebook_size=4096, but this checkpoint"),
        ({"hop_length": 320}, "hop_length=320, but"),
        ({"upsampling_ratios": [8, 5, 4, 2]}, "upsampling_ratios="),
        ({"codec": "simvq"}, "that of 'simvq'"),
        ({"fixed": {"pad_mode": "constant"}}, "pad_mode='constant'"),
        ({"fixed": {"istft_padding": "center"}}, "istft_padding='center'"),
        ({"fixed": {"surprise": 1}}, "names surprise"),
        ({"fixed": {"default_bandwidth_id": 4}}, "default_bandwidth_id=4 is none"),
    ],
)
def test_a_configuration_that_does_not_fit(change: dict[str, object], message: str) -> None:
    golden = Golden("wavtokenizer/frame40")
    with pytest.raises(CodecError, match=message):
        convert_wavtokenizer_checkpoint(golden.state_dict(), {**golden.config, **change})


def test_what_no_weight_shows_is_taken_from_the_configuration() -> None:
    weights = Golden("wavtokenizer/frame40").state_dict()
    given = {"sampling_rate": 16_000, "fixed": {"default_bandwidth_id": 2, "norm_eps": 1e-5}}
    config = convert_wavtokenizer_checkpoint(weights, given).config
    assert (config.sampling_rate, config.default_bandwidth_id, config.norm_eps) == (16000, 2, 1e-5)


def test_transformers_will_never_have_a_model_of_that_name(tmp_path: Path) -> None:
    from transformers import CONFIG_MAPPING

    assert WavTokenizerConfig.model_type.startswith("codec_bpe_")
    assert WavTokenizerConfig.model_type not in CONFIG_MAPPING._mapping
    WavTokenizerCodec(tiny.wavtokenizer()).save_pretrained(tmp_path)
    assert type(load_codec(tmp_path)).family == "wavtokenizer"
    with pytest.raises(CodecError, match="whose codes nobody has compared"):
        WavTokenizerCodec(tiny.simvq())
