"""`extend_tokenizer`: a language model's tokenizer that knows a codec too."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from ..alphabet import CodebookAlphabet
from ..codec_vocabulary import AUDIO_TOKENS, CODEC_VOCABULARIES, CodecVocabulary, alphabets_of
from ..errors import TokenizerError
from ..portable import portable_config
from ..tokenization_codec_bpe import CodecBPETokenizer
from .alphabets import as_entry, placed
from .backend import add_codec, add_special_tokens, check_base, own_added_tokens
from .codec_part import CodecPart
from .files import MODULE, ExtendedTokenizer
from .state import state_of

__all__ = ["extend_tokenizer"]

logger = logging.getLogger(__name__)

_ATTRIBUTES = (
    "clean_up_tokenization_spaces",
    "model_input_names",
    "padding_side",
    "split_special_tokens",
    "truncation_side",
)
"""What a tokenizer's class may decide: written down, since the extended one has another class."""


def extend_tokenizer(
    base: PreTrainedTokenizerFast,
    codec_tokenizer: CodecBPETokenizer,
    *,
    audio_token: str = "<|audio|>",
    audio_start_token: str | None = "<|audio_start|>",
    audio_end_token: str | None = "<|audio_end|>",
) -> PreTrainedTokenizerFast:
    """Merges a codec's vocabulary into the BPE of a language model's tokenizer.

    Every text keeps its ids, and every run of audio gets exactly the codec tokenizer's
    segmentation, wherever it stands. Both survive `save_pretrained` and a load without this
    package. Audio is not a special token: `skip_special_tokens=True` keeps it. New ids follow the
    base's last one: the special tokens, bytes that code characters are built from (byte-level bases
    only), then the codec's tokens in their order. Give the model rows for them with `extend_model`.

    Codes that live among human text (codec-bpe's, at U+4E00), or where an earlier codec's are, are
    moved to the next free characters of the private planes, or of the unassigned ones from U+40000
    on where those are full. Read them with `alphabets_of(tokenizer)`, never with the codec
    tokenizer's own alphabet. So several codecs can be added, one after another.

    Text with private-use characters that are codes now turns into audio. In byte-level bases, those
    that merely share leading bytes with a code may be split differently than before; they still
    decode to themselves.

    Unigram (T5, XLM-R) and WordPiece (BERT) bases are refused: Unigram picks the likeliest
    segmentation and WordPiece the longest match, so neither can reproduce a codec's merges. Keep
    the two tokenizers apart there and give the codec's ids an offset. Bases with BPE dropout are
    refused too: they tokenize the same text differently each time.

    Save it with its own `save_pretrained`, or a processor's. What `AutoTokenizer` loads has a class
    of Transformers' own, whose `save_pretrained` keeps the last call's truncation and padding in
    `tokenizer.json` and leaves `plain_tokenizer.py` out, without which nobody can load the folder
    with `trust_remote_code=True`. `hf_codec_bpe.vocabulary.files.make_portable(folder)` repairs it.

    Args:
        base: A fast tokenizer with BPE, byte-level (GPT-2, Llama 3, Qwen, tekken) or of the
            SentencePiece style (Llama 2, Mistral, Gemma). It is not changed.
        codec_tokenizer: The codec's. A folder of codec-bpe's becomes one with
            `CodecBPETokenizer.from_pretrained(folder, codebook_sizes=[...],
            unicode_offset=0x4E00)`.
        audio_token: Stands for a clip in a text, until a processor puts its tokens there.
        audio_start_token: Comes before audio; `None` for none.
        audio_end_token: Comes after audio; `None` for none.

    Returns:
        A tokenizer with the base's chat template and settings, and the special tokens as
        `.audio_token`, `.audio_start_token`, `.audio_end_token`.

    Raises:
        TokenizerError: Not a base or not a codec tokenizer as above, a base that owns characters
            of the codec, or special tokens that are equal, empty or hold code characters.
        AlphabetError: No characters are left for the codec.
    """
    _check_types(base, codec_tokenizer)
    audio_tokens = _audio_tokens(audio_token, audio_start_token, audio_end_token)
    backend = state_of(base)
    check_base(backend)
    taken = alphabets_of(base)
    _warn_if_known(base, codec_tokenizer, taken)
    part = CodecPart.of(codec_tokenizer, placed(codec_tokenizer.alphabet, taken))
    _check_tokens(audio_tokens, part)

    own_added_tokens(backend)
    first_id = len(backend["model"]["vocab"])
    add_special_tokens(backend, list(audio_tokens.values()))
    ids = add_codec(backend, part)
    _check_audio(Tokenizer.from_str(json.dumps(backend)), codec_tokenizer, part, ids)

    training = codec_tokenizer.init_kwargs.get("training")
    entry = {
        **as_entry(part.alphabet),
        **dict.fromkeys(AUDIO_TOKENS),
        **audio_tokens,
        "first_id": first_id,
        "training": training,
    }
    settings = {
        **{name: getattr(base, name) for name in _ATTRIBUTES},
        **audio_tokens,
        CODEC_VOCABULARIES: [*base.init_kwargs.get(CODEC_VOCABULARIES, []), entry],
    }
    return _assembled(base, backend, settings)


def _assembled(
    base: PreTrainedTokenizerFast, backend: dict[str, Any], settings: dict[str, Any]
) -> PreTrainedTokenizerFast:
    """A base's files with another backend and more settings, loaded."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        base.save_pretrained(folder)  # all it has, such as chat templates, as Transformers does it
        (folder / "tokenizer.json").write_text(json.dumps(backend), encoding="utf-8")
        config_file = folder / "tokenizer_config.json"
        config = json.loads(config_file.read_text(encoding="utf-8"))
        config = portable_config({**config, **settings}, MODULE)
        config_file.write_text(json.dumps(config), encoding="utf-8")
        extended = ExtendedTokenizer.from_pretrained(folder)
    extended.name_or_path = extended.init_kwargs["name_or_path"] = base.name_or_path
    return extended


def _check_types(base: Any, codec_tokenizer: Any) -> None:
    if isinstance(base, CodecBPETokenizer):
        raise TokenizerError(
            "The base is a codec's tokenizer: pass a language model's first, then the codec's."
        )
    if not isinstance(base, PreTrainedTokenizerFast):
        raise TokenizerError(
            f"The base is a {type(base).__name__}, and only Transformers' fast tokenizers can be "
            "extended: load it with AutoTokenizer.from_pretrained from a folder with a "
            "tokenizer.json (mistral_format=False for Mistral's)."
        )
    if not isinstance(codec_tokenizer, CodecBPETokenizer):
        raise TokenizerError(
            f"The codec tokenizer is a {type(codec_tokenizer).__name__}, which does not say what "
            "its characters stand for: load it with CodecBPETokenizer.from_pretrained(folder, "
            "codebook_sizes=[...], unicode_offset=...)."
        )


def _warn_if_known(
    base: PreTrainedTokenizerFast,
    codec_tokenizer: CodecBPETokenizer,
    taken: list[CodebookAlphabet],
) -> None:
    """Says so where a base has all of a codec's tokens already: they would be there twice."""
    for index, alphabet in enumerate(taken):
        if alphabet.codebook_sizes == codec_tokenizer.alphabet.codebook_sizes:
            known = CodecVocabulary.of(base, index=index).texts.values()
            if set(CodecPart.of(codec_tokenizer, alphabet).tokens) <= set(known):
                logger.warning(
                    "The base has the tokens of this codec already, as its codec %d, and gets them "
                    "once more, with other ids. To have them once, use the base as it is.",
                    index,
                )


def _audio_tokens(token: str, start: str | None, end: str | None) -> dict[str, str]:
    named = {"audio_token": token, "audio_start_token": start, "audio_end_token": end}
    given = {name: value for name, value in named.items() if value is not None}
    wrong = [name for name, value in given.items() if not isinstance(value, str) or not value]
    if wrong or "audio_token" not in given or len(set(given.values())) < len(given):
        raise TokenizerError(
            f"The special tokens {named} are not possible: pass different strings. Only "
            "audio_start_token and audio_end_token may be left out, with None (on the command "
            "line, with '')."
        )
    return given


def _check_tokens(audio_tokens: dict[str, str], part: CodecPart) -> None:
    for name, token in audio_tokens.items():
        if any(char in part.alphabet for char in token):
            raise TokenizerError(
                f"{name}={token!r} holds characters that stand for codes: choose another name."
            )


def _check_audio(
    backend: Tokenizer, codec_tokenizer: CodecBPETokenizer, part: CodecPart, ids: dict[str, int]
) -> None:
    """Raises unless a long run of audio, with every token in it, is segmented as by the codec's."""
    run = "".join(part.tokens)
    table = str.maketrans(codec_tokenizer.alphabet.characters, part.alphabet.characters)
    own = Tokenizer.from_str(json.dumps(state_of(codec_tokenizer))).encode(
        run.translate({new: old for old, new in table.items()}), add_special_tokens=False
    )
    expected = [ids[token.translate(table)] for token in own.tokens]
    if backend.encode(run, add_special_tokens=False).ids != expected:
        raise TokenizerError(
            "The base cuts or pads audio before merges apply, so its segmentation would not be the "
            "codec's: its pre-tokenizer is not one that can be extended. Where it has "
            "add_prefix_space=True, load it with add_prefix_space=False."
        )
