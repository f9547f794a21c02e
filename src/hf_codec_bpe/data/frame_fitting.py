"""How many whole frames fit into a number of tokens.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..codec_vocabulary import CodecVocabulary
from ..errors import TokenizerError

__all__ = ["ids_that_fit"]

Codes = npt.NDArray[np.integer[Any]]


def ids_that_fit(vocabulary: CodecVocabulary, codes: Codes, room: int) -> list[int]:
    """The ids of as many of the first frames as fit; one frame more would not.

    The frames are tokenized by themselves, since near a cut BPE segments otherwise than in the
    whole.

    Args:
        vocabulary: The codec's tokens.
        codes: Integers `[K, T]`.
        room: The most ids; none fit where it is negative.

    Returns:
        At most `room` ids; none where no frame fits.

    Raises:
        TokenizerError: The tokenizer makes something else of code characters.
    """
    if room <= 0:
        return []
    num_frames = _estimate(vocabulary, codes, room)
    ids = _tokenized(vocabulary, codes[:, :num_frames])
    while len(ids) > room:
        num_frames -= 1
        ids = _tokenized(vocabulary, codes[:, :num_frames])
    while num_frames < codes.shape[1]:
        longer = _tokenized(vocabulary, codes[:, : num_frames + 1])
        if len(longer) > room:
            break
        num_frames, ids = num_frames + 1, longer
    return ids


def _estimate(vocabulary: CodecVocabulary, codes: Codes, room: int) -> int:
    """How many whole frames the first ids of a longer piece stand for."""
    num_frames = -(-2 * room // len(codes))
    ids = _tokenized(vocabulary, codes[:, :num_frames])
    while len(ids) < room and num_frames < codes.shape[1]:
        num_frames *= 2
        ids = _tokenized(vocabulary, codes[:, :num_frames])
    return int(vocabulary.num_codes[ids[:room]].sum()) // len(codes)


def _tokenized(vocabulary: CodecVocabulary, codes: Codes) -> list[int]:
    ids = vocabulary.codes_to_ids(codes)
    if vocabulary.num_codes[ids].sum() != codes.size:
        raise TokenizerError(
            "The tokenizer makes no audio tokens of code characters, so it has lost parts of what "
            "extend_tokenizer made: load it as it was saved, with PreTrainedTokenizerFast."
        )
    return ids
