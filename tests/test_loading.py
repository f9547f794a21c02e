"""From a name to a codec, or to an error that says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from hf_codec_bpe import AudioCodec, demo_repo, load_codec, register_codec
from hf_codec_bpe.codecs import DacCodec, EncodecCodec, dependencies, families, registry
from hf_codec_bpe.codecs.registry import codec_class
from hf_codec_bpe.errors import CodecError, CodecNotFoundError, MissingDependencyError

from . import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved codec."""
    DacCodec(tiny.dac()).save_pretrained(tmp_path / "dac")
    return tmp_path / "dac"


def test_missing_codec() -> None:
    for name in ("nowhere/at-all", "no_such_folder/below"):
        with pytest.raises(CodecNotFoundError, match="There is no codec") as caught:
            load_codec(name)
        assert isinstance(caught.value, FileNotFoundError)


def test_the_codec_that_comes_with_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = load_codec(demo_repo() / "codec")
    assert load_codec("demo").fingerprint == bundled.fingerprint
    assert load_codec("Demo", num_codebooks=2).num_codebooks == 2
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()  # such as one of audio
    assert load_codec("demo").fingerprint == bundled.fingerprint
    DacCodec(tiny.dac()).save_pretrained("demo")  # a folder comes first, as with presets
    assert load_codec("demo").fingerprint != bundled.fingerprint


def test_a_folder_has_no_revisions(folder: Path) -> None:
    with pytest.raises(
        CodecError, match=r"revision='v1' is for the Hub, but .*dac is on this machine"
    ):
        load_codec(folder, revision="v1")


def test_a_mistyped_preset_gets_a_hint() -> None:
    with pytest.raises(CodecNotFoundError, match="Did you mean the preset encodec_24khz"):
        load_codec("encodec_24kHz_")


def test_a_preset_that_is_not_cached_names_its_repository() -> None:
    with pytest.raises(CodecNotFoundError, match=r"The codec mimi \(kyutai/mimi\) could not be"):
        load_codec("MIMI", local_files_only=True)


def test_another_model_is_no_codec(tmp_path: Path) -> None:
    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(CodecError, match="model_type='bert' is not a codec family"):
        load_codec(tmp_path)


def test_a_processor_is_no_codec_but_holds_one() -> None:
    with pytest.raises(CodecError, match=r"not a codec\. If it has a folder codec/, name that one"):
        load_codec(demo_repo())
    assert load_codec(demo_repo(), subfolder="codec").num_codebooks == 8


def test_an_unknown_model_type(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "quack"}))
    with pytest.raises(CodecError, match="quack"):
        load_codec(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CodecNotFoundError):
        load_codec(folder)


def test_damaged_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CodecError, match="cannot be loaded as a codec"):
        load_codec(folder)


def test_incomplete_weights_are_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.conv1.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CodecError, match=r"lack 1 tensors, encoder\.conv1\.weight"):
        load_codec(folder)


def test_pickled_weights_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(CodecNotFoundError):
        load_codec(folder)


def test_reduced_precision_only_on_request(folder: Path) -> None:
    assert load_codec(folder).pin.dtype == "float32"
    codec = load_codec(folder, dtype="bfloat16")
    assert (codec.dtype, codec.pin.dtype) == (torch.bfloat16, "bfloat16")
    assert codec.encode([tiny.speech_like(1_000)])[0].shape == (4, codec.num_frames(1_000))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"chunk_length_s": 1.0, "overlap": 0.01}, "chunks of its own"),
        ({"normalize": True}, "a loudness scale"),
        ({"audio_channels": 2}, "more than one audio channel"),
    ],
)
def test_encodec_models_whose_codes_are_not_all(overrides: dict[str, object], reason: str) -> None:
    model = tiny.encodec()
    for name, value in overrides.items():
        setattr(model.config, name, value)
    with pytest.raises(CodecError, match=reason):
        EncodecCodec(model)


def test_encodec_with_group_norm_is_exact_too() -> None:
    codec = EncodecCodec(tiny.encodec(norm_type="time_group_norm", use_causal_conv=False))
    clips = [tiny.speech_like(n, n) for n in (5_000, 3_200, 4_801)]
    for clip, codes in zip(clips, codec.encode(clips), strict=True):
        assert (codec.encode([clip])[0] == codes).all()


def test_dac_at_44_khz_has_the_frame_rate_of_arithmetic() -> None:
    codec = DacCodec(tiny.dac(downsampling_ratios=[2, 4, 8, 8], sampling_rate=44_100))
    assert codec.frame_rate == 44_100 / 512  # its configuration says 87


def test_a_family_from_outside(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(registry, "_CLASSES", dict(registry._CLASSES))

    @register_codec
    class LoudDacCodec(DacCodec):
        """Speaks for DAC instead of ours."""

    assert type(load_codec(folder)) is LoudDacCodec
    assert "dac" in families()
    assert issubclass(LoudDacCodec, AudioCodec)


@pytest.mark.parametrize("family", ["xcodec2", "neucodec", "higgs_audio_v2_tokenizer"])
def test_families_that_need_torchaudio_say_so(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.MODELS[family]()
    monkeypatch.setattr(dependencies, "is_torchaudio_available", lambda: False)
    with pytest.raises(MissingDependencyError, match=r"hf-codec-bpe\[torchaudio\]") as caught:
        codec_class(family)(model)
    assert isinstance(caught.value, ImportError)


def test_a_revision_is_named_as_it_was_asked_for() -> None:
    class Resolved(str):
        """As Transformers passes revisions on."""

        def __repr__(self) -> str:
            return "Resolved(...)"

    with pytest.raises(CodecNotFoundError, match=r"no codec 'user/none' at revision 'main':"):
        load_codec("user/none", revision=Resolved("main"))
