"""Packing: sequences that fit, hold every frame, and read as the tokenizer writes."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_bpe.tools.lm_dataset_builder import LMDatasetBuilder
from datasets import Dataset, IterableDataset, load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors
from transformers import AutoTokenizer

from hf_codec_bpe import (
    CodecBPETokenizer,
    CodecVocabulary,
    CodesFolder,
    demo_repo,
    extend_tokenizer,
    pack_codes,
    sequence_statistics,
    train_tokenizer,
)
from hf_codec_bpe.codes_folder import CodecInfo, save_codes
from hf_codec_bpe.data.frame_fitting import ids_that_fit
from hf_codec_bpe.data.recordings import Recordings
from hf_codec_bpe.data.sequence_files import read_sequences, write_sequences
from hf_codec_bpe.errors import AlphabetError, CodesError, PackingError, TokenizerError

from . import bases
from .corpus import skewed_codes
from .test_cli import Shell
from .test_cli import run as run_command

SIZES = [24, 12, 12]
K = len(SIZES)
START, END = "<audio>", "</audio>"
CODES = [skewed_codes(seed, SIZES, 60) for seed in range(8)]
INFO = CodecInfo("test", "test", 16_000, 16_000, K, 24, framerate=12.5)


@cache
def plain() -> CodecBPETokenizer:
    """Tokens span up to three frames, so that many borders of frames lie inside of one."""
    return train_tokenizer(
        CODES,
        codebook_sizes=SIZES,
        vocab_size=300,
        max_token_codebook_ngrams=3,
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=[START, END],
    )


@cache
def extended(base: Callable[[], Any]) -> Any:
    return extend_tokenizer(base(), plain())


def named(tokenizer: Any) -> dict[str, Any]:
    """What a tokenizer must be told so that windows have tokens around them."""
    if isinstance(tokenizer, CodecBPETokenizer):
        return {"audio_start_token": START, "audio_end_token": END}
    return {}


@cache
def vocabulary_of(make: Callable[[], Any]) -> CodecVocabulary:
    return CodecVocabulary.of(make())


MAKERS: list[Callable[[], Any]] = [
    plain,
    lambda: extended(bases.gpt2_like),  # byte-level, no BOS of its own
    lambda: extended(bases.llama3_like),  # byte-level, BOS
    lambda: extended(bases.mistral_gemma),  # SentencePiece style, BOS
    lambda: extended(bases.mistral_metaspace),  # SentencePiece style, BOS, a dummy space
]

clips_of = st.lists(
    st.builds(
        lambda seed, length: skewed_codes(seed, SIZES, 120)[:, :length],
        st.integers(0, 30),
        st.integers(0, 90),
    ),
    max_size=5,
)


def audio_runs(ids: list[int], vocabulary: CodecVocabulary) -> list[list[int]]:
    runs = groupby(zip(vocabulary.is_audio(ids), ids, strict=True), key=lambda pair: pair[0])
    return [[token_id for _, token_id in run] for is_audio, run in runs if is_audio]


def ids_of(sequences: Iterable[dict[str, Any]]) -> list[list[int]]:
    return [sequence["input_ids"] for sequence in sequences]


@pytest.mark.parametrize("make", MAKERS)
@settings(max_examples=40, deadline=None)
@given(clips=clips_of, spare=st.integers(0, 80), overlap=st.integers(0, 6), join=st.booleans())
def test_every_frame_is_there_once_and_in_order(
    make: Callable[[], Any], clips: list[np.ndarray], spare: int, overlap: int, join: bool
) -> None:
    vocabulary = vocabulary_of(make)
    length = (overlap + 1) * K + 4 + spare
    options = {"overlap_frames": overlap, "join_clips": join, **named(make())}
    remaining = iter([clip for clip in clips if clip.size])
    clip, end = np.empty((K, 0), dtype=np.int64), 0
    for ids in ids_of(pack_codes(clips, vocabulary, length, **options)):
        assert len(ids) <= length
        runs = audio_runs(ids, vocabulary)
        assert len(runs) == 1 or join
        for run in runs:
            is_next = end == clip.shape[1]
            clip, start = (next(remaining), 0) if is_next else (clip, end - overlap)
            codes = vocabulary.ids_to_codes(run)
            end = start + codes.shape[1]
            assert np.array_equal(codes, clip[:, start:end])
            assert vocabulary.codes_to_ids(codes) == run
        if end < clip.shape[1]:
            one_more = vocabulary.codes_to_ids(clip[:, start : end + 1])
            assert len(ids) - len(run) + len(one_more) > length
    assert end == clip.shape[1]
    assert not list(remaining)


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_around_a_window(make: Callable[[], Any]) -> None:
    tokenizer = make()
    vocabulary = CodecVocabulary.of(tokenizer)
    bos, start, end, eos = (
        tokenizer.convert_tokens_to_ids(token)
        for token in (
            tokenizer.bos_token,
            getattr(tokenizer, "audio_start_token", START),
            getattr(tokenizer, "audio_end_token", END),
            tokenizer.eos_token,
        )
    )
    audio = vocabulary.codes_to_ids(CODES[0][:, :9])

    def packed(**options: Any) -> list[int]:
        (ids,) = ids_of(pack_codes([CODES[0][:, :9]], tokenizer, **{**named(tokenizer), **options}))
        return ids

    own = [bos] * (make in (MAKERS[2], MAKERS[3], MAKERS[4]))
    assert packed() == [*own, start, *audio, end]
    assert packed(add_bos_token=True, add_eos_token=True) == [bos, start, *audio, end, eos]
    assert packed(add_bos_token=False, audio_start_token="", audio_end_token="") == audio
    assert packed(audio_end_token=tokenizer.eos_token) == [*own, start, *audio, eos]


def ending_texts(tokenizer: Any) -> Any:
    """A tokenizer that puts the EOS token after every text."""
    tokenizer = copy.deepcopy(tokenizer)
    eos = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {eos}", special_tokens=[(eos, tokenizer.eos_token_id)]
    )
    return tokenizer


def test_an_own_eos_token_that_is_the_bos_token_too() -> None:
    tokenizer = ending_texts(extended(bases.gpt2_like))
    assert tokenizer.bos_token_id == tokenizer.eos_token_id
    (ids,) = ids_of(pack_codes(CODES[:1], tokenizer))
    start, end = tokenizer.audio_start_token_id, tokenizer.audio_end_token_id
    audio = CodecVocabulary.of(tokenizer).codes_to_ids(CODES[0])
    assert ids == [start, *audio, end, tokenizer.eos_token_id]


@settings(deadline=None)
@given(seed=st.integers(0, 99), start=st.integers(0, 100), room=st.integers(-2, 60))
def test_as_many_frames_as_fit(seed: int, start: int, room: int) -> None:
    vocabulary = CodecVocabulary.of(plain())
    codes = skewed_codes(seed, SIZES, 100)
    ids = ids_that_fit(vocabulary, codes[:, start:], room)
    counts = [len(vocabulary.codes_to_ids(codes[:, start:end])) for end in range(start, 101)]
    num_frames = int(vocabulary.num_codes[ids].sum()) // K
    assert ids == vocabulary.codes_to_ids(codes[:, start : start + num_frames])
    assert len(ids) <= max(room, 0)
    assert num_frames == len(counts) - 1 or counts[num_frames + 1] > room
    assert num_frames >= min(room // K, len(counts) - 1)


def test_a_cut_that_breaks_a_token_up_still_fits() -> None:
    # What ends the first frame of a clip and begins its second is merged first, then what precedes.
    pairs = [np.array([[first, 1], [0, last]]) for last in range(8) for first in (0, 0, 0, 2, 2)]
    tokenizer = train_tokenizer(pairs, codebook_sizes=[3, 8], vocab_size=14)
    codes = np.array([[1, 0, 1], [7, 0, 7]])
    tokens = tokenizer.tokenize(tokenizer.alphabet.to_text(codes))
    assert [len(token) for token in tokens] == [1, 1, 3, 1]
    assert len(tokenizer.codes_to_ids(codes[:, :2])) == 4
    expected = [tokenizer.codes_to_ids(part) for part in (codes[:, :1], codes[:, 1:])]
    assert ids_of(pack_codes([codes], tokenizer, 3)) == expected


def test_sequences_are_full_when_clips_are_joined() -> None:
    clips = [skewed_codes(seed, SIZES, 7 + seed) for seed in range(40)]
    apart = ids_of(pack_codes(clips, plain(), 64, **named(plain())))
    joined = ids_of(pack_codes(clips, plain(), 64, join_clips=True, **named(plain())))
    assert len(apart) >= 40
    assert len(joined) < len(apart) / 1.5
    assert min(map(len, joined[:-1])) > 64 - 2 - K


def test_drop_last_says_what_it_left_out(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = train_tokenizer([], codebook_sizes=SIZES, max_token_codebook_ngrams=0)
    clips = [CODES[0][:, :25], CODES[1][:, :20], CODES[2][:, :3]]
    options = {"overlap_frames": 2, "audio_end_token": "<pad>"}  # ten frames fit
    everything = ids_of(pack_codes(clips, tokenizer, 31, **options))
    assert [len(ids) // K for ids in everything] == [10, 10, 9, 10, 10, 4, 3]
    assert not caplog.messages
    kept = ids_of(pack_codes(clips, tokenizer, 31, drop_last=True, **options))
    assert kept == [ids for ids in everything if len(ids) == 31]
    assert caplog.messages == [
        "Left out 3 sequences shorter than 31 ids, and with them 12 frames."  # 7 + 2 + 3
    ]
    caplog.clear()
    joined = ids_of(pack_codes(clips, tokenizer, 31, join_clips=True, **options))
    kept = ids_of(pack_codes(clips, tokenizer, 31, join_clips=True, drop_last=True, **options))
    assert kept == joined[:-1]
    assert len(caplog.messages) == 1


def test_padding_fills_every_sequence() -> None:
    bare = list(pack_codes(CODES, plain(), 50))
    padded = list(pack_codes(CODES, plain(), 50, pad=True))
    for ids, sequence in zip(ids_of(bare), padded, strict=True):
        missing = 50 - len(ids)
        assert sequence["input_ids"] == ids + [plain().pad_token_id] * missing
        assert sequence["attention_mask"] == [1] * len(ids) + [0] * missing
    assert sequence_statistics(padded, plain(), 5) == sequence_statistics(bare, plain(), 5)


def test_one_of_several_codecs() -> None:
    other = train_tokenizer(CODES, codebook_sizes=SIZES, vocab_size=100)
    names = {"audio_token": "<c>", "audio_start_token": "<b>", "audio_end_token": None}
    both = extend_tokenizer(extended(bases.gpt2_like), other, **names)
    with pytest.raises(TokenizerError, match="exactly one codec"):
        pack_codes(CODES, both)
    first, second = (CodecVocabulary.of(both, index=index) for index in (0, 1))
    around = both.convert_tokens_to_ids(["<|audio_start|>", "<|audio_end|>"])
    for vocabulary, begin, end in (
        (first, around[:1], around[1:]),
        (second, [both.convert_tokens_to_ids("<b>")], []),
    ):
        (ids,) = ids_of(pack_codes(CODES[:1], vocabulary))
        assert ids == [*begin, *vocabulary.codes_to_ids(CODES[0]), *end]


@pytest.mark.parametrize("kind", [Dataset, IterableDataset])
@pytest.mark.parametrize("as_column", [False, True])
def test_datasets_from_a_generator(kind: Any, as_column: bool) -> None:
    expected = ids_of(pack_codes(CODES, plain(), 50))
    codes = Dataset.from_dict({"codes": CODES})["codes"] if as_column else CODES
    options = {"codes": codes, "tokenizer": plain(), "sequence_length": 50}
    assert ids_of(kind.from_generator(pack_codes, gen_kwargs=options)) == expected


def test_chunks_in_files_are_one_recording(tmp_path: Path) -> None:
    long = skewed_codes(3, SIZES, 200)
    for channel, codes in enumerate([long, long[:, ::-1]]):
        for seconds in range(0, 20, 4):
            part = codes[:, seconds * 10 : seconds * 10 + 40]
            save_codes(tmp_path / "a" / f"x_c{channel}_t{seconds:06d}_000.npy", part)
    save_codes(tmp_path / "a" / "y_c0.npy", CODES[0])
    recordings = Recordings(CodesFolder(tmp_path))
    assert len(recordings) == 3
    for found, codes in zip(recordings, [long, long[:, ::-1], CODES[0]], strict=True):
        assert np.array_equal(found, codes)
    expected = ids_of(pack_codes(list(recordings), plain(), 60))
    for codes in (tmp_path, str(tmp_path), CodesFolder(tmp_path)):
        assert ids_of(pack_codes(codes, plain(), 60)) == expected
    save_codes(tmp_path / "a" / "x_c0_t000020_000.npy", long[:2])
    with pytest.raises(CodesError, match="different numbers of codebooks"):
        list(recordings.__class__(CodesFolder(tmp_path)))
    save_codes(tmp_path / "a" / "x_c0.npy", long)
    with pytest.raises(CodesError, match="is there twice, whole and in chunks"):
        list(Recordings(CodesFolder(tmp_path)))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_chunk_that_is_missing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, missing: int
) -> None:
    starts = ["000000_000", "000000_667", "000001_333", "000002_000"]
    for name in ("x_c0", "y_c0"):
        for start in starts:
            save_codes(tmp_path / f"{name}_t{start}.npy", CODES[0])
    Recordings(CodesFolder(tmp_path, num_files=7))  # where the end is missing nobody can tell
    assert not caplog.records
    (tmp_path / f"y_c0_t{starts[missing]}.npy").unlink()
    pack_codes(tmp_path, plain())
    assert re.search(r"Chunks of 1 recording\(s\) are missing, .*y_c0 among them", caplog.text)


def test_chunks_of_a_recording_are_in_order_where_milliseconds_were_rounded_up(
    tmp_path: Path,
) -> None:
    long = skewed_codes(3, SIZES, 30)
    for at, start in enumerate(["000000_000", "000000_667", "000000_1000"]):  # as codec-bpe has it
        save_codes(tmp_path / f"x_c0_t{start}.npy", long[:, at * 10 : at * 10 + 10])
    (found,) = Recordings(CodesFolder(tmp_path))
    assert np.array_equal(found, long)


@pytest.mark.parametrize("base", bases.ALL)
def test_files_give_the_sequences_back(base: Callable[[], Any], tmp_path: Path) -> None:
    tokenizer = extended(base)
    sequences = list(pack_codes(CODES, tokenizer, 70, overlap_frames=3))
    for name in ("new/x.parquet", "new/x.txt"):
        assert write_sequences(iter(sequences), tmp_path / name, tokenizer) == len(sequences)
        assert list(read_sequences(tmp_path / name, tokenizer)) == sequences
    loaded = load_dataset("parquet", data_files=str(tmp_path / "new/x.parquet"), split="train")
    assert ids_of(loaded) == ids_of(sequences)
    lines = (tmp_path / "new/x.txt").read_text().splitlines()
    alphabet = CodecVocabulary.of(tokenizer).alphabet
    for line, ids in zip(lines, ids_of(sequences), strict=True):
        start, end = tokenizer.audio_start_token, tokenizer.audio_end_token
        assert line.startswith(start)
        assert line.endswith(end)
        assert alphabet.to_codes(line.removeprefix(start).removesuffix(end)).size
        assert tokenizer(line)["input_ids"] == ids


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: extended(bases.llama3_like), {"add_bos_token": False}),
        (lambda: ending_texts(plain()), {"add_eos_token": False}),
    ],
)
def test_lines_that_would_be_read_as_other_ids_are_not_written(
    make: Callable[[], Any], options: dict[str, Any], tmp_path: Path
) -> None:
    tokenizer = make()
    for name in ("x.parquet", "x.txt"):
        sequences = list(pack_codes(CODES, tokenizer, 70))
        write_sequences(sequences, tmp_path / name, tokenizer)
        assert list(read_sequences(tmp_path / name, tokenizer)) == sequences
    sequences = list(pack_codes(CODES, tokenizer, 70, **options))
    write_sequences(sequences, tmp_path / "x.parquet", tokenizer)
    assert list(read_sequences(tmp_path / "x.parquet", tokenizer)) == sequences
    with pytest.raises(PackingError, match="itself puts around a text"):
        write_sequences(sequences, tmp_path / "x.txt", tokenizer)


def test_padded_sequences_are_no_lines_of_text(tmp_path: Path) -> None:
    padded = list(pack_codes(CODES, plain(), 70, pad=True))
    with pytest.raises(PackingError, match="has no place for its attention_mask"):
        write_sequences(padded, tmp_path / "x.txt", plain())
    full = [{**each, "attention_mask": [1] * 70} for each in padded]
    assert write_sequences(full, tmp_path / "x.txt", plain()) == len(full)


@pytest.mark.parametrize("make", [plain, lambda: extended(bases.gpt2_like)])
def test_lines_may_end_as_windows_ends_them(make: Callable[[], Any], tmp_path: Path) -> None:
    sequences = list(pack_codes(CODES, make(), 70))
    write_sequences(sequences, tmp_path / "x.txt", make())
    text = (tmp_path / "x.txt").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "x.txt").write_bytes(text)
    assert list(read_sequences(tmp_path / "x.txt", make())) == sequences


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    def broken() -> Iterable[dict[str, list[int]]]:
        yield from pack_codes(CODES, plain(), 60)
        raise CodesError("the disk is on fire")

    for name in ("x.parquet", "x.txt"):
        (tmp_path / name).write_text("before")
        with pytest.raises(CodesError, match="on fire"):
            write_sequences(broken(), tmp_path / name, plain())
        assert (tmp_path / name).read_text() == "before"
    assert len(list(tmp_path.glob(".*"))) == 0


def test_sequences_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    tokenizer, path = plain(), tmp_path / "x.parquet"
    sequences = list(pack_codes(CODES, tokenizer, 60))
    write_sequences(sequences, path, tokenizer)
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    same = CodecBPETokenizer.from_pretrained(tmp_path / "tokenizer")
    same.add_tokens(["<|text|>"])  # which changes nothing about the others
    assert list(read_sequences(path, same)) == sequences
    others = (
        train_tokenizer(CODES[4:], codebook_sizes=SIZES, vocab_size=300, bos_token="<s>"),
        extended(bases.gpt2_like),
    )
    for other in others:
        with pytest.raises(PackingError, match="made with another tokenizer"):
            list(read_sequences(path, other))
    Dataset.from_list(sequences).to_parquet(path)  # what does not say who made it is taken as is
    assert list(read_sequences(path, others[0])) == sequences


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as codec-bpe writes it, and tokenizers for it."""
    for i, clip in enumerate(CODES):
        save_codes(tmp_path / "codes" / f"part{i % 2}" / f"clip{i}_c0.npy", clip)
    INFO.save(tmp_path / "codes")
    plain().save_pretrained(tmp_path / "plain")
    return tmp_path / "codes"


def codec_bpe_lines(folder: Path, tokenizer: Any, **options: Any) -> list[str]:
    builder = LMDatasetBuilder(tokenizer, K, 24, START, END, unicode_offset=0x4E00, **options)
    return list(builder.iterate_examples(str(folder)))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("overlap", "length"), [(0, 17), (4, 17), (16, 17), (5, 60), (5, 70)])
def test_text_is_codec_bpes(folder: Path, overlap: int, length: int, drop_last: bool) -> None:
    """Without merges, where tokens and frames have the same borders."""
    tokenizer = train_tokenizer(
        [],
        codebook_sizes=[24] * K,
        unicode_offset=0x4E00,
        max_token_codebook_ngrams=0,
        additional_special_tokens=[START, END],
    )
    options = {"sequence_length": length * K + 2, "drop_last": drop_last}
    theirs = codec_bpe_lines(folder, tokenizer, overlap_length=overlap * K, **options)
    ours = pack_codes(folder, tokenizer, overlap_frames=overlap, **options, **named(tokenizer))
    if not theirs:
        assert not list(ours)
        return
    write_sequences(ours, "ours.txt", tokenizer)
    assert Path("ours.txt").read_text().splitlines() == theirs


def test_codec_bpes_text_is_read(folder: Path) -> None:
    """Whole clips, with merges."""
    tokenizer = train_tokenizer(
        CODES,
        codebook_sizes=[24] * K,
        vocab_size=300,
        unicode_offset=0x4E00,
        additional_special_tokens=[START, END],
    )
    lines = codec_bpe_lines(folder, tokenizer)
    Path("theirs.txt").write_text("\n".join(lines) + "\n")
    theirs = list(read_sequences("theirs.txt", tokenizer))
    assert theirs == list(pack_codes(folder, tokenizer, **named(tokenizer)))
    assert sequence_statistics(theirs, tokenizer, 12.5).seconds == len(CODES) * 60 / 12.5


@pytest.mark.parametrize(
    ("vocab_size", "num_audio", "longest", "rates"),
    [(7, 18, 12, (4.0, 4.0)), (8, 13, 9, (2.8, 3.0))],
    ids=["every code a token", "the frame (0, 2) a token"],
)
def test_statistics_of_clips_whose_figures_are_known(
    vocab_size: int, num_audio: int, longest: int, rates: tuple[float, float]
) -> None:
    silence = np.array([[0, 0], [2, 2]])
    codec = train_tokenizer([silence] * 4, codebook_sizes=[2, 4], vocab_size=vocab_size)
    tokenizer = extend_tokenizer(bases.gpt2_like(), codec)
    eos = tokenizer.eos_token_id
    four, one = (
        CodecVocabulary.of(tokenizer).codes_to_ids(codes)
        for codes in ([[0, 1, 0, 1], [2, 3, 2, 3]], [[0], [2]])
    )
    sequences = [{"input_ids": ids} for ids in ([*four, eos], [*four, eos, *one, eos], [eos])]
    found = sequence_statistics(sequences, tokenizer, frame_rate=2)
    assert (found.num_sequences, found.num_clips) == (3, 3)
    assert (found.num_audio_tokens, found.num_tokens) == (num_audio, num_audio + 4)
    assert (found.num_codes, found.seconds) == (18, 4.5)
    assert (found.tokens_per_second, found.compression) == (num_audio / 4.5, 18 / num_audio)
    seconds = found.seconds_per_sequence
    assert (seconds.min, seconds.median, seconds.mean, seconds.max) == (0, 2, 1.5, 2.5)
    assert seconds.std == pytest.approx(np.sqrt((0.5**2 + 1**2 + 1.5**2) / 3))
    assert (found.tokens_per_sequence.min, found.tokens_per_sequence.max) == (1, longest)
    assert (found.audio_tokens_per_second.min, found.audio_tokens_per_second.max) == rates
    assert json.loads(json.dumps(found.to_dict()))["compression"] == found.compression


def test_statistics_refuse_what_is_not_the_tokenizers() -> None:
    sequences = list(pack_codes(CODES, plain()))
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        sequence_statistics([{"input_ids": [1, -100]}], plain(), 50)
    with pytest.raises(PackingError, match="no audio of this tokenizer"):
        sequence_statistics(sequences, extended(bases.gpt2_like), 50)
    with pytest.raises(PackingError, match="frame_rate=nan"):
        sequence_statistics(sequences, plain(), math.nan)
    with pytest.raises(PackingError, match="has no input_ids, but x, y: pass what pack_codes"):
        sequence_statistics([{"x": 1, "y": 2}], plain(), 50)
    for ids in ([5.9, 6.9], [[5, 6]], None):
        with pytest.raises(TokenizerError, match="are not one sequence: pass integers"):
            sequence_statistics([{"input_ids": ids}], plain(), 50)
    with pytest.raises(PackingError, match=r"3 input_ids, but an attention_mask of shape \[2\]"):
        sequence_statistics([{"input_ids": [5, 6, 7], "attention_mask": [1, 1]}], plain(), 50)


def test_statistics_take_a_mask_that_is_none_for_no_mask() -> None:
    bare = list(pack_codes(CODES, plain()))
    without = [{**sequence, "attention_mask": None} for sequence in bare]
    assert sequence_statistics(without, plain(), 50) == sequence_statistics(bare, plain(), 50)


@pytest.mark.parametrize(
    ("length", "options", "message"),
    [
        (40.5, {}, "sequence_length=40.5 is not a count: pass an integer"),
        (30, {"overlap_frames": 1.5}, "overlap_frames=1.5 is not a count"),
        (2, {}, "sequence_length=2 may not hold a single frame: it takes 3 ids, and 0 stand"),
        (4, {"audio_end_token": END, "add_bos_token": True}, "single frame: it takes 3 ids, and 2"),
        (30, {"overlap_frames": 10}, "overlap_frames=10 is not from 0 to 9"),
        (30, {"overlap_frames": -1}, "overlap_frames=-1 is not from 0 to 9"),
        (30, {"join_clips": True}, "needs a token between clips"),
        (30, {"audio_start_token": "<nowhere>"}, "audio_start_token='<nowhere>' is not in"),
    ],
)
def test_options_that_cannot_be(length: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PackingError, match=message):
        pack_codes(CODES, plain(), length, **options)


def test_tokens_that_are_missing() -> None:
    tokenizer = train_tokenizer(CODES, codebook_sizes=SIZES, vocab_size=60, pad_token=None)
    for option, message in {
        "pad": "needs a padding token",
        "add_bos_token": "has no bos_token",
        "add_eos_token": "has no eos_token",
    }.items():
        with pytest.raises(PackingError, match=message):
            pack_codes(CODES, tokenizer, **{option: True})


def test_codes_and_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(AlphabetError, match="outside its codebook"):
        list(pack_codes([CODES[0] + 20], plain()))
    with pytest.raises(CodesError, match="do not fit 3 codebook"):
        list(pack_codes([CODES[0][:2]], plain()))
    with pytest.raises(CodesError, match="no codes in"):
        pack_codes(tmp_path, plain())
    dataset = Dataset.from_dict({"id": ["a"], "codes": [CODES[0].tolist()]})
    with pytest.raises(CodesError, match=r"\(id, codes\) is not clips .* dataset\['codes'\]"):
        pack_codes(dataset, plain())
    with pytest.raises(TokenizerError, match="knows no codes"):
        pack_codes(CODES, bases.gpt2_like())
    torn = extend_tokenizer(bases.gpt2_like(), plain())
    torn.backend_tokenizer.pre_tokenizer = bases.mistral_gemma().backend_tokenizer.pre_tokenizer
    with pytest.raises(TokenizerError, match="has lost parts"):
        list(pack_codes(CODES, torn))
    for function in (write_sequences, lambda _, path, t: read_sequences(path, t)):
        with pytest.raises(PackingError, match=r"must end in \.parquet or \.txt"):
            function([], tmp_path / "x.json", plain())
    with pytest.raises(PackingError, match="nothing to write"):
        write_sequences([], tmp_path / "x.txt", plain())
    text_id = bases.gpt2_like()("hello")["input_ids"]
    with pytest.raises(PackingError, match="neither audio nor a special token"):
        write_sequences([{"input_ids": text_id}], tmp_path / "x.txt", extended(bases.gpt2_like))
    for name in ("nowhere.txt", "nowhere.parquet"):
        with pytest.raises(PackingError, match=rf"no file .*{name}: check the path"):
            read_sequences(tmp_path / name, plain())
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(PackingError, match="not text in UTF-8"):
        list(read_sequences(tmp_path / "x.txt", plain()))
    (tmp_path / "x.parquet").write_text("no Parquet")
    with pytest.raises(PackingError, match="not a Parquet file"):
        list(read_sequences(tmp_path / "x.parquet", plain()))
    Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(PackingError, match="no column input_ids, but text"):
        list(read_sequences(tmp_path / "y.parquet", plain()))
    mixed = [{"input_ids": [1]}, {"input_ids": [1], "attention_mask": [1]}]
    for sequences in (mixed, mixed[::-1], [{"ids": [1]}]):
        with pytest.raises(PackingError, match="give all of them input_ids"):
            write_sequences(sequences, tmp_path / "z.parquet", plain())
    ids = np.random.default_rng(0).integers(0, 300, (99, 30)).tolist()
    write_sequences([{"input_ids": row} for row in ids], tmp_path / "z.parquet", plain())
    whole = bytearray((tmp_path / "z.parquet").read_bytes())
    whole[len(whole) // 2] ^= 1  # among the ids, where nothing but a checksum shows it
    (tmp_path / "z.parquet").write_bytes(whole)
    with pytest.raises(PackingError, match=r"z\.parquet is damaged .* make it again"):
        list(read_sequences(tmp_path / "z.parquet", plain()))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def test_commands(shell: Shell, folder: Path) -> None:
    options = ["-l", 60, "--overlap-seconds", 0.4, "--audio-end-token", END, "--eos"]
    expected = list(
        pack_codes(folder, plain(), 60, overlap_frames=5, audio_end_token=END, add_eos_token=True)
    )
    report = shell("pack", folder, "plain", "out/x.parquet", *options)
    assert report == f"{len(expected)} sequences of at most 60 tokens: out/x.parquet\n"
    assert list(read_sequences("out/x.parquet", plain())) == expected
    figures = json.loads(shell("stats", "out/x.parquet", "plain", "--codes", folder, "--json"))
    assert figures == sequence_statistics(expected, plain(), 12.5).to_dict()
    shell("pack", folder, "plain", "out/x.txt", *options, "--num-sequences", 3)
    assert len(Path("out/x.txt").read_text().splitlines()) == 3
    table = shell("stats", "out/x.txt", "plain", "--frame-rate", 12.5, "--num-sequences", 2)
    assert "sequences       2\n" in table
    assert f"clips           {2}\n" in table
    assert "codes per token" in table
    shell("pack", folder, "plain", "joined.parquet", "--join-clips", "--pad", "-l", 90, "--eos")
    joined = list(read_sequences("joined.parquet", plain()))
    assert {len(ids) for ids in ids_of(joined)} == {90}


def test_which_of_two_codecs(shell: Shell, folder: Path) -> None:
    once = extend_tokenizer(bases.gpt2_like(), plain())
    names = {f"audio{part}_token": f"<|other{part}|>" for part in ("", "_start", "_end")}
    extend_tokenizer(once, plain(), **names).save_pretrained("twice")
    assert "Say which one with" in shell.fails("pack", folder, "twice", "x.parquet")
    ids = []
    for index in (0, 1):
        shell("pack", folder, "twice", "x.parquet", "--codec-index", index)
        figures = shell("stats", "x.parquet", "twice", "--codec-index", index, "--codes", folder)
        assert "codes per token" in figures
        vocabulary = CodecVocabulary.of(AutoTokenizer.from_pretrained("twice"), index=index)
        ids.append({i for row in ids_of(read_sequences("x.parquet", vocabulary)) for i in row})
    assert ids[0].isdisjoint(ids[1])


def test_the_demos_rate_is_in_its_processor(shell: Shell, tmp_path: Path) -> None:
    config = json.loads((demo_repo() / "codec" / "config.json").read_text())
    save_codes(tmp_path / "in" / "x_c0.npy", np.zeros((config["n_codebooks"], 100)))
    shell("pack", tmp_path / "in", "demo", "x.parquet")
    seconds = 100 * config["hop_length"] / config["sampling_rate"]
    for name in ("demo", demo_repo()):
        found = json.loads(shell("stats", "x.parquet", name, "--json"))["seconds"]
        assert found == pytest.approx(seconds, abs=0.01)


def test_commands_that_cannot_be(shell: Shell, folder: Path, tmp_path: Path) -> None:
    assert "could not be loaded" in shell.fails("pack", folder, "nowhere", "x.txt")
    assert "must end in" in shell.fails("pack", folder, "plain", "x.json")
    _, _, shown = run_command(shell.patch, shell.capture, "pack", folder, "plain", "x.json")
    assert "Packing" not in shown  # no bar of progress was begun
    assert "There is no file nope.txt" in shell.fails(
        "stats", "nope.txt", "plain", "--frame-rate", 12.5
    )
    assert "There are no codes" in shell.fails("pack", tmp_path / "plain", "plain", "x.txt")
    assert "is not from 0" in shell.fails(
        "pack", folder, "plain", "x.txt", "-l", 30, "--overlap-seconds", 1
    )
    shell("pack", folder, "plain", "x.txt")
    assert "pass --frame-rate" in shell.fails("stats", "x.txt", "plain")
    (folder / "codec_info.json").unlink()
    assert "pass --frame-rate" in shell.fails(
        "pack", folder, "plain", "y.txt", "--overlap-seconds", 1
    )
    assert not Path("y.txt").exists()
