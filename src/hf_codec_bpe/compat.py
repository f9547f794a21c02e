"""codec-bpe's two functions, with its signatures, for people who migrate.

New code uses `CodebookAlphabet`. Results equal codec-bpe 1.4.1's wherever those are right; where
they are not, these functions raise or drop: codes outside their codebook (codec-bpe lets them
slide into the next one), narrow dtypes (it overflows), characters after the alphabet (it makes
codes outside the codebook of them), empty text (it crashes) and codes out of order that are not
dropped (it returns them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .alphabet import CodebookAlphabet
from .errors import AlphabetError, CodesError

if TYPE_CHECKING:
    import torch

__all__ = ["UNICODE_OFFSET", "UNICODE_OFFSET_LARGE", "chars_to_codes", "codes_to_chars"]

UNICODE_OFFSET = 0x4E00
"""Where codec-bpe's alphabets start, after Shen et al. (2024)."""
UNICODE_OFFSET_LARGE = 0xE000
"""Where codec-bpe starts alphabets that would run into the surrogates."""


def codes_to_chars(
    codes: list[list[int]] | npt.NDArray[np.integer[Any]] | torch.Tensor,
    codebook_size: int,
    copy_before_conversion: bool = True,
    unicode_offset: int = UNICODE_OFFSET,
) -> str:
    """Writes codes as a string, frame by frame.

    Args:
        codes: Integers `[K, T]`.
        codebook_size: The size of every codebook.
        copy_before_conversion: Has no effect: the caller's array is never changed.
        unicode_offset: The code point of the first character.

    Raises:
        CodesError: Codes that are not integers `[K, T]`.
        AlphabetError: A code outside its codebook, or an alphabet that runs into the surrogates.
    """
    num_codebooks = len(codes)
    if num_codebooks == 0:
        raise CodesError(
            "Codes of no codebook: pass integers of shape [num_codebooks, num_frames]."
        )
    return _alphabet(num_codebooks, codebook_size, unicode_offset).to_text(codes)


def chars_to_codes(
    chars: str,
    num_codebooks: int,
    codebook_size: int,
    drop_inconsistent_codes: bool = True,
    drop_hanging_codes: bool = True,
    return_hanging_codes_chars: bool = False,
    return_tensors: str | None = None,
    unicode_offset: int = UNICODE_OFFSET,
) -> Any:
    """Reads a string back into codes `[K, T]`.

    Args:
        chars: Characters, frame by frame.
        num_codebooks: K.
        codebook_size: The size of every codebook.
        drop_inconsistent_codes: Drop characters that are not their codebook's turn.
        drop_hanging_codes: Drop incomplete frames at the beginning and at the end.
        return_hanging_codes_chars: Also return the characters of those incomplete frames.
        return_tensors: `None` for nested lists, `"np"` for numpy, `"pt"` for torch.
        unicode_offset: The code point of the first character.

    Returns:
        Codes, or `(codes, begin_hanging, end_hanging)`.

    Raises:
        AlphabetError: Characters that are out of turn or hang over, unless they are dropped.
    """
    alphabet = _alphabet(num_codebooks, codebook_size, unicode_offset)
    codes, num_dropped, begin, end = alphabet.mend(chars)
    num_hanging = len(begin) + len(end)
    num_inconsistent = num_dropped - num_hanging
    if (num_inconsistent and not drop_inconsistent_codes) or (
        num_hanging and not drop_hanging_codes
    ):
        raise AlphabetError(
            f"{num_inconsistent} characters are inconsistent and {num_hanging} hang over: let "
            "drop_inconsistent_codes and drop_hanging_codes drop them."
        )
    result = _as_tensors(codes, return_tensors)
    return (result, begin, end) if return_hanging_codes_chars else result


def _alphabet(num_codebooks: int, codebook_size: int, unicode_offset: int) -> CodebookAlphabet:
    alphabet = CodebookAlphabet(
        [codebook_size] * num_codebooks, unicode_offset, skip_noncharacters=False
    )
    if len(alphabet.ranges) > 1:
        raise AlphabetError(
            f"{alphabet.size} codes from unicode_offset={unicode_offset:#x} run into the "
            "surrogates 0xD800-0xDFFF, which codec-bpe does not allow. Start at "
            f"{UNICODE_OFFSET_LARGE:#x}, or use CodebookAlphabet, which steps over them."
        )
    return alphabet


def _as_tensors(codes: npt.NDArray[np.int64], return_tensors: str | None) -> Any:
    if return_tensors is None:
        return codes.tolist()
    if return_tensors == "np":
        return codes
    if return_tensors == "pt":
        import torch

        return torch.from_numpy(codes)
    raise CodesError(f"return_tensors={return_tensors!r} is not known: pass None, 'np' or 'pt'.")
