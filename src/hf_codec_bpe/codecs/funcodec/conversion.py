"""The published FunCodec checkpoints to our model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import torch

from ...errors import CodecError
from ..converting import StateDict, as_float32, load_strictly, read_checkpoint, read_yaml, without
from .configuration_funcodec import FunCodecConfig
from .modeling_funcodec import FunCodecModel
from .settings import fields_of

__all__ = ["convert_files", "convert_funcodec_checkpoint", "is_checkpoint"]

CODEBOOKS = "quantizer.rq.model."
UNUSED = (
    # What only training needed.
    f"{CODEBOOKS}inited",
    f"{CODEBOOKS}cluster_size",
    f"{CODEBOOKS}embed_avg",
    "discriminator.",
    "mel_spec_transforms.",
    "context_model.",
)

NAMES = (
    (r"^(encoder|decoder)\.model\.", r"\1.layers."),
    (r"\.(conv|convtr)\.\1\.", ".conv."),
    (r"\.(conv|convtr)\.norm\.", ".norm."),
)
"""The originals' names and ours, for `re.sub`."""


def is_checkpoint(state_dict: StateDict) -> bool:
    """Whether the names are those of a FunCodec."""
    return any(name.startswith(CODEBOOKS) for name in state_dict)


def convert_files(files: Mapping[str, str | os.PathLike[str]]) -> FunCodecModel:
    """Makes a model of the files `checkpoint` and `config`; see below.

    Raises:
        CodecError: As `convert_funcodec_checkpoint`; or no `config`.
    """
    if "config" not in files:
        raise CodecError(
            "A FunCodec's weights do not tell its sampling rate, nor whether it is one that can be "
            "converted: pass the config.yaml that came with the checkpoint as well (--config)."
        )
    return convert_funcodec_checkpoint(
        read_checkpoint(files["checkpoint"]), read_yaml(files["config"])
    )


def convert_funcodec_checkpoint(state_dict: StateDict, config: Mapping[str, Any]) -> FunCodecModel:
    """Makes a model of an original's weights.

    Args:
        state_dict: Tensors by their original names, in any precision; `read_checkpoint` reads
            them. Weights of training alone may be there or not.
        config: What the original's `config.yaml` holds. Sizes are read from it, with the
            original's defaults for what it leaves out.

    Returns:
        The model in float32, in evaluation mode.

    Raises:
        CodecError: A checkpoint of another family, a `config` of another kind of model (FreqCodec,
            for one), a weight that is missing, unknown or of another shape than `config` says, or
            codebooks that were never learnt.
    """
    if not is_checkpoint(state_dict):
        raise CodecError(
            f"This is not a FunCodec checkpoint: no weight begins with {CODEBOOKS}. "
            "hf-codec-bpe convert finds out what a checkpoint is."
        )
    ours = FunCodecConfig(**fields_of(config))
    _check_codebooks(state_dict)
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in without(state_dict, UNUSED).items():
        tensors.update(_renamed(name, tensor))
    return load_strictly(FunCodecModel, ours, as_float32(tensors))


def _renamed(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """A tensor under our name, or the codebooks, which are stacked, under theirs."""
    if name == f"{CODEBOOKS}embed" and tensor.ndim > 1:
        return {k: v for i, embed in enumerate(tensor) for k, v in _codebook(i, embed).items()}
    for theirs, ours in NAMES:
        name = re.sub(theirs, ours, name)
    return {name: tensor}


def _codebook(index: int, embed: torch.Tensor) -> dict[str, torch.Tensor]:
    """A codebook as EnCodec keeps it, with averages that only its training would use."""
    fields = {
        "embed": embed,
        "embed_avg": embed,
        "cluster_size": embed.new_zeros(len(embed)),
        "inited": embed.new_ones(1),
    }
    return {f"quantizer.layers.{index}.codebook.{name}": value for name, value in fields.items()}


def _check_codebooks(state_dict: StateDict) -> None:
    """The original learns uninitialised codebooks from the first audio it is asked to encode."""
    initialised = state_dict.get(f"{CODEBOOKS}inited")
    if initialised is not None and not initialised.all():
        raise CodecError(
            f"Codebooks of this checkpoint were never learnt ({CODEBOOKS}inited is "
            f"{initialised.tolist()}): the original would make them up from the first audio. Use a "
            "checkpoint from the end of training."
        )
