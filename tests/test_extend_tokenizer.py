"""Extended tokenizers: text as before, audio as the codec's, and both in files that others read."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_bpe.core.trainer import Trainer
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

from hf_codec_bpe import (
    CodebookAlphabet,
    CodecBPETokenizer,
    CodecVocabulary,
    alphabets_of,
    extend_tokenizer,
    move_alphabet,
    train_tokenizer,
)
from hf_codec_bpe.codec_vocabulary import CODEC_VOCABULARIES
from hf_codec_bpe.errors import AlphabetError, TokenizerError
from hf_codec_bpe.vocabulary.files import make_portable

from . import bases, corpus
from .corpus import AROUND_AUDIO, TEXTS, skewed_codes

Base = Callable[[], PreTrainedTokenizerFast]

SIZES = [96, 40, 24]
CODES = [skewed_codes(seed, SIZES) for seed in range(12)]
CODEC = train_tokenizer(CODES[2:], codebook_sizes=SIZES, vocab_size=700, unk_token="<unk>")
AUDIO = CODEC.alphabet.to_text(CODES[0])
FAMILIES = [
    "qwen2",
    "qwen3",
    "qwen3_5",
    "llama",
    "mistral",
    "gpt2",
    "gemma3_text",
    "smollm3",
    "phi3",
]


@cache
def made(base: Base) -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """A base, and what it is extended: for tests that change neither."""
    tokenizer = base()
    return tokenizer, extend_tokenizer(tokenizer, CODEC)


def plain(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def segments(codec: CodecBPETokenizer, text: str) -> list[str]:
    """What a codec's own tokenizer makes of audio."""
    return codec.backend_tokenizer.encode(text).tokens


def decoded(tokenizer: Any, ids: list[int]) -> list[str]:
    return tokenizer.backend_tokenizer.decode_batch([[i] for i in ids], skip_special_tokens=False)


def audio_among(tokenizer: Any, ids: list[int], alphabet: CodebookAlphabet) -> list[str]:
    """The tokens that hold code characters, as text."""
    return [t for t in decoded(tokenizer, ids) if any(char in alphabet for char in t)]


def texts_with_specials(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    added = [str(token) for token in tokenizer.added_tokens_decoder.values()]
    one_each = [f"{before}{token}{after}" for token in added[:12] for before, after in AROUND_AUDIO]
    return [*TEXTS, *added, " ".join(added), "".join(added), *one_each]


@pytest.mark.parametrize("base", bases.ALL)
def test_every_text_keeps_its_ids(base: Base) -> None:
    before, after = made(base)
    for text in texts_with_specials(before):
        assert after(text)["input_ids"] == before(text)["input_ids"]
        assert plain(after, text) == plain(before, text)
        ids = plain(before, text)
        assert after.decode(ids) == before.decode(ids)
    specials = "".join(before.all_special_tokens)
    split = {"split_special_tokens": True}
    assert after(specials, **split)["input_ids"] == before(specials, **split)["input_ids"]
    pair = (TEXTS[0], TEXTS[1])
    assert after(*pair)["input_ids"] == before(*pair)["input_ids"]


@pytest.mark.parametrize("base", bases.ALL)
def test_audio_gets_the_codecs_segmentation_wherever_it_stands(base: Base) -> None:
    before, after = made(base)
    expected = segments(CODEC, AUDIO)
    assert len(expected) < len(AUDIO)
    for prefix, suffix in AROUND_AUDIO:
        text = f"{prefix}{AUDIO}{suffix}"
        ids = plain(after, text)
        first = len(plain(before, prefix))
        assert decoded(after, ids)[first : first + len(expected)] == expected
        assert ids[:first] == plain(before, prefix)
        assert audio_among(after, ids, CODEC.alphabet) == expected
        if base in bases.BYTE_LEVEL:
            assert ids[first + len(expected) :] == plain(before, suffix)
    start, end = after.audio_start_token, after.audio_end_token
    ids = after(f"Repeat: {start}{AUDIO}{end} and {start}{AUDIO}{end}{AUDIO}")["input_ids"]
    assert audio_among(after, ids, CODEC.alphabet) == expected * 3
    at = ids.index(after.convert_tokens_to_ids(start))
    assert decoded(after, ids)[at + 1 : at + 1 + len(expected)] == expected


@pytest.mark.parametrize("base", bases.ALL)
def test_every_run_of_one_and_two_codes_is_the_codecs(base: Base) -> None:
    # Short runs are words that a base with ignore_merges looks up.
    _, after = made(base)
    runs = [AUDIO[i : i + n] for n in (1, 2, 3, 5) for i in range(60)]
    runs += [token for token in CODEC.get_vocab() if token[0] in CODEC.alphabet]
    for run in runs:
        assert decoded(after, plain(after, run)) == segments(CODEC, run)


@pytest.mark.parametrize("base", bases.ALL)
def test_audio_is_decoded_and_never_skipped(base: Base) -> None:
    _, after = made(base)
    text = f"{after.audio_start_token}{AUDIO}{after.audio_end_token}"
    ids = plain(after, text)
    assert after.decode(ids) == text
    assert after.decode(ids, skip_special_tokens=True) == AUDIO
    prompt = f"x {AUDIO} y"
    assert after.decode(plain(after, prompt), skip_special_tokens=True).strip() == prompt


@pytest.mark.parametrize("base", bases.ALL)
def test_ids_stay_after_two_saves_and_loads(base: Base, tmp_path: Path) -> None:
    before, after = made(base)
    texts = [*texts_with_specials(before)[:80], f"a  {AUDIO}\nb", after.audio_token, AUDIO]
    expected = [after(text)["input_ids"] for text in texts]
    after.save_pretrained(tmp_path / "once")
    once = AutoTokenizer.from_pretrained(tmp_path / "once")
    once.save_pretrained(tmp_path / "twice")
    twice = AutoTokenizer.from_pretrained(tmp_path / "twice")
    for loaded in (once, twice):
        assert [loaded(text)["input_ids"] for text in texts] == expected
        assert loaded.get_vocab() == after.get_vocab()
        assert set(loaded.all_special_tokens) == set(after.all_special_tokens)
        assert set(loaded.all_special_ids) == set(after.all_special_ids)
        assert loaded.audio_token_id == after.audio_token_id
        assert alphabets_of(loaded) == [CODEC.alphabet]
    assert {str(t): i for i, t in twice.added_tokens_decoder.items()}.items() >= {
        str(t): i for i, t in before.added_tokens_decoder.items()
    }.items()
    for tokenizer in (once, twice):
        size = len(tokenizer)
        assert tokenizer.add_tokens(["<new>", "<newer>"]) == 2
        assert tokenizer.convert_tokens_to_ids(["<new>", "<newer>"]) == [size, size + 1]
        assert [tokenizer(text)["input_ids"] for text in texts] == expected


@pytest.mark.parametrize(
    "base", [bases.qwen_like, bases.llama3_like, bases.mistral_prepend, bases.mistral_metaspace]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_beside_it_changes_nothing(base: Base, family: str, tmp_path: Path) -> None:
    _, after = made(base)
    after.save_pretrained(tmp_path / "once")
    texts = [*TEXTS, *(f"{prefix}{AUDIO}{suffix}" for prefix, suffix in AROUND_AUDIO)]
    expected = [after(text)["input_ids"] for text in texts]
    config = json.dumps({"model_type": family, "transformers_version": "5.0.0"})
    for place, again in (("once", "twice"), ("twice", "thrice")):
        (tmp_path / place / "config.json").write_text(config)
        loaded = AutoTokenizer.from_pretrained(tmp_path / place)
        assert [loaded(text)["input_ids"] for text in texts] == expected
        loaded.save_pretrained(tmp_path / again)


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_trusting_remote_code_loads_the_same(family: str, tmp_path: Path) -> None:
    _, after = made(bases.qwen_like)
    after.save_pretrained(tmp_path / "once")
    text = f"a  {AUDIO}\nb"
    for place, again in (("once", "twice"), ("twice", "thrice")):
        (tmp_path / place / "config.json").write_text(json.dumps({"model_type": family}))
        loaded = AutoTokenizer.from_pretrained(tmp_path / place, trust_remote_code=True)
        assert plain(loaded, text) == plain(after, text)
        loaded.save_pretrained(tmp_path / again)
    assert plain(AutoTokenizer.from_pretrained(tmp_path / "thrice"), text) == plain(after, text)


@pytest.mark.parametrize("base", [bases.qwen_like, bases.mistral_metaspace])
def test_what_transformers_saved_is_repaired(base: Base, tmp_path: Path) -> None:
    _, after = made(base)
    first, second = tmp_path / "first", tmp_path / "second"
    after.save_pretrained(first)
    loaded = AutoTokenizer.from_pretrained(first)
    loaded.pad_token = loaded.audio_end_token
    loaded([AUDIO, "a"], truncation=True, max_length=4, padding=True)
    loaded.save_pretrained(second)
    assert json.loads((second / "tokenizer.json").read_text())["truncation"]
    assert make_portable(second) == (str(second / "plain_tokenizer.py"),)
    assert (second / "tokenizer.json").read_text() == (first / "tokenizer.json").read_text()
    (second / "config.json").write_text('{"model_type": "qwen2"}')
    text = f"a  {AUDIO}\nb"
    for trust in (False, True):
        again = AutoTokenizer.from_pretrained(second, trust_remote_code=trust)
        assert again(text)["input_ids"] == after(text)["input_ids"]
    raw = Tokenizer.from_file(str(second / "tokenizer.json"))
    assert raw.encode(text).ids == after(text)["input_ids"]
    config = json.loads((second / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"is_local", "local_files_only"} & set(config)


def test_the_files_of_another_tokenizer_are_left_alone(tmp_path: Path) -> None:
    CODEC.save_pretrained(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert make_portable(tmp_path) == ()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_even_rebuilt_as_the_bases_class_text_and_audio_are_exact(tmp_path: Path) -> None:
    before, after = made(bases.qwen_like)
    after.save_pretrained(tmp_path)
    rebuilt = Qwen2Tokenizer.from_pretrained(tmp_path)
    assert type(rebuilt) is Qwen2Tokenizer
    for text in texts_with_specials(before):
        assert plain(rebuilt, text) == plain(before, text)
    for prefix, suffix in AROUND_AUDIO:
        ids = plain(rebuilt, f"{prefix}{AUDIO}{suffix}")
        assert audio_among(rebuilt, ids, CODEC.alphabet) == segments(CODEC, AUDIO)


_READER = """
import json, sys
plugin, folders, out = sys.argv[1] == "plugin", json.loads(sys.argv[2]), sys.argv[3]
texts = json.load(open("texts.json"))
if plugin:
    import hf_codec_bpe
from tokenizers import Tokenizer
from transformers import AutoTokenizer
ids = {}
for folder in folders:
    auto = AutoTokenizer.from_pretrained(folder)
    raw = Tokenizer.from_file(folder + "/tokenizer.json")
    ids[folder] = [[auto(t)["input_ids"] for t in texts], [raw.encode(t).ids for t in texts]]
assert plugin == ("hf_codec_bpe" in sys.modules)
json.dump(ids, open(out, "w"))
"""


def test_a_fresh_process_reads_the_files_alike(tmp_path: Path) -> None:
    texts = [*TEXTS, *(f"{prefix}{AUDIO}{suffix}" for prefix, suffix in AROUND_AUDIO)]
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    expected = {}
    for base in bases.ALL:
        _, after = made(base)
        folder = tmp_path / base.__name__
        after.save_pretrained(folder)
        expected[str(folder)] = [[after(text)["input_ids"] for text in texts]] * 2
        if base is bases.qwen_like:
            beside = tmp_path / "beside"
            shutil.copytree(folder, beside)
            (beside / "config.json").write_text('{"model_type": "qwen2"}')
            expected[str(beside)] = expected[str(folder)]
    for plugin in ("plugin", "no plugin"):
        command = [sys.executable, "-c", _READER, plugin, json.dumps(list(expected)), "ids.json"]
        subprocess.run(command, check=True, timeout=300)
        assert json.loads(Path("ids.json").read_text()) == expected


def test_the_bases_settings_are_kept(tmp_path: Path) -> None:
    before, after = made(bases.qwen_like)
    after.save_pretrained(tmp_path)
    conversation = [{"role": "user", "content": f"hi {AUDIO}"}]
    for tokenizer in (after, AutoTokenizer.from_pretrained(tmp_path)):
        for name in ("chat_template", "model_max_length", "padding_side", "eos_token_id"):
            assert getattr(tokenizer, name) == getattr(before, name)
        assert tokenizer.model_input_names == before.model_input_names
        assert tokenizer.apply_chat_template(conversation, tokenize=False) == (
            before.apply_chat_template(conversation, tokenize=False)
        )
        assert set(tokenizer.all_special_tokens) == {
            *before.all_special_tokens,
            "<|audio|>",
            "<|audio_start|>",
            "<|audio_end|>",
        }
    saved = (tmp_path / "tokenizer_config.json").read_text()
    assert json.loads(saved)["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"is_local", "local_files_only", "name_or_path"} & set(json.loads(saved))


def test_the_base_and_the_codec_stay_as_they_were() -> None:
    base = bases.llama3_like()
    base.pad_token = "<|reserved_0|>"
    base(["a", "b c"], padding="max_length", truncation=True, max_length=3, add_special_tokens=True)
    state, codec = base.backend_tokenizer.to_str(), CODEC.backend_tokenizer.to_str()
    after = extend_tokenizer(base, CODEC)
    assert base.backend_tokenizer.to_str() == state
    assert CODEC.backend_tokenizer.to_str() == codec
    # What the base was last called with is no setting of the extended one.
    assert len(plain(after, AUDIO)) == len(segments(CODEC, AUDIO))


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "max_length", "max_length": 64},
        {"padding": True, "pad_to_multiple_of": 8},
        {"truncation": True, "max_length": 32},
        {"truncation": True, "max_length": 1},
    ],
)
def test_how_the_codec_tokenizer_was_last_called_changes_nothing(options: dict[str, Any]) -> None:
    _, expected = made(bases.llama3_like)
    called = copy.deepcopy(CODEC)
    called([AUDIO, AUDIO[:3]], **options)
    after = extend_tokenizer(bases.llama3_like(), called)
    assert after.get_vocab() == expected.get_vocab()
    assert plain(after, AUDIO) == plain(expected, AUDIO)
    moved = move_alphabet(called, 0x50000).backend_tokenizer
    assert moved.truncation is None
    assert moved.padding is None


def test_special_tokens_can_be_chosen_and_those_of_the_base_used() -> None:
    base = bases.qwen_like()
    after = extend_tokenizer(
        base, CODEC, audio_token="<|im_start|>", audio_start_token=None, audio_end_token="<a>"
    )
    assert after.audio_token_id == base.convert_tokens_to_ids("<|im_start|>")
    assert after.convert_tokens_to_ids("<a>") == len(base)
    assert "<|audio_start|>" not in after.get_vocab()


def test_every_codec_keeps_its_own_special_tokens(tmp_path: Path) -> None:
    _, one = made(bases.llama3_like)
    second = train_tokenizer([skewed_codes(1, [30])], codebook_sizes=[30])
    tokens = {"audio_token": "<b>", "audio_start_token": None, "audio_end_token": "</b>"}
    extend_tokenizer(one, second, **tokens).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert [audio_tokens(CodecVocabulary.of(loaded, index=i)) for i in (0, 1)] == [
        ("<|audio|>", "<|audio_start|>", "<|audio_end|>"),
        ("<b>", None, "</b>"),
    ]
    assert audio_tokens(CodecVocabulary.of(CODEC)) == tuple(
        getattr(CODEC, name, None) for name in tokens
    )


def test_special_tokens_of_a_codec_without_a_note_are_the_tokenizers() -> None:
    _, after = made(bases.llama3_like)
    older = copy.deepcopy(after)
    (entry,) = older.init_kwargs[CODEC_VOCABULARIES]
    for name in ("audio_token", "audio_start_token", "audio_end_token"):
        del entry[name]
    assert audio_tokens(CodecVocabulary.of(older)) == audio_tokens(CodecVocabulary.of(after))
    entry["audio_token"] = 7
    with pytest.raises(TokenizerError, match="not as extend_tokenizer writes it"):
        CodecVocabulary.of(older)


def audio_tokens(vocabulary: CodecVocabulary) -> tuple[str | None, ...]:
    return vocabulary.audio_token, vocabulary.audio_start_token, vocabulary.audio_end_token


def codec_bpe_tokenizer(offset: int, folder: Path) -> CodecBPETokenizer:
    """One that codec-bpe itself trains and saves."""
    size = 24
    for i in range(5):
        np.save(folder / f"{i}_c0.npy", skewed_codes(i, [size] * 2))
    theirs = Trainer(2, size, vocab_size=120, pad_token="<pad>", unicode_offset=offset)
    theirs.train(str(folder)).save_pretrained(folder / "tokenizer")
    return CodecBPETokenizer.from_pretrained(
        folder / "tokenizer", codebook_sizes=[size] * 2, unicode_offset=offset
    )


@pytest.mark.parametrize("base", [bases.qwen_like, bases.mistral_prepend, bases.tekken])
def test_codec_bpes_tokenizers_leave_chinese_alone(base: Base, tmp_path: Path) -> None:
    codec = codec_bpe_tokenizer(0x4E00, tmp_path)
    before = made(base)[0]
    after = extend_tokenizer(before, codec)
    (alphabet,) = alphabets_of(after)
    assert alphabet.unicode_offset == 0xF0000
    codes = skewed_codes(0, [24, 24])
    table = str.maketrans(codec.alphabet.characters, alphabet.characters)
    expected = [token.translate(table) for token in segments(codec, codec.alphabet.to_text(codes))]
    assert decoded(after, plain(after, alphabet.to_text(codes))) == expected
    for text in [*TEXTS, codec.alphabet.characters, codec.alphabet.to_text(codes)]:
        assert plain(after, text) == plain(before, text)


def test_a_codec_that_is_there_already_is_told(caplog: pytest.LogCaptureFixture) -> None:
    other = train_tokenizer([skewed_codes(7, SIZES)], codebook_sizes=SIZES)
    base = extend_tokenizer(extend_tokenizer(bases.gpt2_like(), other), CODEC)
    assert not caplog.messages
    again = extend_tokenizer(base, CODEC)
    assert [
        m for m in caplog.messages if "has the tokens of this codec already, as its codec 1" in m
    ]
    assert len(alphabets_of(again)) == 3


@pytest.mark.parametrize("base", [bases.llama3_like, bases.qwen_like, *bases.SENTENCEPIECE])
def test_several_codecs_one_after_another(base: Base, tmp_path: Path) -> None:
    before, one = made(base)
    others = [
        train_tokenizer([skewed_codes(i, sizes) for i in range(5)], codebook_sizes=sizes)
        for sizes in ([30], [70, 11])
    ]
    two = extend_tokenizer(one, others[0])
    two.save_pretrained(tmp_path)  # a codec can be added to a loaded one as well
    three = extend_tokenizer(AutoTokenizer.from_pretrained(tmp_path), others[1])
    three.save_pretrained(tmp_path / "all")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "all")
    alphabets = alphabets_of(loaded)
    assert [alphabet.unicode_offset for alphabet in alphabets] == [
        0xF0000,
        0xF0000 + sum(SIZES),
        0xF0000 + sum(SIZES) + 30,
    ]
    runs, expected = [], []
    for codec, alphabet in zip([CODEC, *others], alphabets, strict=True):
        codes = skewed_codes(1, list(alphabet.codebook_sizes))
        table = str.maketrans(codec.alphabet.characters, alphabet.characters)
        own = segments(codec, codec.alphabet.to_text(codes))
        runs.append(alphabet.to_text(codes))
        expected += [token.translate(table) for token in own]
    for text in ("".join(runs), "<|audio_end|>".join(runs), " x\n".join(["", *runs, ""])):
        ids = plain(loaded, text)
        found = [t for t in decoded(loaded, ids) if any(c in a for a in alphabets for c in t)]
        assert found == expected
    for text in texts_with_specials(before):
        assert plain(loaded, text) == plain(before, text)
    assert plain(loaded, AUDIO) == plain(one, AUDIO)


def test_a_base_that_owns_the_characters_must_be_avoided() -> None:
    base = bases.llama3_like()
    base.add_tokens(list(CODEC.alphabet.characters[:50]))  # as codec-bpe extends a base
    with pytest.raises(TokenizerError, match=r"owns 50 tokens .* move_alphabet"):
        extend_tokenizer(base, CODEC)
    moved = move_alphabet(CODEC, 0x50000)
    after = extend_tokenizer(base, moved)
    assert alphabets_of(after) == [CodebookAlphabet(SIZES, 0x50000)]
    text = moved.alphabet.to_text(CODES[0])
    assert decoded(after, plain(after, text)) == segments(moved, text)
    assert plain(after, AUDIO) == plain(base, AUDIO)


def test_a_merged_token_of_a_byte_level_base_may_own_a_character_too() -> None:
    state = json.loads(bases.gpt2_like().backend_tokenizer.to_str())
    letters = "ó°ĢĢ"  # the bytes of U+F0000
    for at in range(2, 5):
        state["model"]["vocab"][letters[:at]] = 2000 + at
        state["model"]["merges"].append([letters[: at - 1], letters[at - 1]])
    base = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))
    with pytest.raises(TokenizerError, match="owns 1 tokens"):
        extend_tokenizer(base, CODEC)


def test_holes_in_a_vocabulary_are_filled_so_that_new_tokens_get_free_ids() -> None:
    state = json.loads(bases.gpt2_like().backend_tokenizer.to_str())
    state["model"]["vocab"]["<far>"] = 1999
    base = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))
    after = extend_tokenizer(base, CODEC)
    assert after.convert_tokens_to_ids("<far>") == 1999
    assert sorted(after.get_vocab().values()) == list(range(len(after)))
    assert after.audio_token_id == 2000
    for text in TEXTS:
        assert plain(after, text) == plain(base, text)


def test_moving_keeps_ids() -> None:
    moved = move_alphabet(CODEC, 0x100000)
    for codes in CODES:
        assert moved.codes_to_ids(codes) == CODEC.codes_to_ids(codes)
        assert np.array_equal(moved.ids_to_codes(CODEC.codes_to_ids(codes)), codes)
    assert moved.unk_token_id == CODEC.unk_token_id
    with pytest.raises(AlphabetError):
        move_alphabet(CODEC, 0x10FFFF)


def test_alphabets_of_tokenizers_without_and_of_the_codecs_own() -> None:
    assert alphabets_of(bases.gpt2_like()) == []
    assert alphabets_of(CODEC) == [CODEC.alphabet]


def wrapped(model: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model), unk_token="[UNK]")


@pytest.mark.parametrize(
    ("base", "codec", "message"),
    [
        (lambda: wrapped(models.Unigram([("a", -1.0)])), CODEC, "Unigram.*likeliest.*offset"),
        (lambda: wrapped(models.WordPiece({"[UNK]": 0})), CODEC, "WordPiece.*longest match"),
        (lambda: wrapped(models.WordLevel({"a": 0}, unk_token="a")), CODEC, "WordLevel"),
        (lambda: wrapped(models.BPE(end_of_word_suffix="</w>")), CODEC, "marks words.*</w>"),
        (lambda: wrapped(models.BPE(dropout=0.5)), CODEC, "skips merges at random.*0.5"),
        (lambda: CODEC, CODEC, "codec's tokenizer: pass a language model's first"),
        (lambda: "gpt2", CODEC, "The base is a str.*AutoTokenizer"),
        (bases.gpt2_like, bases.gpt2_like(), "codec tokenizer is a .*CodecBPETokenizer"),
    ],
)
def test_what_cannot_be_extended(base: Any, codec: Any, message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        extend_tokenizer(base(), codec)


def test_a_base_that_pads_words_is_refused() -> None:
    state = json.loads(bases.gpt2_like().backend_tokenizer.to_str())
    state["pre_tokenizer"]["add_prefix_space"] = True
    base = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))
    with pytest.raises(TokenizerError, match="add_prefix_space=False"):
        extend_tokenizer(base, CODEC)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"audio_token": None}, "pass different strings"),
        ({"audio_token": ""}, "pass different strings"),
        ({"audio_token": "<|audio_end|>"}, "pass different strings"),
        ({"audio_end_token": f"<{AUDIO[0]}>"}, "characters that stand for codes"),
        ({"audio_start_token": "the"}, "'the' is an ordinary piece of text in the base"),
    ],
)
def test_special_tokens_that_cannot_be(tokens: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        extend_tokenizer(bases.mistral_gemma(), CODEC, **tokens)


def test_a_codec_tokenizer_that_lacks_tokens_or_does_more_than_merge() -> None:
    wrong = CodecBPETokenizer(
        tokenizer_object=CODEC.backend_tokenizer, codebook_sizes=[999], unicode_offset=0xF0000
    )
    with pytest.raises(TokenizerError, match="lacks"):
        extend_tokenizer(bases.gpt2_like(), wrong)
    state = json.loads(CODEC.backend_tokenizer.to_str())
    state["normalizer"] = {"type": "NFC"}
    more = CodecBPETokenizer(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)), **CODEC.init_kwargs
    )
    with pytest.raises(TokenizerError, match="only plain BPE"):
        extend_tokenizer(bases.gpt2_like(), more)
    state["normalizer"] = None
    state["pre_tokenizer"] = {
        "type": "Metaspace",
        "replacement": CODEC.alphabet.characters[0],
        "prepend_scheme": "always",
        "split": False,
    }
    padded = CodecBPETokenizer(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)), **CODEC.init_kwargs
    )
    with pytest.raises(TokenizerError, match="codes are not tokens of their own"):
        extend_tokenizer(bases.gpt2_like(), padded)


def test_a_codec_tokenizer_that_finds_runs_before_it_merges() -> None:
    more = copy.deepcopy(CODEC)
    more.add_tokens(["<more>"])
    assert len(extend_tokenizer(bases.gpt2_like(), more)) > len(more)
    more.add_tokens([CODEC.alphabet.to_text(CODES[0][:, :2])])
    for function in (
        lambda: extend_tokenizer(bases.gpt2_like(), more),
        lambda: move_alphabet(more),
    ):
        with pytest.raises(TokenizerError, match="1 added tokens of code characters"):
            function()


def test_the_corpus_holds_no_codes() -> None:
    assert all(char not in CODEC.alphabet for text in corpus.TEXTS for char in text)


@pytest.mark.parametrize("base", [bases.llama3_like, bases.gpt2_like, bases.mistral_gemma])
def test_tokens_that_no_run_makes_are_not_found_by_looking_words_up(base: Base) -> None:
    codec = train_tokenizer([], codebook_sizes=[3], vocab_size=4)
    a, b, c = codec.alphabet.characters
    state = json.loads(codec.backend_tokenizer.to_str())
    # b and c are joined before a and b, so that abc is a + bc and never a token.
    state["model"]["merges"] = [[b, c], [a, b], [a + b, c]]
    state["model"]["vocab"].update({b + c: 4, a + b: 5, a + b + c: 6})
    codec = CodecBPETokenizer(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)), **codec.init_kwargs
    )
    after = extend_tokenizer(base(), codec)
    for run in (a + b + c, a + b, a + b + b + c, c + a + b + c):
        assert decoded(after, plain(after, run)) == segments(codec, run)
