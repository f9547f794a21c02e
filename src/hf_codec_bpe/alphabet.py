"""Codes to characters and back: one character for each code of each codebook.

A BPE tokenizer works on text, so the codes `[K, T]` of a clip (K codebooks, T frames) are written
frame by frame as a string of K x T characters. Codebook 0 owns the first characters of the
alphabet, codebook 1 the next ones, and so on, so that a character tells both its codebook and its
code (Acoustic BPE, Shen et al. 2024, extended to residual codebooks as in codec-bpe).

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from itertools import accumulate
from numbers import Integral
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from . import code_points
from .errors import AlphabetError, CodesError
from .jit import has_numba, is_loaded
from .mending import in_turn

__all__ = ["CodebookAlphabet", "Errors", "Mended"]

logger = logging.getLogger(__name__)

Errors: TypeAlias = Literal["strict", "drop", "drop_frames"]
IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
Positions: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.int32]
Start = TypeVar("Start", np.int64, np.uint32)


class Mended(NamedTuple):
    """What `CodebookAlphabet.mend` made of a string."""

    codes: npt.NDArray[np.int64]
    """Codes `[K, T]` of the whole frames that remain."""
    num_dropped: int
    """How many characters were dropped in all."""
    begin_hanging: str
    """Dropped characters before the first whole frame: the end of a frame that began earlier."""
    end_hanging: str
    """Dropped characters after the last whole frame: the start of a frame that goes on later."""


class CodebookAlphabet:
    """The characters that stand for the codes of K codebooks.

    Characters are consecutive from `unicode_offset`, skipping surrogates (which no UTF text may
    hold) and noncharacters.

    Args:
        codebook_sizes: One size per codebook; sizes may differ.
        unicode_offset: The first character's code point. By default U+F0000 (private use), or
            U+40000 (unassigned) for an alphabet of more than 131,068 characters. 0x4E00 reads and
            writes what codec-bpe does by default.
        skip_noncharacters: `False` gives noncharacters to codes like any other character, as
            codec-bpe does: needed only to read its tokenizers at offsets from 0xE000.

    Raises:
        AlphabetError: A size below 1, or an alphabet that does not fit after the offset.

    Example:
        >>> alphabet = CodebookAlphabet([1024, 1024], unicode_offset=0x4E00)
        >>> alphabet.to_text([[0, 1], [2, 3]])
        '一刂丁刃'
        >>> alphabet.to_codes('一刂丁刃').tolist()
        [[0, 1], [2, 3]]
    """

    def __init__(
        self,
        codebook_sizes: Sequence[int],
        unicode_offset: int | None = None,
        *,
        skip_noncharacters: bool = True,
    ) -> None:
        self.codebook_sizes = _checked_sizes(codebook_sizes)
        self.skip_noncharacters = skip_noncharacters
        self.num_codebooks = len(self.codebook_sizes)
        self.size = sum(self.codebook_sizes)
        self._smallest_size = min(self.codebook_sizes)
        if self.size >= code_points.END:
            raise AlphabetError(
                f"{self.num_codebooks} codebooks of {self.size} codes in all do not fit into "
                f"Unicode's {code_points.END} characters: use fewer codebooks."
            )
        self._sizes = np.array(self.codebook_sizes, dtype=np.int64)
        self._starts = np.array([0, *accumulate(self.codebook_sizes)], dtype=np.int64)
        if unicode_offset is None:
            unicode_offset = code_points.default_offset(self.size)
        self.unicode_offset = int(unicode_offset)
        self._code_points = code_points.usable_code_points(
            self.unicode_offset, self.size, skip_noncharacters=skip_noncharacters
        )

    def __repr__(self) -> str:
        return (
            f"CodebookAlphabet(codebook_sizes={list(self.codebook_sizes)}, "
            f"unicode_offset={self.unicode_offset:#x})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CodebookAlphabet) and (
            self.codebook_sizes == other.codebook_sizes
            and np.array_equal(self._code_points, other._code_points)
        )

    def __hash__(self) -> int:
        # By the first character, not the offset: surrogates and noncharacters are stepped over.
        return hash((self.codebook_sizes, int(self._code_points[0])))

    def __reduce__(self) -> tuple[Any, ...]:
        # Not the tables: they follow from the rest, and some come with use. An alphabet's pickle,
        # and so the hash of what holds it, stays the same.
        make = partial(type(self), skip_noncharacters=self.skip_noncharacters)
        return make, (self.codebook_sizes, self.unicode_offset)

    def __contains__(self, char: str) -> bool:
        return len(char) == 1 and bool(self.positions_of(char)[0] >= 0)

    @property
    def characters(self) -> str:
        """All characters, in the order of codebooks and codes."""
        return code_points.to_text(self._code_points)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The alphabet as runs of code points, `(first, last)` both included."""
        breaks = np.flatnonzero(np.diff(self._code_points.astype(np.int64)) != 1)
        firsts = self._code_points[np.concatenate([[0], breaks + 1])]
        lasts = self._code_points[np.concatenate([breaks, [self.size - 1]])]
        return list(zip(firsts.tolist(), lasts.tolist(), strict=True))

    @property
    def character_class(self) -> str:
        """The inside of a regular expression's `[...]` that matches every character."""
        return "".join(
            f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in self.ranges
        )

    def checked(self, codes: Any) -> IntArray:
        """Codes of any kind as an integer array `[K, T]`, all inside their codebooks.

        Args:
            codes: Integers `[K, T]` of any dtype: nested lists, a numpy array, or a torch tensor
                on any device. Never changed.

        Raises:
            CodesError: Not integers, or not K rows.
            AlphabetError: A code outside its codebook; says which one and where.
        """
        array = _as_integers(codes)
        if array.ndim != 2 or array.shape[0] != self.num_codebooks:
            raise CodesError(
                f"Codes of shape {list(array.shape)} do not fit {self.num_codebooks} codebook(s): "
                f"pass integers of shape [num_codebooks={self.num_codebooks}, num_frames]."
            )
        # Unsigned: what is negative wraps to large numbers, so one bound is enough.
        if array.size and array.view(_unsigned(array.dtype)).max() >= self._smallest_size:
            self._check_codes(array)
        return array

    def _check_codes(self, array: IntArray) -> None:
        """Looks closer at codes that some codebook may not have."""
        sizes = self._sizes[:, None]
        if array.min() < 0 or (array >= sizes).any():
            codebook, frame = (int(i) for i in np.argwhere((array < 0) | (array >= sizes))[0])
            raise AlphabetError(
                f"Code {int(array[codebook, frame])} at codebook {codebook}, frame {frame} is "
                f"outside its codebook of {self.codebook_sizes[codebook]} codes. Check that the "
                f"alphabet's sizes {list(self.codebook_sizes)} are those of the codec."
            )

    def to_positions(self, codes: Any) -> npt.NDArray[np.int64]:
        """Checks codes and numbers them through all codebooks, frame by frame.

        Args:
            codes: See `checked`, which also lists the errors.

        Returns:
            Positions `[T * K]` in the alphabet, `0 <= position < size`.

        Example:
            >>> CodebookAlphabet([1024, 1024]).to_positions([[0, 1], [2, 3]]).tolist()
            [0, 1026, 1, 1027]
        """
        return self._by_frames(codes, self._starts[:-1])

    def to_text(self, codes: Any) -> str:
        """Writes codes `[K, T]` as a string of T x K characters, frame by frame.

        Args:
            codes: See `checked`, which also lists the errors.

        Example:
            >>> CodebookAlphabet([4, 2], unicode_offset=ord("a")).to_text([[0, 3], [1, 0]])
            'afde'
        """
        if self._first_points is None:
            return self.text_of(self.to_positions(codes))
        return code_points.to_text(self._by_frames(codes, self._first_points))

    def to_codes(self, text: str, errors: Errors = "strict") -> npt.NDArray[np.int64]:
        """Reads a string of code characters back into codes.

        Args:
            text: Characters of this alphabet, frame by frame. Empty text gives `[K, 0]`.
            errors: `"strict"` raises on the first character that is not in its place; `"drop"`
                mends what a language model generates, see `mend`, and logs how many it dropped;
                `"drop_frames"` keeps only frames that are whole as they stand, and logs likewise.

        Returns:
            Codes `[K, T]`.

        Raises:
            AlphabetError: Under `"strict"`, a character outside the alphabet or out of turn, or
                an incomplete last frame.
        """
        if errors == "strict":
            return self._strict(text)
        if errors == "drop":
            mended = self.mend(text)
            if mended.num_dropped:
                logger.warning("Dropped %d of %d audio characters.", mended.num_dropped, len(text))
            return mended.codes
        if errors == "drop_frames":
            return self._whole_frames(text)
        raise AlphabetError(
            f"errors={errors!r} is not known: pass 'strict', 'drop' or 'drop_frames'."
        )

    def mend(self, text: str) -> Mended:
        """Keeps the whole frames of a string that a language model generated.

        As in codec-bpe, three kinds of characters are dropped: those outside the alphabet; from the
        first one kept on, those of a codebook whose turn it is not; and incomplete frames at either
        end.

        Example:
            >>> alphabet = CodebookAlphabet([4, 2], unicode_offset=ord("a"))
            >>> alphabet.mend("e" + "af" + "?" + "b" + "c" + "e" + "d")
            Mended(codes=array([[0, 1],
                   [1, 0]]), num_dropped=4, begin_hanging='e', end_hanging='d')
        """
        positions = self.positions_of(text)
        codebooks = self._codebooks_of(positions)
        mask = in_turn(codebooks, self.num_codebooks)
        kept, first_codebook = positions[mask], int(codebooks[mask][:1].sum())
        begin = min(-first_codebook % self.num_codebooks, len(kept))
        end = len(kept) - (len(kept) - begin) % self.num_codebooks
        return Mended(
            codes=self._frames(kept[begin:end]),
            num_dropped=len(positions) - (end - begin),
            begin_hanging=code_points.to_text(self._code_points[kept[:begin]]),
            end_hanging=code_points.to_text(self._code_points[kept[end:]]),
        )

    def _whole_frames(self, text: str) -> npt.NDArray[np.int64]:
        """The frames of which every code stands in its place, one after another."""
        positions = self.positions_of(text)
        codebooks = self._codebooks_of(positions)
        num_windows = max(0, len(positions) - self.num_codebooks + 1)
        is_whole = np.ones(num_windows, dtype=bool)
        for codebook in range(self.num_codebooks):
            is_whole &= codebooks[codebook : codebook + num_windows] == codebook
        starts = np.flatnonzero(is_whole)
        num_dropped = len(positions) - len(starts) * self.num_codebooks
        if num_dropped:
            message = "Dropped %d of %d audio characters; %d whole frames remain."
            logger.warning(message, num_dropped, len(text), len(starts))
        frames = positions[starts[:, None] + np.arange(self.num_codebooks)]
        return self._frames(frames.reshape(-1))

    def codes_of(self, positions: Positions) -> npt.NDArray[np.int64] | None:
        """Reads positions, as `to_positions` numbers codes, back into codes `[K, T]`.

        Args:
            positions: Integers `[N]`, `0 <= position < size`, or -1 for what is outside.

        Returns:
            `None` unless they are whole frames, every code in its turn; see `to_codes` for those.

        Example:
            >>> CodebookAlphabet([1024, 1024]).codes_of(np.array([0, 1026, 1, 1027])).tolist()
            [[0, 1], [2, 3]]
        """
        if len(positions) % self.num_codebooks:
            return None
        codes = self._frames(positions)
        # Unsigned: what belongs to an earlier codebook wraps to large numbers.
        is_outside = codes.view(np.uint64) >= self._sizes.view(np.uint64)[:, None]
        return None if is_outside.any() else codes

    def text_of(self, positions: Positions) -> str:
        """Writes positions as characters."""
        return code_points.to_text(self._code_points.take(positions))

    def positions_of(self, text: str) -> npt.NDArray[np.int64]:
        """The position of each character in the alphabet; -1 for one outside.

        Example:
            >>> CodebookAlphabet([4, 2], unicode_offset=ord("a")).positions_of("af?").tolist()
            [0, 5, -1]
        """
        # Unsigned: code points below the offset wrap to large numbers, so one bound is enough.
        at = code_points.from_text(text) - np.uint32(self.unicode_offset)
        return self._position_of[np.minimum(at, np.uint32(len(self._position_of) - 1))]

    @cached_property
    def _first_points(self) -> npt.NDArray[np.uint32] | None:
        """The first code point of each codebook; `None` where one has a gap, such as surrogates."""
        firsts = self._code_points[self._starts[:-1]]
        lasts = self._code_points[self._starts[1:] - 1]
        return firsts if np.array_equal(lasts - firsts + 1, self.codebook_sizes) else None

    def _by_frames(self, codes: Any, starts: npt.NDArray[Start]) -> npt.NDArray[Start]:
        """Checks codes `[K, T]`, and adds the start `[K]` of each one's codebook, as `[T * K]`."""
        if self._is_for_numba(codes):
            are_inside, found = self._compiled_by_frames(codes, starts, self._sizes)
            if are_inside:
                return found
        array = self.checked(codes)
        found = np.empty(array.shape[::-1], dtype=starts.dtype)
        # Read along the codes and written across: several times faster than the other way round.
        np.add(array, starts[:, None], out=found.T, dtype=starts.dtype, casting="unsafe")
        return found.reshape(-1)

    @cached_property
    def _compiled_by_frames(self) -> Callable[..., tuple[bool, npt.NDArray[Any]]]:
        from .code_loops import by_frames, get_ready

        get_ready()
        return by_frames

    def _is_for_numba(self, codes: Any) -> bool:
        """Whether codes are of the kind that a loop is compiled for, and it is at hand."""
        return (
            isinstance(codes, np.ndarray)
            and codes.dtype == np.int64
            and codes.flags.carray
            and codes.ndim == 2
            and len(codes) == self.num_codebooks
            and is_loaded()
            and has_numba()
        )

    def _strict(self, text: str) -> npt.NDArray[np.int64]:
        positions = self.positions_of(text)
        codes = self.codes_of(positions)
        if codes is not None:
            return codes
        codebooks = self._codebooks_of(positions)
        expected = np.arange(len(positions)) % self.num_codebooks
        wrong = np.flatnonzero(codebooks != expected)
        if len(wrong):
            at = int(wrong[0])
            raise AlphabetError(_out_of_place(text, at, codebooks[at], expected[at], self))
        raise AlphabetError(
            f"The text ends inside a frame: {len(positions)} characters are not a multiple of "
            f"{self.num_codebooks} codebooks. Pass errors='drop' to keep its whole frames."
        )

    def _frames(self, positions: Positions) -> npt.NDArray[np.int64]:
        """Positions `[T * K]`, taken to be in turn, as codes `[K, T]`."""
        frames = positions.reshape(-1, self.num_codebooks).T
        codes = np.empty(frames.shape, dtype=np.int64)
        return np.subtract(frames, self._starts[:-1, None], out=codes)

    def _codebooks_of(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The codebook of each position; -1 for a foreign one."""
        return np.searchsorted(self._starts, positions, side="right") - 1

    @cached_property
    def _position_of(self) -> npt.NDArray[np.int64]:
        """The inverse of `_code_points`, from `unicode_offset` on; -1 where nothing is."""
        span = int(self._code_points[-1]) - self.unicode_offset + 1
        table = np.full(span + 1, -1)  # the entry after the last one stays foreign
        table[self._code_points - self.unicode_offset] = np.arange(self.size)
        return table


def _checked_sizes(codebook_sizes: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(codebook_sizes)
    if not sizes or not all(isinstance(size, Integral) and size > 0 for size in sizes):
        shown = ", ".join(map(repr, sizes[:32]))
        raise AlphabetError(
            f"codebook_sizes=[{shown}] is not an alphabet: give one or more codebooks, each of at "
            "least one code, as integers."
        )
    return tuple(int(size) for size in sizes)


def _as_integers(codes: Any) -> IntArray:
    """Lists, numpy arrays and torch tensors as one integer array."""
    if hasattr(codes, "detach"):  # a torch tensor, without importing torch
        if codes.is_floating_point():
            codes = codes.float()  # refused below: numpy has no bfloat16
        codes = codes.detach().cpu().numpy()
    try:
        array = np.asarray(codes)
    except ValueError as error:  # rows of different lengths
        raise CodesError(f"Codes must be a rectangle [K, T]: {error}") from error
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise CodesError(f"Codes must be integers, but their dtype is {array.dtype}.")
    return array


@cache
def _unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that takes the same bits for unsigned integers."""
    return np.dtype(dtype.str.replace("i", "u"))


def _out_of_place(
    text: str, at: int, codebook: int, expected: int, alphabet: CodebookAlphabet
) -> str:
    char = f"Character {text[at]!r} (U+{ord(text[at]):04X}) at position {at}"
    if codebook < 0:
        return (
            f"{char} is not in {alphabet!r}. Pass errors='drop' to drop what is not audio, or "
            "check that the text was made with this alphabet."
        )
    return (
        f"{char} belongs to codebook {codebook}, but codebook {expected} is due there. "
        "Pass errors='drop' to mend generated text."
    )
