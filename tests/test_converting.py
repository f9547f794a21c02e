"""From an original's files to a codec: safely, once, and from the command line."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hf_codec_bpe import CodecBPEProcessor, load_codec, train_tokenizer
from hf_codec_bpe.cli import main
from hf_codec_bpe.codecs import SimVQCodec, WavTokenizerCodec, loading, originals
from hf_codec_bpe.codecs.converting import read_checkpoint
from hf_codec_bpe.codecs.originals import convert_files, convert_from_hub
from hf_codec_bpe.errors import CodecError, CodecNotFoundError
from hf_codec_bpe.presets import presets

from .golden_cases import Golden
from .hub import LocalHub
from .test_simvq import with_averages
from .tiny import speech_like

GOLDEN = {"simvq": "simvq", "wavtokenizer": "wavtokenizer/frame40"}
REPOSITORY = "somebody/codecs"
FILES = {"checkpoint": "logs/deep/model.ckpt"}


class Attack:
    """A pickle that would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.target, "done")


class Settings:
    """Something that a training script may have put beside its weights."""


def lightning(folder: str, path: Path, averages: bool = False) -> Path:
    """A checkpoint as Lightning saves it."""
    weights = Golden(folder).state_dict()
    state_dict = OrderedDict(with_averages(weights) if averages else weights)
    content = {
        "epoch": 49,
        "pytorch-lightning_version": "2.2.5",
        "state_dict": state_dict,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(9)}}, "param_groups": []}],
        "hyper_parameters": {"sample_rate": 24_000},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


@pytest.fixture(params=sorted(GOLDEN))
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A family, and a checkpoint of it."""
    return request.param, lightning(GOLDEN[request.param], tmp_path / "model.ckpt")


def test_lightning_checkpoints(checkpoint: tuple[str, Path]) -> None:
    family, path = checkpoint
    codec = convert_files({"checkpoint": path})
    assert codec.family == family
    Golden(GOLDEN[family]).check(codec.model)


def test_plain_state_dicts_and_safetensors(tmp_path: Path) -> None:
    weights = {name: tensor.contiguous() for name, tensor in Golden("simvq").state_dict().items()}
    torch.save(weights, tmp_path / "plain.pt")
    save_file(weights, tmp_path / "plain.safetensors")
    for name in ("plain.pt", "plain.safetensors"):
        assert read_checkpoint(tmp_path / name).keys() == weights.keys()


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    for content in (
        Attack(tmp_path / "hacked"),
        {"state_dict": {"encoder.a": torch.ones(1)}, "extra": Attack(tmp_path / "hacked")},
    ):
        torch.save(content, tmp_path / "attack.ckpt")
        with pytest.raises(CodecError, match="refused and nothing in it was run"):
            read_checkpoint(tmp_path / "attack.ckpt")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"a": torch.ones(1)}, "settings": Settings()}, "not a plain state dict"),
        ([torch.ones(1)], "holds a list, not tensors by name"),
        ({}, "holds a dict, not tensors"),
        ({"a": torch.ones(1), "epoch": 3}, "epoch are not tensors"),
        ({"state_dict": {"a": torch.ones(1), "b": "text"}}, "b are not tensors"),
        ({"quack": torch.ones(1)}, "not a checkpoint of a known family"),
    ],
)
def test_what_is_no_state_dict(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(CodecError, match=message):
        convert_files({"checkpoint": tmp_path / "odd.ckpt"})


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_file(checkpoint: tuple[str, Path], kept: float) -> None:
    _, path = checkpoint
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CodecError, match=r"not a whole checkpoint|refused"):
        convert_files({"checkpoint": path})


@pytest.mark.parametrize("name", ["text.ckpt", "text.safetensors"])
def test_a_file_of_another_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CodecError, match=r"not a whole checkpoint|refused"):
        read_checkpoint(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CodecNotFoundError, match="There is no checkpoint"):
        read_checkpoint(tmp_path / "nothing.ckpt")


def test_families_that_cannot_be_converted(checkpoint: tuple[str, Path]) -> None:
    with pytest.raises(CodecError, match=r"'mimi' cannot be converted: .*simvq, wavtokenizer can"):
        convert_files({"checkpoint": checkpoint[1]}, family="mimi")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {init_args: {audio_normalize: true}}", "audio_normalize=True"),
        ("model: {init_args: {a: {sample_rate: 1}, b: {sample_rate: 2}}}", "contradicts itself"),
        ("model: !!python/object:os.system {}", "not YAML of plain values"),
        ("[1, 2]", "no settings by name"),
        ('{"codebook_size": 5}', "codebook_size=5"),
    ],
)
def test_a_yaml_that_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    files = {"checkpoint": lightning("simvq", tmp_path / "m.ckpt"), "config": tmp_path / "c.yaml"}
    files["config"].write_text(text)
    with pytest.raises(CodecError, match=message):
        convert_files(files)


def test_a_yaml_that_fits(tmp_path: Path) -> None:
    files = {"checkpoint": lightning("simvq", tmp_path / "m.ckpt"), "config": tmp_path / "c.yaml"}
    files["config"].write_text(
        "# lightning.pytorch==2.2.5\nseed_everything: true\nmodel:\n  class_path: a.VQModel\n"
        "  init_args:\n    ddconfig: {causal: true, dimension: 512}\n    audio_normalize: false\n"
        "    lossconfig: {init_args: {causal: false, sample_rate: 16000}}\n"
    )
    Golden("simvq").check(convert_files(files).model)
    # Nothing but the file tells this, so it is believed.
    files["config"].write_text("model: {init_args: {ddconfig: {causal: false}}}")
    assert convert_files(files).config.use_causal_conv is False


@pytest.fixture
def original(hub: LocalHub, tmp_path: Path) -> str:
    """The commit of a repository with an original in it."""
    checkpoint = lightning("simvq", tmp_path / "model.ckpt", averages=True)
    return hub.commit(REPOSITORY, {FILES["checkpoint"]: checkpoint.read_bytes()})


def test_an_original_of_the_hub_is_converted_once(
    hub: LocalHub, original: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    convert = partial(convert_from_hub, REPOSITORY, FILES, cache_dir=tmp_path / "cache")
    first = convert()
    assert first.revision == original
    assert first.folder.parents[2] == (tmp_path / "cache" / "assets" / "hf_codec_bpe").resolve()
    assert sorted(p.name for p in first.folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert [p.name for p in first.folder.parent.iterdir()] == [first.folder.name]
    assert isinstance(load_codec(first.folder), SimVQCodec)

    averaged = convert(ema=True)
    second = hub.commit(REPOSITORY, {"README.md": b"More to come"})
    newer = convert()
    assert len({first.folder, averaged.folder, newer.folder}) == 3
    assert newer.revision == second
    Golden("simvq").check(load_codec(averaged.folder).model)

    monkeypatch.setattr(originals, "convert_files", None)
    assert convert(revision=original) == first


def test_a_preset_is_converted_by_loading_it_and_pinned_by_its_commit(
    hub: LocalHub, original: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    preset = replace(presets()["simvq_4k"], hub_id=REPOSITORY, files=FILES)
    monkeypatch.setattr(loading, "find_preset", {"simvq_4k": preset}.get)
    codec = load_codec("simvq_4k")
    assert isinstance(codec, SimVQCodec)
    assert (codec.pin.name_or_path, codec.pin.revision) == ("simvq_4k", original)

    clip = speech_like(6_000)
    tokenizer = train_tokenizer(
        codec.encode([clip]), codebook_sizes=codec.codebook_sizes, vocab_size=5_000
    )
    processor = CodecBPEProcessor.from_codec(codec, tokenizer)
    processor.save_pretrained(tmp_path / "processor")
    assert not (tmp_path / "processor" / "codec").exists()
    hub.commit(REPOSITORY, {"README.md": b"The authors go on, the processor stays"})
    monkeypatch.setattr(originals, "convert_files", None)
    loaded = CodecBPEProcessor.from_pretrained(tmp_path / "processor")
    assert (
        loaded(audio=clip, sampling_rate=24_000)["input_ids"]
        == processor(audio=clip, sampling_rate=24_000)["input_ids"]
    )
    with pytest.raises(CodecNotFoundError, match="cannot be fetched from the Hub"):
        load_codec("simvq_4k", revision="c" * 40)
    with pytest.raises(CodecError, match="names 2 commits, but the files come from"):
        load_codec("simvq_4k", revision=f"{original},main")
    with pytest.raises(CodecError, match="subfolder='codec' is not possible for simvq_4k"):
        load_codec("simvq_4k", subfolder="codec")


def test_a_conversion_that_fails_leaves_nothing(original: str, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(CodecError, match="not a WavTokenizer checkpoint"):
            convert_from_hub(REPOSITORY, FILES, family="wavtokenizer", cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "assets").rglob("*.json"))


def test_two_processes_may_convert_at_once(tmp_path: Path) -> None:
    codec = convert_files({"checkpoint": lightning("simvq", tmp_path / "m.ckpt")})
    originals.write_codec(codec, tmp_path / "out")
    before = (tmp_path / "out" / "config.json").stat().st_mtime_ns
    originals.write_codec(codec, tmp_path / "out")
    assert (tmp_path / "out" / "config.json").stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.ckpt", "out"]


@pytest.mark.parametrize(
    ("repository", "file"),
    [("nobody/codecs", "m"), (REPOSITORY, "missing"), (REPOSITORY, "other/place:m")],
)
@pytest.mark.usefixtures("original")
def test_files_that_are_not_on_the_hub(repository: str, file: str) -> None:
    with pytest.raises(CodecNotFoundError, match="cannot be fetched from the Hub"):
        convert_from_hub(repository, {"checkpoint": file})


def test_without_a_network() -> None:
    with pytest.raises(CodecNotFoundError, match="cannot be fetched from the Hub or the cache"):
        convert_from_hub("nobody/at-all", {"checkpoint": "m.ckpt"}, local_files_only=True)


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `hf-codec-bpe convert`; gives its exit code and all that it wrote."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", "convert", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out + captured.err

    return run


def test_convert_a_file(convert, checkpoint: tuple[str, Path], tmp_path: Path) -> None:
    family, path = checkpoint
    code, output = convert(path, tmp_path / "new" / "codec")
    assert code == 0, output
    assert output.startswith(f"{family}: 24000 Hz, ")
    Golden(GOLDEN[family]).check(load_codec(tmp_path / "new" / "codec").model)
    code, output = convert(path, tmp_path / "new" / "codec")
    assert code == 1
    assert "exists already" in output


def test_convert_with_a_yaml(convert, tmp_path: Path) -> None:
    lightning("simvq", tmp_path / "simvq_4k" / "epoch=49.ckpt", averages=True)
    config = tmp_path / "simvq_4k" / "1second" / "config.yaml"
    config.parent.mkdir()
    config.write_text("model: {init_args: {ddconfig: {causal: true}}}")
    code, output = convert(config, tmp_path / "out", "--ema")
    assert code == 0, output
    assert json.loads((tmp_path / "out" / "config.json").read_text())["ema"] is True
    lightning("simvq", tmp_path / "simvq_4k" / "second.ckpt")
    code, output = convert(config, tmp_path / "again")
    assert "there are several checkpoints: pass the checkpoint" in output
    code, output = convert(tmp_path / "lost" / "config.yaml", tmp_path / "again")
    assert "there is no checkpoint" in output


@pytest.mark.usefixtures("original")
def test_convert_from_the_hub(convert, tmp_path: Path) -> None:
    code, output = convert(REPOSITORY, tmp_path / "out", "--file", FILES["checkpoint"])
    assert code == 0, output
    clip = speech_like(3_000)
    assert load_codec(tmp_path / "out").encode([clip])[0].shape == (1, 10)
    code, output = convert(REPOSITORY, tmp_path / "again")
    assert (code, "Name its checkpoint with --file" in output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["youngsheen/SimVQ"], "Name one of simvq_262k, simvq_4k, simvq_65k, simvq_8k"),
        (["mimi"], "mimi needs no converting"),
        (["nothing.ckpt"], "There is no checkpoint nothing.ckpt"),
        (["simvq_65k"], "cannot be fetched from the Hub"),
    ],
)
def test_convert_says_what_to_do(convert, arguments: list[str], message: str) -> None:
    code, output = convert(*arguments, "out")
    assert code == 1
    assert message in output
    assert not Path("out").exists()


def test_averages_are_for_simvq(tmp_path: Path) -> None:
    path = lightning("wavtokenizer/frame40", tmp_path / "m.ckpt")
    with pytest.raises(CodecError, match="hold no moving averages"):
        convert_files({"checkpoint": path}, ema=True)
    assert isinstance(convert_files({"checkpoint": path}, ema=False), WavTokenizerCodec)
    assert np.isfinite(convert_files({"checkpoint": path}).decode([[[1, 2, 3]]])[0]).all()
