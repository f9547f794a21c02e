"""FunCodec: equal to the original, at every bandwidth and length."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModel, EncodecModel

from hf_codec_bpe.codecs import FunCodecCodec, convert_funcodec_checkpoint
from hf_codec_bpe.codecs.funcodec.configuration_funcodec import FunCodecConfig
from hf_codec_bpe.codecs.funcodec.modeling_funcodec import FunCodecModel
from hf_codec_bpe.errors import AudioError, CodecError, CodesError

from . import tiny
from .funcodec_cases import TOLERANCE, FunCodecGolden
from .golden_cases import outputs_of_a_fresh_process

VARIANTS = ["ds320", "ds640"]


@cache
def converted(variant: str = "ds320") -> FunCodecModel:
    golden = FunCodecGolden(variant)
    return convert_funcodec_checkpoint(golden.state_dict(), golden.config)


def samples(num_samples: int, clips: int = 1) -> torch.Tensor:
    return torch.from_numpy(tiny.speech_like(num_samples * clips)).view(clips, 1, -1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_equal_to_the_original(variant: str) -> None:
    model = converted(variant)
    assert isinstance(model, EncodecModel)
    assert not model.training
    FunCodecGolden(variant).check(model)


def test_equal_to_the_original_after_saving(tmp_path: Path) -> None:
    golden = FunCodecGolden("ds320")
    FunCodecCodec(converted()).save_pretrained(tmp_path / "codec")
    golden.check(AutoModel.from_pretrained(tmp_path / "codec"))
    cases = {name.split(".")[0] for name in golden.expected}
    inputs = {case: golden.inputs[case] for case in cases}
    outputs_of_a_fresh_process(tmp_path / "codec", inputs, tmp_path)
    found = load_file(tmp_path / "out.safetensors")
    for case in cases:
        codes = golden.expected[f"{case}.bwNone.codes"].transpose(0, 1)
        assert torch.equal(found[f"{case}.codes"], codes.long())
        audio = golden.expected[f"{case}.bwNone.decoded"]
        assert (found[f"{case}.audio"] - audio).abs().max() <= TOLERANCE


@pytest.mark.parametrize(
    ("bit_width", "num_codebooks"),
    # The tiny original has 8 codebooks of 300 bits a second each.
    [
        *[(None, 8), (0, 8), (-1, 8), (-5_000, 8)],
        *[(1, 1), (100, 1), (299, 1), (300, 1), (599, 1), (600, 2), (1_000, 3)],
        *[(2_399, 7), (2_400, 8), (5_000, 8), (10**15, 8), (np.int32(1_000), 3)],
    ],
)
def test_bit_widths_are_rounded_as_by_the_original(
    bit_width: int | None, num_codebooks: int
) -> None:
    everything = converted().encode(samples(2_000)).audio_codes
    codes = converted().encode(samples(2_000), bit_width=bit_width).audio_codes
    assert torch.equal(codes, everything[:, :num_codebooks])


@settings(deadline=None, max_examples=50)
@given(
    bit_width=st.integers(1, 40_000),
    ratios=st.sampled_from([(8, 5, 4, 2), (8, 5, 4, 2, 2), (5, 3), (7, 3)]),
)
def test_bit_widths_are_exact(bit_width: int, ratios: tuple[int, ...]) -> None:
    model = narrow(ratios)
    per_codebook = Fraction(4 * model.config.sampling_rate, model.config.hop_length)
    fitting = int(Fraction(bit_width) / per_codebook)
    found = model.encode(samples(100), bit_width=bit_width).audio_codes.shape[1]
    assert found == min(max(1, fitting), model.config.num_quantizers)


@cache
def narrow(ratios: tuple[int, ...]) -> FunCodecModel:
    return tiny.funcodec(num_filters=2, num_quantizers=32, upsampling_ratios=ratios)


def test_any_number_of_codebooks() -> None:
    model = narrow((8, 5, 4, 2))
    everything = model.encode(samples(700)).audio_codes
    for k in range(1, 33):
        codes = model.encode(samples(700), num_codebooks=k).audio_codes
        assert torch.equal(codes, everything[:, :k])
        assert torch.equal(codes, model.encode(samples(700), bit_width=200 * k).audio_codes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_codebooks": 2, "bit_width": 600}, "not both"),
        ({"num_codebooks": 0}, "num_codebooks=0 is not possible"),
        ({"num_codebooks": 9}, "num_codebooks=9 is not possible: this model has 8"),
        ({"bit_width": 2.4}, r"bit_width=2.4 is not a whole number of bits per second"),
        ({"bit_width": "600"}, "bit_width='600' is not a whole number"),
    ],
)
def test_what_no_number_of_codebooks_can_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        converted().encode(samples(700), **options)


@settings(deadline=None, max_examples=60)
@given(num_samples=st.integers(1, 4_000), variant=st.sampled_from(VARIANTS))
def test_frames_are_started_hops(num_samples: int, variant: str) -> None:
    model = converted(variant)
    hop = {"ds320": 320, "ds640": 640}[variant]
    with torch.inference_mode():
        codes = model.encode(samples(num_samples), num_codebooks=1).audio_codes
        audio_values = model.decode(codes).audio_values
    assert codes.shape == (1, 1, -(-num_samples // hop))
    assert audio_values.shape == (1, 1, codes.shape[2] * hop)
    assert FunCodecCodec(model).num_frames(num_samples) == codes.shape[2]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_equal_lengths_is_its_clips(variant: str) -> None:
    model, batch = converted(variant), FunCodecGolden(variant).inputs["wav_batch_equal"]
    encoded = model.encode(batch)
    for i, clip in enumerate(batch):
        alone = model.encode(clip[None])
        assert torch.equal(alone.audio_codes[0], encoded.audio_codes[i])
        assert torch.allclose(alone.audio_scales[0], encoded.audio_scales[i])


def test_a_clip_of_one_sample_in_a_batch_and_alone() -> None:
    batch = torch.tensor([[[0.3]], [[-0.2]], [[0.0]]])
    encoded = converted().encode(batch)
    for i, clip in enumerate(batch):
        alone = converted().encode(clip[None])
        assert torch.equal(alone.audio_codes[0], encoded.audio_codes[i])
        assert torch.equal(alone.audio_scales[0], encoded.audio_scales[i])


def test_padding_changes_codes_and_is_refused() -> None:
    # Row 1 of the golden batch is 3,333 samples and zeros: alone, it has other codes.
    padded = FunCodecGolden("ds320").inputs["wav_batch_padded"]
    clip = padded[1:, :, :3333]
    alone = converted().encode(clip).audio_codes[0]
    assert not torch.equal(converted().encode(padded).audio_codes[1, :, : alone.shape[1]], alone)
    (codes, _) = FunCodecCodec(converted()).encode([clip[0, 0], padded[0, 0]])
    assert np.array_equal(codes, alone)

    extractor = FunCodecCodec(converted())._make_feature_extractor()
    clips = [clip[0, 0].numpy(), padded[0, 0].numpy()]
    inputs = extractor(clips, sampling_rate=16_000, return_tensors="pt")
    with pytest.raises(AudioError, match="padding_mask has zeros"):
        converted().encode(**inputs)
    inputs = extractor(clips[0], sampling_rate=16_000, return_tensors="pt")
    assert torch.equal(converted()(**inputs).audio_codes[0], alone)


def test_forward_is_both_directions() -> None:
    input_values = FunCodecGolden("ds320").inputs["wav_odd"]
    expected = FunCodecGolden("ds320").expected["wav_odd.bwNone.recon_scaled"]
    output = converted()(input_values)
    assert (output.audio_values - expected).abs().max() <= TOLERANCE
    assert converted()(input_values, num_codebooks=3).audio_codes.shape == (1, 3, 18)


def test_the_axis_of_channels_may_be_left_out() -> None:
    clips = FunCodecGolden("ds320").inputs["wav_batch_equal"]
    expected, found = converted()(clips), converted()(clips[:, 0])
    assert torch.equal(found.audio_codes, expected.audio_codes)
    assert torch.equal(found.audio_values, expected.audio_values)


def test_samples_of_another_precision() -> None:
    expected = converted().encode(samples(2_000)).audio_codes
    assert torch.equal(converted().encode(samples(2_000).double()).audio_codes, expected)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (torch.tensor([[[0.1, float("nan")]]]), "NaN"),
        (torch.tensor([[[0.1, -float("inf")]]]), "infinite"),
        (torch.tensor([[[1e300]]], dtype=torch.float64), "too large for torch.float32"),
        (torch.ones(1, 1, 9, dtype=torch.int16), "a Tensor of torch.int16"),
        (np.ones((1, 1, 9), dtype=np.float32), "a ndarray of float32: pass a torch.Tensor"),
        ([[[0.1]]], "a list: pass a torch.Tensor of floats"),
    ],
)
def test_what_are_no_samples(clip: object, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        converted().encode(clip)


@pytest.mark.parametrize(
    "clip", [torch.zeros(9), torch.zeros(1, 2, 9), torch.zeros(1, 1, 0), torch.zeros(1, 0)]
)
def test_what_is_no_clip(clip: torch.Tensor) -> None:
    with pytest.raises(AudioError, match="encode takes samples"):
        converted().encode(clip)


def test_what_is_too_long_to_count() -> None:
    # Behind 2**24 samples, EnCodec's padding is off by one or two.
    with pytest.raises(AudioError, match="A clip of 16777217 samples is too long"):
        converted().encode(torch.zeros(1).expand(1, 1, 2**24 + 1))
    with pytest.raises(CodesError, match="takes up to 52428 at once"):
        converted().decode(torch.zeros(1, dtype=torch.int64).expand(1, 1, 52_429))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.zeros(1, 3, dtype=torch.int64), "decode takes codes"),
        (torch.zeros(1, 3, 0, dtype=torch.int64), "decode takes codes"),
        (torch.zeros(1, 9, 3, dtype=torch.int64), "has 9 codebooks, but this model has 8"),
        (torch.full((1, 8, 3), 64), "range from 64 to 64, but each codebook has 0 to 63"),
        (torch.full((1, 8, 3), -1), "range from -1"),
        (torch.zeros(1, 8, 3), "a Tensor of torch.float32: pass a torch.Tensor of integers"),
        (torch.zeros(1, 8, 3, dtype=torch.bool), "a Tensor of torch.bool"),
        (np.zeros((1, 8, 3), dtype=np.int64), "a ndarray of int64"),
    ],
)
def test_what_are_no_codes(codes: object, message: str) -> None:
    with pytest.raises(CodesError, match=message):
        converted().decode(codes)


def test_scales_are_one_for_each_clip() -> None:
    codes = torch.zeros(2, 8, 3, dtype=torch.int64)
    with pytest.raises(CodesError, match=r"audio_scales has shape \[1, 1\], but there are 2"):
        converted().decode(codes, torch.ones(1, 1))
    with pytest.raises(AudioError, match="audio_scales is a list"):
        converted().decode(codes, [None])


def test_decode_gives_loud_and_quiet_clips_one_level() -> None:
    codec = FunCodecCodec(converted())
    clip = FunCodecGolden("ds320").inputs["wav_exact"][0, 0].numpy()
    loud, quiet = codec.encode([clip, clip / 64])
    assert np.array_equal(loud, quiet)
    raw = FunCodecGolden("ds320").expected["wav_exact.bwNone.decoded"][0, 0].numpy()
    assert np.abs(raw).max() > 3
    assert np.allclose(codec.decode([loud])[0], raw * 0.1, atol=TOLERANCE)


def test_decode_turns_peaks_down_further() -> None:
    model = tiny.funcodec()
    with torch.no_grad():
        model.decoder.layers[-1].norm.weight.mul_(50)
    codec = FunCodecCodec(model)
    codes = np.random.default_rng(0).integers(0, 16, (8, 30))
    raw = model.decode(torch.from_numpy(codes)[None]).audio_values[0, 0].detach().numpy()
    assert np.allclose(codec.decode([codes])[0], raw * 0.99 / np.abs(raw).max(), atol=TOLERANCE)


def test_another_model_is_refused() -> None:
    with pytest.raises(CodecError, match="Load a FunCodecModel"):
        FunCodecCodec(tiny.encodec())


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        models = [
            FunCodecModel(FunCodecConfig()),
            FunCodecModel(FunCodecConfig(upsampling_ratios=[8, 5, 4, 2, 2])),
        ]
    assert [sum(p.numel() for p in m.parameters()) for m in models] == [14_855_843, 57_549_987]
    assert [FunCodecCodec(m).bandwidth for m in models] == [16_000, 8_000]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_length_s": 1.0}, "chunk_length_s=1.0 is not possible"),
        ({"audio_channels": 2}, "audio_channels=2 is not possible"),
        ({"codebook_size": 48}, "codebook_size=48 is not a power of two"),
    ],
)
def test_what_the_model_would_not_heed(options: dict[str, object], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        FunCodecConfig(**options)
