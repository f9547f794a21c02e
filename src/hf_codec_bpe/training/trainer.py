"""`train_tokenizer`: BPE merges from codes.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from ..alphabet import CodebookAlphabet
from ..code_shards import clips_in
from ..errors import TrainingError
from ..tokenization_codec_bpe import CodecBPETokenizer
from .backends import Recipe, trained

__all__ = ["check_vocab_size", "frames_of_chunk", "train_tokenizer"]


logger = logging.getLogger(__name__)


def frames_of_chunk(seconds: float | None, frame_rate: float) -> int | None:
    """Whole frames in a chunk, rounded down as codec-bpe's trainer does; nothing for nothing.

    Raises:
        TrainingError: The chunk is shorter than a frame.
    """
    if not seconds:
        return None
    if seconds * frame_rate < 1:
        raise TrainingError(
            f"chunk_seconds={seconds:g} (--chunk-seconds) is shorter than a frame of "
            f"{1 / frame_rate:g} seconds: make chunks longer, or pass 0 to cut none."
        )
    return int(seconds * frame_rate)


def train_tokenizer(
    codes: str | os.PathLike[str] | Iterable[Any],
    *,
    codebook_sizes: Sequence[int],
    vocab_size: int = 30000,
    max_token_codebook_ngrams: int | None = 2,
    min_frequency: int = 2,
    chunk_frames: int | None = None,
    unicode_offset: int | None = None,
    bos_token: str | None = None,
    eos_token: str | None = None,
    unk_token: str | None = None,
    pad_token: str | None = "<pad>",
    additional_special_tokens: Sequence[str] = (),
    show_progress: bool = False,
) -> CodecBPETokenizer:
    """Learns which runs of codes deserve a token of their own (Acoustic BPE, Shen et al. 2024).

    The vocabulary is: the special tokens, one token for every code of every codebook, then merged
    tokens in the order in which they were learnt. It is deterministic, and smaller than
    `vocab_size` where the codes hold too few repeated runs. How it was trained, and on how much, is
    noted in `tokenizer_config.json`, for model cards.

    Args:
        codes: Clips of integers `[K, T]` (numpy or torch), any iterable of them such as a
            `datasets` column, or a folder of codes. See `CodeShards` and `CodesFolder` for
            choosing among them.
        codebook_sizes: The size of each of the K codebooks.
        vocab_size: How many tokens in all.
        max_token_codebook_ngrams: A token may span at most K times this many codes: as many as this
            many frames hold. 0 learns no merges: one token per code. `None` sets no limit. Keep it
            at 2, or at 4 for one codebook, or else silences of every length fill the vocabulary.
        min_frequency: How often a run must occur to become a token.
        chunk_frames: No token spans two chunks of this many frames; `None` cuts nothing. About 30
            seconds' worth keeps memory low.
        unicode_offset: The code point of the alphabet's first character; see `CodebookAlphabet`.
        bos_token: Begins a sequence.
        eos_token: Ends a sequence.
        unk_token: Stands for anything that is not a code. Without one, such text is an error.
        pad_token: Fills up batches.
        additional_special_tokens: Further tokens that no code maps to.
        show_progress: Show a progress bar.

    Raises:
        TrainingError: A vocabulary too small for the alphabet, an option outside its range, or a
            special token that is empty or holds code characters.
        CodesError, AlphabetError: Codes that do not fit `codebook_sizes`.

    Example:
        >>> import numpy as np
        >>> tokenizer = train_tokenizer(
        ...     [np.array([[0, 1, 0, 1], [2, 3, 2, 3]])], codebook_sizes=[2, 4], vocab_size=9
        ... )
        >>> tokenizer.codes_to_ids(np.array([[0, 1], [2, 3]]))
        [7, 8]
    """
    alphabet = CodebookAlphabet(codebook_sizes, unicode_offset)
    if isinstance(additional_special_tokens, str):
        raise TrainingError(
            f"additional_special_tokens={additional_special_tokens!r} is one string: pass a list."
        )
    vocab_size = _integer("vocab_size", vocab_size)
    min_frequency = _integer("min_frequency", min_frequency)
    if max_token_codebook_ngrams is not None:
        max_token_codebook_ngrams = _integer("max_token_codebook_ngrams", max_token_codebook_ngrams)
    if chunk_frames is not None:
        chunk_frames = _integer("chunk_frames", chunk_frames)
    additional = [str(token) for token in additional_special_tokens]
    named = [token for token in (pad_token, unk_token, bos_token, eos_token) if token is not None]
    # codec-bpe's order: what is named comes first, unless it is listed too.
    special_tokens = [*dict.fromkeys(t for t in named if t not in additional), *additional]
    _check(
        alphabet, special_tokens, vocab_size, max_token_codebook_ngrams, min_frequency, chunk_frames
    )

    recipe = Recipe(
        alphabet=alphabet,
        special_tokens=special_tokens,
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        longest_token=_longest_token(alphabet, max_token_codebook_ngrams),
        unk_token=unk_token,
        show_progress=show_progress,
    )
    seen = Counter(num_clips=0, num_frames=0)
    backend = trained(recipe, _words(codes, alphabet, chunk_frames, seen))
    if recipe.longest_token != 1 and not seen["num_clips"]:
        logger.warning(
            "There were no codes to train on, so nothing was learnt: an iterator gives its clips "
            "only once. (max_token_codebook_ngrams=0 asks for the codes alone.)"
        )
    return CodecBPETokenizer(
        tokenizer_object=_HandedOver(backend),
        codebook_sizes=list(alphabet.codebook_sizes),
        unicode_offset=alphabet.unicode_offset,
        bos_token=bos_token,
        eos_token=eos_token,
        unk_token=unk_token,
        pad_token=pad_token,
        extra_special_tokens=additional,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        training={
            **seen,
            "vocab_size": vocab_size,
            "max_token_codebook_ngrams": max_token_codebook_ngrams,
            "min_frequency": min_frequency,
            "chunk_frames": chunk_frames,
        },
    )


class _HandedOver:
    """A backend that nobody else holds.

    Transformers copies the backend that it is given, by way of its JSON. That would take more
    memory than all the training of a small corpus, and the copied one goes at once.
    """

    def __init__(self, backend: Tokenizer) -> None:
        self._backend = backend

    def __deepcopy__(self, memo: dict[int, Any]) -> Tokenizer:
        return self._backend


def _longest_token(alphabet: CodebookAlphabet, max_token_codebook_ngrams: int | None) -> int | None:
    """The most codes in a token, as codec-bpe counts them; `None` for no limit."""
    if max_token_codebook_ngrams is None:
        return None
    return max(1, max_token_codebook_ngrams * alphabet.num_codebooks)


def _words(
    codes: str | os.PathLike[str] | Iterable[Any],
    alphabet: CodebookAlphabet,
    chunk_frames: int | None,
    seen: Counter[str],
) -> Iterator[npt.NDArray[np.int64]]:
    """Every clip, or every chunk of it, as positions in the alphabet; counts what passes."""
    for clip in clips_in(codes):
        positions = alphabet.to_positions(clip)
        num_frames = len(positions) // alphabet.num_codebooks
        seen.update(num_clips=1, num_frames=num_frames)
        step = (chunk_frames or max(1, num_frames)) * alphabet.num_codebooks
        for start in range(0, len(positions), step):
            yield positions[start : start + step]


def _integer(name: str, value: Any) -> int:
    """An option as Python's own integer: NumPy's could not be saved once training is over.

    Raises:
        TrainingError: It is no integer.
    """
    if not isinstance(value, Integral):
        raise TrainingError(f"{name}={value!r} is not a count: pass an integer.")
    return int(value)


def check_vocab_size(vocab_size: int, num_codes: int, num_special_tokens: int = 0) -> None:
    """Refuses a vocabulary that does not hold every code.

    Raises:
        TrainingError: The vocabulary is too small.
    """
    least = num_codes + num_special_tokens
    if vocab_size < least:
        raise TrainingError(
            f"vocab_size={vocab_size} is too small: {num_codes} codes and {num_special_tokens} "
            f"special tokens need {least}. Add some 10,000 or more for merged tokens."
        )


def _check(
    alphabet: CodebookAlphabet,
    special_tokens: Sequence[str],
    vocab_size: int,
    max_token_codebook_ngrams: int | None,
    min_frequency: int,
    chunk_frames: int | None,
) -> None:
    check_vocab_size(vocab_size, alphabet.size, len(special_tokens))
    if max_token_codebook_ngrams is not None and max_token_codebook_ngrams < 0:
        raise TrainingError(
            f"max_token_codebook_ngrams={max_token_codebook_ngrams} is negative: pass 0 for no "
            "merges, or None for no limit."
        )
    if vocab_size >= 2**31:
        raise TrainingError(f"vocab_size={vocab_size} is too large: ids have 31 bits.")
    if min_frequency < 0:
        raise TrainingError(f"min_frequency={min_frequency} is negative: pass 1 or more.")
    if chunk_frames is not None and chunk_frames < 1:
        raise TrainingError(f"chunk_frames={chunk_frames} cuts nothing: pass 1 or more, or None.")
    if "" in special_tokens:
        raise TrainingError("A special token is empty: give it characters, or pass None for none.")
    clashes = [token for token in special_tokens if any(char in alphabet for char in token)]
    if clashes:
        raise TrainingError(
            f"The special token {clashes[0]!r} holds characters that stand for codes: choose "
            "another name."
        )
