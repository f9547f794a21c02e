"""The published FlexiCodec checkpoint to our model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from ...errors import CodecError
from ..converting import (
    StateDict,
    as_float32,
    fold_weight_norm,
    load_strictly,
    read_checkpoint,
    read_yaml,
    without,
)
from .cmvn import published_cmvn, read_cmvn
from .configuration_flexicodec import FEATURE_SIZE, FlexiCodecConfig
from .modeling_flexicodec import FlexiCodecModel
from .names import renamed
from .sensevoice import PROMPT_ROWS
from .settings import fields_of

__all__ = ["convert_files", "convert_flexicodec_checkpoint", "is_checkpoint"]

SENSEVOICE = "semantic_model."
EMBEDDING = f"{SENSEVOICE}embed.weight"
UNUSED = (
    # Numbers of another semantic encoder: 0 and 1 here.
    "semantic_mean",
    "semantic_std",
    # SenseVoice's way from semantic features to words.
    f"{SENSEVOICE}criterion",
    f"{SENSEVOICE}ctc.",
    f"{SENSEVOICE}encoder.tp_encoders.",
    f"{SENSEVOICE}encoder.tp_norm.",
)


def is_checkpoint(state_dict: StateDict) -> bool:
    """Whether the names are those of a FlexiCodec."""
    return "semantic_aggregator.query_embedding" in state_dict


def convert_files(files: Mapping[str, str | os.PathLike[str]]) -> FlexiCodecModel:
    """Makes a model of the file `checkpoint` and, if they are there, of others.

    Args:
        files: Paths by role: `checkpoint`; `config`, its YAML; `sensevoice`, the `model.pt` of
            SenseVoiceSmall, and `cmvn`, its `am.mvn`.

    Raises:
        CodecNotFoundError: A file is not there.
        CodecError: As `convert_flexicodec_checkpoint`.
    """
    return convert_flexicodec_checkpoint(
        read_checkpoint(files["checkpoint"]),
        read_yaml(files["config"]) if "config" in files else None,
        read_checkpoint(files["sensevoice"]) if "sensevoice" in files else None,
        cmvn=read_cmvn(files["cmvn"]) if "cmvn" in files else None,
    )


def convert_flexicodec_checkpoint(
    state_dict: StateDict,
    config: Mapping[str, Any] | None = None,
    sensevoice_state_dict: StateDict | None = None,
    *,
    sensevoice_num_heads: int = 4,
    cmvn: torch.Tensor | None = None,
) -> FlexiCodecModel:
    """Makes a model of an original's weights.

    Args:
        state_dict: Tensors by their original names, in any precision; `read_checkpoint` reads
            them. If SenseVoice's are among them (`semantic_model.*`), these are used.
        config: The original's YAML, as a mapping. What it leaves out is as the original's class
            has it, which is not always as in the published model; `None` is the published model.
        sensevoice_state_dict: The weights of SenseVoiceSmall's `model.pt`. A model without them
            decodes, and encodes from ready `audio_features` only.
        sensevoice_num_heads: Its attention heads, the one number that no shape shows.
        cmvn: What its inputs are shifted and scaled by, float `[2, 560]`: `read_cmvn` in
            `codecs.flexicodec.cmvn` reads an `am.mvn`. By default SenseVoiceSmall's own, if
            SenseVoice's inputs are of that size; without any, the model encodes from
            `audio_features` only.

    Returns:
        The model in float32, in evaluation mode.

    Raises:
        CodecError: A checkpoint of another family, a weight that is missing, unknown or of another
            shape, or settings of a model that this is not.
    """
    if not is_checkpoint(state_dict):
        raise CodecError(
            "This is not a FlexiCodec checkpoint: it lacks semantic_aggregator.query_embedding. "
            "hf-codec-bpe convert finds out what a checkpoint is."
        )
    beside = {
        f"{SENSEVOICE}{name.removeprefix(SENSEVOICE)}": tensor
        for name, tensor in (sensevoice_state_dict or {}).items()
    }
    tensors = fold_weight_norm(as_float32(without({**beside, **state_dict}, UNUSED)))
    sensevoice = _sensevoice_fields(tensors)
    if cmvn is None and sensevoice.get("sensevoice_input_size") == FEATURE_SIZE:
        cmvn = published_cmvn()
    fields = {
        **({} if config is None else fields_of(config)),
        **sensevoice,
        "sensevoice_num_heads": sensevoice_num_heads,
        "has_cmvn": cmvn is not None,
    }
    our_config = FlexiCodecConfig(**fields)
    weights = {renamed(name, our_config): tensor for name, tensor in tensors.items()}
    if EMBEDDING in tensors:
        weights["semantic_model.prompt"] = tensors[EMBEDDING][list(PROMPT_ROWS)]
    if cmvn is not None:
        if cmvn.shape[:1] != (2,):
            raise CodecError(
                f"cmvn has shape {list(cmvn.shape)}: pass shifts and scales [2, features]."
            )
        weights["front_end.shift"], weights["front_end.scale"] = cmvn.float()
    return load_strictly(FlexiCodecModel, our_config, weights)


def _sensevoice_fields(tensors: StateDict) -> dict[str, int]:
    """The semantic encoder's numbers, from its weights' shapes."""
    names = [name for name in tensors if name.startswith(SENSEVOICE)]
    if not names:
        return {"sensevoice_num_layers": 0}
    layers = {name.split(".self_attn.")[0] for name in names if ".self_attn." in name}
    first = f"{SENSEVOICE}encoder.encoders0.0."
    shapes = {
        "sensevoice_input_size": (EMBEDDING, 1),
        "sensevoice_hidden_size": (f"{SENSEVOICE}encoder.after_norm.weight", 0),
        "sensevoice_intermediate_size": (f"{first}feed_forward.w_1.weight", 0),
        "sensevoice_kernel_size": (f"{first}self_attn.fsmn_block.weight", 2),
    }
    missing = [n for n, axis in shapes.values() if n not in tensors or tensors[n].ndim <= axis]
    if missing or len(tensors[EMBEDDING]) <= max(PROMPT_ROWS):
        raise CodecError(
            f"The weights of SenseVoice lack {missing[0] if missing else 'rows of their embedding'}"
            ": pass those of SenseVoiceSmall's model.pt, whole."
        )
    sizes = {field: tensors[name].shape[axis] for field, (name, axis) in shapes.items()}
    return {"sensevoice_num_layers": len(layers), **sizes}
