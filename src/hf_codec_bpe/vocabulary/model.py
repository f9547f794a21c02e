"""`extend_model`: rows for new tokens in a model's embeddings, and where they start from.

Axis letters: N = new rows, D = the width of the embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import torch

from ..codec_vocabulary import CODEC_VOCABULARIES
from ..errors import TokenizerError
from .compositions import Composition, compositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["extend_model"]

Initialisation = Literal["composition", "mean", "normal"]
Model = TypeVar("Model", bound="PreTrainedModel")

_NUDGE = 0.1
"""How far rows that would be equal are moved apart, in standard deviations of the base's rows."""


@torch.no_grad()
def extend_model(
    model: Model,
    tokenizer: PreTrainedTokenizerFast,
    *,
    initialisation: Initialisation = "composition",
    pad_to_multiple_of: int | None = 64,
    seed: int = 0,
    num_known_codecs: int | None = None,
) -> Model:
    """Gives a model rows for the tokens of an extended tokenizer, in place.

    The embeddings never shrink: rows that pad the base's vocabulary stay, and are the first that
    new tokens take. Rows that the model was trained with stay as they are. A model remembers its
    codecs in its config, so that another one can be added later without touching the first.

    "The base's statistics" are the mean and the standard deviation of every dimension over the rows
    that the base tokenizer uses, padding left out. Untied input and output embeddings each have
    their own. A full covariance would cost D times as much, some minutes in large models, and add
    only correlations that single codes do not inherit anyway.

    Args:
        model: Any causal language model of Transformers, tied or not.
        tokenizer: What `extend_tokenizer` made of the model's own tokenizer.
        initialisation: Where new rows start.

            - `"composition"`: a code, like any other token that is not merged, from a normal with
              the base's statistics; a merged token from the mean of its codes. Where another token
              has the same mean (the same codes in another order, or repeated), it is nudged by a
              tenth of a standard deviation.
            - `"mean"`: the base's mean, nudged likewise.
            - `"normal"`: every row from a normal with the base's statistics.
        pad_to_multiple_of: Round the number of rows up to a multiple, which is faster on GPUs;
            `None` does not round.
        seed: The same seed gives the same rows on every device.
        num_known_codecs: How many of the tokenizer's codecs the model has rows for already, which
            stay; by default those that its config lists.

    Returns:
        The model.

    Raises:
        TokenizerError: A tokenizer that was not extended or belongs to another model, an option
            outside its range, or a model that may know codecs which its config does not list. The
            model then stays as it was.

    Source of the idea: new words start well from their pieces (Hewitt 2021, "Initializing new word
    embeddings for pretrained language models", on why a normal around the mean is safe).
    """
    _check_options(initialisation, pad_to_multiple_of, seed)
    rows = model.get_input_embeddings().weight.shape[0]
    first_id = _first_new_id(model, tokenizer, rows, num_known_codecs)
    merged = compositions(tokenizer, first_id) if initialisation == "composition" else []
    model.resize_token_embeddings(
        max(rows, len(tokenizer)), pad_to_multiple_of=pad_to_multiple_of, mean_resizing=False
    )
    with torch.device("cpu"):  # whatever the default is: rows are made there, and then moved
        _fill_all(model, first_id, initialisation, merged, seed)
    setattr(model.config, CODEC_VOCABULARIES, tokenizer.init_kwargs[CODEC_VOCABULARIES])
    return model


def _first_new_id(model: Any, tokenizer: Any, rows: int, num_known_codecs: int | None) -> int:
    """The id from which on rows are new to the model."""
    codecs = getattr(tokenizer, "init_kwargs", {}).get(CODEC_VOCABULARIES, [])
    if not codecs:
        raise TokenizerError(
            f"The {type(tokenizer).__name__} has no codec's vocabulary: make one with "
            "extend_tokenizer(base, codec_tokenizer) first."
        )
    known = _known_codecs(model, codecs, rows, num_known_codecs)
    if codecs[: len(known)] != known:
        raise TokenizerError(
            f"The model was extended for {known}, and the tokenizer for {codecs}: extend the "
            "tokenizer that was saved with the model, or start from the model as it was before."
        )
    first_id: int = codecs[len(known)]["first_id"] if len(codecs) > len(known) else rows
    if rows < first_id:
        raise TokenizerError(
            f"The model has {rows} embeddings, fewer than the {first_id} tokens that its tokenizer "
            "had before. If tokens were added to that tokenizer, call "
            f"model.resize_token_embeddings({first_id}) first; if not, it belongs to another model."
        )
    return first_id


def _known_codecs(model: Any, codecs: list[Any], rows: int, num_known_codecs: Any) -> list[Any]:
    """The codecs that a model has rows for already."""
    if num_known_codecs is not None:
        if not _is_int(num_known_codecs, 0, len(codecs) + 1):
            raise TokenizerError(
                f"num_known_codecs={num_known_codecs!r} cannot be: the tokenizer has {len(codecs)} "
                "codec(s); pass how many of them the model knows already."
            )
        return codecs[:num_known_codecs]
    known = getattr(model.config, CODEC_VOCABULARIES, None) or []
    if not known and len(codecs) > 1 and rows >= codecs[1]["first_id"]:
        raise TokenizerError(
            f"The model's config lists no codecs, but its {rows} embeddings have room for the "
            f"first of the tokenizer's {len(codecs)}. Pass num_known_codecs=1 (or more) to keep "
            "the rows of as many codecs, or num_known_codecs=0 where these rows are mere padding."
        )
    return list(known)


def _fill_all(
    model: PreTrainedModel,
    first_id: int,
    initialisation: Initialisation,
    merged: list[Composition],
    seed: int,
) -> None:
    """Writes the rows of both embeddings, and the biases, from `first_id` on."""
    generator = torch.Generator().manual_seed(seed)
    embeddings: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    _fill(embeddings.weight, first_id, initialisation, merged, generator)
    if head is None:
        return
    if head.weight.data_ptr() != embeddings.weight.data_ptr():
        _fill(head.weight, first_id, initialisation, merged, generator)
    if getattr(head, "bias", None) is not None:
        head.bias[first_id:] = head.bias[:first_id].mean()


def _fill(
    weight: torch.Tensor,
    first_id: int,
    initialisation: Initialisation,
    merged: list[Composition],
    generator: torch.Generator,
) -> None:
    """Writes the rows `[N, D]` of a weight from `first_id` on."""
    if first_id == len(weight):
        return
    mean, deviation = _statistics(weight[:first_id])
    spread = deviation * (_NUDGE if initialisation == "mean" else 1.0)
    special = torch.ones(len(weight) - first_id, dtype=torch.bool)
    special[[composition.token_id - first_id for composition in merged]] = False
    new = torch.empty(len(special), weight.shape[1], dtype=torch.float32)
    new[special] = mean + spread * _normal(int(special.sum()), weight.shape[1], generator)
    if merged:
        new[~special] = _means(new, first_id, merged)
        ties = torch.tensor([c.token_id - first_id for c in merged if not c.alone])
        if len(ties):
            new[ties] += _NUDGE * deviation * _normal(len(ties), weight.shape[1], generator)
    weight[first_id:] = new.to(weight)


def _means(new: torch.Tensor, first_id: int, merged: list[Composition]) -> torch.Tensor:
    """The mean of the codes of every merged token, in the order of their ids."""
    lengths = torch.tensor([0, *(len(composition.code_ids) for composition in merged)])
    flat = torch.tensor([code_id for composition in merged for code_id in composition.code_ids])
    return torch.nn.functional.embedding_bag(
        flat - first_id, new, lengths.cumsum(0)[:-1], mode="mean"
    )


def _statistics(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation `[D]` of rows, in pieces: half precision needs no large copy."""
    total = torch.zeros(weight.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for piece in weight.split(4096):
        values = piece.cpu().double()
        total += values.sum(0)
        squares += values.square().sum(0)
    mean = total / len(weight)
    variance = (squares / len(weight) - mean.square()).clamp(min=0)
    return mean.float(), variance.sqrt().float()


def _normal(rows: int, width: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(rows, width, generator=generator, dtype=torch.float32)


def _check_options(initialisation: Any, pad_to_multiple_of: Any, seed: Any) -> None:
    if initialisation not in get_args(Initialisation):
        raise TokenizerError(
            f"initialisation={initialisation!r} is not known: choose one of "
            f"{', '.join(map(repr, get_args(Initialisation)))}."
        )
    if pad_to_multiple_of is not None and not _is_int(pad_to_multiple_of, 1, 2**63):
        raise TokenizerError(
            f"pad_to_multiple_of={pad_to_multiple_of!r} is not a multiple: pass an integer of 1 or "
            "more, or None."
        )
    if not _is_int(seed, -(2**63), 2**64):  # what torch.Generator takes
        raise TokenizerError(f"seed={seed!r} is not a seed: pass an integer of 64 bits.")


def _is_int(value: Any, first: int, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and first <= value < end
