"""The tokenizer: codes to ids and back, and files that others read."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_bpe.core.trainer import Trainer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hf_codec_bpe import CodecBPETokenizer, codes_to_chars, train_tokenizer
from hf_codec_bpe.errors import AlphabetError, CodesError, TokenizerError

SIZES = [8, 5, 3]


def random_codes(seed: int, frames: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, frames) for size in SIZES])


TOKENIZER = train_tokenizer(
    [random_codes(seed) for seed in range(20)],
    codebook_sizes=SIZES,
    vocab_size=80,
    bos_token="<s>",
    additional_special_tokens=["<audio>"],
)


@settings(deadline=None)  # the first call may compile
@given(st.integers(0, 2**32), st.integers(0, 30))
def test_round_trip(seed: int, frames: int) -> None:
    codes = random_codes(seed, frames)
    ids = TOKENIZER.codes_to_ids(codes)
    assert np.array_equal(TOKENIZER.ids_to_codes(ids), codes)
    assert TOKENIZER.ids_to_codes(ids).shape == codes.shape
    text = TOKENIZER.alphabet.to_text(codes)
    assert TOKENIZER(text)["input_ids"] == ids
    assert TOKENIZER.decode(ids) == text


def test_merges_shorten() -> None:
    codes = random_codes(1)
    assert len(TOKENIZER.codes_to_ids(codes)) < codes.size


def test_special_tokens_are_left_out_and_padding_too() -> None:
    codes = random_codes(2)
    text = TOKENIZER.alphabet.to_text(codes)
    batch = TOKENIZER([f"<s><audio>{text}", text[:30]], padding=True, return_tensors="pt")
    assert np.array_equal(TOKENIZER.ids_to_codes(batch["input_ids"][0]), codes)
    assert np.array_equal(TOKENIZER.ids_to_codes(batch["input_ids"][1].numpy()), codes[:, :10])


def test_broken_ids() -> None:
    ids = TOKENIZER.convert_tokens_to_ids(list(TOKENIZER.alphabet.to_text(random_codes(3, 4))))
    broken = [ids[1], *ids, ids[4]]
    with pytest.raises(AlphabetError, match="codebook 0 is due"):
        TOKENIZER.ids_to_codes(broken)
    # The first token belongs to codebook 1, so that the first frame is out of turn.
    assert np.array_equal(TOKENIZER.ids_to_codes(broken, errors="drop"), random_codes(3, 4)[:, 1:])
    for bad in (
        [len(TOKENIZER)],
        [-1],
        [-100, *ids],
        [2**40],
        [[1, 2]],
        [0.5],
        torch.zeros(2, 2, dtype=torch.int64),
    ):
        with pytest.raises(TokenizerError):
            TOKENIZER.ids_to_codes(bad)


def test_codes_that_do_not_fit() -> None:
    with pytest.raises(AlphabetError, match="Code 8 at codebook 0"):
        TOKENIZER.codes_to_ids([[8], [0], [0]])
    with pytest.raises(CodesError):
        TOKENIZER.codes_to_ids([[0], [0]])


@pytest.mark.parametrize("text", ["hello", ["<s>", "x"], "<s>\U000f0000 "])
def test_foreign_text_is_refused_not_dropped(text: object) -> None:
    with pytest.raises(TokenizerError, match="is not a code character"):
        TOKENIZER(text)


def test_special_tokens_that_are_split_are_foreign_text() -> None:
    tokenizer = copy.deepcopy(TOKENIZER)
    text = tokenizer.alphabet.to_text(random_codes(3, 4))
    expected = tokenizer(text)["input_ids"]
    assert tokenizer(text, split_special_tokens=True)["input_ids"] == expected
    with pytest.raises(TokenizerError, match="is not a code character"):
        tokenizer(f"<s>{text}", split_special_tokens=True)
    tokenizer.split_special_tokens = True
    with pytest.raises(TokenizerError, match="is not a code character"):
        tokenizer(f"<s>{text}")
    assert tokenizer(f"<s>{text}", split_special_tokens=False)["input_ids"][1:] == expected


def test_an_unknown_token_takes_foreign_text_but_is_never_decoded_silently() -> None:
    tokenizer = train_tokenizer([], codebook_sizes=[4], vocab_size=9, unk_token="<unk>")
    ids = tokenizer(tokenizer.alphabet.to_text([[1]]) + "?")["input_ids"]
    assert tokenizer.unk_token_id in ids
    with pytest.raises(AlphabetError):
        tokenizer.ids_to_codes(ids)
    assert tokenizer.ids_to_codes(ids, errors="drop").tolist() == [[1]]


def test_an_unknown_token_named_after_training_drops_no_text_silently(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    added = copy.deepcopy(TOKENIZER)
    added.add_special_tokens({"unk_token": "<unk>"})
    for tokenizer in (added, AutoTokenizer.from_pretrained(tmp_path, unk_token="<unk>")):
        assert tokenizer.unk_token == "<unk>"
        with pytest.raises(TokenizerError, match=r"'h'.* position 0 is not a code character"):
            tokenizer("hello")
        assert tokenizer("<unk>")["input_ids"] == [tokenizer.unk_token_id]


def test_saved_files_say_all_and_nothing_of_this_machine(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path / "once")
    CodecBPETokenizer.from_pretrained(tmp_path / "once", local_files_only=True).save_pretrained(
        tmp_path / "twice"
    )
    once, twice = (
        json.loads((tmp_path / name / "tokenizer_config.json").read_text())
        for name in ("once", "twice")
    )
    assert once == twice
    assert once["codebook_sizes"] == SIZES
    assert once["unicode_offset"] == 0xF0000
    assert once["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert str(tmp_path) not in json.dumps(once)
    assert not {"is_local", "local_files_only"} & set(once)


def test_everybody_reads_the_files_alike(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    codes = random_codes(5)
    text, ids = TOKENIZER.alphabet.to_text(codes), TOKENIZER.codes_to_ids(codes)
    ours = AutoTokenizer.from_pretrained(tmp_path)
    assert type(ours) is CodecBPETokenizer
    assert ours.codes_to_ids(codes) == ids
    assert ours.all_special_tokens == TOKENIZER.all_special_tokens
    assert ours.get_vocab() == TOKENIZER.get_vocab()
    plain = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert plain(text)["input_ids"] == ids
    assert plain.decode(ids) == text
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(text).ids == ids


@pytest.mark.parametrize("first", ["tokenizer", "model"])
@pytest.mark.parametrize("family", ["qwen2", "qwen3_5_text", "mistral", "phi3", "llama", "gpt2"])
def test_a_model_beside_changes_nothing(family: str, first: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    if first == "model":
        config.write_text(json.dumps({"model_type": family}))
    TOKENIZER.save_pretrained(tmp_path)
    config.write_text(json.dumps({"model_type": family}))
    codes = random_codes(5)
    for trust in (None, True):
        loaded = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=trust)
        assert isinstance(loaded, CodecBPETokenizer)
        assert loaded.codes_to_ids(codes) == TOKENIZER.codes_to_ids(codes)
        text = TOKENIZER.alphabet.to_text(codes)
        assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]


_READER = """
import json, sys
sys.modules["hf_codec_bpe"] = None  # as if it was not installed
from transformers import AutoTokenizer
folders, text = json.loads(sys.argv[1]), sys.argv[2]
print(json.dumps([AutoTokenizer.from_pretrained(name)(text)["input_ids"] for name in folders]))
"""


def test_without_the_plugin_a_model_beside_changes_nothing(tmp_path: Path) -> None:
    text = TOKENIZER.alphabet.to_text(random_codes(5))
    folders = []
    for family in (None, "qwen2", "mistral", "llama"):
        folders.append(str(tmp_path / str(family)))
        TOKENIZER.save_pretrained(folders[-1])
        if family:
            Path(folders[-1], "config.json").write_text(json.dumps({"model_type": family}))
    done = subprocess.run(
        [sys.executable, "-c", _READER, json.dumps(folders), text],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,  # nobody to ask about code
        timeout=300,
    )
    assert json.loads(done.stdout) == [TOKENIZER(text)["input_ids"]] * len(folders)


@pytest.mark.parametrize(
    ("num_codebooks", "size", "offset", "skip_noncharacters"),
    [(3, 16, 0x4E00, True), (1, 9_000, 0xE000, False), (2, 16, 0xF0000, True)],
)
def test_tokenizers_of_codec_bpe(
    num_codebooks: int, size: int, offset: int, skip_noncharacters: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, min(size, 12), (num_codebooks, 60)) for _ in range(5)]
    for i, clip in enumerate(codes):
        np.save(tmp_path / f"{i}_c0.npy", clip)
    trainer = Trainer(
        num_codebooks,
        size,
        vocab_size=num_codebooks * size + 60,
        pad_token="<pad>",
        unicode_offset=offset,
    )
    theirs = trainer.train(str(tmp_path))
    theirs.save_pretrained(tmp_path / "tokenizer")
    ours = CodecBPETokenizer.from_pretrained(
        tmp_path / "tokenizer",
        codebook_sizes=[size] * num_codebooks,
        unicode_offset=offset,
        skip_noncharacters=skip_noncharacters,
    )
    for clip in codes:
        text = codes_to_chars(clip, size, unicode_offset=offset)
        assert ours.codes_to_ids(clip) == theirs(text)["input_ids"]
        assert np.array_equal(ours.ids_to_codes(theirs(text)["input_ids"]), clip)
    ours.save_pretrained(tmp_path / "again")
    again = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert again.codes_to_ids(codes[0]) == ours.codes_to_ids(codes[0])


def test_a_tokenizer_must_say_its_alphabet_and_have_it(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del config["codebook_sizes"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(TokenizerError, match=r"codebook_sizes=\[\.\.\.\]"):
        CodecBPETokenizer.from_pretrained(tmp_path).codes_to_ids([[0], [0], [0]])
    for sizes in ([15], [8, 5], [8, 5, 2]):
        fewer = CodecBPETokenizer.from_pretrained(tmp_path, codebook_sizes=sizes)
        with pytest.raises(TokenizerError, match="has 16 characters, but CodebookAlphabet"):
            fewer.codes_to_ids([[0]] * len(sizes))
    wrong = CodecBPETokenizer.from_pretrained(tmp_path, codebook_sizes=[99] * 3)
    with pytest.raises(TokenizerError, match="lacks 281 of the 297 characters"):
        wrong.codes_to_ids([[0], [0], [0]])


def test_source_is_never_copied_into_repositories(tmp_path: Path) -> None:
    CodecBPETokenizer.register_for_auto_class()
    TOKENIZER.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.py")] == ["processor_stub.py"]


def test_special_tokens_that_begin_alike() -> None:
    tokens = ["<a>", "<a>b"]
    tokenizer = train_tokenizer(
        [], codebook_sizes=[4], vocab_size=9, additional_special_tokens=tokens
    )
    assert tokenizer("<a>b<a>")["input_ids"] == tokenizer.convert_tokens_to_ids(["<a>b", "<a>"])


def test_an_alphabet_among_characters_that_mean_something_to_regular_expressions() -> None:
    tokenizer = train_tokenizer(
        [], codebook_sizes=[12], vocab_size=12, unicode_offset=0x58, pad_token=None
    )
    codes = np.arange(12)[None]
    text = tokenizer.alphabet.to_text(codes)  # XYZ[\]^_`abc
    assert np.array_equal(tokenizer.ids_to_codes(tokenizer(text)["input_ids"]), codes)
    with pytest.raises(TokenizerError):
        tokenizer("W")


def test_merges_can_be_learnt_anew_the_way_transformers_does() -> None:
    codes = np.zeros((3, 40), dtype=int)  # most codes do not occur
    texts = [[TOKENIZER.alphabet.to_text(codes)]]
    made = TOKENIZER.train_new_from_iterator(texts, vocab_size=30)
    everything = random_codes(5)
    assert np.array_equal(made.ids_to_codes(made.codes_to_ids(everything)), everything)
    assert len(made.codes_to_ids(codes)) < codes.size
    assert made.bos_token == "<s>"
    # A card would say that of other codes than those it learnt from.
    assert "training" not in made.init_kwargs
    assert TOKENIZER.init_kwargs["training"]["num_clips"] == 20
