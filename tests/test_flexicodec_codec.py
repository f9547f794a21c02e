"""FlexiCodec's merged frames from its authors' files to tokens and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoProcessor

from hf_codec_bpe import CodecBPEProcessor, CodecBPETokenizer, load_codec, train_tokenizer
from hf_codec_bpe.cli.options import frame_rate_of
from hf_codec_bpe.codecs import CodecPin, FlexiCodecCodec, MimiCodec, originals
from hf_codec_bpe.codecs.flexicodec.cmvn import read_cmvn
from hf_codec_bpe.codecs.originals import convert_files
from hf_codec_bpe.codes_folder import CodecInfo
from hf_codec_bpe.errors import (
    AlphabetError,
    CodecError,
    CodecMismatchError,
    CodecNotFoundError,
    CodesError,
)

from . import tiny
from .golden_cases import Golden, outputs_of_a_fresh_process
from .test_flexicodec import sensevoice

GOLDEN = Golden("flexicodec")
COMMITS = {"jiaqili3/flexicodec": "a" * 40, "FunAudioLLM/SenseVoiceSmall": "b" * 40}
THRESHOLD = 0.8


@pytest.fixture(scope="module")
def codec() -> FlexiCodecCodec:
    """Three codebooks and the lengths."""
    return FlexiCodecCodec(tiny.flexicodec(), num_codebooks=4, merging_threshold=THRESHOLD)


@pytest.fixture(scope="module")
def tokenizer(codec: FlexiCodecCodec, clips: list[np.ndarray]) -> CodecBPETokenizer:
    return train_tokenizer(
        codec.encode(clips), codebook_sizes=codec.codebook_sizes, vocab_size=330, min_frequency=1
    )


# The contract.


@pytest.mark.parametrize("num_codebooks", [None, 2, 3, 6])
def test_the_lengths_are_always_the_last_stream(num_codebooks: int | None) -> None:
    codec = FlexiCodecCodec(tiny.flexicodec(), num_codebooks=num_codebooks)
    quantizers = (256, 16, 16, 16, 16)
    assert codec.codebook_sizes == (*quantizers[: (num_codebooks or 6) - 1], 8)
    (codes,) = codec.encode([tiny.speech_like(40_000)])
    assert (codes[-1] + 1).sum() == codec.num_frames(40_000) == 31
    assert codes.shape[1] < 31


def test_lengths_alone_are_no_codec() -> None:
    with pytest.raises(CodecError, match=r"num_codebooks=1 is not possible.*choose 2 to 6"):
        FlexiCodecCodec(tiny.flexicodec(), num_codebooks=1)


def test_a_bandwidth_counts_the_lengths() -> None:
    codec = FlexiCodecCodec(tiny.flexicodec(), bandwidth=12.5 * (8 + 4 + 3))
    assert codec.codebook_sizes == (256, 16, 8)


@pytest.mark.parametrize("num_samples", [1, 400, 1_359])
def test_short_clips_are_padded_with_silence(codec: FlexiCodecCodec, num_samples: int) -> None:
    clip = tiny.speech_like(num_samples)
    padded = np.pad(clip, (0, 1_360 - num_samples))
    assert np.array_equal(codec.encode([clip])[0], codec.encode([padded])[0])
    assert codec.encode([clip])[0].shape == (4, 1)


def test_chunks_are_clips_of_their_own_and_streams_give_them_as_they_come() -> None:
    codec = FlexiCodecCodec(tiny.flexicodec(), merging_threshold=0.5)
    clip = tiny.speech_like(30_000)
    chunks = [codec.encode([clip[start : start + 8_000]])[0] for start in range(0, 30_000, 8_000)]
    expected = np.concatenate(chunks, axis=1)
    assert (expected[-1] > 0).any()
    assert np.array_equal(codec.encode([clip], chunk_seconds=0.5)[0], expected)
    with codec.stream(chunk_seconds=0.5) as stream:
        parts = [stream.push(clip[:9_000]), stream.push(clip[9_000:]), stream.flush()]
    assert np.array_equal(np.concatenate(parts, axis=1), expected)
    with pytest.raises(CodecError, match="merge frames"):
        codec.stream(chunk_seconds=0.5, context_seconds=1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"merging_threshold": 1.5}, "merging_threshold=1.5 is not possible"),
        ({"merging_threshold": "high"}, "merging_threshold='high' is not possible"),
        ({"dither": -1}, "dither=-1 is not possible"),
        ({"threshold": 0.9}, "no setting threshold: they have merging_threshold, dither"),
    ],
)
def test_settings_that_are_not_possible(settings: dict[str, object], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        FlexiCodecCodec(tiny.flexicodec(), **settings)


def test_other_families_have_no_settings() -> None:
    with pytest.raises(CodecError, match="mimi codecs have no setting merging_threshold"):
        MimiCodec(tiny.mimi(), merging_threshold=0.9)
    assert "settings" not in MimiCodec(tiny.mimi()).pin.to_dict()


def test_saved_and_loaded_in_a_fresh_process(tmp_path: Path) -> None:
    FlexiCodecCodec(tiny.flexicodec()).save_pretrained(tmp_path / "codec")
    inputs = {"a": torch.from_numpy(tiny.speech_like(9_000))[None, None]}
    outputs_of_a_fresh_process(tmp_path / "codec", inputs, tmp_path)
    found = load_file(tmp_path / "out.safetensors")
    codes = tiny.flexicodec().encode(inputs["a"]).audio_codes
    assert torch.equal(found["a.codes"], codes)
    assert torch.equal(found["a.audio"], tiny.flexicodec().decode(codes).audio_values)


def test_a_model_without_a_semantic_encoder_decodes_when_loaded(tmp_path: Path) -> None:
    save_file(GOLDEN.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(GOLDEN.config))
    files = {"checkpoint": tmp_path / "model.safetensors", "config": tmp_path / "config.yaml"}
    convert_files(files).save_pretrained(tmp_path / "codec")
    codec = load_codec(tmp_path / "codec")
    assert codec.decode([[[0, 1]] * 7 + [[3, 7]]])[0].shape == (12 * 1280 - 16,)
    with pytest.raises(CodecError, match="load the preset flexicodec"):
        codec.encode([tiny.speech_like(9_000)])
    assert isinstance(AutoModel.from_pretrained(tmp_path / "codec"), type(codec.model))


# The authors' files.


class Hub:
    """The two repositories that the preset takes files from."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.calls: list[tuple[str, str, str | None]] = []

    def download(
        self, repository: str, file: str, revision: str | None = None, **access: object
    ) -> str:
        self.calls.append((repository, file, revision))
        folder = self.cache / repository.replace("/", "--") / "snapshots" / COMMITS[repository]
        folder.mkdir(parents=True, exist_ok=True)
        self.writers[file](self, folder / file)
        return str(folder / file)

    def write_codec(self, path: Path) -> None:
        save_file({k: v.half() for k, v in GOLDEN.state_dict().items()}, path)

    def write_config(self, path: Path) -> None:
        path.write_text(yaml.safe_dump(GOLDEN.config))

    def write_sensevoice(self, path: Path) -> None:
        """A pickle of the published sizes, save for the number of layers."""
        torch.save(sensevoice(), path)

    def write_cmvn(self, path: Path) -> None:
        golden = load_file(GOLDEN.folder / "sensevoice_fbank.safetensors")
        path.write_text(kaldi(golden["fbank.cmvn"]))

    writers: ClassVar[dict[str, Callable[[Hub, Path], None]]] = {
        "12hz_v1_half.safetensors": write_codec,
        "12hz_v1_half_config.yaml": write_config,
        "model.pt": write_sensevoice,
        "am.mvn": write_cmvn,
    }


def kaldi(cmvn: torch.Tensor) -> str:
    """Numbers as Kaldi writes them."""
    count = cmvn.shape[1]
    shifts, scales = (" ".join(map(repr, row.tolist())) for row in cmvn)
    return (
        f"<Nnet> \n<Splice> {count} {count}\n[ 0 ]\n"
        f"<AddShift> {count} {count} \n<LearnRateCoef> 0 [ {shifts} ]\n"
        f"<Rescale> {count} {count}\n<LearnRateCoef> 0 [ {scales} ]\n</Nnet> \n"
    )


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "cache")
    monkeypatch.setattr(originals, "hf_hub_download", hub.download)
    return hub


def test_the_preset_is_converted_once_from_two_repositories(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    codec = load_codec("FlexiCodec", cache_dir=hub.cache, num_codebooks=3, merging_threshold=0.7)
    assert hub.calls == [
        ("jiaqili3/flexicodec", "12hz_v1_half.safetensors", None),
        ("jiaqili3/flexicodec", "12hz_v1_half_config.yaml", None),
        ("FunAudioLLM/SenseVoiceSmall", "model.pt", None),
        ("FunAudioLLM/SenseVoiceSmall", "am.mvn", None),
    ]
    assert codec.codebook_sizes == (32768, 64, 8)
    assert codec.settings["merging_threshold"] == 0.7
    assert (codec.pin.name_or_path, codec.pin.revision) == (
        "flexicodec",
        ",".join(COMMITS.values()),
    )
    golden = load_file(GOLDEN.folder / "sensevoice_fbank.safetensors")
    features = codec.model.front_end(golden["fbank.wav"][0])
    assert (features - golden["fbank.features"][0]).abs().max() <= 1e-3

    clip = tiny.speech_like(20_000)
    codes = codec.encode([clip])
    tokenizer = train_tokenizer(
        codes, codebook_sizes=codec.codebook_sizes, vocab_size=33_000, min_frequency=1
    )
    CodecBPEProcessor.from_codec(codec, tokenizer).save_pretrained(tmp_path / "processor")
    monkeypatch.setattr(originals, "convert_files", None)
    loaded = AutoProcessor.from_pretrained(tmp_path / "processor", cache_dir=hub.cache)
    assert loaded.codec.settings["merging_threshold"] == 0.7
    assert np.array_equal(loaded.codec.encode([clip])[0], codes[0])
    pinned = [(repository, revision) for repository, _, revision in hub.calls[4:]]
    assert set(pinned) == set(COMMITS.items())  # both repositories, wherever their main is now


def test_normalisation_numbers_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CodecNotFoundError, match="There is no file"):
        read_cmvn(tmp_path / "am.mvn")
    numbers = torch.tensor([[-1.5, 2e-3], [0.25, -4.0]])
    (tmp_path / "am.mvn").write_text(kaldi(numbers))
    assert torch.equal(read_cmvn(tmp_path / "am.mvn"), numbers)
    (tmp_path / "am.mvn").write_text(kaldi(numbers).split("<Rescale>")[0])
    with pytest.raises(CodecError, match="2 shifts and 0 scales"):
        read_cmvn(tmp_path / "am.mvn")


def test_there_are_no_averages(tmp_path: Path) -> None:
    save_file(GOLDEN.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(CodecError, match="hold no moving averages"):
        convert_files({"checkpoint": tmp_path / "model.safetensors"}, ema=True)


# Tokens.


def test_a_token_is_some_whole_groups(codec: FlexiCodecCodec, clips: list[np.ndarray]) -> None:
    for groups in (1, 2):
        tokenizer = train_tokenizer(
            codec.encode(clips),
            codebook_sizes=codec.codebook_sizes,
            vocab_size=450,
            min_frequency=1,
            max_token_codebook_ngrams=groups,
        )
        longest = max(len(token) for token in tokenizer.get_vocab() if token != "<pad>")
        assert longest == groups * codec.num_codebooks


def test_lengths_survive_tokens(
    codec: FlexiCodecCodec, clips: list[np.ndarray], tokenizer: CodecBPETokenizer, tmp_path: Path
) -> None:
    processor = CodecBPEProcessor.from_codec(codec, tokenizer)
    ids = processor(audio=clips, sampling_rate=16_000)["input_ids"]
    processor.save_pretrained(tmp_path)
    pinned = json.loads((tmp_path / "processor_config.json").read_text())["codec"]
    assert pinned["settings"] == {"merging_threshold": THRESHOLD, "dither": 0.0}

    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert loaded(audio=clips, sampling_rate=16_000)["input_ids"] == ids
    assert loaded.codec.settings == codec.settings
    for clip, codes, one, waveform in zip(
        clips, codec.encode(clips), ids, loaded.decode_audio(ids), strict=True
    ):
        assert len(one) < codes.size
        assert np.array_equal(tokenizer.ids_to_codes(one), codes)
        assert len(waveform) == codec.num_samples(codec.num_frames(len(clip)))
        assert np.array_equal(waveform, codec.decode([codes])[0])


@pytest.mark.parametrize("in_its_place", ["", "?", "next"])
def test_a_group_without_its_length_goes_and_is_counted(
    codec: FlexiCodecCodec,
    tokenizer: CodecBPETokenizer,
    caplog: pytest.LogCaptureFixture,
    in_its_place: str,
) -> None:
    alphabet = tokenizer.alphabet
    (codes,) = codec.encode([tiny.speech_like(40_000)])
    text = alphabet.to_text(codes)
    filler = text[0] if in_its_place == "next" else in_its_place
    lost = text[:7] + filler + text[8:]  # that of the second group
    with pytest.raises(AlphabetError, match="position 7"):
        alphabet.to_codes(lost)
    kept = alphabet.to_codes(lost, errors="drop_frames")
    assert np.array_equal(kept, np.delete(codes, 1, axis=1))
    dropped = f"Dropped {3 + len(filler)} of {len(lost)} audio characters"
    assert f"{dropped}; {codes.shape[1] - 1} whole frames remain." in caplog.text
    assert np.array_equal(alphabet.to_codes(text[:-1], errors="drop_frames"), codes[:, :-1])

    processor = CodecBPEProcessor.from_codec(codec, tokenizer)
    id_of = tokenizer.get_vocab()
    single = [id_of[char] for char in text[:7] + text[8:]]  # merged tokens would hide the gap
    (waveform,) = processor.decode_audio(single, errors="drop")
    assert np.array_equal(waveform, codec.decode([kept])[0])


def test_other_settings_leave_the_rest_as_it_is(codec: FlexiCodecCodec) -> None:
    other = codec.with_choices(merging_threshold=0.9)
    assert other.settings == {**codec.settings, "merging_threshold": 0.9}
    assert other.codebook_sizes == codec.codebook_sizes
    assert other.with_choices(3).settings == other.settings
    assert codec.with_choices(merging_threshold=THRESHOLD) is codec


def test_another_threshold_is_another_codec(codec: FlexiCodecCodec) -> None:
    other = FlexiCodecCodec(tiny.flexicodec(), num_codebooks=4, merging_threshold=0.9)
    with pytest.raises(
        CodecMismatchError, match=r"made for: merging_threshold is 0\.9, not 0\.8\."
    ):
        codec.pin.check(other)
    CodecPin.from_dict(codec.pin.to_dict()).check(codec)


def test_there_is_no_rate_to_count_seconds_by(
    codec: FlexiCodecCodec, tokenizer: CodecBPETokenizer, tmp_path: Path
) -> None:
    CodecBPEProcessor.from_codec(codec, tokenizer).save_pretrained(tmp_path / "processor")
    with pytest.raises(CodesError, match=r"flexicodec codecs have no fixed length.*--frame-rate"):
        frame_rate_of(None, str(tmp_path / "processor"), None)
    assert frame_rate_of(8.0, str(tmp_path / "processor"), None) == 8.0
    info = CodecInfo("flexicodec", "flexicodec", 16_000, 16_000, 4, 256, 12.5)
    for family in ("flexicodec", "somebody's"):
        folder = tmp_path / family
        folder.mkdir()
        replace(info, codec_type=family).save(folder)
        np.save(folder / "a.npy", np.zeros((4, 9), dtype=np.int64))
    with pytest.raises(CodesError, match="no fixed length"):
        frame_rate_of(None, "nothing", tmp_path / "flexicodec")
    assert frame_rate_of(None, "nothing", tmp_path / "somebody's") == 12.5
