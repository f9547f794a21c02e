"""Push, pull and pin: through the real clients, against a Hub on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi, hf_hub_download
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
)

from hf_codec_bpe import (
    CodecBPEProcessor,
    CodecBPETokenizer,
    CodecVocabulary,
    extend_model,
    extend_tokenizer,
    load_codec,
)
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.bundled import demo_clip
from hf_codec_bpe.cli.app import app
from hf_codec_bpe.code_shards import CodeShards
from hf_codec_bpe.errors import (
    BuildError,
    CodecError,
    CodecMismatchError,
    CodecNotFoundError,
    CodesError,
    ProcessorNotFoundError,
    PushError,
    TrainingError,
)
from hf_codec_bpe.hub import building
from hf_codec_bpe.hub.pushing import push_folder

from . import bases, tiny
from .hub import isolation
from .hub.server import LocalHub

pytestmark = pytest.mark.usefixtures("hub")

RATE = 24_000
NAME = "user/codec-bpe-mimi"


@pytest.fixture
def clip() -> np.ndarray:
    return tiny.speech_like(30_000)


@pytest.fixture
def on_hub(hub: LocalHub, processor: CodecBPEProcessor, tmp_path: Path) -> CodecBPEProcessor:
    """A processor whose codec is in a repository of its own."""
    processor.codec.save_pretrained(tmp_path / "codec")
    files = {path.name: path.read_bytes() for path in (tmp_path / "codec").iterdir()}
    hub.commit("user/tiny-mimi", files)
    codec = load_codec("user/tiny-mimi", num_codebooks=4)
    return CodecBPEProcessor.from_codec(codec, processor.tokenizer)


def ids_of(processor: CodecBPEProcessor, clip: np.ndarray) -> list[int]:
    (ids,) = processor(audio=clip, sampling_rate=RATE)["input_ids"]
    return ids


def in_a_process(hub: LocalHub, home: Path, code: str) -> Any:
    """What a fresh process prints as JSON, with fresh caches."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**hub.environment(home, hub.token), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# Push and pull.


def test_a_tokenizer_comes_back(processor: CodecBPEProcessor) -> None:
    processor.tokenizer.push_to_hub("user/tokenizer")
    loaded = AutoTokenizer.from_pretrained("user/tokenizer")
    assert isinstance(loaded, CodecBPETokenizer)
    assert loaded.get_vocab() == processor.tokenizer.get_vocab()
    assert loaded.alphabet == processor.tokenizer.alphabet


def test_an_extended_model_comes_back_with_its_tokenizer_and_processor(
    processor: CodecBPEProcessor, clip: np.ndarray
) -> None:
    tokenizer = extend_tokenizer(bases.qwen_like(), processor.tokenizer)
    config = LlamaConfig(
        vocab_size=len(bases.qwen_like()),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    model = extend_model(LlamaForCausalLM(config), tokenizer)
    whole = CodecBPEProcessor.from_codec(processor.codec, tokenizer)
    tokenizer.push_to_hub("user/audio-llm")
    model.push_to_hub("user/audio-llm")
    whole.push_to_hub("user/audio-llm")
    loaded = AutoModelForCausalLM.from_pretrained("user/audio-llm")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name])
    plain = AutoTokenizer.from_pretrained("user/audio-llm")
    ids = ids_of(whole, clip)
    assert CodecVocabulary.of(plain).texts == whole.vocabulary.texts
    assert ids_of(AutoProcessor.from_pretrained("user/audio-llm"), clip) == ids


def test_a_codec_tokenizer_leaves_a_models_config_alone(processor: CodecBPEProcessor) -> None:
    size = len(processor.tokenizer)
    config = LlamaConfig(vocab_size=size, hidden_size=64, num_hidden_layers=1)
    config.push_to_hub("user/from-scratch")
    processor.tokenizer.push_to_hub("user/from-scratch")
    processor.push_to_hub("user/from-scratch")
    assert AutoConfig.from_pretrained("user/from-scratch").vocab_size == size
    loaded = AutoProcessor.from_pretrained("user/from-scratch")
    assert loaded.tokenizer.get_vocab() == processor.tokenizer.get_vocab()


def test_a_revision_is_what_is_evaluated(
    processor: CodecBPEProcessor, capsys: pytest.CaptureFixture[str]
) -> None:
    HfApi().create_repo(NAME)
    HfApi().create_branch(NAME, branch="next")
    processor.push_to_hub(NAME, revision="next")
    arguments = ["evaluate", NAME, str(demo_clip()), "--json"]
    app([*arguments, "--revision", "next"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["bpe"] is not None
    with pytest.raises(CodecError, match=NAME):  # main has no processor, and no codec
        app(arguments, standalone_mode=False)


def test_options_are_honoured(hub: LocalHub, processor: CodecBPEProcessor) -> None:
    processor.push_to_hub(NAME, private=True, commit_message="The first", tags=["mine"])
    api = HfApi()
    info = api.model_info(NAME)
    assert info.private
    assert "mine" in info.tags
    assert api.list_repo_commits(NAME)[0].title == "The first"
    main = set(api.list_repo_files(NAME))

    processor.push_to_hub(NAME, revision="next", tags=["later"])
    assert set(api.list_repo_files(NAME, revision="next")) == main
    assert len(api.list_repo_commits(NAME)) < len(api.list_repo_commits(NAME, revision="next"))

    done = processor.push_to_hub(NAME, create_pr=True, tags=["suggested"])
    assert done.pr_url is not None
    assert api.get_discussion_details(NAME, done.pr_num).is_pull_request
    with pytest.raises(PushError, match="token"):
        processor.push_to_hub(NAME, token=hub.read_token)
    with pytest.raises(PushError, match="someone/else"):
        processor.push_to_hub("someone/else")
    with pytest.raises(ProcessorNotFoundError):
        CodecBPEProcessor.from_pretrained(NAME, token=hub.other_token)


def test_a_hub_that_cannot_be_reached_is_a_clear_error(
    processor: CodecBPEProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"http://127.0.0.1:{isolation.free_port()}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", nobody)
    with pytest.raises(PushError, match=r"could not be pushed: .* Check the name, the connection"):
        processor.push_to_hub(NAME)


def test_save_pretrained_pushes_too(processor: CodecBPEProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path / "one", push_to_hub=True, repo_id=NAME, private=True)
    assert HfApi().model_info(NAME).private
    saved = {p.relative_to(tmp_path / "one").as_posix() for p in (tmp_path / "one").rglob("*.*")}
    assert saved | {"README.md"} <= set(HfApi().list_repo_files(NAME))
    processor.tokenizer.save_pretrained(tmp_path / "two", push_to_hub=True, repo_id="user/two")
    assert "tokenizer.json" in HfApi().list_repo_files("user/two")


def test_a_folder_gives_a_repository_its_name(
    processor: CodecBPEProcessor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.tokenizer.save_pretrained(f"{tmp_path}/three/", push_to_hub=True)
    monkeypatch.chdir(tmp_path / "three")
    processor.save_pretrained(".", push_to_hub=True)
    assert "processor_config.json" in HfApi().list_repo_files("user/three")
    Path("more.txt").write_text("More to push.")
    push_folder(".", "user/three")
    assert HfApi().list_repo_commits("user/three")[0].title == "Upload three"


def test_an_existing_card_is_kept(hub: LocalHub, processor: CodecBPEProcessor) -> None:
    theirs = b"---\nlicense: mit\ntags:\n- mine\n---\n# My own words\n\nStay.\n"
    hub.commit(NAME, {"README.md": theirs})
    for _ in range(2):
        processor.push_to_hub(NAME)
        card = Path(hf_hub_download(NAME, "README.md")).read_text()
        assert "# My own words\n\nStay.\n" in card
        assert "license: mit" in card
        assert card.count("hf-codec-bpe: begin") == 1


# Three ways to load, each in a fresh process.


LOADED_BY = {
    "imported first": (
        "import hf_codec_bpe\nfrom transformers import AutoProcessor\n"
        f"processor = AutoProcessor.from_pretrained({NAME!r})\n"
    ),
    "through the stub": (
        "from transformers import AutoProcessor\n"
        f"processor = AutoProcessor.from_pretrained({NAME!r}, trust_remote_code=True)\n"
    ),
}


@pytest.mark.parametrize("code", LOADED_BY.values(), ids=LOADED_BY)
def test_loaded_with_the_plugin(
    hub: LocalHub, processor: CodecBPEProcessor, clip: np.ndarray, tmp_path: Path, code: str
) -> None:
    processor.push_to_hub(NAME)
    np.save(tmp_path / "clip.npy", clip)
    ending = (
        "import json, numpy, sys\n"
        "remote = [name for name in sys.modules if name.startswith('transformers_modules.')]\n"
        f"clip = numpy.load({str(tmp_path / 'clip.npy')!r})\n"
        f"(ids,) = processor(audio=clip, sampling_rate={RATE})['input_ids']\n"
        "loudness = float(numpy.abs(processor.decode_audio(ids)[0]).sum())\n"
        "print(json.dumps([type(processor).__module__, bool(remote), ids, loudness]))\n"
    )
    module, remote, ids, loudness = in_a_process(hub, tmp_path / "home", code + ending)
    assert module == "hf_codec_bpe.processing_codec_bpe"
    assert remote == ("trust" in code)
    assert ids == ids_of(processor, clip)
    assert loudness == pytest.approx(float(np.abs(processor.decode_audio(ids)[0]).sum()))


def test_loaded_without_the_plugin(
    hub: LocalHub, processor: CodecBPEProcessor, tmp_path: Path
) -> None:
    processor.push_to_hub(NAME)
    text = processor.tokenizer.alphabet.to_text([[1] * 3] * 4)
    code = (
        "import json, sys\n"
        "sys.modules['hf_codec_bpe'] = None  # as if it was not installed\n"
        "from transformers import AutoTokenizer\n"
        f"tokenizer = AutoTokenizer.from_pretrained({NAME!r})\n"
        f"print(json.dumps([tokenizer.is_fast, tokenizer({text!r})['input_ids']]))\n"
    )
    is_fast, ids = in_a_process(hub, tmp_path / "home", code)
    assert is_fast
    assert ids == processor.tokenizer(text)["input_ids"]


# Pins.


def test_a_codec_is_pinned_to_the_commit_it_was_loaded_from(
    hub: LocalHub, on_hub: CodecBPEProcessor, clip: np.ndarray
) -> None:
    head = HfApi().model_info("user/tiny-mimi").sha
    assert on_hub.codec.revision == on_hub.codec_pin.revision == head
    on_hub.push_to_hub(NAME)
    assert not any(name.startswith("codec/") for name in HfApi().list_repo_files(NAME))
    hub.commit("user/tiny-mimi", {"model.safetensors": b"something else"})
    loaded = AutoProcessor.from_pretrained(NAME)
    assert loaded.codec_pin == on_hub.codec_pin
    assert ids_of(loaded, clip) == ids_of(on_hub, clip)
    loaded.push_to_hub("user/again")
    assert AutoProcessor.from_pretrained("user/again").codec_pin == on_hub.codec_pin


def test_a_branch_is_resolved_to_its_commit(hub: LocalHub, on_hub: CodecBPEProcessor) -> None:
    HfApi().create_branch("user/tiny-mimi", branch="stable")
    hub.commit("user/tiny-mimi", {"notes.txt": b"newer"})
    stable = load_codec("user/tiny-mimi", revision="stable")
    assert stable.revision == on_hub.codec.revision
    assert load_codec("user/tiny-mimi").revision != stable.revision


def test_a_corpus_is_finished_with_the_commit_it_was_begun_with(
    hub: LocalHub, on_hub: CodecBPEProcessor, tmp_path: Path
) -> None:
    def encode(*options: str) -> None:
        codec = ["--codec", "user/tiny-mimi", *options]
        app(["encode", str(demo_clip()), str(tmp_path / "codes"), *codec], standalone_mode=False)

    begun = str(on_hub.codec.revision)
    encode()
    hub.commit("user/tiny-mimi", {"notes.txt": b"newer"})
    with pytest.raises(CodesError, match=f"load the codec with revision='{begun}'"):
        encode()
    encode("--revision", begun)
    with pytest.raises(CodecNotFoundError, match="at revision 'nowhere'"):
        encode("--revision", "nowhere")


def test_a_codec_that_differs_is_named(hub: LocalHub, on_hub: CodecBPEProcessor) -> None:
    on_hub.push_to_hub(NAME)
    path = Path(hf_hub_download(NAME, "processor_config.json"))
    config = json.loads(path.read_text())
    config["codec"]["frame_rate"] = 25.0
    hub.commit(NAME, {"processor_config.json": json.dumps(config).encode()})
    with pytest.raises(CodecMismatchError, match=r"frame_rate is 12\.5, not 25\.0"):
        _ = AutoProcessor.from_pretrained(NAME).codec


def test_a_codec_that_is_gone_is_named(hub: LocalHub, on_hub: CodecBPEProcessor) -> None:
    on_hub.push_to_hub(NAME)
    isolation.empty_home()
    HfApi().delete_repo("user/tiny-mimi")
    with pytest.raises(CodecNotFoundError, match="user/tiny-mimi"):
        _ = AutoProcessor.from_pretrained(NAME).codec


def test_offline_from_the_cache(
    hub: LocalHub, on_hub: CodecBPEProcessor, clip: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_hub.push_to_hub(NAME)
    expected = ids_of(AutoProcessor.from_pretrained(NAME), clip)
    hub.requests.clear()
    loaded = AutoProcessor.from_pretrained(NAME, local_files_only=True)
    assert ids_of(loaded, clip) == expected
    isolation.set_offline(monkeypatch, True)
    assert ids_of(AutoProcessor.from_pretrained(NAME), clip) == expected
    assert hub.requests == []


def test_access_is_passed_on_to_the_codec(
    hub: LocalHub,
    processor: CodecBPEProcessor,
    clip: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processor.save_pretrained(tmp_path / "saved")
    files = {
        f"deep/{path.relative_to(tmp_path / 'saved').as_posix()}": path.read_bytes()
        for path in (tmp_path / "saved").rglob("*.*")
    }
    hub.create("user/private", private=True)
    hub.commit("user/private", files)
    HfApi().create_tag("user/private", tag="v1")
    hub.commit("user/private", dict.fromkeys(files))
    monkeypatch.delenv("HF_TOKEN")
    loaded = AutoProcessor.from_pretrained(
        "user/private",
        token=hub.token,
        revision="v1",
        subfolder="deep",
        cache_dir=tmp_path / "cache",
    )
    assert ids_of(loaded, clip) == ids_of(processor, clip)
    assert (tmp_path / "cache" / "models--user--private").is_dir()
    assert not list(isolation.HOME.rglob("model.safetensors"))


# Commands.


def command(*arguments: object) -> None:
    app([str(argument) for argument in arguments], standalone_mode=False)


def test_a_folder_is_pushed(
    processor: CodecBPEProcessor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processor.save_pretrained(tmp_path / "folder")
    save_audio(tiny.speech_like(24_000), tmp_path / "held_out.wav", RATE)
    (tmp_path / "bad.wav").write_bytes(b"")
    held_out = ["--held-out", tmp_path / "held_out.wav", "--held-out", tmp_path / "bad.wav"]
    held_out += ["--held-out-name", "one clip"]
    options = ["--private", "--json", "--dataset", "someone/speech"]
    command("push", tmp_path / "folder", NAME, *held_out, *options)
    printed = capsys.readouterr()
    commit = json.loads(printed.out)["commit"]
    assert f"Not measured: {tmp_path / 'bad.wav'} cannot be decoded" in printed.err
    info = HfApi().model_info(NAME)
    assert (info.sha, info.private) == (commit, True)
    assert info.card_data.datasets == ["someone/speech"]
    assert "one clip: 1 clips, 1.0 s" in Path(hf_hub_download(NAME, "README.md")).read_text()
    assert not (tmp_path / "folder" / "README.md").exists()
    with pytest.raises(PushError, match="neither a processor nor a tokenizer"):
        command("push", tmp_path, NAME)


def test_a_build_of_a_corpus_as_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal names in folders, files that are not audio, and options that change on the way."""
    for seed in range(21):
        path = tmp_path / "audio" / f"speaker {seed % 3}" / f"{seed // 3}.wav"
        save_audio(tiny.speech_like(8_000, seed), path, 16_000)
    bad = [tmp_path / "audio" / f"speaker {i}" / "0.wav" for i in (0, 1)]
    for path in bad:  # the first file is held out
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(building, "is_matplotlib_available", lambda: False)  # pictures take long

    def build(audio: str, vocab_size: int, *more: str) -> None:
        size = str(vocab_size)
        command("build", "demo", "--audio", audio, "--out", "out", "--vocab-size", size, *more)

    with pytest.raises(TrainingError, match="vocab_size=100 is too small"):
        build("audio", 100)
    with pytest.raises(CodecError, match="shorter than one frame"):
        build("audio", 2_200, "--chunk-seconds", "0.001")
    assert not Path("out").exists()
    with monkeypatch.context() as patch:
        patch.setattr(building, "train_tokenizer", _broken_off)
        with pytest.raises(RuntimeError):
            build("audio", 2_300)
    (tmp_path / "out" / ".processor.other-1-run.partial").mkdir()  # killed long ago
    os.utime(tmp_path / "out" / ".processor.other-1-run.partial", (0, 0))
    build("audio", 2_200)
    assert [path.name for path in (tmp_path / "out").glob(".*")] == []
    messages = " ".join(caplog.messages)
    assert "Not trained on: " + str(bad[1].relative_to(tmp_path)) in messages
    assert "Not measured: " + str(bad[0].relative_to(tmp_path)) in messages
    assert CodeShards("out/codes").names[0] == "speaker 0/1_c0"
    plan = json.loads(Path("out/build.json").read_text())
    assert plan["recipe"]["vocab_size"] == 2_200

    # A clip that is repaired: nothing is trained anew, but it is said how to.
    save_audio(tiny.speech_like(8_000, 1), bad[1], 16_000)
    caplog.clear()
    build("audio", 2_200)
    messages = " ".join(caplog.messages)
    assert "Not trained on: " + str(bad[1].relative_to(tmp_path)) in messages
    assert f"delete {Path('out/processor')} and run the same again" in messages
    shutil.rmtree("out/processor")
    Path("out/report/stale").touch()
    caplog.clear()
    build("audio", 2_200)
    assert "Not trained on" not in " ".join(caplog.messages)
    assert "speaker 1/0_c0" in CodeShards("out/codes").names
    assert not Path("out/report/stale").exists()

    shutil.rmtree("out")
    build(str(tmp_path / "audio"), 2_200, "--held-out", "audio/speaker 2")  # by another path
    plan = json.loads(Path("out/build.json").read_text())
    assert len(plan["held_out"]) == 7
    assert not set(plan["held_out"]) & set(plan["training"])

    shutil.rmtree("out")
    rows = [f"speaker 2/{number}.wav" for number in range(3)]
    Path("audio/list.csv").write_text("\n".join(["path", *rows]))
    build("audio/list.csv", 2_200)
    assert CodeShards("out/codes").names == [f"{row[:-4]}_c0" for row in rows[1:]]


def _broken_off(*_: object, **__: object) -> None:
    raise RuntimeError("broken off")


def test_a_build_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(4):
        save_audio(tiny.speech_like(16_000, seed), tmp_path / "audio" / f"{seed}.wav", 16_000)
    arguments = ["build", "demo", "--audio", tmp_path / "audio", "--out", tmp_path / "out"]
    chunks = ["--chunk-seconds", "0.7"]  # 43.75 frames
    arguments += [*chunks, "--vocab-size", "2200"]

    with monkeypatch.context() as patch:
        patch.setattr(building, "train_tokenizer", _broken_off)
        with pytest.raises(RuntimeError, match="broken off"):
            command(*arguments)
    assert not (tmp_path / "out" / "processor").exists()
    command(*arguments, "--push", NAME)
    built = AutoProcessor.from_pretrained(tmp_path / "out" / "processor")
    trained = tmp_path / "trained"
    command("train", tmp_path / "out/codes", "-o", trained, *chunks, "--vocab-size", "2200")
    assert built.tokenizer.init_kwargs["training"]["chunk_frames"] == 43  # as codec-bpe rounds
    state = built.tokenizer.backend_tokenizer.to_str()
    assert AutoTokenizer.from_pretrained(trained).backend_tokenizer.to_str() == state
    assert AutoProcessor.from_pretrained(NAME).tokenizer.get_vocab() == built.tokenizer.get_vocab()
    report = json.loads((tmp_path / "out" / "report" / "report.json").read_text())
    card = Path(hf_hub_download(NAME, "README.md")).read_text()
    assert f"{report['compression']:.3f} codes per token" in card
    assert report["name"] == "0.wav"

    with monkeypatch.context() as patch:  # all is done: nothing is trained or measured again
        patch.setattr(building, "train_tokenizer", _broken_off)
        patch.setattr(building, "audio_report", _broken_off)
        command(*arguments)
    assert "codes per token on held-out audio" in capsys.readouterr().out
    with pytest.raises(BuildError, match="another recipe"):
        command(*arguments[:-1], "2300")
    for text in ("{", "[]"):
        (tmp_path / "out" / "build.json").write_text(text)
        with pytest.raises(BuildError, match=r"build\.json is damaged .* remove it, and run the"):
            command(*arguments)
    with pytest.raises(BuildError, match="not enough"):
        command("build", "demo", "--audio", tmp_path / "audio" / "0.wav", "--out", "other")
