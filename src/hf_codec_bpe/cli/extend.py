"""`hf-codec-bpe extend`: a language model's vocabulary and a codec's, together."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..appearing import appearing_folder
from ..errors import TokenizerError, first_line
from .options import check_new_folder, code_point

__all__ = ["extend"]


class Initialisation(str, Enum):
    """Where new embeddings start; see `extend_model`."""

    composition = "composition"
    mean = "mean"
    normal = "normal"


def extend(
    base: Annotated[
        str, typer.Argument(help="A language model: a Hub id or a folder.", metavar="BASE")
    ],
    codec_tokenizer: Annotated[
        str,
        typer.Argument(
            help="A codec's tokenizer: a Hub id, a folder that train wrote, or 'demo'.",
            metavar="CODEC_TOKENIZER",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The folder to write: new or empty.", metavar="OUT")],
    model: Annotated[
        bool, typer.Option("--model", help="Extend and save the model too, not only its tokenizer.")
    ] = False,
    initialisation: Annotated[
        Initialisation,
        typer.Option(
            help="Where new embeddings start: composition, mean or normal.", metavar="NAME"
        ),
    ] = Initialisation.composition,
    pad_to_multiple_of: Annotated[
        int,
        typer.Option(help="Round the number of embeddings up to a multiple.", min=1, metavar="N"),
    ] = 64,
    seed: Annotated[
        int,
        typer.Option(
            help="Chooses new embeddings; the same seed gives the same ones.", metavar="N"
        ),
    ] = 0,
    audio_token: Annotated[
        str, typer.Option(help="Stands for a clip in a text.", metavar="TOKEN")
    ] = "<|audio|>",
    audio_start_token: Annotated[
        str, typer.Option(help="Comes before audio; '' for none.", metavar="TOKEN")
    ] = "<|audio_start|>",
    audio_end_token: Annotated[
        str, typer.Option(help="Comes after audio; '' for none.", metavar="TOKEN")
    ] = "<|audio_end|>",
    codebook_sizes: Annotated[
        str | None,
        typer.Option(
            help="For codec-bpe's tokenizers: the codebooks, such as 1024,1024.", metavar="SIZES"
        ),
    ] = None,
    unicode_offset: Annotated[
        str,
        typer.Option(
            help="For codec-bpe's tokenizers: the first character's code point.", metavar="CODE"
        ),
    ] = "0x4E00",
) -> None:
    """Extend a language model's vocabulary with a codec's.

    Every text keeps its ids, and audio gets exactly the codec tokenizer's tokens.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ..bundled import place_of
    from ..codec_vocabulary import CODEC_VOCABULARIES
    from ..tokenization_codec_bpe import CodecBPETokenizer
    from ..vocabulary.tokenizer import extend_tokenizer

    check_new_folder(out)
    alphabet = _alphabet_options(codebook_sizes, unicode_offset)
    codec = _loaded(CodecBPETokenizer.from_pretrained, place_of(codec_tokenizer), **alphabet)
    tokenizer = extend_tokenizer(
        _loaded(AutoTokenizer.from_pretrained, base),
        codec,
        audio_token=audio_token,
        audio_start_token=audio_start_token or None,
        audio_end_token=audio_end_token or None,
    )
    parts = [tokenizer]
    if model:
        from ..vocabulary.model import extend_model

        language_model = _loaded(AutoModelForCausalLM.from_pretrained, base, dtype="auto")
        extend_model(
            language_model,
            tokenizer,
            initialisation=initialisation.value,
            pad_to_multiple_of=pad_to_multiple_of,
            seed=seed,
        )
        parts.append(language_model)
    _save_all(parts, out)
    first_id = tokenizer.init_kwargs[CODEC_VOCABULARIES][-1]["first_id"]
    typer.echo(f"A tokenizer of {len(tokenizer)} tokens, new ones from id {first_id} on: {out}")


def _alphabet_options(codebook_sizes: str | None, unicode_offset: str) -> dict[str, Any]:
    if codebook_sizes is None:
        return {}
    try:
        sizes = [int(size) for size in codebook_sizes.split(",")]
    except ValueError as error:
        raise TokenizerError(
            f"--codebook-sizes {codebook_sizes} are not numbers: write them as 1024,1024."
        ) from error
    return {"codebook_sizes": sizes, "unicode_offset": code_point(unicode_offset)}


def _loaded(load: Callable[..., Any], name: str, **options: Any) -> Any:
    from safetensors import SafetensorError

    try:
        return load(name, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise TokenizerError(
            f"{name} could not be loaded: it must be a folder that save_pretrained wrote, or a Hub "
            f"repository. ({first_line(error)})"
        ) from error


def _save_all(parts: list[Any], out: Path) -> None:
    """Saves everything into one folder."""
    with appearing_folder(out) as folder:
        for part in parts:
            part.save_pretrained(folder)
