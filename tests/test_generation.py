"""Generation in the grammar of audio: its masks against an oracle, and what models make of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import LlamaForCausalLM

from hf_codec_bpe import (
    AudioGrammarLogitsProcessor,
    CodebookAlphabet,
    CodecBPEProcessor,
    CodecBPETokenizer,
    CodecVocabulary,
    alphabets_of,
    extend_tokenizer,
    train_tokenizer,
)
from hf_codec_bpe.codecs import DacCodec
from hf_codec_bpe.errors import AlphabetError, TokenizerError

from . import bases, tiny

SIZES = [7, 5, 4]
BEYOND = 37
"""Rows of a model beyond its tokenizer."""


def some_codes(seed: int, sizes: Sequence[int], num_frames: int) -> np.ndarray:
    """Codes `[K, T]`, low ones more often."""
    rng = np.random.default_rng(seed)
    draws = [rng.integers(size, size=(2, num_frames)) for size in sizes]
    return np.stack([draw.min(axis=0) for draw in draws])


def trained(sizes: list[int], **options: Any) -> CodecBPETokenizer:
    codes = [some_codes(seed, sizes, 200) for seed in range(4)]
    return train_tokenizer(codes, codebook_sizes=sizes, vocab_size=200, **options)


class Case:
    """A tokenizer, and what clips look like in it."""

    def __init__(
        self, tokenizer: Any, index: int | None = None, borders: Any = (), **options: Any
    ) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = CodecVocabulary.of(tokenizer, index=index)
        self.options = options
        self.start_id, self.end_id = borders or (
            getattr(tokenizer, "audio_start_token_id", None),
            getattr(tokenizer, "audio_end_token_id", None),
        )
        pad_id = tokenizer.pad_token_id
        self.pad_id = tokenizer.eos_token_id if pad_id is None else pad_id
        self.width = len(tokenizer) + BEYOND
        self.symbols = self._symbols()
        self.texts = [i for i, symbol in enumerate(self.symbols) if symbol == "t"]

    def _symbols(self) -> list[str]:
        """Each token: `s`tart, `e`nd, `t`ext, the digits of its codebooks, or `x` for never."""
        symbols = ["t"] * len(self.tokenizer) + ["x"] * BEYOND
        never = set(map(self.tokenizer.get_vocab().get, ("<|audio|>", "<|clip|>", "foreign")))
        for index in range(len(alphabets_of(self.tokenizer))):
            never |= CodecVocabulary.of(self.tokenizer, index=index).pieces
        if isinstance(self.tokenizer, CodecBPETokenizer):
            never.add(self.tokenizer.unk_token_id)
        symbol_of = dict.fromkeys(never, "x") | {self.start_id: "s", self.end_id: "e"}
        alphabet = self.vocabulary.alphabet
        owners = np.repeat(range(alphabet.num_codebooks), alphabet.codebook_sizes)
        for token_id, text in self.vocabulary.texts.items():
            symbol_of[token_id] = "".join(map(str, owners[alphabet.positions_of(text)]))
        for token_id in symbol_of.keys() - {None}:
            symbols[token_id] = symbol_of[token_id]
        return symbols

    def grammar(self, max_length: int | None = None) -> AudioGrammarLogitsProcessor:
        return AudioGrammarLogitsProcessor(self.vocabulary, max_length=max_length, **self.options)

    def clip(self, seed: int, num_frames: int) -> list[int]:
        """A clip's tokens, and those around it."""
        codes = some_codes(seed, self.vocabulary.alphabet.codebook_sizes, num_frames)
        ids = [self.start_id, *self.vocabulary.codes_to_ids(codes), self.end_id]
        return [token_id for token_id in ids if token_id is not None]

    def one_by_one(self, codes: Any) -> list[int]:
        """The tokens of single codes."""
        id_of = {text: token_id for token_id, text in self.vocabulary.texts.items()}
        return [id_of[char] for char in self.vocabulary.alphabet.to_text(codes)]


def extended(base: Callable[[], Any], **tokens: str | None) -> Any:
    return extend_tokenizer(base(), trained(SIZES), **tokens)


def one_of_two_codecs(index: int) -> Case:
    first = extended(bases.gpt2_like)
    names = {
        "audio_token": "<|clip|>",
        "audio_start_token": "<|begin|>",
        "audio_end_token": "<|end|>",
    }
    both = extend_tokenizer(first, trained([6, 6]), **names)
    borders = first if index == 0 else both
    return Case(both, index, (borders.audio_start_token_id, borders.audio_end_token_id))


def codec_alone() -> Case:
    tokenizer = trained(SIZES, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer.add_tokens(["foreign"])
    return Case(tokenizer)


def codec_with_borders() -> Case:
    tokenizer = trained(SIZES, eos_token="</s>", additional_special_tokens=["<a>", "</a>"])
    start_id, end_id = borders = tokenizer.convert_tokens_to_ids(["<a>", "</a>"])
    options = {"audio_start_token_id": start_id, "audio_end_token_id": end_id}
    return Case(tokenizer, borders=borders, **options)


def tokens_out_of_turn() -> Case:
    """With tokens that no training makes: two codes of one codebook."""
    alphabet = CodebookAlphabet([2, 2, 2])
    a, b, c, d, e, _ = alphabet.characters
    merges = [(a, b), (a, c), (c, d), (d, e), (e, a), (a + c, e), (e + a, c)]
    tokens = ["<pad>", *alphabet.characters, *map("".join, merges)]
    vocab = {token: i for i, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.decoder = decoders.Fuse()
    return Case(
        CodecBPETokenizer(
            tokenizer_object=backend,
            codebook_sizes=[2, 2, 2],
            unicode_offset=alphabet.unicode_offset,
            pad_token="<pad>",
        )
    )


CASES: dict[str, Callable[[], Case]] = {
    "byte-level": lambda: Case(extended(bases.llama3_like)),
    "sentencepiece": lambda: Case(extended(bases.mistral_gemma)),
    "no start": lambda: Case(extended(bases.gpt2_like, audio_start_token=None)),
    "no end": lambda: Case(extended(bases.qwen_like, audio_end_token=None)),
    "neither": lambda: Case(
        extended(bases.gpt2_like, audio_start_token=None, audio_end_token=None)
    ),
    "first of two": lambda: one_of_two_codecs(0),
    "second of two": lambda: one_of_two_codecs(1),
    "codec alone": codec_alone,
    "codec with borders": codec_with_borders,
    "out of turn": tokens_out_of_turn,
}
EVERY_CASE = pytest.mark.parametrize("name", CASES)


@cache
def case_of(name: str) -> Case:
    return CASES[name]()


def allowed(grammar: AudioGrammarLogitsProcessor, rows: Any, width: int) -> list[set[int]]:
    masked = grammar(torch.tensor(rows, dtype=torch.long), torch.zeros(len(rows), width))
    assert set(masked.unique().tolist()) <= {0, -torch.inf}
    return [set(row.isfinite().nonzero()[:, 0].tolist()) for row in masked]


def oracle(case: Case, prefix: list[int], left: int | None) -> set[int]:
    """The tokens that may come next, if so many are left, that one included.

    A sequence is right if it matches a regular expression, and a token may come next if one of the
    few ways to end the last clip code by code makes it right in time.
    """
    start, end = ("" if i is None else s for i, s in ((case.start_id, "s"), (case.end_id, "e")))
    frame = "".join(map(str, range(case.vocabulary.alphabet.num_codebooks)))
    so_far = "".join(case.symbols[token_id] for token_id in prefix)
    too_late = left is not None and left < len(frame + end) and so_far.endswith("s")
    texts_and_clips = f"(t|{start}({frame})+{end})*"
    one_empty_clip = f"(s{end}{texts_and_clips})?" if too_late else ""
    right = re.compile(texts_and_clips + one_empty_clip)
    rests = ["", *(frame[i:] + end for i in range(len(frame) + 1))]

    def tokens_in(left: float) -> set[int]:
        fitting = {
            symbol
            for symbol in set(case.symbols)
            if any(right.fullmatch(so_far + symbol + rest) for rest in rests if len(rest) < left)
        }
        return {token_id for token_id, symbol in enumerate(case.symbols) if symbol in fitting}

    return tokens_in(np.inf if left is None else left) or tokens_in(np.inf)


@st.composite
def prefixes(draw: st.DrawFn, case: Case) -> list[int]:
    """Texts and clips, perhaps cut off anywhere."""
    ids: list[int] = []
    for is_clip in draw(st.lists(st.booleans(), max_size=4)):
        if is_clip:
            ids += case.clip(draw(st.integers(0, 99)), draw(st.integers(1, 6)))
        else:
            ids += draw(st.lists(st.sampled_from(case.texts), min_size=1, max_size=3))
    return ids[: max(0, len(ids) - draw(st.integers(0, 8)))]


@EVERY_CASE
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_every_mask_is_the_oracles(name: str, data: st.DataObject) -> None:
    case = case_of(name)
    rows = data.draw(st.lists(prefixes(case), min_size=1, max_size=4))
    left = data.draw(st.none() | st.integers(-1, 12))
    length = max(1, *map(len, rows))  # a grammar needs a prompt
    padded = [[case.pad_id] * (length - len(row)) + row for row in rows]
    grammar = case.grammar(max_length=None if left is None else length + left)
    for row, ids in zip(padded, allowed(grammar, padded, case.width), strict=True):
        assert ids == oracle(case, row, left)
        assert ids, "a row without any token cannot be sampled from"


def test_the_oracle_by_hand() -> None:
    case = case_of("byte-level")
    ids_of = {kind: {i for i, s in enumerate(case.symbols) if s == kind} for kind in case.symbols}
    assert {"0", "012", "0120", "1", "12", "120", "s", "e", "x"} < ids_of.keys()
    texts, start, end = set(case.texts), case.start_id, case.end_id
    clip = [start, *case.one_by_one([[6], [4], [3]])]
    assert oracle(case, [], None) == oracle(case, [*clip, end], 5) == texts | {start}
    assert oracle(case, [], 4) == oracle(case, [*clip, end], 4) == texts
    assert oracle(case, clip, 1) == oracle(case, clip[:1], 1) == {end}
    assert ids_of["2"] <= oracle(case, clip[:3], 2)
    assert all(case.symbols[i][-1] == "2" for i in oracle(case, clip[:3], 2))
    assert oracle(case, clip[:3], 1) == oracle(case, clip[:3], None) >= ids_of["2"]
    assert ids_of["0"] | ids_of["0120"] | {end} < oracle(case, clip, None)
    assert not (texts | {start} | ids_of["1"] | ids_of["x"]) & oracle(case, clip, None)


def test_prompts_that_are_wrong_already() -> None:
    case = case_of("byte-level")
    zero, one, two = case.one_by_one([[6], [4], [3]])
    text, start, end = case.texts[0], case.start_id, case.end_id
    outside, one_is_due = oracle(case, [], None), oracle(case, [start, zero], None)
    no_clips = [[text, zero], [zero], [end, zero], [start, zero, text], [start, text, zero]]
    for row in no_clips:
        assert allowed(case.grammar(), [row], case.width) == [outside]
    for row in ([start, two, zero], [start, one, two, start, zero]):
        assert allowed(case.grammar(), [row], case.width) == [one_is_due]
    alone = case_of("codec alone")  # a window that was cut inside a frame
    codes = alone.one_by_one([[6], [4], [3]])
    assert allowed(alone.grammar(), [codes[2:]], alone.width) == [oracle(alone, codes, None)]


def test_grammars_of_two_codecs_work_together() -> None:
    one, two = case_of("first of two"), case_of("second of two")

    def next_ids(row: list[int]) -> set[int]:
        masks = [allowed(case.grammar(), [row], one.width)[0] for case in (one, two)]
        return masks[0] & masks[1]

    assert next_ids([one.texts[0]]) >= {one.start_id, two.start_id}
    for case in (one, two):
        assert next_ids(case.clip(0, 2)[:-1]) == oracle(case, case.clip(0, 2)[:-1], None)


def test_a_codec_without_tokens_around_its_clips_takes_no_other_codecs() -> None:
    names = {"audio_token": "<|clip|>", "audio_start_token": None, "audio_end_token": None}
    both = extend_tokenizer(extended(bases.gpt2_like), trained([6, 6]), **names)
    second = Case(both, 1, borders=(None, None))
    assert allowed(second.grammar(), [[0]], second.width) == [oracle(second, [0], None)]


def test_what_a_processor_puts_around_clips() -> None:
    codec = DacCodec(tiny.dac())
    tokenizer = extend_tokenizer(
        bases.mistral_gemma(), train_tokenizer([], codebook_sizes=codec.codebook_sizes)
    )
    own = [tokenizer.audio_start_token_id, tokenizer.audio_end_token_id]
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    around = {"audio_start_token": tokenizer.bos_token, "audio_end_token": tokenizer.eos_token}

    def borders(names: dict[str, str], **options: Any) -> list[int | None]:
        processor = CodecBPEProcessor.from_codec(codec, tokenizer, **names)
        grammar = AudioGrammarLogitsProcessor.of(processor, max_length=9, **options)
        assert grammar.max_length == 9
        return [grammar.audio_start_token_id, grammar.audio_end_token_id]

    assert borders({}) == own
    assert borders(around) == [bos, eos]
    assert borders(around, audio_start_token_id=own[0]) == [own[0], eos]


def test_other_types_devices_and_widths_of_scores() -> None:
    case = case_of("byte-level")
    grammar, row = case.grammar(), torch.tensor([[case.start_id]])
    wanted = oracle(case, row[0].tolist(), None)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for width in (case.width, len(case.tokenizer)):
            masked = grammar(row, torch.randn(1, width, dtype=dtype))
            assert masked.dtype == dtype
            assert set(masked[0].isfinite().nonzero()[:, 0].tolist()) == wanted
    assert grammar(row.to("meta"), torch.zeros(1, case.width, device="meta")).is_meta
    with pytest.raises(TokenizerError, match="extend_model"):
        grammar(row, torch.zeros(1, len(case.tokenizer) - 1))


@pytest.mark.parametrize("how", [{}, {"do_sample": True}])
def test_the_grammar_wins_over_processors_that_leave_it_nothing(how: dict[str, Any]) -> None:
    case = case_of("byte-level")
    start = torch.tensor([[case.start_id]])
    eos = case.tokenizer.eos_token_id
    (row,) = model_of("byte-level").generate(
        start,
        attention_mask=torch.ones_like(start),
        max_length=9,
        logits_processor=[case.grammar(9)],
        forced_eos_token_id=eos,
        suppress_tokens=[i for i in range(case.width) if i != eos],
        **how,
    )
    assert clips_in(case, row.tolist())[0].shape[1] > 0


def test_embeddings_instead_of_ids_need_the_ids_too() -> None:
    case, model = case_of("byte-level"), model_of("byte-level")
    start = torch.tensor([[case.start_id]])
    how = {
        "inputs_embeds": model.get_input_embeddings()(start),
        "attention_mask": torch.ones_like(start),
        "max_length": 12,
    }
    with pytest.raises(TokenizerError, match="pass the prompt's input_ids too"):
        model.generate(**how, logits_processor=[case.grammar(12)])
    (row,) = model.generate(start, **how, logits_processor=[case.grammar(12)])
    assert row[0] == case.start_id
    assert len(row) <= 12
    assert clips_in(case, row.tolist())[0].shape[1] > 0


def test_borders_that_cannot_be() -> None:
    tokenizer = case_of("byte-level").tokenizer
    (audio,) = case_of("byte-level").one_by_one([[6], [4], [3]])[:1]
    with pytest.raises(TokenizerError, match="cannot both start and end"):
        AudioGrammarLogitsProcessor.of(tokenizer, audio_end_token_id=tokenizer.audio_start_token_id)
    for token_id in (-1, len(tokenizer), audio, tokenizer.audio_token_id):
        for name in ("audio_start_token_id", "audio_end_token_id"):
            with pytest.raises(TokenizerError, match=f"Token {token_id} cannot start or end"):
                AudioGrammarLogitsProcessor.of(tokenizer, SIZES, **{name: token_id})


# Models that generate.


@cache
def model_of(name: str) -> LlamaForCausalLM:
    """A tiny random model with many rows beyond its tokenizer."""
    case = case_of(name)
    return tiny.llama(
        case.width, eos_token_id=case.tokenizer.eos_token_id, pad_token_id=case.pad_id
    )


PROMPTS: list[Callable[[Case], list[int]]] = [
    lambda case: case.texts[-1:],
    lambda case: [*case.texts[-3:], *case.clip(1, 3), case.texts[0]],
    lambda case: [*case.texts[-2:], *([] if case.start_id is None else [case.start_id])],
    lambda case: [case.texts[-1], *case.clip(2, 5)[:-3]],
    lambda case: [case.texts[-1], *case.clip(3, 4)[:-2]],
]


def generated(
    name: str, seed: int, batch_size: int = 3, grammatical: bool = True, **options: Any
) -> list[list[int]]:
    """Rows that a model makes of prompts padded on the left, cut off at some length."""
    case, model = case_of(name), model_of(name)
    rng = np.random.default_rng(seed)
    prompts = [PROMPTS[i](case) for i in rng.integers(len(PROMPTS), size=batch_size)]
    length = max(map(len, prompts))
    rows = [[case.pad_id] * (length - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    max_length = length + int(rng.integers(5, 40))
    often = {case.start_id: 7.0, case.end_id: 2.0, case.tokenizer.eos_token_id: 1.0}
    torch.manual_seed(seed)
    ids = model.generate(
        torch.tensor(rows),
        attention_mask=torch.tensor(mask),
        max_length=max_length,
        logits_processor=[case.grammar(max_length)] if grammatical else [],
        sequence_bias=[[[i], bias] for i, bias in often.items() if i is not None] or None,
        **options,
    )
    return ids.tolist()


def clips_in(case: Case, row: list[int]) -> list[np.ndarray]:
    """The codes of all clips of a row, read strictly.

    Raises:
        AlphabetError: A clip that is not of whole frames.
        TokenizerError: A token where none may be.
    """
    is_audio = dict(zip(row, case.vocabulary.is_audio(row), strict=True))
    runs = ["a" if is_audio[i] else case.symbols[i] for i in row]
    order = re.sub("a+", "a", "".join(runs))
    start, end = ("" if i is None else s for i, s in ((case.start_id, "s"), (case.end_id, "e")))
    if not re.fullmatch(f"(t|{start}a{end})*", order):
        raise TokenizerError(f"Tokens where none may be: {order}")
    if isinstance(case.tokenizer, CodecBPETokenizer):
        case.tokenizer.ids_to_codes(row)
    clips = [list(run) for audio, run in groupby(row, is_audio.get) if audio]
    return [case.vocabulary.ids_to_codes(clip) for clip in clips]


WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"do_sample": True},
    "top-k": {"do_sample": True, "top_k": 3, "temperature": 2.0},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "sampled beams": {"num_beams": 4, "do_sample": True},
    "prompt lookup": {"prompt_lookup_num_tokens": 3, "batch_size": 1},
    "without a cache": {"use_cache": False, "do_sample": True},
}


@EVERY_CASE
@pytest.mark.parametrize("way", WAYS)
def test_what_is_generated_decodes_with_nothing_dropped(name: str, way: str) -> None:
    case = case_of(name)
    rows = [row for seed in range(4) for row in generated(name, seed, **WAYS[way])]
    clips = [clip for row in rows for clip in clips_in(case, row)]
    assert len(clips) > 2
    assert all(clip.shape[1] > 0 for clip in clips)


@EVERY_CASE
def test_without_the_grammar_it_would_not(name: str) -> None:
    def breaks(seed: int) -> bool:
        try:
            for row in generated(name, seed, do_sample=True, grammatical=False):
                clips_in(case_of(name), row)
        except (AlphabetError, TokenizerError):
            return True
        return False

    assert all(map(breaks, range(6)))


def test_a_model_that_never_stops_is_stopped_in_time() -> None:
    case = case_of("byte-level")
    start = torch.tensor([[case.start_id]])
    for length in range(5, 25):
        (row,) = model_of("byte-level").generate(
            start,
            attention_mask=torch.ones_like(start),
            max_new_tokens=length,
            logits_processor=[case.grammar(1 + length)],
            sequence_bias=[[[case.end_id], -50.0]],
        )
        clips_in(case, row.tolist())
        assert len(row) - row.tolist().index(case.end_id) <= 1 + len(SIZES)
