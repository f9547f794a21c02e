"""The published SimVQ checkpoints to our model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from ...errors import CodecError
from ..converting import StateDict, listed, read_checkpoint, without
from ..vocos.conversion import build, renamed
from ..vocos.settings import read_settings
from .modeling_simvq import SimVQModel

__all__ = ["convert_files", "convert_simvq_checkpoint", "is_checkpoint"]

FROZEN, PROJECTION = "quantize.embedding.weight", "quantize.embedding_proj."
AVERAGES = "model_ema."
UNUSED = (
    AVERAGES,
    # What only training needed.
    "loss.",
    # EnCodec's own decoder, which Vocos replaces.
    "decoder.",
    # Computed.
    "head.istft.window",
)


def is_checkpoint(state_dict: StateDict) -> bool:
    """Whether the names are those of a SimVQ for audio."""
    return any(name.startswith(PROJECTION) for name in state_dict)


def convert_files(files: Mapping[str, str | os.PathLike[str]], *, ema: bool = False) -> SimVQModel:
    """Makes a model of the files `checkpoint` and, if it is there, `config`; see below."""
    settings = read_settings(files["config"]) if "config" in files else None
    return convert_simvq_checkpoint(read_checkpoint(files["checkpoint"]), settings, ema)


def convert_simvq_checkpoint(
    state_dict: StateDict, config: Mapping[str, Any] | None = None, ema: bool = False
) -> SimVQModel:
    """Makes a model of an original's weights.

    Args:
        state_dict: Tensors by their original names, in any precision; `read_checkpoint` reads
            them. Weights of training alone may be there or not.
        config: What is known of the model, as a check: it may say whatever `SimVQConfig` does, and
            must agree with the weights. Nothing in it is needed. The `sampling_rate`,
            `use_causal_conv`, `group_norm_num_groups` and `norm_eps`, which no weight shows, are
            taken from it; by default they are the published models'.
        ema: Take the moving averages of the weights, which the authors evaluated, instead of the
            raw weights, which codec-bpe loads. They give other codes.

    Returns:
        The model in float32, in evaluation mode; its configuration records `ema`.

    Raises:
        CodecError: A checkpoint of another family, a weight that is missing or unknown, no
            averages where they were asked for, or a `config` that contradicts the weights.
    """
    if not is_checkpoint(state_dict):
        raise CodecError(
            f"This is not a SimVQ checkpoint: no weight begins with {PROJECTION}. "
            "hf-codec-bpe convert finds out what a checkpoint is."
        )
    codec = (config or {}).get("codec", "simvq")
    if codec != "simvq":
        raise CodecError(f"The configuration is that of {codec!r}, not of a SimVQ.")
    raw = without(state_dict, UNUSED)
    tensors = _with_codebook(_averaged(raw, state_dict) if ema else raw)
    return build(SimVQModel, tensors, config, ema=ema)


def _averaged(raw: StateDict, state_dict: StateDict) -> dict[str, torch.Tensor]:
    """The moving averages under the names of the weights; the frozen codebook has none.

    Weight norm is averaged in its two parts, and folded afterwards.

    Raises:
        CodecError: Averages are missing.
    """
    entries = {name: AVERAGES + name.replace(".", "") for name in raw if name != FROZEN}
    missing = [entry for entry in entries.values() if entry not in state_dict]
    if missing:
        raise CodecError(
            f"This checkpoint lacks moving averages of its weights: {listed(missing)}. Convert the "
            "raw weights: ema=False."
        )
    averages = {name: state_dict[entry] for name, entry in entries.items()}
    return {**averages, FROZEN: raw[FROZEN]} if FROZEN in raw else averages


def _with_codebook(tensors: StateDict) -> dict[str, torch.Tensor]:
    """Under our names, and with the one codebook Q = C W^T + b in place of C, W and b.

    (The original's own lookup forgets W and b, and its searches compute Q anew each time.)
    """
    parts = [FROZEN, f"{PROJECTION}weight", f"{PROJECTION}bias"]
    missing = [name for name in parts if name not in tensors]
    if missing:
        raise CodecError(f"This checkpoint lacks {listed(missing)}: pass the published one, whole.")
    shapes = [tuple(tensors[name].shape) for name in parts]
    size = shapes[0][1:]
    if len(size) != 1 or shapes[1:] != [size * 2, size]:
        raise CodecError(
            f"{', '.join(parts)} have the shapes {shapes}, which make no codebook: get the "
            "checkpoint again."
        )
    rest = {renamed(name): tensor for name, tensor in tensors.items() if name not in parts}
    frozen, weight, bias = (tensors[name].to(torch.float32) for name in parts)
    return {**rest, "quantizer.codebook.embed": torch.nn.functional.linear(frozen, weight, bias)}
