"""`pack_codes`: codes to the sequences of ids that a language model is trained on.

Axis letters: K = codebooks, T = frames, L = ids.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..code_shards import clips_in
from ..codec_vocabulary import CodecVocabulary
from ..errors import PackingError
from .frame_fitting import ids_that_fit
from .recordings import whole_clips
from .surroundings import Surroundings

__all__ = ["pack_codes"]

logger = logging.getLogger(__name__)

Codes = npt.NDArray[np.integer[Any]]


def pack_codes(
    codes: str | os.PathLike[str] | Iterable[Any],
    tokenizer: Any,
    sequence_length: int = 4096,
    *,
    overlap_frames: int = 0,
    join_clips: bool = False,
    drop_last: bool = False,
    pad: bool = False,
    audio_start_token: str | None = None,
    audio_end_token: str | None = None,
    add_bos_token: bool | None = None,
    add_eos_token: bool | None = None,
) -> Iterator[dict[str, list[int]]]:
    """Cuts clips into windows that fill sequences of ids.

    A window is whole frames, tokenized by themselves, with the same tokens before and after it as
    any clip has: what a model sees is what the tokenizer makes of that audio. It is as long as
    fits; the frames that no longer fit begin the next one. Streams: only one clip is held at a
    time, and the same codes always give the same sequences.

    `Dataset.from_generator(pack_codes, gen_kwargs={...})` keeps the sequences, and
    `IterableDataset.from_generator` makes them as they are needed. Both share the work among
    processes where `codes` is a list. `datasets` caches by a folder's name, not by what is in it.

    Args:
        codes: Clips of integers `[K, T]` (numpy or torch), any iterable of them such as a
            `datasets` column, or a folder of codes; in `.npy` files, the chunks of a recording
            are joined, see `Recordings`.
        tokenizer: A `CodecBPETokenizer`, what `extend_tokenizer` made, or a `CodecVocabulary` of
            a tokenizer that knows several codecs.
        sequence_length: The most ids in a sequence, all tokens counted.
        overlap_frames: How many frames each window repeats from the end of the one before it, of
            the same clip. Must be fewer than fit into a sequence in which nothing is merged.
        join_clips: Go on with the next clip, or as much of it as fits, where one ends before its
            sequence is full. By default every sequence is one window.
        drop_last: Leave out a sequence that ended because its clip did, or with `join_clips` the
            last one, though another frame would fit. How much that was is logged as a warning.
        pad: Fill up every sequence to its full length, with an `attention_mask`. Frames are not
            cut, so that without it sequences are up to a frame shorter.
        audio_start_token: Comes before every window; by default the codec's own, if the tokenizer
            has one for it. `""` for none.
        audio_end_token: Comes after every window; likewise.
        add_bos_token: Begin every window with the BOS token; by default if the tokenizer itself
            begins texts with it.
        add_eos_token: End every window with the EOS token; likewise.

    Returns:
        An iterator over `{"input_ids": [...]}`, at most `sequence_length` ids each.

    Raises:
        PackingError: Sequences too short for one frame or for the overlap, or options that need a
            token which the tokenizer lacks. Raised before the first sequence.
        TokenizerError: A tokenizer that knows no codec, or several, or makes no audio of codes.
        CodesError, AlphabetError: Codes that are not the tokenizer's.

    Example:
        >>> import numpy as np
        >>> from hf_codec_bpe import train_tokenizer
        >>> codes = np.array([[0, 1, 0, 1, 0], [2, 3, 2, 3, 2]])
        >>> tokenizer = train_tokenizer([codes], codebook_sizes=[2, 4], vocab_size=9)
        >>> [example["input_ids"] for example in pack_codes([codes], tokenizer, 3)]
        [[7, 8, 7], [8, 7]]
    """
    vocabulary = CodecVocabulary.of(tokenizer)
    packer = _Packer(
        vocabulary=vocabulary,
        around=Surroundings.of(
            vocabulary, audio_start_token, audio_end_token, add_bos_token, add_eos_token
        ),
        sequence_length=sequence_length,
        overlap_frames=overlap_frames,
        join_clips=join_clips,
        drop_last=drop_last,
        pad=pad,
    )
    packer.check()
    return packer.examples(whole_clips(clips_in(codes)))


class _Sequence(NamedTuple):
    """Windows that together fill a sequence."""

    ids: list[int]
    num_new_frames: int
    """Of them, those that are in no earlier sequence."""
    is_last: bool
    """Whether it ended because its clip did, not because it was full."""


@dataclass(frozen=True)
class _Packer:
    vocabulary: CodecVocabulary
    around: Surroundings
    sequence_length: int
    overlap_frames: int
    join_clips: bool
    drop_last: bool
    pad: bool

    @property
    def num_codebooks(self) -> int:
        return self.vocabulary.alphabet.num_codebooks

    def check(self) -> None:
        """Refuses options that could not go on, whatever the codes are."""
        for name in ("sequence_length", "overlap_frames"):
            if not isinstance(getattr(self, name), Integral):
                raise PackingError(
                    f"{name}={getattr(self, name)!r} is not a count: pass an integer."
                )
        surely = (self.sequence_length - self.around.num_tokens) // self.num_codebooks
        if surely < 1:
            raise PackingError(
                f"sequence_length={self.sequence_length} may not hold a single frame: it takes "
                f"{self.num_codebooks} ids, and {self.around.num_tokens} stand around a window. "
                "Make it longer."
            )
        if not 0 <= self.overlap_frames < surely:
            raise PackingError(
                f"overlap_frames={self.overlap_frames} is not from 0 to {surely - 1}: a sequence "
                f"of {self.sequence_length} ids surely holds {surely} frames, and must hold one "
                "that the last one did not. Overlap less, or make sequences longer."
            )
        if self.join_clips and not self.around.num_tokens:
            raise PackingError(
                "join_clips=True needs a token between clips, or else they would read as one: "
                "name an audio_start_token or an audio_end_token, or add the EOS token "
                "(add_eos_token=True, or --eos)."
            )
        if self.pad and self.vocabulary.tokenizer.pad_token_id is None:
            raise PackingError(
                "pad=True needs a padding token, and the tokenizer has none: set "
                "tokenizer.pad_token, or leave padding to a data collator."
            )

    def examples(self, clips: Iterable[Any]) -> Iterator[dict[str, list[int]]]:
        num_dropped = num_frames = 0
        for ids, num_new_frames, is_last in self._sequences(clips):
            if self.drop_last and is_last and len(ids) + self.num_codebooks <= self.sequence_length:
                num_dropped += 1
                num_frames += num_new_frames
            else:
                yield self._example(ids)
        if num_dropped:
            logger.warning(
                "Left out %d sequences shorter than %d ids, and with them %d frames.",
                num_dropped,
                self.sequence_length,
                num_frames,
            )

    def _example(self, ids: list[int]) -> dict[str, list[int]]:
        if not self.pad:
            return {"input_ids": ids}
        missing = self.sequence_length - len(ids)
        return {
            "input_ids": ids + [self.vocabulary.tokenizer.pad_token_id] * missing,
            "attention_mask": [1] * len(ids) + [0] * missing,
        }

    def _sequences(self, clips: Iterable[Any]) -> Iterator[_Sequence]:
        ids: list[int] = []
        num_new = 0
        for clip in clips:
            codes = self.vocabulary.alphabet.checked(clip)
            num_frames = codes.shape[1]
            start = done = 0
            while done < num_frames:
                window = self._window(codes[:, start:], self.sequence_length - len(ids))
                if window is not None:
                    ids += self.around.put_around(window)
                    end = start + self._num_frames(window)
                    num_new += end - done
                    done, start = end, max(0, end - self.overlap_frames)
                is_last = done == num_frames
                if not (is_last and self.join_clips):
                    yield _Sequence(ids, num_new, is_last)
                    ids, num_new = [], 0
        if ids:
            yield _Sequence(ids, num_new, True)

    def _window(self, codes: Codes, room: int) -> list[int] | None:
        """The next window's ids; `None` where it would hold nothing but the overlap."""
        ids = ids_that_fit(self.vocabulary, codes, room - self.around.num_tokens)
        num_frames = self._num_frames(ids)
        is_whole = num_frames == codes.shape[1]
        return ids if is_whole or num_frames > self.overlap_frames else None

    def _num_frames(self, ids: list[int]) -> int:
        return int(self.vocabulary.num_codes[ids].sum()) // self.num_codebooks
