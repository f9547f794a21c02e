"""Hostile repositories: what they try, and that it is refused, runs nothing and writes nothing.

Each attack changes a sound repository that a stranger could publish. Whatever happens then, it is
an error of ours within seconds, or the attack is without effect.
"""

from __future__ import annotations

import json
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoProcessor, AutoTokenizer

from hf_codec_bpe import (
    CodecBPEProcessor,
    CodecBPETokenizer,
    CodecVocabulary,
    extend_tokenizer,
    load_codec,
)
from hf_codec_bpe.errors import CodecBPEError, RepositoryError

from . import bases

SECONDS = 20.0
"""More than any refusal takes on a busy machine, far less than what it spares."""

Attack = Callable[[Path], None]


@pytest.fixture(scope="module")
def sound(processor: CodecBPEProcessor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "repository"
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def repository(sound: Path, tmp_path: Path) -> Path:
    """A copy of a sound repository, some folders deep in a place that is otherwise empty."""
    return Path(shutil.copytree(sound, tmp_path / "place" / "user" / "repository"))


@pytest.fixture(autouse=True)
def _nothing_outside_changes(tmp_path: Path) -> Any:
    yield
    strays = [
        path
        for path in (tmp_path / "place").rglob("*")
        if path.is_file() and "repository" not in path.parts and "outside" not in path.parts
    ]
    assert strays == []


def change(file: str, **values: Any) -> Attack:
    """Sets keys of a JSON file."""

    def attack(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return attack


def change_model(**values: Any) -> Attack:
    """Sets keys of the BPE in tokenizer.json; functions get the old value."""

    def attack(folder: Path) -> None:
        path = folder / "tokenizer.json"
        backend = json.loads(path.read_text())
        for key, value in values.items():
            backend["model"][key] = value(backend["model"][key])
        path.write_text(json.dumps(backend))

    return attack


def write(file: str, text: str) -> Attack:
    return lambda folder: (folder / file).write_text(text) and None


def pin(**values: Any) -> Attack:
    """Sets keys of the codec's pin."""

    def attack(folder: Path) -> None:
        path = folder / "processor_config.json"
        config = json.loads(path.read_text())
        config["codec"].update(values)
        path.write_text(json.dumps(config))

    return attack


def huge_file(folder: Path) -> None:
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(10**10)  # sparse: takes no room on this disk


def second_id(vocabulary: dict[str, int]) -> dict[str, int]:
    return {token: max(at, 1) for token, at in vocabulary.items()}


def million_merges(merges: list[list[str]]) -> list[list[str]]:
    return merges[:1] * 10**6


def duplicate_keys(folder: Path) -> None:
    path = folder / "tokenizer.json"
    text = path.read_text()
    first = next(iter(json.loads(text)["model"]["vocab"]))
    key = json.dumps(first, ensure_ascii=False)
    assert '"vocab": {' in text
    path.write_text(text.replace('"vocab": {', f'"vocab": {{{key}: 7,', 1))


DEEP = "[" * 200_000 + "]" * 200_000
TOKENIZER_ATTACKS: dict[str, Attack] = {
    "absolute vocab_file": change("tokenizer_config.json", vocab_file="/etc/passwd"),
    "tokenizer_file elsewhere": change("tokenizer_config.json", tokenizer_file="../../other.json"),
    "nested config": write("tokenizer_config.json", '{"a": ' + DEEP + "}"),
    "nested tokenizer": write("tokenizer.json", '{"model": ' + DEEP + "}"),
    "a config that is a list": write("tokenizer_config.json", "[]"),
    "huge file": huge_file,
    "no JSON": write("tokenizer.json", "\x00\x01"),
    "enormous id": change_model(vocab=lambda v: {**v, "x": 2**31}),
    "overflowing id": change_model(vocab=lambda v: {**v, "x": 2**70}),
    "negative id": change_model(vocab=lambda v: {**v, "x": -1}),
    "fractional id": change_model(vocab=lambda v: {**v, "x": 0.5}),
    "one id for two": change_model(vocab=second_id),
    "one token twice": duplicate_keys,
    "a million merges": change_model(merges=million_merges),
    "merges of nothing": change_model(merges=lambda m: [*m, ["no", "such"]]),
    "an alphabet beyond Unicode": change("tokenizer_config.json", codebook_sizes=[10**30]),
    "a million codebooks": change("tokenizer_config.json", codebook_sizes=[1] * 1_000_000),
    "codebooks of text": change("tokenizer_config.json", codebook_sizes=["4"]),
    "a larger alphabet than vocabulary": change("tokenizer_config.json", codebook_sizes=[9000]),
    "an offset beyond Unicode": change("tokenizer_config.json", unicode_offset=2**40),
}
PROCESSOR_ATTACKS: dict[str, Attack] = {
    "nested config": write("processor_config.json", '{"codec": ' + DEEP + "}"),
    "a config that is a list": write("processor_config.json", "[]"),
    "a codec's config that is null": write("codec/config.json", "null"),
    "a codec's extractor that is a list": write("codec/preprocessor_config.json", "[]"),
    "a codec outside": pin(name_or_path="../../outside", revision="0" * 40),
    "an absolute codec": pin(name_or_path="/etc", revision="0" * 40),
    "a codec's settings as options": pin(settings={"cache_dir": "../../place"}),
    "settings of another kind": pin(settings=[1]),
    "codebooks of text": pin(codebook_sizes="16161616"),
    "endless frames": pin(frame_rate=float("inf")),
    "no rate": pin(sampling_rate=0),
    "a type of weights that runs": pin(dtype="os.system"),
    "an unknown family": pin(family="../../evil"),
}


TRANSFORMERS_OWN = (RecursionError, AttributeError)
"""What the Auto classes raise where they stumble before it is our turn."""


def refused(action: Callable[[], Any], *others: type[Exception]) -> None:
    started = time.monotonic()
    with pytest.raises((CodecBPEError, *others)) as caught:
        action()
    assert time.monotonic() - started < SECONDS
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("attack", TOKENIZER_ATTACKS.values(), ids=TOKENIZER_ATTACKS)
def test_tokenizers(repository: Path, attack: Attack) -> None:
    attack(repository)
    refused(lambda: CodecBPETokenizer.from_pretrained(repository).alphabet)
    refused(lambda: AutoProcessor.from_pretrained(repository), *TRANSFORMERS_OWN)


def test_other_json_than_an_object_is_named(repository: Path) -> None:
    for file in ("processor_config.json", "tokenizer_config.json", "config.json"):
        text = (repository / file).read_text()
        (repository / file).write_text("[]")
        with pytest.raises(RepositoryError, match="must hold a JSON object") as caught:
            CodecBPEProcessor.from_pretrained(repository)
        assert file in str(caught.value)
        assert "again" in str(caught.value)
        (repository / file).write_text(text)


@pytest.mark.parametrize("attack", PROCESSOR_ATTACKS.values(), ids=PROCESSOR_ATTACKS)
def test_processors(repository: Path, attack: Attack) -> None:
    attack(repository)
    refused(lambda: CodecBPEProcessor.from_pretrained(repository).codec)
    refused(lambda: AutoProcessor.from_pretrained(repository).codec, *TRANSFORMERS_OWN)


@pytest.mark.parametrize(
    "entries",
    [
        5,
        [5],
        [{"codebook_sizes": [4]}],
        [{"codebook_sizes": [4], "unicode_offset": 0xF0000, "first_id": 10**12}],
        [{"codebook_sizes": [10**9], "unicode_offset": 0xF0000, "first_id": 0}],
    ],
)
def test_extended_tokenizers(processor: CodecBPEProcessor, entries: Any) -> None:
    tokenizer = extend_tokenizer(bases.gpt2_like(), processor.tokenizer)
    tokenizer.init_kwargs["codec_vocabularies"] = entries
    refused(lambda: CodecVocabulary.of(tokenizer))


# Code: nothing of a repository is ever run.


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.mark, "run")


def plant(folder: Path, mark: Path) -> None:
    """A module that writes a file when it is imported."""
    code = f"import pathlib\npathlib.Path({str(mark)!r}).write_text('run')\n"
    (folder / "evil.py").write_text(code + "class Evil:\n    pass\n")


@pytest.mark.parametrize(
    ("file", "entry"),
    [
        ("processor_config.json", {"AutoProcessor": "evil.Evil"}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "evil.Evil"]}),
        ("codec/config.json", {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}),
        ("codec/preprocessor_config.json", {"AutoFeatureExtractor": "evil.Evil"}),
    ],
)
def test_code_in_a_repository_is_not_run(
    repository: Path, tmp_path: Path, file: str, entry: dict[str, Any]
) -> None:
    mark = tmp_path / "mark"
    for folder in (repository, repository / "codec"):
        plant(folder, mark)
    change(file, auto_map=entry)(repository)
    assert AutoProcessor.from_pretrained(repository).codec.num_codebooks == 4
    assert not mark.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.bin"])
def test_pickles_are_not_read(repository: Path, tmp_path: Path, name: str) -> None:
    mark = tmp_path / "mark"
    (repository / "codec" / name).write_bytes(pickle.dumps(Bomb(mark)))
    assert AutoProcessor.from_pretrained(repository).codec.num_codebooks == 4
    (repository / "codec" / "model.safetensors").unlink()
    refused(lambda: AutoProcessor.from_pretrained(repository).codec)
    assert not mark.exists()


def test_pickles_named_safetensors(repository: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (repository / "codec" / "model.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    refused(lambda: load_codec(repository / "codec"))
    assert not mark.exists()


# Files: nothing outside of the repository is read or written.


def test_weights_elsewhere(repository: Path) -> None:
    outside = repository.parents[1] / "outside"
    outside.mkdir()
    weights = repository / "codec" / "model.safetensors"
    weights.rename(outside / "model.safetensors")
    index = {"metadata": {}, "weight_map": {"x": "../../../outside/model.safetensors"}}
    (repository / "codec" / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(lambda: load_codec(repository / "codec"))


@pytest.mark.parametrize("name", ["../../../evil", "/tmp/hf_codec_bpe_evil", "..\\evil"])
def test_templates_named_like_paths(repository: Path, tmp_path: Path, name: str) -> None:
    templates = [{"name": "default", "template": "x"}, {"name": name, "template": "evil"}]
    change("tokenizer_config.json", chat_template=templates)(repository)
    refused(lambda: AutoTokenizer.from_pretrained(repository))


def test_a_model_larger_than_its_weights(repository: Path) -> None:
    change("codec/config.json", hidden_size=10**7, num_filters=10**6)(repository)
    refused(lambda: load_codec(repository / "codec"))
