"""The tokenizer: BPE over the characters of a codebook alphabet.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerFast

from .alphabet import CodebookAlphabet, Errors
from .configuration_codec_bpe import CodecBPEConfig
from .errors import RepositoryError, TokenizerError
from .integer_bpe import IntegerBPE
from .per_tokenizer import per_tokenizer
from .portable import STUB, make_config_portable
from .token_codes import TokenCodes
from .untrusted import check_tokenizer_files

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo

__all__ = ["CodecBPETokenizer", "as_array", "checked_ids"]

_ERRORS = get_args(Errors)
"""The values that `errors` may have."""


class CodecBPETokenizer(PreTrainedTokenizerFast):
    """Turns codes into token ids and back.

    The same files load as a plain fast tokenizer, with equal ids, where this package is not
    installed. `train_tokenizer` makes one. A folder made by codec-bpe becomes one where
    `from_pretrained` is told its codebooks, such as `codebook_sizes=[1024] * 4`, and
    `unicode_offset=0x4E00`.

    Args:
        codebook_sizes: The size of each codebook, saved in `tokenizer_config.json`.
        unicode_offset: The code point of the alphabet's first character; see `CodebookAlphabet`.
        skip_noncharacters: See `CodebookAlphabet`.

    Text that is neither code characters nor special tokens is refused, because BPE would drop it
    silently; a tokenizer that was trained with an `unk_token` takes it.
    """

    # No __init__: with one of its own, Transformers would rebuild the backend without its parts.

    @property
    def alphabet(self) -> CodebookAlphabet:
        """The characters that stand for codes.

        Raises:
            TokenizerError: The sizes of the codebooks are unknown, or the vocabulary lacks some
                of the alphabet's characters.
        """
        sizes = self.init_kwargs.get("codebook_sizes")
        if sizes is None:
            raise TokenizerError(
                "This tokenizer does not say how large its codebooks are: load it with "
                "CodecBPETokenizer.from_pretrained(path, codebook_sizes=[...], "
                "unicode_offset=...). codec-bpe's have unicode_offset=0x4E00 unless told otherwise."
            )
        alphabet = _alphabet(
            tuple(sizes),
            self.init_kwargs.get("unicode_offset"),
            self.init_kwargs.get("skip_noncharacters", True),
        )
        if self not in _VERIFIED:
            self._verify(alphabet)
            _VERIFIED.add(self)
        return alphabet

    def codes_to_ids(self, codes: Any) -> list[int]:
        """Tokenizes codes.

        Args:
            codes: Integers `[K, T]`: nested lists, a numpy array, or a torch tensor.

        Raises:
            CodesError: Not integers `[K, T]`.
            AlphabetError: A code outside its codebook.
        """
        positions = self.alphabet.to_positions(codes)
        merges = _merges(self)
        if merges is None or not merges.is_exact_for(self):
            return self._text_to_ids(self.alphabet.text_of(positions))
        return merges.encode(positions)

    def ids_to_codes(self, ids: Any, errors: Errors = "strict") -> npt.NDArray[np.int64]:
        """Codes `[K, T]` of a sequence of ids; special tokens such as padding are left out.

        Args:
            ids: Integers `[L]`: a list, a numpy array, or a torch tensor.
            errors: `"strict"` raises on anything but whole frames; `"drop"` mends what a language
                model generates, see `CodebookAlphabet.mend`; `"drop_frames"` keeps only frames
                that are whole as they stand. Use that one with codecs that merge frames, where a
                code out of place would give a frame the length of another.

        Raises:
            TokenizerError: An id outside the vocabulary, or not one sequence of integers.
            AlphabetError: Under `"strict"`, tokens that do not make up whole frames.
        """
        tokens, sequence = _token_codes(self), as_array(ids)
        codes = tokens.codes_of(sequence)
        if codes is None:
            codes = tokens.codes_of(self._without_special(sequence))
        if codes is None or errors not in _ERRORS:
            return self.alphabet.to_codes(self.ids_to_text(sequence), errors)
        return codes

    def ids_to_text(self, ids: Any) -> str:
        """The code characters of a sequence of ids; special tokens are left out.

        Args:
            ids: Integers `[L]`: a list, a numpy array, or a torch tensor.

        Raises:
            TokenizerError: An id outside the vocabulary, or not one sequence of integers.
        """
        return "".join(self.convert_ids_to_tokens(self._without_special(ids).tolist()))

    def _without_special(self, ids: Any) -> npt.NDArray[np.integer[Any]]:
        array = checked_ids(ids, len(self))
        return array[~np.isin(array, self._skipped_ids())]

    def _skipped_ids(self) -> list[int]:
        # Not the unknown token, which stands for a loss.
        return [i for i in self.all_special_ids if i != self.unk_token_id]

    def _text_to_ids(self, text: str) -> list[int]:
        """Ids of code characters, by the backend."""
        # Not verbose: a run with every token in it may be longer than the model's context.
        options = {"add_special_tokens": False, "verbose": False}
        ids: list[int] = super()._encode_plus(text, **options)["input_ids"]
        return ids

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> Any:
        """Saves the tokenizer; see `PreTrainedTokenizerFast.save_pretrained`.

        Args:
            save_directory: The folder.
            push_to_hub: Push it too, to `repo_id`, by default the folder's name.
            kwargs: Passed on to `push_to_hub`, or else to Transformers.
        """
        if os.path.isfile(save_directory):  # Transformers would only log it
            raise TokenizerError(f"{save_directory} is a file: save to a folder.")
        # The last call's truncation and padding would be saved too, and hold for other readers.
        self.backend_tokenizer.no_truncation()
        self.backend_tokenizer.no_padding()
        files = super().save_pretrained(save_directory, **({} if push_to_hub else kwargs))
        if not os.path.exists(os.path.join(save_directory, "config.json")):
            CodecBPEConfig().save_pretrained(save_directory)  # older Transformers ask for one
        if push_to_hub:
            self.push_to_hub(kwargs.pop("repo_id", Path(save_directory).absolute().name), **kwargs)
        return files

    def _save_pretrained(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """Called when `tokenizer_config.json`, the first of the files, has been written."""
        files = super()._save_pretrained(*args, **kwargs)
        return (*files, make_config_portable(Path(files[0]), STUB, "CodecBPETokenizer"))

    def train_new_from_iterator(
        self, text_iterator: Any, vocab_size: int, *args: Any, **kwargs: Any
    ) -> Any:
        """Learns other merges for the same codes; see `PreTrainedTokenizerFast`.

        Every code keeps a token, also one that is not in the texts. `train_tokenizer` is faster,
        limits how long tokens are, and notes what they were learnt from.

        Args:
            text_iterator: Lists of texts of code characters.
            vocab_size: How many tokens in all.
            args: Passed on to Transformers.
            kwargs: Likewise.
        """
        kwargs.setdefault("initial_alphabet", list(self.alphabet.characters))
        made = super().train_new_from_iterator(text_iterator, vocab_size, *args, **kwargs)
        made.init_kwargs.pop("training", None)  # of this tokenizer, not of that one
        return made

    def push_to_hub(self, repo_id: str, **options: Any) -> CommitInfo:
        """Publishes the tokenizer with a card; see `CodecBPEProcessor.push_to_hub`."""
        from .hub.pushing import push

        return push(self, repo_id, **options)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> CodecBPETokenizer:
        """Loads a tokenizer; see `PreTrainedTokenizerFast.from_pretrained`.

        Raises:
            RepositoryError: Files that `save_pretrained` did not write.
        """
        try:
            return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        except RecursionError as error:
            raise RepositoryError(
                f"A file of {pretrained_model_name_or_path} is nested too deeply: do not use it."
            ) from error

    @classmethod
    def _from_pretrained(cls, resolved_vocab_files: Any, *args: Any, **kwargs: Any) -> Any:
        check_tokenizer_files(resolved_vocab_files)
        return super()._from_pretrained(resolved_vocab_files, *args, **kwargs)

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoTokenizer") -> None:
        """Does nothing: repositories carry no copy of this package's source."""

    def _encode_plus(self, text: Any, text_pair: Any = None, **kwargs: Any) -> Any:
        # One that was only named later would drop text all the same: the model does not know it.
        if self.unk_token is None or not getattr(self.backend_tokenizer.model, "unk_token", None):
            found = self._tokens_found(kwargs.get("split_special_tokens"))
            self._refuse_foreign(text, found)
            self._refuse_foreign(text_pair, found)
        return super()._encode_plus(text, text_pair, **kwargs)

    def _tokens_found(self, split_special_tokens: bool | None) -> tuple[str, ...]:
        """Added tokens that are found in text: the special ones, unless those are split."""
        if split_special_tokens is None:
            split_special_tokens = self.split_special_tokens
        added = self.added_tokens_decoder.values()
        return tuple(t.content for t in added if not (split_special_tokens and t.special))

    def _refuse_foreign(self, text: Any, added_tokens: tuple[str, ...]) -> None:
        pattern = _pattern(self.alphabet, added_tokens)
        for string in _strings(text):
            known = pattern.match(string)
            at = known.end() if known else 0
            if at < len(string):
                raise TokenizerError(
                    f"Character {string[at]!r} (U+{ord(string[at]):04X}) at position {at} is "
                    "not a code character: this tokenizer knows audio and its special tokens, no "
                    "text. For text and audio together, extend a language model's tokenizer with "
                    "extend_tokenizer."
                )

    def _verify(self, alphabet: CodebookAlphabet) -> None:
        vocabulary = self.get_vocab()
        missing = [char for char in alphabet.characters if char not in vocabulary]
        if missing:
            raise TokenizerError(
                f"The vocabulary lacks {len(missing)} of the {alphabet.size} characters of "
                f"{alphabet!r}, U+{ord(missing[0]):04X} first: check codebook_sizes and "
                "unicode_offset. codec-bpe's own tokenizers at offsets from 0xE000 also need "
                "skip_noncharacters=False."
            )
        characters = vocabulary.keys() - self.get_added_vocab().keys()
        num_characters = sum(len(token) == 1 for token in characters)
        if num_characters != alphabet.size:
            raise TokenizerError(
                f"The vocabulary has {num_characters} characters, but {alphabet!r} only "
                f"{alphabet.size}: codebook_sizes must be those that it was trained with."
            )


_VERIFIED: WeakSet[CodecBPETokenizer] = WeakSet()
"""Tokenizers whose vocabulary holds their alphabet. Not an attribute: those are hashed."""


@per_tokenizer
def _token_codes(tokenizer: CodecBPETokenizer) -> TokenCodes:
    alphabet, skipped = tokenizer.alphabet, set(tokenizer._skipped_ids())
    characters = set(alphabet.characters)
    texts = {
        token_id: token
        for token, token_id in tokenizer.get_vocab().items()
        if token and token_id not in skipped and characters.issuperset(token)
    }
    return TokenCodes(texts, alphabet, len(tokenizer))


@per_tokenizer
def _merges(tokenizer: CodecBPETokenizer) -> IntegerBPE | None:
    return IntegerBPE.of(
        tokenizer, tokenizer.alphabet, _token_codes(tokenizer), tokenizer._text_to_ids
    )


@lru_cache(maxsize=32)
def _alphabet(
    sizes: tuple[int, ...], unicode_offset: int | None, skip_noncharacters: bool
) -> CodebookAlphabet:
    return CodebookAlphabet(sizes, unicode_offset, skip_noncharacters=skip_noncharacters)


@lru_cache(maxsize=32)
def _pattern(alphabet: CodebookAlphabet, added_tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Matches as much of a text as this tokenizer knows."""
    longest_first = sorted(added_tokens, key=len, reverse=True)
    tokens = "".join(f"|{re.escape(token)}" for token in longest_first)
    return re.compile(f"(?:[{alphabet.character_class}]+{tokens})*")


def _strings(text: Any) -> Iterable[str]:
    """All strings of what a tokenizer may be called with."""
    if isinstance(text, str):
        yield text
    elif isinstance(text, Sequence):
        for part in text:
            yield from _strings(part)


def as_array(ids: Any) -> npt.NDArray[np.integer[Any]]:
    """One sequence of ids `[L]` of any kind as an array.

    Raises:
        TokenizerError: Not one sequence of integers.
    """
    if hasattr(ids, "cpu"):  # a torch tensor, without importing torch
        if ids.is_floating_point():
            ids = ids.float()  # refused below: numpy has no bfloat16
        ids = ids.detach().cpu().numpy()
    found = _of_list(ids) if isinstance(ids, list) and ids else np.asarray(ids)
    if found.size == 0:
        return np.zeros(0, dtype=np.int64)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise TokenizerError(
            f"Ids of shape {list(found.shape)} and dtype {found.dtype} are not one sequence: pass "
            "integers [L]."
        )
    return found


def checked_ids(ids: Any, vocab_size: int) -> npt.NDArray[np.integer[Any]]:
    """One sequence of ids `[L]` as an array, all of them inside the vocabulary.

    Raises:
        TokenizerError: An id outside the vocabulary, or not one sequence of integers.
    """
    array = as_array(ids)
    outside = (array < 0) | (array >= vocab_size)
    if outside.any():
        raise TokenizerError(
            f"Id {array[outside][0]} is outside the vocabulary of {vocab_size} tokens: pass the "
            "tokenizer that made the ids, and leave out others, such as the -100 of ignored labels."
        )
    return array


def _of_list(ids: list[Any]) -> npt.NDArray[Any]:
    try:
        # Unsigned, which array reads several times as fast as signed, or as numpy.
        return np.frombuffer(array("Q", ids), dtype=np.uint64)
    except (TypeError, OverflowError):  # negative, or no integers, which the caller tells
        return np.asarray(ids)
