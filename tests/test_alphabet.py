"""Codes to characters and back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hf_codec_bpe import CodebookAlphabet
from hf_codec_bpe import alphabet as alphabet_module
from hf_codec_bpe.errors import AlphabetError, CodecBPEError, CodesError


@pytest.fixture(autouse=True, scope="module", params=[False, True], ids=["numpy", "numba"])
def numba_is_loaded(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of this with arrays' own functions, and with compiled loops."""
    with patch.object(alphabet_module, "is_loaded", lambda: request.param):
        yield


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@st.composite
def alphabets_and_codes(draw: st.DrawFn) -> tuple[CodebookAlphabet, np.ndarray]:
    sizes = draw(SIZES)
    offset = draw(st.sampled_from([None, 0x4E00, 0xD7F0, 0xFDC8, 0x1FFFA, 0xFFFF0]))
    frames = draw(st.integers(0, 12))
    columns = [[draw(st.integers(0, size - 1)) for _ in range(frames)] for size in sizes]
    return CodebookAlphabet(sizes, offset), np.array(columns, dtype=np.int64).reshape(
        len(sizes), frames
    )


@given(alphabets_and_codes())
def test_round_trip(case: tuple[CodebookAlphabet, np.ndarray]) -> None:
    alphabet, codes = case
    text = alphabet.to_text(codes)
    assert len(text) == codes.size
    assert np.array_equal(alphabet.to_codes(text), codes)
    assert alphabet.to_codes(text).shape == codes.shape


@given(alphabets_and_codes())
def test_text_is_frame_major_and_survives_utf8(case: tuple[CodebookAlphabet, np.ndarray]) -> None:
    alphabet, codes = case
    text = alphabet.to_text(codes)
    by_hand = "".join(
        alphabet.characters[sum(alphabet.codebook_sizes[:k]) + codes[k, t]]
        for t in range(codes.shape[1])
        for k in range(codes.shape[0])
    )
    assert text == by_hand
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize("offset", [0xD7FF, 0xFDCF, 0xFFFD, 0xEFFFD, 0xFFFFD])
def test_surrogates_and_noncharacters_are_skipped(offset: int) -> None:
    points = [ord(char) for char in CodebookAlphabet([100], offset).characters]
    assert points == sorted(set(points))
    assert points[0] == offset
    assert not any(0xD800 <= point < 0xE000 for point in points)
    assert not any(0xFDD0 <= point < 0xFDF0 or point & 0xFFFE == 0xFFFE for point in points)


def test_default_offset_is_private_and_large_alphabets_move_to_unassigned_planes() -> None:
    assert CodebookAlphabet([1024] * 4).unicode_offset == 0xF0000
    assert CodebookAlphabet([131_068]).unicode_offset == 0xF0000
    assert CodebookAlphabet([131_069]).unicode_offset == 0x40000


def test_a_quarter_of_a_million_codes() -> None:
    alphabet = CodebookAlphabet([262_144])
    codes = np.arange(262_144)[None]
    assert np.array_equal(alphabet.to_codes(alphabet.to_text(codes)), codes)
    assert len(set(alphabet.characters)) == 262_144


def test_sizes_may_differ() -> None:
    alphabet = CodebookAlphabet([32768, 4096, 8])
    assert (alphabet.num_codebooks, alphabet.size) == (3, 36_872)
    assert alphabet.to_codes(alphabet.to_text([[32767], [4095], [7]])).tolist() == [
        [32767],
        [4095],
        [7],
    ]


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
)
def test_every_integer_type_and_the_array_is_not_changed(dtype: str) -> None:
    alphabet = CodebookAlphabet([128, 128])
    codes = np.array([[0, 127], [127, 1]], dtype=dtype)
    before = codes.copy()
    assert alphabet.to_codes(alphabet.to_text(codes)).tolist() == codes.tolist()
    assert np.array_equal(codes, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_floats_are_no_codes(dtype: torch.dtype) -> None:
    with pytest.raises(CodesError, match="must be integers, but their dtype is float32"):
        CodebookAlphabet([4, 4]).to_text(torch.ones(2, 3, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_torch_tensors(dtype: torch.dtype) -> None:
    alphabet = CodebookAlphabet([4, 4])
    codes = torch.tensor([[0, 3], [2, 1]], dtype=dtype)
    assert alphabet.to_text(codes) == alphabet.to_text([[0, 3], [2, 1]])
    assert alphabet.to_text(codes.t().contiguous().t()) == alphabet.to_text(codes)


def test_arrays_that_cannot_be_written_or_have_gaps() -> None:
    alphabet = CodebookAlphabet([4, 4])
    codes = np.array([[0, 9, 3, 9], [2, 9, 1, 9]])[:, ::2]
    assert alphabet.to_text(codes) == alphabet.to_text([[0, 3], [2, 1]])
    codes = codes.copy()
    codes.flags.writeable = False
    assert alphabet.to_text(codes) == alphabet.to_text([[0, 3], [2, 1]])
    assert alphabet.to_positions(codes).tolist() == [0, 6, 3, 5]
    assert alphabet.to_positions(codes.astype(">i8")).tolist() == [0, 6, 3, 5]


def test_empty_input() -> None:
    alphabet = CodebookAlphabet([4, 4, 4])
    assert alphabet.to_codes("").shape == (3, 0)
    assert alphabet.to_codes("", errors="drop").shape == (3, 0)
    assert alphabet.to_text(np.zeros((3, 0), dtype=np.int64)) == ""
    assert alphabet.to_text([[], [], []]) == ""


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[0, 4], [0, 0]], "Code 4 at codebook 0, frame 1 is outside its codebook of 4"),
        ([[0, 0], [0, -1]], "Code -1 at codebook 1, frame 1"),
        (np.array([[0, 0], [2**32, 0]]), "Code 4294967296 at codebook 1, frame 0"),
        (np.array([[0, 0], [0, -(2**32)]]), "Code -4294967296 at codebook 1, frame 1"),
        (np.array([[0], [2**63]], dtype=np.uint64), "Code 9223372036854775808 at codebook 1"),
    ],
)
def test_a_code_outside_its_codebook(codes: object, message: str) -> None:
    with pytest.raises(AlphabetError, match=message):
        CodebookAlphabet([4, 4]).to_text(codes)


@pytest.mark.parametrize(
    "codes",
    [
        [[0]],
        [0, 1],
        [[[0]], [[1]]],
        [[0.0], [1.0]],
        [[0, 1], [0]],
        [["a"], ["b"]],
        [[True], [False]],
    ],
)
def test_codes_of_the_wrong_shape_or_type(codes: object) -> None:
    with pytest.raises(CodesError, match=r"Codes"):
        CodebookAlphabet([4, 4]).to_text(codes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ae?e", r"'\?' \(U\+003F\) at position 2 is not in CodebookAlphabet"),
        ("aeae\U0010ffff", "position 4 is not in"),
        ("ea", "position 0 belongs to codebook 1, but codebook 0 is due"),
        ("aebb", "position 3 belongs to codebook 0, but codebook 1 is due"),
        ("aea", "ends inside a frame: 3 characters"),
        ("\ud800e", "U\\+D800"),
    ],
)
def test_strict_says_where(text: str, message: str) -> None:
    alphabet = CodebookAlphabet([4, 4], unicode_offset=ord("a"))
    with pytest.raises(AlphabetError, match=message) as caught:
        alphabet.to_codes(text)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CodecBPEError)


def test_drop_logs_how_much_it_drops(caplog: pytest.LogCaptureFixture) -> None:
    alphabet = CodebookAlphabet([4, 4, 4], unicode_offset=ord("a"))
    text = "fi" + "aei" + "b?" + "b" + "fj" + "ce"
    with caplog.at_level(logging.WARNING):
        codes = alphabet.to_codes(text, errors="drop")
    assert codes.tolist() == [[0, 1], [0, 1], [0, 1]]
    assert "Dropped 6 of 12 audio characters" in caplog.text


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.lists(st.integers(-2, 18)))
def test_mending_is_what_a_plain_loop_does(sizes: list[int], offsets: list[int]) -> None:
    alphabet = CodebookAlphabet(sizes, unicode_offset=ord("A"))
    text = "".join(chr(ord("A") + offset) for offset in offsets)
    owners = {
        char: k
        for k, size in enumerate(sizes)
        for char in alphabet.characters[sum(sizes[:k]) :][:size]
    }
    kept: list[str] = []
    due = owners.get(text[0], 0) if text else 0
    for char in text:
        if owners.get(char) == due:
            kept.append(char)
            due = (due + 1) % len(sizes)
    begin = 0
    while begin < len(kept) and owners[kept[begin]] != 0:
        begin += 1
    end = len(kept)
    while end > begin and owners[kept[end - 1]] != len(sizes) - 1:
        end -= 1
    mended = alphabet.mend(text)
    assert alphabet.to_text(mended.codes) == "".join(kept[begin:end])
    assert mended.begin_hanging == "".join(kept[:begin])
    assert mended.end_hanging == "".join(kept[end:])
    assert mended.num_dropped == len(text) - (end - begin)


def test_membership_ranges_and_character_class() -> None:
    alphabet = CodebookAlphabet([70_000])
    assert "\U000f0000" in alphabet
    assert "a" not in alphabet
    assert "" not in alphabet
    assert alphabet.ranges == [(0xF0000, 0xFFFFD), (0x100000, 0x100000 + 70_000 - 65_534 - 1)]
    assert alphabet.character_class[0] == "\U000f0000"


def test_equality_is_about_characters() -> None:
    assert CodebookAlphabet([4, 4]) == CodebookAlphabet((4, 4), 0xF0000)
    assert CodebookAlphabet([4, 4]) != CodebookAlphabet([8])
    assert CodebookAlphabet([4, 4]) != CodebookAlphabet([4, 4], 0x4E00)
    assert hash(CodebookAlphabet([4, 4])) == hash(CodebookAlphabet([4, 4]))
    for equal in (  # surrogates and noncharacters are stepped over, or not met at all
        (CodebookAlphabet([4, 4], 0xD800), CodebookAlphabet([4, 4], 0xE000)),
        (CodebookAlphabet([4]), CodebookAlphabet([4], skip_noncharacters=False)),
    ):
        assert len(set(equal)) == 1


@pytest.mark.parametrize(
    ("sizes", "offset"),
    [([], None), ([4, 0], None), ([200_000], 0xF0000), ([4], 0x110000), ([4], -1)],
)
def test_impossible_alphabets(sizes: list[int], offset: int | None) -> None:
    with pytest.raises(AlphabetError):
        CodebookAlphabet(sizes, offset)
