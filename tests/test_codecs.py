"""The suite that every family of codecs passes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hf_codec_bpe import AudioCodec, load_codec
from hf_codec_bpe.codecs.registry import codec_class
from hf_codec_bpe.errors import AlphabetError, AudioError, CodecError, CodecMemoryError, CodesError

from .tiny import MODELS, speech_like

FAMILIES = sorted(MODELS)
pytestmark = pytest.mark.parametrize("family", FAMILIES)


@cache
def make(family: str, num_codebooks: int | None = None) -> AudioCodec:
    return codec_class(family)(MODELS[family](), num_codebooks=num_codebooks)


def with_fewest(family: str) -> AudioCodec:
    """With one codebook, and the lengths that a dynamic frame rate cannot go without."""
    return make(family, 1 + make(family).dynamic_frame_rate)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(before)


def num_frames_of(codec: AudioCodec, codes: np.ndarray) -> int:
    """Frames before merging."""
    return int((codes[-1] + 1).sum()) if codec.dynamic_frame_rate else codes.shape[1]


def around_frames(hop: int, seed: int) -> list[np.ndarray]:
    """Clips of lengths around multiples of the hop, and others, in no order."""
    rng = np.random.default_rng(seed)
    lengths = [m * hop + d for m in (1, 2, 7) for d in (-1, 0, 1)] + [1, hop // 2, 7 * hop]
    lengths += rng.integers(1, 12 * hop, 6).tolist()
    return [speech_like(int(length), seed + int(length)) for length in rng.permutation(lengths)]


@pytest.mark.parametrize(
    "window", [{}, {"chunk_seconds": 0.24}, {"chunk_seconds": 0.08, "context_seconds": 0.4}]
)
def test_codes_never_depend_on_the_batch(family: str, window: dict[str, float]) -> None:
    codec = make(family)
    if codec.dynamic_frame_rate:
        window = {key: value for key, value in window.items() if key != "context_seconds"}
    clips = around_frames(codec.hop_length, seed=7)
    together = codec.encode(clips, batch_size=7, **window)
    for clip, codes in zip(clips, together, strict=True):
        assert np.array_equal(codes, codec.encode([clip], **window)[0])


def test_codes_are_those_of_the_model_alone(family: str) -> None:
    codec = make(family)
    clip = speech_like(5 * codec.hop_length)  # whole frames: no padding to differ in
    with torch.no_grad():
        expected = codec._encode_batch(torch.from_numpy(clip)[None, None])[0]
    assert np.array_equal(codec.encode([clip])[0], expected.numpy())


def test_the_random_model_uses_many_codes(family: str) -> None:
    # A model that always gives the same code would pass every other test.
    codes = make(family).encode([speech_like(50 * make(family).hop_length, 3)])[0]
    assert all(len(np.unique(stream)) >= 4 for stream in codes[:4])


def test_num_frames_is_what_encode_gives(family: str) -> None:
    codec = with_fewest(family)
    clip = speech_like(5_000)
    borders = {m * codec.hop_length + d for m in range(1, 20) for d in (-1, 0, 1)}
    for num_samples in sorted({*range(1, 5_001, 101), *(n for n in borders if n <= 5_000)}):
        (codes,) = codec.encode([clip[:num_samples]])
        assert len(codes) == codec.num_codebooks
        assert num_frames_of(codec, codes) == codec.num_frames(num_samples)
        assert codes.dtype == np.int64
        assert (codes >= 0).all()
        assert (codes < np.array(codec.codebook_sizes)[:, None]).all()


@given(num_samples=st.integers(1, 10_000_000))
def test_num_frames_goes_on_as_it_began(family: str, num_samples: int) -> None:
    codec = make(family)
    frames, more = divmod(num_samples, codec.hop_length)
    if codec.dynamic_frame_rate:  # FlexiCodec's features have a rate of their own
        missing = math.ceil(num_samples / codec.hop_length) - codec.num_frames(num_samples)
        assert 0 <= missing <= 2
        return
    assert codec.num_frames(num_samples) == frames + codec.num_frames(more)


@pytest.mark.parametrize("num_frames", [0, 1, 2, 13])
def test_num_samples_is_what_decode_gives(family: str, num_frames: int) -> None:
    codec = make(family)
    rng = np.random.default_rng(num_frames)
    codes = np.stack([rng.integers(0, size, num_frames) for size in codec.codebook_sizes])
    (waveform,) = codec.decode([codes])
    num_frames = num_frames_of(codec, codes)
    assert waveform.shape == (codec.num_samples(num_frames),)
    assert waveform.dtype == np.float32
    assert np.isfinite(waveform).all()
    exact = num_frames / codec.frame_rate * codec.output_sampling_rate
    assert exact - codec.hop_length < len(waveform) <= exact


def test_chunks_are_encoded_as_clips_of_their_own(family: str) -> None:
    codec = make(family)
    chunk = 3 * codec.hop_length
    clip = speech_like(10 * codec.hop_length + 17)
    expected = [codec.encode([clip[i : i + chunk]])[0] for i in range(0, len(clip), chunk)]
    found = codec.encode([clip], chunk_seconds=chunk / codec.sampling_rate)[0]
    assert np.array_equal(found, np.concatenate(expected, axis=1))


def test_context_is_previous_audio_and_silence_before_it(family: str) -> None:
    codec = make(family)
    hop, rate = codec.hop_length, codec.sampling_rate
    clip = speech_like(9 * hop + 5)
    if codec.dynamic_frame_rate:
        with pytest.raises(CodecError, match="is not possible with"):
            codec.encode([clip], chunk_seconds=2 * hop / rate, context_seconds=6 * hop / rate)
        return
    padded = np.concatenate([np.zeros(4 * hop, dtype=np.float32), clip])
    expected = [
        codec.encode([padded[i : i + 6 * hop]])[0][:, 4:] for i in range(0, len(clip), 2 * hop)
    ]
    found = codec.encode([clip], chunk_seconds=2 * hop / rate, context_seconds=6 * hop / rate)[0]
    assert np.array_equal(found, np.concatenate(expected, axis=1))


def test_fewer_codebooks_are_a_prefix(family: str) -> None:
    clip = speech_like(9_000)
    everything = make(family).encode([clip])[0]
    always = list(range(len(everything)))[-1:] if make(family).dynamic_frame_rate else []
    for num_codebooks in range(1 + len(always), min(3, len(everything)) + 1):
        codec = make(family, num_codebooks)
        assert codec.num_codebooks == len(codec.codebook_sizes) == num_codebooks
        codes = codec.encode([clip])[0]
        first = list(range(num_codebooks - len(always)))
        assert np.array_equal(codes, everything[first + always])
        assert len(codec.decode([codes])[0]) == codec.num_samples(num_frames_of(codec, codes))


def test_other_choices_share_the_model_and_its_pin(family: str) -> None:
    model = MODELS[family]()
    codec = codec_class(family)(model, name_or_path="user/codec", revision="a" * 40)
    fewest = codec.with_choices(with_fewest(family).num_codebooks)
    assert (fewest.model, fewest.feature_extractor) == (model, codec.feature_extractor)
    assert (fewest.pin.name_or_path, fewest.pin.revision) == ("user/codec", "a" * 40)
    clip = speech_like(9_000)
    assert np.array_equal(fewest.encode([clip])[0], with_fewest(family).encode([clip])[0])
    assert fewest.with_choices() is fewest
    assert fewest.with_choices(codec.num_codebooks).pin == codec.pin
    with pytest.raises(CodecError, match="num_codebooks=0 is not possible"):
        codec.with_choices(0)


def test_a_bandwidth_chooses_codebooks(family: str) -> None:
    codec = make(family)
    by_bandwidth = codec_class(family)(codec.model, bandwidth=codec.bandwidth / 1000)
    assert by_bandwidth.codebook_sizes == codec.codebook_sizes
    with pytest.raises(CodecError, match="is that of no number of codebooks"):
        codec_class(family)(codec.model, bandwidth=99.9)


def test_decode_takes_lists_arrays_and_tensors(family: str) -> None:
    codec = with_fewest(family)
    codes = [[1, 2, 3]] * codec.num_codebooks
    waveforms = codec.decode([codes, np.array(codes, dtype=np.uint8), torch.tensor(codes)])
    assert np.array_equal(waveforms[0], waveforms[1])
    assert np.array_equal(waveforms[0], waveforms[2])


def test_save_and_load(family: str, tmp_path: Path) -> None:
    codec = with_fewest(family)
    codec.save_pretrained(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec", num_codebooks=codec.num_codebooks)
    assert type(loaded) is type(codec)
    assert type(loaded.feature_extractor) is type(codec.feature_extractor)
    assert loaded.pin == codec.pin
    assert loaded.device.type == "cpu"
    assert loaded.dtype == torch.float32
    clip = speech_like(7_000)
    codes = codec.encode([clip])
    assert np.array_equal(loaded.encode([clip])[0], codes[0])
    assert np.array_equal(loaded.decode(codes)[0], codec.decode(codes)[0])


def test_a_folder_without_feature_extractor_gets_one(family: str, tmp_path: Path) -> None:
    codec = make(family)
    codec.model.save_pretrained(tmp_path)
    assert load_codec(tmp_path).feature_extractor.sampling_rate == codec.sampling_rate


def test_the_fingerprint_is_about_weights(family: str) -> None:
    model = MODELS[family]()
    codec = codec_class(family)(model)
    before = codec.pin.fingerprint
    assert before == make(family).pin.fingerprint
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    assert codec_class(family)(model).pin.fingerprint == codec.pin.fingerprint != before


def test_other_weights_in_the_same_model(family: str) -> None:
    codec = codec_class(family)(MODELS[family]())
    clip = speech_like(6 * codec.hop_length)
    codec.decode(codec.encode([clip]))
    before = codec.fingerprint
    fresh = codec_class(family)(MODELS[family]())
    with torch.no_grad():
        for tensor in fresh.model.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(1 + 0.02 * torch.rand(tensor.shape))
    codec.model.load_state_dict(fresh.model.state_dict())
    codes = fresh.encode([clip])
    assert np.array_equal(codec.encode([clip])[0], codes[0])
    assert np.array_equal(codec.decode(codes)[0], fresh.decode(codes)[0])
    assert codec.fingerprint == fresh.fingerprint != before


def test_device_and_repr(family: str) -> None:
    codec = make(family)
    assert codec.to("cpu") is codec
    assert "in memory" in repr(codec)


def test_compiled(family: str) -> None:
    torch._dynamo.reset()  # families share code, and so a limit of how often it is compiled
    codec = codec_class(family)(MODELS[family]())
    clip = speech_like(6 * codec.hop_length)
    expected = codec.encode([clip])
    calls: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        calls.append(graph)
        return graph.forward

    assert codec.compile(backend=backend, dynamic=False) is codec
    assert np.array_equal(codec.encode([clip])[0], expected[0])
    # Many graphs mean that torch gave up in between, and left the rest as it was.
    assert 1 <= len(calls) <= 12


def test_an_autocast_of_the_caller_changes_nothing(family: str) -> None:
    codec = make(family)
    clip = speech_like(6 * codec.hop_length)
    codes = codec.encode([clip])[0]
    waveform = codec.decode([codes])[0]
    streamed = codec.encode([clip], chunk_seconds=1)[0]
    with torch.autocast("cpu", torch.bfloat16), codec.stream(chunk_seconds=1) as stream:
        assert np.array_equal(codec.encode([clip])[0], codes)
        assert np.array_equal(codec.decode([codes])[0], waveform)
        pushed = [stream.push(clip), stream.flush()]
    assert np.array_equal(np.concatenate(pushed, axis=1), streamed)


def test_defaults_of_the_caller_change_nothing(family: str, tmp_path: Path) -> None:
    codec = make(family)
    clip = speech_like(6 * codec.hop_length)
    codes = codec.encode([clip])[0]
    waveform = codec.decode([codes])[0]
    codec.save_pretrained(tmp_path)
    for dtype in (torch.float64, torch.bfloat16):
        with default_dtype(dtype), torch.device("meta"):  # a device that is not the codec's
            assert np.array_equal(codec.encode([clip])[0], codes)
            assert np.array_equal(codec.decode([codes])[0], waveform)
        with default_dtype(dtype):
            loaded = load_codec(tmp_path)
        assert np.array_equal(loaded.decode([codes])[0], waveform)


def test_training_a_larger_model_changes_nothing(family: str) -> None:
    codec = codec_class(family)(MODELS[family]())
    clip = speech_like(6 * codec.hop_length)
    codes = codec.encode([clip])[0]
    streamed = codec.encode([clip], chunk_seconds=1)[0]
    waveform = codec.decode([codes])[0]
    larger = torch.nn.ModuleList([codec.model])
    larger.train()
    assert np.array_equal(codec.encode([clip])[0], codes)
    larger.train()
    assert np.array_equal(codec.decode([codes])[0], waveform)
    larger.train()
    with codec.stream(chunk_seconds=1) as stream:
        pushed = [stream.push(clip), stream.flush()]
    assert np.array_equal(np.concatenate(pushed, axis=1), streamed)


def test_a_model_in_another_precision_and_back(family: str) -> None:
    codec = codec_class(family)(MODELS[family]())
    clip = speech_like(6 * codec.hop_length)
    codes, pin = codec.encode([clip])[0], codec.pin
    codec.model.to(torch.bfloat16)
    rounded = codec.encode([clip])[0]
    assert rounded.shape == codes.shape or codec.dynamic_frame_rate
    assert np.isfinite(codec.decode([rounded])[0]).all()
    assert codec.pin.dtype == "bfloat16"
    assert codec.pin.fingerprint != pin.fingerprint
    with pytest.raises(CodecError, match="cannot be used"):
        codec.to(torch.bfloat16)


def test_what_does_not_fit_in_memory_says_what_to_do(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = make(family)
    out = torch.OutOfMemoryError("CUDA out of memory")
    for error in (out, RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        monkeypatch.setattr(codec, "_encode_batch", Mock(side_effect=error))
        with pytest.raises(CodecMemoryError, match="pass a smaller chunk_seconds"):
            codec.encode([speech_like(1_000)])
        monkeypatch.setattr(codec, "_decode_batch", Mock(side_effect=error))
        with pytest.raises(CodecMemoryError, match="decode shorter pieces"):
            codec.decode([np.zeros((codec.num_codebooks, 3), dtype=int)])
    monkeypatch.setattr(codec, "_encode_batch", Mock(side_effect=RuntimeError("else")))
    with pytest.raises(RuntimeError, match="else"):
        codec.encode([speech_like(1_000)])


@pytest.mark.parametrize("num_codebooks", [0, -1, 1000, 1.5, "2"])
def test_impossible_numbers_of_codebooks(family: str, num_codebooks: int) -> None:
    with pytest.raises(CodecError, match=f"num_codebooks={num_codebooks!r} is not possible"):
        codec_class(family)(make(family).model, num_codebooks=num_codebooks)


def test_windows_that_share_a_batch_are_grouped_rightly(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a GPU: there, only the last bit of an embedding may depend on the batch.
    codec = make(family)
    if codec.dynamic_frame_rate:  # windows of one length have different numbers of groups
        assert codec.max_batch_size(7) == 1
        return
    clips = around_frames(codec.hop_length, seed=7)
    alone = codec.encode(clips, chunk_seconds=0.24)
    monkeypatch.setattr(codec, "max_batch_size", lambda size: size)
    for batch_size in (2, 7):
        together = codec.encode(clips, batch_size=batch_size, chunk_seconds=0.24)
        assert [a.shape for a in together] == [b.shape for b in alone]
        changed = sum(int((a != b).sum()) for a, b in zip(together, alone, strict=True))
        assert changed <= 0.01 * sum(codes.size for codes in alone)


def test_silence_behind_a_clip_changes_no_code_of_a_causal_model(family: str) -> None:
    codec = make(family)
    hop = codec.hop_length

    def is_unchanged(clip: np.ndarray) -> bool:
        codes = codec.encode([clip])[0]
        end = codec.num_frames(len(clip)) * hop
        longer = codec.encode([np.pad(clip, (0, end + 9 * hop - len(clip)))])[0]
        return np.array_equal(longer[:, : codes.shape[1]], codes)

    assert all(map(is_unchanged, around_frames(hop, seed=3))) == codec.is_causal


def test_clips_of_about_the_same_length_share_a_batch_of_a_causal_model(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = make(family)
    clips = [speech_like(frames * codec.hop_length - 1, frames) for frames in (33, 34, 36, 37)]
    encode_batch = Mock(side_effect=codec._encode_batch)
    monkeypatch.setattr(codec, "_encode_batch", encode_batch)
    monkeypatch.setattr(codec, "max_batch_size", lambda size: size)  # as on a GPU
    codec.encode(clips)
    sizes = [len(call.args[0]) for call in encode_batch.call_args_list]
    assert sizes == ([3, 1] if codec.is_causal else [1] * 4)


@pytest.mark.parametrize(
    ("waveforms", "message"),
    [
        ([np.full(9, 1e300)], "Clip 0 holds NaN or infinite"),
        ([np.zeros(0, dtype=np.float32)], "Clip 0 has no samples"),
        ([np.ones(9), np.array([0.0, np.nan])], "Clip 1 holds NaN"),
        ([np.array([np.inf])], "Clip 0 holds NaN or infinite"),
        ([np.zeros((2, 100))], "Clip 0 has shape"),
        ([np.zeros(100, dtype=np.int16)], "dtype int16"),
        (np.zeros(100, dtype=np.float32), r"pass \[waveform\]"),
    ],
)
def test_bad_waveforms(family: str, waveforms: object, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        make(family).encode(waveforms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"batch_size": 1.5},
        {"batch_size": "8"},
        {"chunk_seconds": 0.0},
        {"chunk_seconds": -1.0},
        {"chunk_seconds": 0.001},
        {"chunk_seconds": math.nan},
        {"chunk_seconds": "1"},
        {"context_seconds": 1.0},
        {"chunk_seconds": 1.0, "context_seconds": -1.0},
    ],
)
def test_bad_options(family: str, options: dict[str, float]) -> None:
    with pytest.raises(CodecError):
        make(family).encode([speech_like(100)], **options)  # type: ignore[arg-type]


def test_bad_codes(family: str) -> None:
    codec = with_fewest(family)
    count, size = codec.num_codebooks, codec.codebook_sizes[0]
    with pytest.raises(AlphabetError, match=f"Code {size} at codebook 0, frame 1"):
        codec.decode([[[0, size]] * count])
    with pytest.raises(CodesError, match=f"num_codebooks={count}"):
        codec.decode([[[0]] * (count + 1)])


def test_no_clips(family: str) -> None:
    assert make(family).encode([]) == []
    assert make(family).decode([]) == []
