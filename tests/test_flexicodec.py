"""FlexiCodec: equal to the original, clip by clip, and its merged frames all the way to tokens."""

from __future__ import annotations

from functools import cache
from inspect import signature

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from hf_codec_bpe.codecs import convert_flexicodec_checkpoint
from hf_codec_bpe.codecs.flexicodec.cmvn import published_cmvn
from hf_codec_bpe.codecs.flexicodec.configuration_flexicodec import FlexiCodecConfig
from hf_codec_bpe.codecs.flexicodec.features import (
    fewest_samples,
    filter_banks,
    num_features,
    stacked,
)
from hf_codec_bpe.codecs.flexicodec.merging import group_lengths
from hf_codec_bpe.codecs.flexicodec.modeling_flexicodec import FlexiCodecModel
from hf_codec_bpe.codecs.flexicodec.settings import fields_of
from hf_codec_bpe.codecs.flexicodec.transformer import rotate_positions
from hf_codec_bpe.errors import AudioError, CodecError, CodesError

from . import tiny
from .golden_cases import Golden

GOLDEN = Golden("flexicodec")
INPUT = load_file(GOLDEN.folder / "input.safetensors")
CASES = sorted({name.rsplit(".", 1)[0] for name in GOLDEN.expected})
AUDIO = 1e-5
"""How far audio may be off."""


@cache
def model() -> FlexiCodecModel:
    """The original's weights, without a semantic encoder."""
    return convert_flexicodec_checkpoint(GOLDEN.state_dict(), GOLDEN.config)


def sensevoice() -> dict[str, torch.Tensor]:
    """Weights of the published sizes, save for the number of layers."""
    sizes = {70: 560, 32: 512, 96: 3 * 512}
    names = load_file(GOLDEN.folder / "sensevoice_tiny.state_dict.safetensors")
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn([sizes.get(n, n) for n in tensor.shape], generator=generator) / 20
        for name, tensor in names.items()
    }


def clip(name: str) -> dict[str, torch.Tensor]:
    """A clip of the golden data as `encode` takes it."""
    if name == "b1alone":
        samples, features = INPUT["b.audio_lens"][1], INPUT["b.features_lens"][1]
        return {
            "input_values": INPUT["b.audio"][1:, :samples],
            "audio_features": INPUT["b.features"][1:, :features],
        }
    return {"input_values": INPUT[f"{name}.audio"], "audio_features": INPUT[f"{name}.features"]}


def options(case: str) -> dict[str, float]:
    _, threshold, num_quantizers = case.replace(".thr", " ").replace(".nq", " ").split()
    return {"merging_threshold": float(threshold), "num_quantizers": int(num_quantizers)}


def expected_codes(case: str) -> torch.Tensor:
    """The original's codes `[B, K, G]`, with the lengths as the last stream, -1 behind the end."""
    lengths = GOLDEN.expected[f"{case}.token_lengths"][:, None] - 1
    acoustic = GOLDEN.expected.get(f"{case}.acoustic_codes", lengths[:, :0])
    return torch.cat([GOLDEN.expected[f"{case}.semantic_codes"], acoustic, lengths], dim=1).long()


# The original.


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("b.")])
def test_encodes_as_the_original(case: str) -> None:
    encoded = model().encode(**clip(case.split(".")[0]), **options(case))
    assert torch.equal(encoded.audio_codes, expected_codes(case))
    assert torch.equal(encoded.group_counts, GOLDEN.expected[f"{case}.total_frames"].long())


def test_a_batch_without_padding_is_encoded_as_by_the_original() -> None:
    encoded = model().encode(**clip("b"), **options("b.thr1.0.nq7"))
    assert torch.equal(encoded.audio_codes[:1], expected_codes("b.thr1.0.nq7")[:1])


@pytest.mark.parametrize(
    "case", [name.removesuffix(".decoded") for name in GOLDEN.expected if name.endswith(".decoded")]
)
def test_decodes_as_the_original(case: str) -> None:
    decoded = model().decode(expected_codes(case)).audio_values
    expected = GOLDEN.expected[f"{case}.decoded"]
    assert decoded.shape == expected.shape
    assert (decoded - expected).abs().max() <= AUDIO


@pytest.mark.parametrize(
    ("threshold", "lengths"),
    [(1.0, [1] * 15), (0.9, [1, 8, 3, 3]), (0.8, [8, 4, 3]), (0.5, [8, 7])],
)
def test_the_original_s_groups(threshold: float, lengths: list[int]) -> None:
    encoded = model().encode(**clip("a"), merging_threshold=threshold, num_quantizers=1)
    assert encoded.audio_codes.shape == (1, 2, len(lengths))
    assert (encoded.audio_codes[0, -1] + 1).tolist() == lengths


def test_a_threshold_holds_for_one_call() -> None:
    before = model().encode(**clip("a")).audio_codes
    model().encode(**clip("a"), merging_threshold=0.5)
    assert torch.equal(model().encode(**clip("a")).audio_codes, before)


@pytest.mark.parametrize("num_quantizers", [8, 24, None, np.int64(7)])
def test_more_quantizers_than_there_are_are_all(
    num_quantizers: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert signature(FlexiCodecModel.encode).parameters["num_quantizers"].default == 8
    found = model().encode(**clip("a"), merging_threshold=0.9, num_quantizers=num_quantizers)
    assert torch.equal(found.audio_codes, expected_codes("a.thr0.9.nq7"))
    warning = f"num_quantizers={num_quantizers}, but the model has 7: using all."
    assert caplog.messages == ([warning] if num_quantizers in (8, 24) else [])


@pytest.mark.parametrize("num_quantizers", [1, 2, 3, 6])
def test_fewer_quantizers_are_a_prefix(num_quantizers: int) -> None:
    everything = model().encode(**clip("a")).audio_codes
    some = model().encode(**clip("a"), num_quantizers=num_quantizers).audio_codes
    assert torch.equal(some[:, :-1], everything[:, :num_quantizers])
    assert torch.equal(some[:, -1], everything[:, -1])
    assert model().decode(some).audio_values.shape == model().decode(everything).audio_values.shape


def test_the_semantic_encoder_is_the_original_s() -> None:
    weights = load_file(GOLDEN.folder / "sensevoice_tiny.state_dict.safetensors")
    golden = load_file(GOLDEN.folder / "sensevoice_fbank.safetensors")
    converted = convert_flexicodec_checkpoint(GOLDEN.state_dict(), GOLDEN.config, weights)
    features = converted.semantic_model(golden["sensevoice.input"])
    assert (features - golden["sensevoice.semantic_features"]).abs().max() <= 5e-6
    with pytest.raises(CodecError, match=r"numbers that normalise its inputs, 70 at a time.*560"):
        converted.encode(INPUT["a.audio"])


def test_audio_alone_is_encoded_with_the_published_normalisation() -> None:
    golden = load_file(GOLDEN.folder / "sensevoice_fbank.safetensors")
    weights = sensevoice()
    converted = convert_flexicodec_checkpoint(GOLDEN.state_dict(), GOLDEN.config, weights)
    assert torch.equal(published_cmvn(), golden["fbank.cmvn"])
    features = converted.front_end(golden["fbank.wav"][0])
    assert (features - golden["fbank.features"][0]).abs().max() <= 1e-3
    given = convert_flexicodec_checkpoint(
        GOLDEN.state_dict(), GOLDEN.config, weights, cmvn=golden["fbank.cmvn"]
    )
    codes = converted.encode(INPUT["a.audio"]).audio_codes
    assert (codes[0, -1] + 1).sum() == 15
    assert torch.equal(codes, given.encode(INPUT["a.audio"]).audio_codes)


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_the_semantic_encoder_s_names_may_say_what_they_are_of(place: str) -> None:
    named = {f"semantic_model.{name}": tensor for name, tensor in sensevoice().items()}
    inside = named if place == "inside" else {}
    found = convert_flexicodec_checkpoint(
        {**GOLDEN.state_dict(), **inside}, GOLDEN.config, None if inside else named
    )
    expected = convert_flexicodec_checkpoint(GOLDEN.state_dict(), GOLDEN.config, sensevoice())
    assert found.state_dict().keys() == expected.state_dict().keys()
    assert torch.equal(found.semantic_model.prompt, expected.semantic_model.prompt)
    assert torch.equal(found.front_end.shift, expected.front_end.shift)


def test_normalisation_of_another_size() -> None:
    tiny_weights = load_file(GOLDEN.folder / "sensevoice_tiny.state_dict.safetensors")
    with pytest.raises(CodecError, match=r"sensevoice_input_size=70 is not possible with has_cmvn"):
        convert_flexicodec_checkpoint(
            GOLDEN.state_dict(), GOLDEN.config, tiny_weights, cmvn=published_cmvn()
        )


def test_the_front_end_is_the_original_s() -> None:
    golden = load_file(GOLDEN.folder / "sensevoice_fbank.safetensors")
    converted = convert_flexicodec_checkpoint(
        GOLDEN.state_dict(), GOLDEN.config, cmvn=golden["fbank.cmvn"]
    )
    features = converted.front_end(golden["fbank.wav"][0])
    assert (features - golden["fbank.features"][0]).abs().max() <= 1e-3


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        published = FlexiCodecModel(FlexiCodecConfig())
    assert published.config.codebook_sizes == (32768, *[4096] * 24, 8)
    sizes = {
        name: sum(p.numel() for p in part.parameters()) / 1e6
        for name, part in published.named_children()
    }
    rounded = {name: round(size, 1) for name, size in sizes.items()}
    assert rounded == {
        "front_end": 0,
        "semantic_model": 158.0,
        "encoder": 14.6,
        "semantic_aggregator": 18.9,
        "acoustic_aggregator": 18.9,
        "semantic_encoder": 13.0,
        "semantic_quantizer": 0,
        "semantic_decoder": 13.0,
        "quantizer": 1.0,
        "bottleneck": 100.8,
        "decoder": 34.7,
    }


# Its parts.


@settings(deadline=None)
@given(st.data(), st.floats(0, 0.999), st.integers(1, 5))
def test_groups_are_runs_of_frames_that_are_alike(
    data: st.DataObject, threshold: float, longest: int
) -> None:
    angles = data.draw(st.lists(st.floats(0, 3), min_size=1, max_size=30))
    frames = torch.tensor(np.array([[np.cos(angles), np.sin(angles)]]))
    states = frames[0].T.float()
    lengths = [1]
    for similarity in torch.cosine_similarity(states[:-1], states[1:]):
        if similarity > threshold and lengths[-1] < longest:
            lengths[-1] += 1
        else:
            lengths.append(1)
    assert group_lengths(frames, threshold, longest).tolist() == lengths


def test_no_frames_are_merged_at_the_threshold_1_even_identical_ones() -> None:
    frames = torch.randn(1, 512, 40, generator=torch.Generator().manual_seed(0))
    frames = frames.repeat_interleave(2, dim=-1)
    similarity = torch.cosine_similarity(frames[0].T[:-1], frames[0].T[1:])
    assert (similarity > 1).any()  # which is why it must be forced
    assert group_lengths(frames, 1.0, 8).tolist() == [1] * 80
    assert len(group_lengths(frames, 0.9, 8)) == 40
    features = INPUT["a.features"][:, :1].expand(-1, 21, -1)
    encoded = model().encode(INPUT["a.audio"], features, merging_threshold=1.0)
    assert encoded.audio_codes[0, -1].tolist() == [0] * 15


def test_an_aggregator_reads_each_group_off_a_query_behind_it() -> None:
    aggregator = tiny.flexicodec().acoustic_aggregator
    frames = torch.randn(1, 32, 9)
    parts = []
    for group in frames[0].T.split([3, 1, 5]):
        parts += [group, group.mean(dim=0, keepdim=True) + aggregator.query_embedding[0].T]
    outputs = aggregator.transformer(torch.cat(parts).T[None])[..., [3, 5, 11]]
    found = aggregator(frames, torch.tensor([3, 1, 5]))
    assert torch.allclose(found, outputs, atol=1e-6)


def test_rotations_are_those_of_complex_numbers() -> None:
    states = torch.randn(2, 3, 7, 8)
    turns = torch.arange(7.0)[:, None] * 10_000.0 ** -(torch.arange(4.0) / 4)
    pairs = torch.view_as_complex(states.unflatten(-1, (4, 2))) * torch.polar(
        torch.ones_like(turns), turns
    )
    assert torch.allclose(
        rotate_positions(states), torch.view_as_real(pairs).flatten(-2), atol=1e-6
    )


@given(st.integers(400, 20_000))
def test_the_front_end_makes_as_many_features_as_it_says(num_samples: int) -> None:
    features = stacked(filter_banks(torch.zeros(num_samples)))
    assert features.shape == (num_features(num_samples), 560)
    assert num_features(fewest_samples(len(features))) == len(features)
    assert num_features(fewest_samples(len(features)) - 1) == len(features) - 1


def test_noise_is_added_only_when_asked_for_and_is_always_the_same() -> None:
    codec_model, silence = tiny.flexicodec(), torch.zeros(1, 9_000)
    clean = codec_model.encode(silence).audio_codes
    noisy = [codec_model.encode(silence, dither=1.0).audio_codes for _ in range(2)]
    assert torch.equal(codec_model.encode(silence).audio_codes, clean)
    assert torch.equal(noisy[0], noisy[1])
    assert noisy[0].shape != clean.shape or not torch.equal(noisy[0], clean)
    speech = torch.from_numpy(tiny.speech_like(9_000))
    assert 0 < (filter_banks(speech, dither=1.0) - filter_banks(speech)).abs().max() < 1


# Batches.


@pytest.mark.parametrize("threshold", [1.0, 0.9, 0.85, 0.5])
def test_a_batch_is_its_clips(threshold: float) -> None:
    batch = clip("b")
    mask = torch.arange(15_100) < INPUT["b.audio_lens"][:, None]
    # What is behind a clip's end is never looked at.
    batch["input_values"] = torch.where(mask, batch["input_values"], torch.ones(()))
    encoded = model().encode(
        **batch,
        merging_threshold=threshold,
        padding_mask=mask,
        feature_lengths=INPUT["b.features_lens"],
    )
    decoded = model().decode(encoded.audio_codes).audio_values
    alone = [
        {name: tensor[:1] for name, tensor in clip("b").items()},
        clip("b1alone"),
    ]
    for row, one in enumerate(alone):
        codes = model().encode(**one, merging_threshold=threshold).audio_codes
        count = encoded.group_counts[row]
        assert torch.equal(encoded.audio_codes[row, :, :count], codes[0])
        assert (encoded.audio_codes[row, :, count:] == -1).all()
        waveform = model().decode(codes).audio_values[0]
        assert torch.equal(decoded[row, :, : waveform.shape[1]], waveform)
        assert not decoded[row, :, waveform.shape[1] :].any()


def test_a_forward_pass_encodes_and_decodes() -> None:
    output = model()(**clip("a"), merging_threshold=0.9)
    assert torch.equal(output.audio_codes, expected_codes("a.thr0.9.nq7"))
    assert output.audio_values.shape == (1, 1, 15 * 1280 - 16)
    assert output.group_counts.tolist() == [4]


def test_inputs_of_another_precision() -> None:
    expected = model().encode(**clip("a")).audio_codes
    doubled = {name: tensor.double() for name, tensor in clip("a").items()}
    assert torch.equal(model().encode(**doubled).audio_codes, expected)
    codes = torch.tensor([[[9, 8, 7], [0, 1, 7]]])
    waveform = model().decode(codes).audio_values
    for dtype in (torch.uint8, torch.int32):
        assert torch.equal(model().decode(codes.to(dtype)).audio_values, waveform)


def test_masks_and_lengths_that_say_nothing_may_be_alone() -> None:
    expected = model().encode(**clip("a")).audio_codes
    mask, lengths = torch.ones(1, 20_123), torch.tensor([21])
    for alone in ({"padding_mask": mask}, {"feature_lengths": lengths}):
        assert torch.equal(model().encode(**clip("a"), **alone).audio_codes, expected)


def with_value(name: str, value: str) -> dict[str, torch.Tensor]:
    """An input of the golden clip, in which one value is another."""
    changed = clip("a")[name].clone()
    changed.view(-1)[7] = float(value)
    return {name: changed}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"merging_threshold": 1.1}, CodecError, "merging_threshold=1.1 is not possible"),
        ({"merging_threshold": -0.1}, CodecError, "merging_threshold=-0.1 is not possible"),
        ({"merging_threshold": float("nan")}, CodecError, "merging_threshold=nan is not"),
        ({"merging_threshold": None}, CodecError, "merging_threshold=None is not possible"),
        ({"num_quantizers": 0}, CodecError, "num_quantizers=0 is not possible.*1 to 7"),
        ({"num_quantizers": 7.0}, CodecError, "num_quantizers=7.0 is not possible"),
        ({"dither": -1.0}, CodecError, "dither=-1.0 is not possible"),
        ({"audio_features": None}, CodecError, "no semantic encoder.*SenseVoiceSmall"),
        ({"audio_features": torch.zeros(1, 21, 8)}, CodecError, "features, 512"),
        ({"audio_features": torch.zeros(2, 21, 512)}, CodecError, "batch=1"),
        ({"audio_features": torch.zeros(1, 1, 512)}, CodecError, "at least 2"),
        ({"feature_lengths": torch.tensor([22])}, CodecError, r"\[22\] features"),
        ({"input_values": torch.zeros(1, 1359), "audio_features": None}, AudioError, "too short"),
        ({"input_values": torch.zeros(1, 2, 9_000)}, AudioError, r"shape \[1, 2, 9000\]"),
        ({"input_values": torch.zeros(9_000)}, AudioError, r"shape \[9000\]"),
        ({"padding_mask": torch.ones(1, 3)}, AudioError, "padding_mask has shape"),
        ({"padding_mask": torch.arange(20_123)[None] > 9}, AudioError, "in front of samples"),
        ({"padding_mask": torch.arange(20_123)[None] < 9_000}, CodecError, "feature_lengths as"),
        ({"feature_lengths": torch.tensor([20])}, CodecError, r"\[20\].*padding_mask as well"),
        (with_value("input_values", "nan"), AudioError, "input_values holds values that are NaN"),
        (with_value("input_values", "-inf"), AudioError, "input_values holds .*infinite"),
        (with_value("audio_features", "nan"), AudioError, "audio_features holds values that"),
        ({"input_values": torch.ones(1, 9_000).short()}, AudioError, "Tensor of torch.int16"),
        ({"input_values": np.ones((1, 9_000), "f4")}, AudioError, "a ndarray of float32"),
        ({"audio_features": np.ones((1, 21, 512), "f4")}, AudioError, "audio_features is a nda"),
    ],
)
def test_what_cannot_be_encoded(
    change: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        model().encode(**{**clip("a"), **change})


@pytest.mark.parametrize(
    "codes", [torch.zeros(1, 2, 3), torch.zeros(1, 2, 3).bool(), np.zeros((1, 2, 3), "i8")]
)
def test_codes_are_a_tensor_of_integers(codes: object) -> None:
    with pytest.raises(CodesError, match=r"audio_codes is a .*pass a torch\.Tensor of integers"):
        model().decode(codes)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[0, 0], [0, 8]], "Code 8 in stream 1, group 1 .*of 8 codes"),
        ([[0, 0], [-1, 0]], "Code -1 in stream 1, group 0"),
        ([[0, 32768], [0, 0]], "Code 32768 in stream 0, group 1"),
        ([[-1, 0], [0, 0]], "Code -1 in stream 0, group 0"),
        ([[0], [64], [0]], "Code 64 in stream 1, group 0"),
        ([[0], [-1]], "has no groups"),
        ([[], []], "has no groups"),
        ([[0]], r"shape \[1, 1, 1\].*2 .*to 8 streams"),
        ([[0]] * 9, "to 8 streams"),
    ],
)
def test_what_cannot_be_decoded(codes: list[list[int]], message: str) -> None:
    with pytest.raises(CodesError, match=message):
        model().decode(torch.tensor([codes], dtype=torch.int64))


# Conversion.


def test_half_precision_is_taken_and_what_is_not_needed_is_left_out() -> None:
    half = {name: tensor.half() for name, tensor in GOLDEN.state_dict().items()}
    assert {"semantic_mean", "semantic_std"} <= half.keys()
    converted = convert_flexicodec_checkpoint(half, GOLDEN.config["model"])
    assert {tensor.dtype for tensor in converted.state_dict().values()} == {torch.float32}
    assert (converted.encoder.conv2.bias - model().encoder.conv2.bias).abs().max() < 1e-3


def test_the_semantic_encoder_in_the_checkpoint_wins() -> None:
    weights = load_file(GOLDEN.folder / "sensevoice_tiny.state_dict.safetensors")
    inside = {f"semantic_model.{name}": tensor + 1 for name, tensor in weights.items()}
    extra = {"ctc.ctc_lo.bias": torch.ones(5), "criterion_att.a": torch.ones(1)}
    both = convert_flexicodec_checkpoint(
        {**GOLDEN.state_dict(), **inside}, GOLDEN.config, {**weights, **extra}
    )
    assert torch.equal(both.semantic_model.prompt, weights["embed.weight"][[0, 1, 2, 15]] + 1)
    kept = sum(tensor.numel() for tensor in both.semantic_model.state_dict().values())
    whole = sum(t.numel() for name, t in weights.items() if ".tp_" not in name)
    assert kept == whole - 12 * 70


@pytest.mark.parametrize(
    "name",
    [
        "dac.encoder.block.3.block.1.block.3.weight_v",
        "dac.decoder.model.7.bias",
        "dac.quantizer.quantizers.5.codebook.weight",
        "convnext_encoder.0.weight_g",
        "convnext_decoder.0.dwconv.bias",
        "semantic_vq.fsq.project_out.bias",
        "semantic_aggregator.transformer.output_projs.0.weight",
        "bottleneck_transformer.transformer.layers.1.self_attn.in_proj_weight",
    ],
)
def test_a_missing_weight(name: str) -> None:
    weights = GOLDEN.state_dict()
    del weights[name]
    with pytest.raises(CodecError, match=r"missing|unknown"):
        convert_flexicodec_checkpoint(weights, GOLDEN.config)


@pytest.mark.parametrize(
    "name",
    [
        "surprise",
        "dac.encoder.block.surprise",
        "dac.decoder.model.1.block.9.bias",
        "convnext_encoder.surprise.bias",
        "bottleneck_transformer.transformer.layers.2.norm1.bias",
        "semantic_model.surprise",
    ],
)
def test_an_unknown_weight(name: str) -> None:
    with pytest.raises(CodecError, match=r"unknown|lack"):
        convert_flexicodec_checkpoint({**GOLDEN.state_dict(), name: torch.ones(3)}, GOLDEN.config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_causal": True}, "is_causal=True"),
        ({"semantic_model_type": "w2v"}, "semantic_model_type='w2v'"),
        ({"sensevoice_semantic_layer_idx": 6}, "sensevoice_semantic_layer_idx=6"),
        ({"sensevoice_semantic_layer_idx": 0}, "sensevoice_semantic_layer_idx=0"),
        ({"use_fixed_rate_aggregator": True}, "use_fixed_rate_aggregator=True"),
        ({"max_tokens_per_group": None}, "max_group_length=None is not possible"),
        ({"codebook_dim": [8, 8]}, r"codebook_dim=\[8, 8\] is not possible"),
        ({"encoder_rates": 5}, "downsampling_ratios=5 is not possible"),
        ({"encoder_rates": [4, 4, 5, 8, 3]}, "do not undo"),
        ({"sample_rate": 24_000}, "sampling_rate=24000"),
        ({"transformer_num_heads": 3}, "bottleneck_num_heads=3 do not share 32"),
        ({"fsq_config": {"levels": [8, 8], "scale": 2}}, "only levels"),
        ({"fsq_config": {"levels": [8, 8]}}, "of another shape"),
        ({"agg_transformer_num_layers": 1}, "unknown"),
        ({"convnext_layers": 2}, "missing"),
        ({"latent_dim": 64}, "shape"),
    ],
)
def test_a_configuration_that_does_not_fit(change: dict[str, object], message: str) -> None:
    config = {"model": {**GOLDEN.config["model"], **change}}
    with pytest.raises(CodecError, match=message):
        convert_flexicodec_checkpoint(GOLDEN.state_dict(), config)


def test_options_that_are_off_do_not_matter() -> None:
    off = {"use_fixed_rate_aggregator": False, "sensevoice_semantic_layer_idx": None}
    converted = convert_flexicodec_checkpoint(
        GOLDEN.state_dict(), {"model": {**GOLDEN.config["model"], **off}}
    )
    assert converted.config.to_dict() == model().config.to_dict()


PUBLISHED = {
    "sample_rate": 16_000,
    "encoder_dim": 32,
    "encoder_rates": [4, 4, 5, 8, 2],
    "decoder_rates": [2, 8, 5, 4, 4],
    "n_codebooks": 24,
    "codebook_size": 4096,
    "is_causal": False,
    "use_similarity_alignment": True,
    "semantic_downsample_factor": 1.33333,
    "latent_dim": 512,
    "use_bottleneck_transformer": True,
    "transformer_num_layers": 32,
    "use_query_token_aggregator": True,
}
"""What the original's own `conf/model_config.yaml` sets to something else than its class would."""


def test_no_configuration_is_the_published_one() -> None:
    published = FlexiCodecConfig(**fields_of({"model": PUBLISHED}))
    assert published.to_json_string() == FlexiCodecConfig().to_json_string()
    with pytest.raises(CodecError, match=r"of another shape.*2048.* and \d+ more"):
        convert_flexicodec_checkpoint(GOLDEN.state_dict())


@pytest.mark.parametrize("config", [{}, {"model": {}}])
def test_an_empty_configuration_is_not_the_published_one(config: dict[str, object]) -> None:
    with pytest.raises(CodecError, match="is_causal=True, because it leaves that out"):
        convert_flexicodec_checkpoint(GOLDEN.state_dict(), config)


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("is_causal", "is_causal=True, because it leaves that out"),
        ("use_query_token_aggregator", "use_query_token_aggregator=False, because it leaves"),
        ("use_similarity_alignment", "use_similarity_alignment=False, because it leaves that out"),
        ("sample_rate", "sampling_rate=24000 is not possible"),
        ("use_bottleneck_transformer", r"unknown: bottleneck\."),
        ("transformer_num_layers", r"missing: bottleneck\.layers\.2\."),
        ("n_codebooks", r"missing: quantizer\.quantizers\.6\."),
        ("codebook_size", r"\[64, 8\] instead of \[1024, 8\]"),
        ("encoder_dim", r"\[2\] instead of \[128\]"),
        ("decoder_dim", "of another shape: "),
        ("encoder_rates", r"downsampling_ratios=\[2, 4, 8, 8\]"),
        ("decoder_rates", r"upsampling_ratios=\[8, 8, 4, 2\] do not undo"),
        ("convnext_layers", r"missing: semantic_decoder\."),
    ],
)
def test_what_a_configuration_leaves_out_is_as_in_the_original(absent: str, message: str) -> None:
    settings = {k: v for k, v in GOLDEN.config["model"].items() if k != absent}
    with pytest.raises(CodecError, match=message):
        convert_flexicodec_checkpoint(GOLDEN.state_dict(), {"model": settings})


def test_what_a_configuration_may_leave_out() -> None:
    absent = {"semantic_downsample_factor", "latent_dim", "max_tokens_per_group", "codebook_dim"}
    settings = {k: v for k, v in GOLDEN.config["model"].items() if k not in absent}
    converted = convert_flexicodec_checkpoint(GOLDEN.state_dict(), {"model": settings})
    same = {**model().config.to_dict(), "semantic_downsample_factor": 2}
    assert converted.config.to_dict() == same


def test_a_decoder_of_another_number_of_strides() -> None:
    ratios = [8, 10, 16]
    decoder = tiny.flexicodec(upsampling_ratios=ratios).decoder
    units = {"snake1": 0, "conv_t1": 1, "res_unit1": 2, "res_unit2": 3, "res_unit3": 4}
    parts = {"snake1": 0, "conv1": 1, "snake2": 2, "conv2": 3}
    ends = {"conv1": 0, "snake1": 4, "conv2": 5}
    weights = {k: v for k, v in GOLDEN.state_dict().items() if not k.startswith("dac.decoder.")}
    for name, tensor in decoder.state_dict().items():
        *place, kind = name.split(".")
        if place[0] == "block":
            _, block, unit, *part = place
            inside = "".join(f".block.{parts[each]}" for each in part)
            theirs = f"{int(block) + 1}.block.{units[unit]}{inside}"
        else:
            theirs = ends[place[0]]
        weights[f"dac.decoder.model.{theirs}.{kind}"] = tensor
    config = {"model": {**GOLDEN.config["model"], "decoder_rates": ratios}}
    converted = convert_flexicodec_checkpoint(weights, config)
    latents = torch.randn(1, 32, 4)
    assert torch.equal(converted.decoder(latents), decoder(latents))
    assert converted.decode(expected_codes("a.thr0.9.nq7")).audio_values.shape == (1, 1, 15 * 1280)


def test_weight_norm_under_pytorch_s_newer_names() -> None:
    weights = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for name, tensor in GOLDEN.state_dict().items()
    }
    assert not any(name.endswith("_v") for name in weights)
    converted = convert_flexicodec_checkpoint(weights, GOLDEN.config).state_dict()
    for name, tensor in model().state_dict().items():
        assert torch.equal(converted[name], tensor), name


def test_a_model_without_a_bottleneck_and_with_a_whole_downsampling_factor() -> None:
    weights = {k: v for k, v in GOLDEN.state_dict().items() if not k.startswith("bottleneck")}
    change = {
        "use_bottleneck_transformer": False,
        "semantic_downsample_factor": 2,
        "max_tokens_per_group": 3,
    }
    config = {"model": {**GOLDEN.config["model"], **change}}
    converted = convert_flexicodec_checkpoint(weights, config)
    codes = converted.encode(**clip("a"), merging_threshold=0.5).audio_codes
    assert (codes[0, -1] + 1).tolist() == [3, 3, 3, 1]
    assert converted.decode(codes).audio_values.shape == (1, 1, 10 * 1280 - 16)
    with pytest.raises(CodesError, match="of 3 codes"):
        converted.decode(torch.tensor([[[0], [3]]]))


def test_another_checkpoint() -> None:
    with pytest.raises(CodecError, match="not a FlexiCodec checkpoint"):
        convert_flexicodec_checkpoint(Golden("simvq").state_dict())
