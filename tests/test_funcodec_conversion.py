"""FunCodec's published files, converted strictly: from disk, the Hub and the command line."""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from hf_codec_bpe import load_codec
from hf_codec_bpe.cli import main
from hf_codec_bpe.codecs import FunCodecCodec, convert_funcodec_checkpoint, originals
from hf_codec_bpe.codecs.funcodec.modeling_funcodec import FunCodecModel
from hf_codec_bpe.codecs.originals import convert_files
from hf_codec_bpe.errors import CodecError, CodecNotFoundError
from hf_codec_bpe.presets import presets

from . import tiny
from .funcodec_cases import FunCodecGolden, as_original, as_original_config
from .golden_cases import Golden

ABSENT = object()
COMMIT = "a" * 40
PRESETS = sorted(name for name in presets() if name.startswith("funcodec-"))


def changed(changes: dict[str, object], variant: str = "ds320") -> dict[str, Any]:
    """The golden configuration with options, by dotted names, set or left out."""
    config = deepcopy(FunCodecGolden(variant).config)
    for name, value in changes.items():
        *sections, option = name.split(".")
        place = config
        for section in sections:
            place = place[section]
        if value is ABSENT:
            del place[option]
        else:
            place[option] = value
    return config


def convert(changes: dict[str, object], weights: dict[str, torch.Tensor] | None = None) -> Any:
    weights = weights or FunCodecGolden("ds320").state_dict()
    return convert_funcodec_checkpoint(weights, changed(changes))


def both(option: str, value: object) -> dict[str, object]:
    return {f"encoder_conf.{option}": value, f"decoder_conf.{option}": value}


def test_what_the_configuration_leaves_out_is_as_in_the_original() -> None:
    options = ("ratios", "seq_layer_num", "causal")
    halves = {name: value for option in options for name, value in both(option, ABSENT).items()}
    others = ["quantizer_conf.use_ddp", "quantizer_conf.encoder_hop_length", "sampling_rate"]
    others += ["quantizer_conf.num_quantizers", "model_conf.audio_normalize", "encoder", "model"]
    FunCodecGolden("ds320").check(convert({**halves, **dict.fromkeys(others, ABSENT)}))


def test_options_of_training_are_passed_over() -> None:
    changes = {
        "optim_conf": {"lr": 3e-4},
        "model_conf.odim": 512,
        "model_conf.overlap_ratio": 0.01,
        "model_conf.target_sample_hz": 24_000,
        "quantizer_conf.kmeans_init": False,
    }
    FunCodecGolden("ds320").check(convert(changes))


@pytest.mark.parametrize(
    "options",
    [
        {"upsampling_ratios": [3, 5, 7], "num_filters": 8, "compress": 4},
        {"upsampling_ratios": [6], "num_lstm_layers": 3, "hidden_size": 5},
        {"num_residual_layers": 2, "dilation_growth_rate": 3, "residual_kernel_size": 5},
        {"kernel_size": 5, "last_kernel_size": 3, "compress": 1, "num_quantizers": 3},
        {"sampling_rate": 8_000, "codebook_size": 32, "normalize": False},
    ],
)
def test_other_numbers(options: dict[str, object]) -> None:
    model = tiny.funcodec(**options)
    twin = convert_funcodec_checkpoint(as_original(model), as_original_config(model))
    for name, value in options.items():
        assert getattr(twin.config, name) == value
    samples = torch.from_numpy(tiny.speech_like(4_321))[None, None]
    expected, found = model(samples), twin(samples)
    assert torch.equal(found.audio_codes, expected.audio_codes)
    assert torch.equal(found.audio_values, expected.audio_values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "freq_codec"}, "model='freq_codec', but only models with 'encodec'"),
        ({"encoder": "encodec_seanet_encoder_2d"}, "encoder='encodec_seanet_encoder_2d'"),
        ({"decoder": "encodec_seanet_decoder_2d"}, "decoder='encodec_seanet_decoder_2d'"),
        ({"quantizer": "identity_quantizer"}, "quantizer='identity_quantizer'"),
        ({"input_size": 2}, "input_size=2"),
        ({"model_conf.codec_domain": "stft"}, "codec_domain='stft'"),
        ({"model_conf.codec_domain": ["mag_angle", "mag_angle"]}, "codec_domain="),
        ({"model_conf.segment_dur": 1.0}, "segment_dur=1.0, but"),
        ({"model_conf.segment_dur": ABSENT}, "segment_dur=1.0, because it leaves that out"),
        ({"model_conf": None}, "segment_dur=1.0, because it leaves that out"),
        ({"model_conf.bypass_quantizer": True}, "bypass_quantizer=True"),
        (both("seq_model", "transformer"), "seq_model='transformer'"),
        (both("seq_model", None), "seq_model=None"),
        (both("norm", "weight_norm"), "norm='weight_norm'"),
        (both("norm_params", {"num_groups": 2}), "norm_params="),
        (both("causal", True), "causal=True"),
        (both("activation", "snake"), "activation='snake'"),
        (both("activation_params", {"alpha": 0.5}), "activation_params="),
        (both("add_snake_activation", True), "add_snake_activation=True"),
        (both("pad_mode", "constant"), "pad_mode='constant'"),
        (both("true_skip", True), "true_skip=True"),
        (both("res_seq", False), "res_seq=False"),
        ({"encoder_conf.double_filters": False}, "double_filters=False"),
        ({"decoder_conf.half_filters": False}, "half_filters=False"),
        ({"decoder_conf.channels": 2}, "channels=2"),
        ({"decoder_conf.final_activation": "Tanh"}, "final_activation='Tanh'"),
        ({"decoder_conf.trim_right_ratio": 0.5}, "trim_right_ratio=0.5"),
        ({"quantizer_conf.use_ddp": False}, "use_ddp=False"),
        ({"quantizer_conf.q0_ds_ratio": 2}, "q0_ds_ratio=2"),
        ({"quantizer_conf.codec_dim": 8}, "codec_dim=8"),
        ({"quantizer_conf.codec_range": 1.0}, "codec_range=1.0"),
    ],
)
def test_models_of_another_kind(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        convert(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_conf.surprise": 1}, "encoder_conf has surprise, which no FunCodec"),
        ({"decoder_conf.surprise": 1}, "decoder_conf has surprise"),
        ({"quantizer_conf.surprise": 1}, "quantizer_conf has surprise"),
        ({"model_conf.surprise": 1}, "model_conf has surprise"),
        ({"encoder_conf": [1]}, "must hold options by name"),
        ({"encoder_conf.n_filters": 4}, "encoder and decoder differ"),
        ({"decoder_conf.ratios": [2, 4, 5, 8]}, "encoder and decoder differ"),
        (both("ratios", [8, 5, 4, 2, 2]), "encoder_hop_length=320 .*the model's is 640"),
        (both("ratios", "8542"), "ratios='8542'"),
        (both("ratios", []), r"ratios=\[\]"),
        (both("ratios", [8, 5, 4, 0]), "ratios=0: it must be 1, 2, 3"),
        (both("n_filters", 2.0), "n_filters=2.0: it must be"),
        (both("seq_layer_num", True), "seq_layer_num=True: it must be"),
        ({"sampling_rate": 24_000}, "sampling_rate=16000 .*the model's is 24000"),
        ({"quantizer_conf.sampling_rate": ABSENT}, "sampling_rate=24000 .*the model's is 16000"),
        ({"quantizer_conf.codebook_size": 48}, "codebook_size=48 is not a power of two"),
        ({"model_conf.audio_normalize": "yes"}, "audio_normalize='yes': it must be true or false"),
    ],
)
def test_a_configuration_that_makes_no_sense(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        convert(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (both("seq_layer_num", 1), "unknown: .*lstm"),
        (both("n_filters", 4), "of another shape"),
        ({"encoder_conf.dimension": 12}, "of another shape"),
        ({"quantizer_conf.num_quantizers": 9}, r"missing: quantizer\.layers\.8\."),
        ({"quantizer_conf.num_quantizers": 7}, r"unknown: quantizer\.layers\.7\."),
        ({"quantizer_conf.codebook_size": 1024}, "of another shape"),
    ],
)
def test_a_configuration_of_another_checkpoint(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        convert(changes)


TRAINING = {f"quantizer.rq.model.{name}" for name in ("inited", "cluster_size", "embed_avg")}


@pytest.mark.parametrize("name", sorted(FunCodecGolden("ds640").state_dict().keys() - TRAINING))
def test_a_missing_weight(name: str) -> None:
    golden = FunCodecGolden("ds640")
    weights = golden.state_dict()
    del weights[name]
    with pytest.raises(CodecError, match=r"missing|not a FunCodec checkpoint"):
        convert_funcodec_checkpoint(weights, golden.config)


@pytest.mark.parametrize("absent", [*({name} for name in sorted(TRAINING)), TRAINING])
def test_what_only_training_needed_may_be_absent(absent: set[str]) -> None:
    weights = FunCodecGolden("ds320").state_dict()
    assert weights.keys() > absent
    without = convert({}, {name: weights[name] for name in weights.keys() - absent})
    FunCodecGolden("ds320").check(without)
    everything = convert({}, weights).state_dict()
    for name, tensor in without.state_dict().items():
        assert torch.equal(tensor, everything[name]), name


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("surprise", (3,)),
        ("encoder.model.16.conv.conv.bias", (3,)),
        ("encoder.model.0.conv.conv.weight_g", (2, 1, 1)),
        ("quantizer.input_proj.weight", (16, 16)),
        ("quantizer.rq.model.surprise", (8, 3)),
        ("quantizer.rq.model.surprise", ()),
        ("quantizer.rq.model.layers.0._codebook.embed", (64, 16)),
    ],
)
def test_an_unknown_weight(name: str, shape: tuple[int, ...]) -> None:
    weights = {**FunCodecGolden("ds320").state_dict(), name: torch.ones(shape)}
    with pytest.raises(CodecError, match="unknown: "):
        convert({}, weights)


def test_codebooks_that_were_never_learnt() -> None:
    weights = FunCodecGolden("ds320").state_dict()
    weights["quantizer.rq.model.inited"][3] = 0
    with pytest.raises(CodecError, match="never learnt"):
        convert({}, weights)


def test_a_checkpoint_of_another_family() -> None:
    with pytest.raises(CodecError, match="not a FunCodec checkpoint"):
        convert({}, Golden("simvq").state_dict())


def test_what_only_training_needed_is_left_out() -> None:
    names = ("discriminator.0.convs.0.weight", "mel_spec_transforms.0.window", "context_model.a")
    weights = {**FunCodecGolden("ds320").state_dict(), **{name: torch.ones(2) for name in names}}
    FunCodecGolden("ds320").check(convert({}, weights))


def test_the_weights_are_copies() -> None:
    weights = FunCodecGolden("ds320").state_dict()
    model = convert({}, weights)
    for tensor in weights.values():
        tensor.zero_()
    FunCodecGolden("ds320").check(model)


def publish(folder: Path, variant: str = "ds320") -> dict[str, Path]:
    """The two files of an original's repository."""
    folder.mkdir(parents=True, exist_ok=True)
    golden = FunCodecGolden(variant)
    extra = {"discriminator.0.weight": torch.ones(2)}
    torch.save({**golden.state_dict(), **extra}, folder / "model.pth")
    (folder / "config.yaml").write_text(yaml.safe_dump({**golden.config, "optim": "adam"}))
    return {"checkpoint": folder / "model.pth", "config": folder / "config.yaml"}


def test_published_files(tmp_path: Path) -> None:
    files = publish(tmp_path)
    codec = convert_files(files)
    assert isinstance(codec, FunCodecCodec)
    FunCodecGolden("ds320").check(codec.model)
    with pytest.raises(CodecError, match=r"pass the config\.yaml"):
        convert_files({"checkpoint": files["checkpoint"]})
    with pytest.raises(CodecError, match="no moving averages"):
        convert_files(files, ema=True)
    files["config"].unlink()
    with pytest.raises(CodecNotFoundError, match="There is no configuration"):
        convert_files(files)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose Hub has each FunCodec's repository, of a tiny original."""

    def download(repository: str, file: str, *, revision: str | None = None, **_: object) -> str:
        assert repository.startswith("alibaba-damo/audio_codec-encodec-")
        snapshot = tmp_path / repository.replace("/", "--") / "snapshots" / (revision or COMMIT)
        if not snapshot.exists():
            publish(snapshot, "ds640" if "ds640" in repository else "ds320")
        return str(snapshot / file)

    monkeypatch.setattr(originals, "hf_hub_download", download)
    return tmp_path


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_converted_once(name: str, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = load_codec(name, cache_dir=hub)
    assert isinstance(codec, FunCodecCodec)
    assert (codec.pin.name_or_path, codec.pin.revision) == (name, COMMIT)
    assert codec.hop_length == presets()[name].hop_length
    assert codec.sampling_rate == presets()[name].sampling_rate
    FunCodecGolden(name[-5:]).check(codec.model)
    monkeypatch.setattr(originals, "convert_files", None)
    assert load_codec(presets()[name].hub_id, cache_dir=hub, num_codebooks=2).num_codebooks == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["funcodec-en-libritts-16k-nq32ds320"],
        ["here/config.yaml"],
        ["here/model.pth", "--config", "here/config.yaml"],
    ],
)
def test_the_command_line(
    arguments: list[str],
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish(Path("here"))
    monkeypatch.setattr(
        sys, "argv", ["hf-codec-bpe", "convert", arguments[0], "out", *arguments[1:]]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    output = capsys.readouterr()
    assert not stop.value.code, output.err
    assert output.out == "funcodec: 16000 Hz, 50 frames/s, 8 x 64 codes: out\n"
    model = load_codec("out").model
    assert isinstance(model, FunCodecModel)
    FunCodecGolden("ds320").check(model)
