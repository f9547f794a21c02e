"""The tokens that stand for audio, in whatever tokenizer they are.

A `CodecBPETokenizer` has nothing else; a language model's tokenizer that `extend_tokenizer` taught
a codec has text too, and perhaps other codecs. Code that works with ids asks here which of them are
audio, and which codes they stand for.

Axis letters: K = codebooks, T = frames, L = tokens, V = all tokens of the tokenizer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from .alphabet import CodebookAlphabet, Errors
from .errors import TokenizerError
from .integer_bpe import IntegerBPE
from .token_codes import TokenCodes
from .tokenization_codec_bpe import CodecBPETokenizer, as_array

__all__ = ["AUDIO_TOKENS", "CODEC_VOCABULARIES", "CodecVocabulary", "alphabets_of"]

CODEC_VOCABULARIES = "codec_vocabularies"
"""The key of `tokenizer_config.json` under which an extended tokenizer lists its codecs."""

AUDIO_TOKENS = ("audio_token", "audio_start_token", "audio_end_token")
"""The tokens of an entry there, each a string or `None`."""


def alphabets_of(tokenizer: Any) -> list[CodebookAlphabet]:
    """The alphabets that a tokenizer knows, in the order in which they were added.

    Args:
        tokenizer: A `CodecBPETokenizer`, which has one, or a tokenizer that `extend_tokenizer`
            made, loaded by whatever class.

    Returns:
        One alphabet for each codec; none for a tokenizer that knows no codec.

    Raises:
        TokenizerError: A `CodecBPETokenizer` that does not say how large its codebooks are.
    """
    if isinstance(tokenizer, CodecBPETokenizer):
        return [tokenizer.alphabet]
    return [
        CodebookAlphabet(
            entry["codebook_sizes"],
            entry["unicode_offset"],
            skip_noncharacters=entry.get("skip_noncharacters", True),
        )
        for entry in _entries(tokenizer)
    ]


class CodecVocabulary:
    """A codec's tokens in a tokenizer; `CodecVocabulary.of` finds them.

    Args:
        tokenizer: The tokenizer.
        alphabet: The codec's characters there.
        ids: Where the codec's tokens are: all of them and perhaps others.
    """

    def __init__(self, tokenizer: Any, alphabet: CodebookAlphabet, ids: range) -> None:
        self.tokenizer = tokenizer
        self.alphabet = alphabet
        self._ids = ids
        self.tokenizer_size = len(tokenizer)
        """How many tokens there were: with more now, another `CodecVocabulary` is needed."""

    @classmethod
    def of(
        cls, tokenizer: Any, codebook_sizes: Sequence[int] | None = None, index: int | None = None
    ) -> CodecVocabulary:
        """The tokens of one codec.

        Args:
            tokenizer: A `CodecBPETokenizer`, what `extend_tokenizer` made, or a `CodecVocabulary`,
                returned as it is.
            codebook_sizes: The codec's; may be left out where there is only one codec.
            index: Which codec, in the order in which they were added; needed only where two have
                equal codebooks.

        Raises:
            TokenizerError: No such codec, or more than one.
        """
        if isinstance(tokenizer, CodecVocabulary):
            return tokenizer
        alphabets = alphabets_of(tokenizer)
        wanted = None if codebook_sizes is None else tuple(codebook_sizes)
        fitting = [
            at
            for at, alphabet in enumerate(alphabets)
            if wanted in (None, alphabet.codebook_sizes) and index in (None, at)
        ]
        if len(fitting) != 1:
            raise TokenizerError(_no_single_codec(tokenizer, alphabets, wanted, index))
        (at,) = fitting
        borders = [entry["first_id"] for entry in _entries(tokenizer)] or [0]
        borders.append(len(tokenizer))
        return cls(tokenizer, alphabets[at], range(borders[at], borders[at + 1]))

    def __getstate__(self) -> dict[str, Any]:
        # Not the tables: they follow from the rest, and would change the hash of a processor.
        tables = {name for name in vars(type(self)) if name in self.__dict__}
        return {name: value for name, value in self.__dict__.items() if name not in tables}

    @property
    def audio_token(self) -> str | None:
        """The token that stands for a clip of this codec in a text."""
        return self._token("audio_token")

    @property
    def audio_start_token(self) -> str | None:
        """The token that comes before audio of this codec; `None` for none."""
        return self._token("audio_start_token")

    @property
    def audio_end_token(self) -> str | None:
        """The token that comes after audio of this codec; `None` for none."""
        return self._token("audio_end_token")

    @property
    def training(self) -> dict[str, Any] | None:
        """What `train_tokenizer` noted; `None` for a tokenizer that something else made."""
        note: dict[str, Any] | None = (self._entry or self.tokenizer.init_kwargs).get("training")
        return note

    @property
    def _entry(self) -> dict[str, Any]:
        """What an extended tokenizer says of this codec; nothing for a `CodecBPETokenizer`."""
        entries = _entries(self.tokenizer)
        return next((e for e in entries if e["first_id"] == self._ids.start), {})

    def _token(self, name: str) -> str | None:
        """The codec's own: the tokenizer's attributes name those of the codec added last."""
        entry = self._entry
        token: str | None = entry[name] if name in entry else getattr(self.tokenizer, name, None)
        return token

    def __deepcopy__(self, memo: dict[int, Any]) -> CodecVocabulary:
        return self  # nothing about it changes

    @cached_property
    def texts(self) -> dict[int, str]:
        """The code characters of every audio token, by its id."""
        backend = self.tokenizer.backend_tokenizer
        texts = backend.decode_batch([[i] for i in self._ids], skip_special_tokens=False)
        characters = set(self.alphabet.characters)
        return {
            token_id: text
            for token_id, text in zip(self._ids, texts, strict=True)
            if text and characters.issuperset(text)
        }

    @cached_property
    def pieces(self) -> frozenset[int]:
        """Bytes that code characters are built from, in byte-level vocabularies: never audio."""
        added = set(self.tokenizer.get_added_vocab().values())
        return frozenset(self._ids) - self.texts.keys() - added

    @cached_property
    def num_codes(self) -> npt.NDArray[np.int64]:
        """How many codes each token `[V]` stands for; 0 for one that is not audio."""
        return self._token_codes.num_codes.astype(np.int64)

    @property
    def turns(self) -> npt.NDArray[np.int32]:
        """The codebook of each token's first code `[V]`; -1 where not all of them are in turn."""
        return self._token_codes.turns

    @cached_property
    def fingerprint(self) -> str:
        """A hash of which codes each id stands for."""
        tokens, ids = self._token_codes, np.flatnonzero(self.num_codes)
        digest = hashlib.blake2b(repr(self.alphabet.codebook_sizes).encode(), digest_size=16)
        for table in (ids, self.num_codes[ids], tokens.positions_of(ids)):
            digest.update(table.astype("<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def _token_codes(self) -> TokenCodes:
        return TokenCodes(self.texts, self.alphabet, len(self.tokenizer))

    @cached_property
    def _merges(self) -> IntegerBPE | None:
        return IntegerBPE.of(self.tokenizer, self.alphabet, self._token_codes, self._text_to_ids)

    def _text_to_ids(self, text: str) -> list[int]:
        """Ids of code characters, by the tokenizer itself."""
        # Not verbose: a run with every token in it may be longer than the model's context.
        options = {"add_special_tokens": False, "verbose": False}
        ids: list[int] = self.tokenizer(text, **options)["input_ids"]
        return ids

    def is_audio(self, ids: Any) -> npt.NDArray[np.bool_]:
        """Which of the ids are this codec's audio, in their own shape.

        Args:
            ids: Integers of any shape: a list, a numpy array, or a torch tensor. Those outside the
                vocabulary, such as the -100 of ignored labels, are not audio.
        """
        if hasattr(ids, "cpu"):  # a torch tensor, without importing torch
            ids = ids.detach().cpu().numpy()
        array = np.asarray(ids, dtype=np.int64)
        inside = (array >= 0) & (array < len(self.num_codes))
        return inside & (self.num_codes[np.where(inside, array, 0)] > 0)

    def codes_to_ids(self, codes: Any) -> list[int]:
        """Tokenizes codes `[K, T]`, exactly as the codec's own tokenizer segments them.

        Raises:
            CodesError: Not integers `[K, T]`.
            AlphabetError: A code outside its codebook.
        """
        if isinstance(self.tokenizer, CodecBPETokenizer):
            return self.tokenizer.codes_to_ids(codes)
        positions = self.alphabet.to_positions(codes)
        if self._merges is None or not self._merges.is_exact_for(self.tokenizer):
            return self._text_to_ids(self.alphabet.text_of(positions))
        return self._merges.encode(positions)

    def ids_to_codes(self, ids: Any, errors: Errors = "strict") -> npt.NDArray[np.int64]:
        """Codes `[K, T]` of audio tokens.

        Args:
            ids: Integers `[L]`, all of them audio: a list, a numpy array, or a torch tensor.
            errors: `"strict"` raises on anything but whole frames; `"drop"` mends what a language
                model generates, see `CodebookAlphabet.mend`; `"drop_frames"` keeps only frames
                that are whole as they stand. Use that one with codecs that merge frames, where a
                code out of place would give a frame the length of another.

        Raises:
            TokenizerError: An id that is not audio.
            AlphabetError: Under `"strict"`, tokens that do not make up whole frames.
        """
        array = as_array(ids)
        codes = self._token_codes.codes_of(array)
        if codes is not None and errors in get_args(Errors):
            return codes
        audio = self.is_audio(array)
        if not audio.all():
            raise TokenizerError(
                f"Id {array[~audio][0]} is not audio of this codec: pass runs of audio tokens "
                "only, which is_audio finds."
            )
        return self.alphabet.to_codes("".join(map(self.texts.__getitem__, array.tolist())), errors)


def _entries(tokenizer: Any) -> list[dict[str, Any]]:
    """What an extended tokenizer says of its codecs, in the order of their ids.

    Raises:
        TokenizerError: The list is not one that `extend_tokenizer` writes.
    """
    entries = getattr(tokenizer, "init_kwargs", {}).get(CODEC_VOCABULARIES, [])
    if not (isinstance(entries, list) and all(map(_is_entry, entries))):
        raise TokenizerError(
            f"{CODEC_VOCABULARIES} in tokenizer_config.json is not as extend_tokenizer "
            "writes it: extend the base tokenizer again."
        )
    borders = [0, *(entry["first_id"] for entry in entries), len(tokenizer)]
    if borders != sorted(borders):
        raise TokenizerError(
            f"The codecs of this tokenizer begin at ids {borders[1:-1]}, not in ascending order "
            f"among its {len(tokenizer)} tokens: extend the base tokenizer again."
        )
    return entries


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("codebook_sizes"), list)
        and type(entry.get("unicode_offset")) is int
        and type(entry.get("first_id")) is int
        and all(isinstance(entry.get(name), str | None) for name in AUDIO_TOKENS)
    )


def _no_single_codec(
    tokenizer: Any,
    alphabets: Sequence[CodebookAlphabet],
    wanted: tuple[int, ...] | None,
    index: int | None,
) -> str:
    if not alphabets:
        return (
            f"A {type(tokenizer).__name__} knows no codes: pass a CodecBPETokenizer, which "
            "train_tokenizer makes, or what extend_tokenizer makes of a language model's "
            "tokenizer. (One of codec-bpe's is told its codebooks once: docs/from-codec-bpe.md.)"
        )
    known = "; ".join(
        f"{at}: codebooks of {list(alphabet.codebook_sizes)} codes"
        for at, alphabet in enumerate(alphabets)
    )
    asked = [] if wanted is None else [f"codebooks of {list(wanted)} codes"]
    asked += [] if index is None else [f"index {index}"]
    choose = " Say which one with codec_index, or --codec-index." if index is None else ""
    return (
        f"The tokenizer does not have exactly one codec with {' and '.join(asked) or 'any codes'}: "
        f"it knows {known}.{choose if len(alphabets) > 1 else ''}"
    )
