"""The command line, as people use it."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import soundfile
import torch
from transformers import LlamaConfig

from hf_codec_bpe import (
    CodecBPEProcessor,
    CodecBPETokenizer,
    CodesFolder,
    CodeShards,
    demo_repo,
    extend_tokenizer,
    load_codec,
)
from hf_codec_bpe.audio import load_audio, save_audio
from hf_codec_bpe.bundled import demo_clip
from hf_codec_bpe.cli import main
from hf_codec_bpe.cli.app import app
from hf_codec_bpe.cli.options import check_finite
from hf_codec_bpe.data.encoding import codec_info
from hf_codec_bpe.errors import AudioFileError
from hf_codec_bpe.presets import presets

from . import bases
from .tiny import speech_like


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three clips in two folders, and one file that is not audio."""
    folder = tmp_path / "corpus"
    for i, name in enumerate(["a/one.wav", "a/two.flac", "b/three.ogg"]):
        save_audio(speech_like(16_000 * (i + 1), i), folder / name, 16_000)
    (folder / "b" / "notes.txt").write_text("not audio")
    return folder


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:  # typer exits after every command
        main()
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


class Shell:
    """Runs commands and remembers nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capture = monkeypatch, capsys

    def __call__(self, *arguments: object) -> str:
        code, out, err = run(self.patch, self.capture, *arguments)
        assert code == 0, err
        return out

    def fails(self, *arguments: object) -> str:
        code, _, err = run(self.patch, self.capture, *arguments)
        assert code == 1
        assert "Traceback" not in err
        return err.splitlines()[-1]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def test_demo_on_the_bundled_clip(shell: Shell) -> None:
    report = shell("demo")
    for word in ("duration", "codes", "tokens", "per second", "compression", "round_trip.wav"):
        assert word in report
    samples, rate = soundfile.read("round_trip.wav")
    clip = load_audio(demo_clip(), rate)
    assert abs(len(samples) - len(clip)) < 640
    assert samples.std() > 0.01


def test_demo_on_a_file_as_json(shell: Shell, corpus: Path) -> None:
    figures = json.loads(shell("demo", corpus / "a" / "two.flac", "--json", "--out", "new/b.flac"))
    assert figures["seconds"] == 2.0
    assert figures["num_codes"] == figures["num_codebooks"] * figures["num_frames"]
    assert figures["compression"] == round(figures["num_codes"] / figures["num_tokens"], 3)
    assert Path("new/b.flac").exists()


def test_demo_of_an_extended_processor(shell: Shell, processor: CodecBPEProcessor) -> None:
    processor.save_pretrained("own")
    extended = extend_tokenizer(bases.gpt2_like(), processor.tokenizer)
    CodecBPEProcessor.from_codec(processor.codec, extended).save_pretrained("extended")
    own, language_model = (
        json.loads(shell("demo", "-p", folder, "--json")) for folder in ("own", "extended")
    )
    first_id = extended.init_kwargs["codec_vocabularies"][0]["first_id"]
    assert min(language_model.pop("first_ids")) >= first_id
    assert own.pop("first_ids")
    assert language_model == own


def test_encode_train_decode(shell: Shell, corpus: Path) -> None:
    report = shell("encode", corpus, "codes")
    assert "3 clips encoded (6.0 s of audio), 0 shards there already, 0 clips failed" in report
    folder = CodeShards("codes")
    assert folder.names == ["a/one_c0", "a/two_c0", "b/three_c0"]
    codec = load_codec(demo_repo() / "codec")
    clip = load_audio(corpus / "b" / "three.ogg", codec.sampling_rate)
    assert np.array_equal(list(folder)[2], codec.encode([clip])[0])
    info = folder.info
    assert (info.num_codebooks, info.framerate) == (codec.num_codebooks, codec.frame_rate)

    size = sum(codec.codebook_sizes)
    report = shell("train", "codes", "--vocab-size", size + 50, "--special-token", "<x>")
    tokenizer = CodecBPETokenizer.from_pretrained("tokenizer")
    assert f"A tokenizer of {len(tokenizer)} tokens, trained on 3 of 3 clips (0.00 of" in report
    assert size + 2 < len(tokenizer) <= size + 50
    assert tokenizer.alphabet.codebook_sizes == codec.codebook_sizes
    clip = next(iter(folder))
    assert np.array_equal(tokenizer.ids_to_codes(tokenizer.codes_to_ids(clip)), clip)
    assert "<x>" in tokenizer.get_vocab()

    assert "3 files decoded" in shell("decode", "codes", "--extension", "flac")
    samples, rate = soundfile.read("decoded/b/three_c0.flac")
    (expected,) = codec.decode([list(folder)[2]])
    assert rate == codec.output_sampling_rate
    assert len(samples) == len(expected)


def test_a_disk_that_is_full_leaves_no_half_tokenizer(
    shell: Shell, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_pretrained(self: CodecBPETokenizer, folder: Path) -> None:
        folder.mkdir()
        (folder / "tokenizer.json").write_text('{"version":')
        raise OSError(errno.ENOSPC, "No space left on device")

    shell("encode", corpus, "codes")
    shell("train", "codes", "-o", "old", "--vocab-size", 2100)
    before = {path.name: path.read_bytes() for path in Path("old").iterdir()}
    monkeypatch.setattr(CodecBPETokenizer, "save_pretrained", save_pretrained)
    for out in ("old", "new"):
        assert "No space left" in shell.fails("train", "codes", "-o", out, "--vocab-size", 2200)
    assert {path.name: path.read_bytes() for path in Path("old").iterdir()} == before
    assert not Path("new").exists()
    assert not list(Path().glob(".*"))


def test_training_on_some_of_the_codes(shell: Shell, corpus: Path) -> None:
    shell("encode", corpus, "codes")
    size = ["--vocab-size", 5_000]
    assert "trained on 1 of 3 clips" in shell("train", "codes", *size, "--num-files", 1)
    assert "trained on 2 of 3 clips" in shell("train", "codes", *size, "--codes-filter", "a/")
    report = shell("train", "codes", *size, "--max-seconds", 0.5, "--seed", 1)
    assert "trained on 1 of 3 clips" in report
    training = CodecBPETokenizer.from_pretrained("tokenizer").init_kwargs["training"]
    assert training["num_clips"] == 1


def test_encoding_goes_on_where_it_stopped(shell: Shell, corpus: Path) -> None:
    npy = ["--format", "npy"]
    shell("encode", corpus / "a", "codes", *npy)
    kept = Path("codes/one_c0.npy").stat().st_mtime_ns
    (corpus / "a" / "four.wav").write_bytes((corpus / "a" / "one.wav").read_bytes())
    report = shell("encode", corpus / "a", "codes", *npy)
    assert "1 clips encoded (1.0 s of audio), 2 clips there already" in report
    assert Path("codes/one_c0.npy").stat().st_mtime_ns == kept
    assert "3 clips encoded" in shell("encode", corpus / "a", "codes", *npy, "--overwrite")


def test_a_job_array(shell: Shell, corpus: Path) -> None:
    shell("encode", corpus, "whole", "--shard-size", 1)
    for index in range(2):
        job = ["--num-shards", 2, "--shard-index", index]
        report = shell("encode", corpus / "a", corpus / "b", "codes", "--shard-size", 1, *job)
        assert f"{2 - index} clips encoded" in report
    codes = zip(CodeShards("whole"), CodeShards("codes"), strict=True)
    assert all(np.array_equal(a, b) for a, b in codes)


def test_codec_info_only(shell: Shell) -> None:
    shell("encode", "nothing", "codes", "--codec-info-only")
    info = json.loads(Path("codes/codec_info.json").read_text())
    assert info["framerate"] == load_codec(demo_repo() / "codec").frame_rate


def test_a_bad_file_touches_no_other(shell: Shell, corpus: Path) -> None:
    whole = shell("encode", corpus, "without")
    (corpus / "a" / "one-bad.wav").write_text("no audio")
    error = shell.fails("encode", corpus, "with")
    assert "one-bad.wav cannot be decoded" in error
    assert "3 clips encoded" in whole
    with_bad, without = CodeShards("with"), CodeShards("without")
    assert with_bad.names == without.names
    assert all(np.array_equal(a, b) for a, b in zip(with_bad, without, strict=True))


def test_two_files_never_become_one(shell: Shell, corpus: Path) -> None:
    save_audio(speech_like(9_000), corpus / "a" / "one.ogg", 16_000)
    assert "would both become" in shell.fails("encode", corpus, "codes", "--format", "npy")
    assert not Path("codes").exists()


def test_a_folder_holds_codes_of_one_making(shell: Shell, corpus: Path) -> None:
    npy = ["codes", "--format", "npy"]
    shell("encode", corpus / "a", *npy)
    error = shell.fails("encode", corpus / "b", *npy, "-k", 2)
    assert "made with other settings (codebook_sizes was [" in error
    all_of_them = load_codec(demo_repo() / "codec").num_codebooks
    assert f"num_codebooks was {all_of_them}, is 2" in error
    assert "chunk_seconds" in shell.fails("encode", corpus / "b", *npy, "--chunk-seconds", 1)
    Path("codes/encoding.json").unlink()
    assert "no encoding.json" in shell.fails("encode", corpus / "b", *npy)
    shell("encode", corpus / "b", "other", "--format", "npy")
    shell("encode", corpus / "b", "shards")
    for path, key in (("other/codec_info.json", "framerate"), ("shards/codec.json", "frame_rate")):
        info = json.loads(Path(path).read_text())
        Path(path).write_text(json.dumps({**info, key: 12.5}))
        assert f"whose {key} is 12.5" in shell.fails("decode", Path(path).parent)


def test_chunks_are_decoded_in_one_piece(shell: Shell, corpus: Path) -> None:
    chunks = ("--chunk-seconds", 0.5)
    shell("encode", corpus, "whole", *chunks)
    shell("encode", corpus, "chunks", *chunks, "--format", "npy", "--file-per-chunk")
    sounds = []
    for folder in ("whole", "chunks"):
        assert "3 files decoded" in shell("decode", folder, "--out", f"{folder}-audio")
        files = sorted(Path(f"{folder}-audio").rglob("*.*"))
        names = [file.relative_to(f"{folder}-audio").as_posix() for file in files]
        assert names == ["a/one_c0.wav", "a/two_c0.wav", "b/three_c0.wav"]
        sounds.append([soundfile.read(file)[0] for file in files])
    assert all(map(np.array_equal, *sounds))


@pytest.mark.parametrize(("layout", "note"), [("npy", "encoding.json"), ("parquet", "codec.json")])
def test_codes_are_not_decoded_by_another_codec_of_the_same_kind(
    shell: Shell, corpus: Path, tmp_path: Path, layout: str, note: str
) -> None:
    codec = load_codec(demo_repo() / "codec")
    with torch.no_grad():
        next(codec.model.parameters()).add_(1.0)
    codec.save_pretrained(tmp_path / "other")
    shell("encode", corpus / "a", "codes", "--format", layout, "-c", tmp_path / "other")
    error = shell.fails("decode", "codes")
    assert f"made by a local codec of the family {codec.family}, whose fingerprint is" in error
    assert "pass its folder as --codec" in error
    assert not Path("decoded").exists()
    shell("decode", "codes", "-c", tmp_path / "other")

    path = Path("codes", note)  # as if the codec were one of the Hub
    hub = {"name_or_path": "kyutai/mimi", "revision": "abc", "fingerprint": None}
    path.write_text(json.dumps({**json.loads(path.read_text()), **hub}))
    mimi = load_codec(demo_repo() / "codec")
    mimi.name_or_path, mimi.revision = "kyutai/mimi", "def"
    shell.patch.setattr("hf_codec_bpe.cli.decode.open_codec", lambda *_, **__: mimi)
    error = shell.fails("decode", "codes")
    assert "made by kyutai/mimi, whose revision is abc, but the codec's is def" in error
    assert "pass --codec kyutai/mimi --revision abc" in error
    mimi.revision = "abc"
    shell("decode", "codes")


def test_two_clips_never_become_one_file(shell: Shell, corpus: Path) -> None:
    save_audio(speech_like(9_000), corpus / "a" / "one.ogg", 16_000)
    shell("encode", corpus / "a", "codes")
    assert "would both become decoded/one_c0.wav" in shell.fails("decode", "codes")
    assert not Path("decoded").exists()


def test_a_damaged_note_of_how_codes_were_made_is_named(shell: Shell, corpus: Path) -> None:
    for layout in ("npy", "parquet"):
        shell("encode", corpus / "a", layout, "--format", layout)
        for text in ('{"family":', "[1]"):
            Path(layout, "encoding.json").write_text(text)
            error = shell.fails("encode", corpus / "a", layout, "--format", layout)
            assert f"{layout}/encoding.json" in error
            assert "restore it, or encode to another folder" in error


@pytest.mark.parametrize(
    ("note", "text", "reason"),
    [
        ("codec.json", "{}", "no family"),
        ("codec.json", "[]", "it holds '[]', not an object of names and values"),
        ("codec.json", '{"family": "dac", "num_codebooks": "8"}', "its num_codebooks is '8'"),
        ("encoding.json", "{}", "no shard_size"),
    ],
)
def test_a_note_that_lacks_what_is_read_from_it_is_named(
    shell: Shell, corpus: Path, note: str, text: str, reason: str
) -> None:
    shell("encode", corpus / "a", "codes")
    Path("codes", note).write_text(text)
    for command in (["train", "codes", "--out", "tokenizer"], ["decode", "codes"]):
        error = shell.fails(*command)
        assert f"codes/{note}" in error
        assert reason in error
        assert "restore it, or " in error
    if note == "codec.json":  # what the error says to do
        Path("codes", note).unlink()
        shell("encode", corpus / "a", "codes")
        shell("decode", "codes")


def test_a_damaged_note_of_what_failed_is_named(shell: Shell, corpus: Path) -> None:
    shell("encode", corpus, "codes")
    Path("codes/errors").mkdir()
    note = Path("codes/errors/train-00000.jsonl")
    note.write_text('{"id": "a')
    error = shell.fails("encode", corpus, "codes")
    assert f"{note}, which says what could not be encoded, cannot be read" in error
    assert "remove it and data/train-00000.parquet" in error
    note.unlink()
    shell("encode", corpus, "codes")


def test_a_model_that_is_not_whole_is_named(shell: Shell) -> None:
    bases.gpt2_like().save_pretrained("llm")
    LlamaConfig(hidden_size=64, num_hidden_layers=1).save_pretrained("llm")
    Path("llm/model.safetensors").write_bytes(b"half")
    error = shell.fails("extend", "llm", "demo", "new", "--model")
    assert "llm could not be loaded: it must be a folder that save_pretrained wrote" in error
    assert not Path("new").exists()


def test_encode_options(shell: Shell, tmp_path: Path) -> None:
    stereo = np.stack([speech_like(8_000, 1), speech_like(8_000, 2)])
    save_audio(stereo, tmp_path / "in" / "clip.wav", 16_000)
    options = ["--stereo", "--chunk-seconds", 0.2, "--context-seconds", 0.4, "-k", 2]
    shell("encode", tmp_path / "in", "codes", "--format", "npy", *options)
    codec = load_codec(demo_repo() / "codec", num_codebooks=2)
    channels = [
        load_audio(c, 16_000, source_rate=16_000)
        for c in soundfile.read(tmp_path / "in/clip.wav")[0].T
    ]
    expected = codec.encode(channels, chunk_seconds=0.2, context_seconds=0.4)
    folder = CodesFolder("codes")
    assert [file.name for file in folder.files] == ["clip_c0.npy", "clip_c1.npy"]
    assert all(np.array_equal(a, b) for a, b in zip(folder, expected, strict=True))
    assert "no audio" in shell.fails("encode", tmp_path / "in", "x", "--audio-filter", "nowhere")
    assert "no audio" in shell.fails("encode", tmp_path / "in", "x", "--extension", ".mp3")
    assert "1 clips encoded" in shell("encode", tmp_path / "in", "x", "--extension", "WAV")


def test_bad_numbers_are_refused(shell: Shell, corpus: Path) -> None:
    shell("encode", corpus, "codes")
    assert "0x4E00" in shell.fails("train", "codes", "--unicode-offset", "zzz")
    for option, value in (("--num-files", -1), ("-k", 0), ("--frame-rate", 0)):
        code, _, err = run(shell.patch, shell.capture, "train", "codes", option, value)
        assert code == 2
        assert "Invalid value for" in err
        assert f"{option}'" in err
    (corpus / "file").touch()
    size = ["--vocab-size", 2_000]
    assert "is a file" in shell.fails("train", "codes", *size, "--out", corpus / "file")


def test_train_on_a_folder_of_codec_bpe(shell: Shell, tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 8, (1, 2, 50))
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy" / "x_c0.npy", codes)
    error = shell.fails("train", tmp_path / "npy")
    assert "no codec_info.json: pass --num-codebooks" in error
    shell(
        "train", tmp_path / "npy", "-k", 2, "--codebook-size", 8, "--chunk-seconds", 0,
        "--vocab-size", 40, "--unicode-offset", "0x4E00", "--max-token-codebook-ngrams", 0,
        "--pad-token", "", "--bos-token", "",
    )  # fmt: skip
    tokenizer = CodecBPETokenizer.from_pretrained("tokenizer")
    assert tokenizer.alphabet.unicode_offset == 0x4E00
    assert (tokenizer.pad_token, tokenizer.bos_token) == (None, None)
    assert len(tokenizer) == 16


def test_presets(shell: Shell) -> None:
    table = shell("presets").splitlines()
    loadable = [name for name, preset in presets().items() if not preset.unsupported]
    assert [line.split()[0] for line in table[1:]] == loadable
    assert all(len(line) <= 120 for line in table)
    listed = json.loads(shell("presets", "--json"))
    assert [preset["name"] for preset in listed] == list(presets())
    assert {"hub_id", "frame_rate", "bandwidth", "tokenizer"} <= set(listed[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "missing.wav"], "There is no audio file at missing.wav"),
        (["demo", "-p", "nowhere"], "nowhere"),
        (["encode", "missing.wav", "codes"], "There is no audio file or folder at missing.wav"),
        (["train", "missing"], "There are no codes in missing"),
        (["decode", "missing"], "There are no codes in missing"),
        (
            ["encode", "--device", "banana", str(demo_clip()), "codes"],
            "device='banana' cannot be used",
        ),
    ],
)
def test_errors_are_one_sentence(shell: Shell, arguments: list[str], message: str) -> None:
    error = shell.fails(*arguments)
    assert error.startswith("Error: ")
    assert message in error


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", "--debug", "demo", "missing.wav"])
    with pytest.raises(FileNotFoundError):
        main()


def test_version(shell: Shell) -> None:
    from hf_codec_bpe import __version__

    assert shell("--version").strip() == __version__


def test_debug_works_behind_the_command_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", "demo", "missing.wav", "--debug"])
    with pytest.raises(FileNotFoundError):
        main()


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--out", "file/x.wav"],
        ["train", "codes", "--out", "file"],
        ["decode", "codes", "--out", "file/x"],
        ["evaluate", "demo", str(demo_clip()), "--out", "file"],
        ["report", "demo", str(demo_clip()), "--out", "file"],
    ],
)
def test_a_bad_output_is_an_error_before_any_work(shell: Shell, arguments: list[str]) -> None:
    Path("file").touch()
    _some_codes()
    error = shell.fails(*arguments)
    assert error.startswith("Error: file")
    assert "Check the path, or choose another." in error
    assert "Errno" not in error


def test_a_clip_without_codes_has_no_sound(shell: Shell) -> None:
    _some_codes()
    np.save("codes/w_c0.npy", np.load("codes/x_c0.npy")[:, :0])  # shorter than a frame
    assert "1 files decoded" in shell("decode", "codes")
    assert [path.name for path in Path("decoded").iterdir()] == ["x_c0.wav"]


def _some_codes() -> None:
    codec = load_codec(demo_repo() / "codec")
    Path("codes").mkdir()
    np.save("codes/x_c0.npy", np.zeros((codec.num_codebooks, 9), dtype=np.int32))
    codec_info(codec).save("codes")


@pytest.mark.parametrize(
    "arguments",
    [["demo", "--out", "there.wav"], ["pack", "codes", "demo", "there.parquet"]],
)
def test_a_folder_is_no_file_to_write(shell: Shell, arguments: list[str]) -> None:
    _some_codes()
    Path(arguments[-1]).mkdir()
    error = shell.fails(*arguments)
    assert error.startswith(f"Error: {arguments[-1]}: This is a folder, not a file.")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--out", "/proc/x.wav"],
        ["pack", "codes", "demo", "/proc/x.parquet"],
        ["decode", "codes", "--out", "/proc"],
    ],
)
def test_a_folder_for_nobody_is_an_error_before_any_work(
    shell: Shell, arguments: list[str]
) -> None:
    _some_codes()
    assert "/proc: No file can be made in this folder." in shell.fails(*arguments)


def test_no_folder_appears_for_what_cannot_begin(shell: Shell) -> None:
    for command in ("decode", "train"):
        assert "There are no codes in missing" in shell.fails(command, "missing", "-o", "new")
    _some_codes()
    for ending in ("txt", "opus"):
        error = shell.fails("decode", "codes", "-o", "new", "--extension", ending)
        assert f"new/x_c0.{ending} names no audio format" in error
    assert "names no audio format" in shell.fails("demo", "-o", "new/x.txt")
    for arguments in (
        ["train", "codes", "--vocab-size", 5],
        ["decode", "codes", "--codec", "codes"],
        ["report", "demo", "missing"],
        ["evaluate", "demo", "missing"],
        ["demo", "missing.wav"],
    ):
        shell.fails(*arguments, "-o", "new/x.wav")
    shell.fails("pack", "codes", "demo", "new/x.parquet", "-l", 1)
    assert not Path("new").exists()


def test_a_clip_is_not_written_over(shell: Shell, corpus: Path) -> None:
    clip = corpus / "a" / "one.wav"
    before = clip.read_bytes()
    assert "is the clip itself" in shell.fails(
        "demo", clip, "-o", corpus / "b" / ".." / "a" / "one.wav"
    )
    assert clip.read_bytes() == before


def test_errors_name_the_options_of_the_command_line(shell: Shell) -> None:
    _some_codes()
    pack = ["pack", "codes", "demo", "out.parquet", "--audio-start-token", ""]
    pack += ["--audio-end-token", "", "--no-eos"]
    assert "(add_eos_token=True, or --eos)" in shell.fails(*pack, "--no-bos", "--join-clips")
    for name in ("bos", "eos"):  # the demo's tokenizer has neither
        assert f"or --no-{name})" in shell.fails(*pack, f"--{name}")
    error = shell.fails("train", "codes", "--chunk-seconds", 0.001)
    assert "(--chunk-seconds) is shorter than a frame of" in error
    bases.gpt2_like().save_pretrained("base")
    error = shell.fails("extend", "base", "demo", "new", "--audio-token", "")
    assert "pass different strings" in error
    assert "(on the command line, with '')" in error


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes only there")
def test_a_name_that_is_not_utf8_is_said_to_be_so(shell: Shell) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    shutil.copy(demo_clip(), name)
    assert r"udce9.wav' is not UTF-8: rename the file" in shell.fails("demo", name)
    with pytest.raises(AudioFileError, match="is not UTF-8"):
        load_audio(name, 16_000)


def test_a_terminal_without_a_character_is_no_error(shell: Shell) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    shell.patch.setattr(sys, "argv", ["hf-codec-bpe", "demo"])
    shell.patch.setattr(sys, "stdout", stdout)
    shell.patch.setattr("hf_codec_bpe.cli.demo._report", lambda _: "better \u2191")
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert stdout.buffer.getvalue().strip() == b"better ?"


def test_junk_is_no_codes_and_a_folder_no_clip(shell: Shell, corpus: Path) -> None:
    Path("junk").mkdir()
    Path("junk/a_c0.npy").write_text("hello")
    assert "remove it, or encode its clip again" in shell.fails("decode", "junk")
    assert "is a folder: name one audio file" in shell.fails("demo", corpus)


def test_what_nobody_foresaw_is_a_sentence_too(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_codec_bpe.bundled.demo_clip", lambda: 1 / 0)
    assert "ZeroDivisionError: division by zero" in shell.fails("demo")


def test_an_empty_argument_is_not_the_current_folder(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "codes"
    for arguments in (["", out], ["--stereo", "", out], ["--", "", out], [demo_clip(), ""]):
        assert "An argument is empty" in shell.fails("encode", *arguments)
    assert "An argument is empty" in shell.fails("train", out, "--out", "")
    assert "An argument is empty" in shell.fails("push", out, "user/name", "--token", "")


def test_numbers_are_finite(shell: Shell) -> None:
    for command, option in (("train", "--chunk-seconds"), ("pack", "--overlap-seconds")):
        code, _, err = run(shell.patch, shell.capture, command, "x", "y", "z", option, "inf")
        assert code == 2
        assert "inf is not a finite number" in err


def test_every_option_that_is_a_number_is_checked() -> None:
    numbers = [
        hint
        for command in app.registered_commands
        for hint in get_type_hints(command.callback, include_extras=True).values()
        if get_origin(hint) is Annotated and float in (hint.__origin__, *get_args(hint.__origin__))
    ]
    assert len(numbers) > 5
    assert all(option.callback is check_finite for hint in numbers for option in hint.__metadata__)


def test_help_lists_every_command_as_a_whole_sentence(shell: Shell) -> None:
    page = shell("--help")
    assert page.index("Try it:") < page.index("\n  demo ") < page.index("Make a tokenizer:")
    assert "..." not in page.partition("Try it:")[2]
    assert "Other commands" not in page
