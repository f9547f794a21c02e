"""From the originals' weights to ours: names, weight norm, and the numbers that shapes tell."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from ...errors import CodecError
from ..converting import StateDict, as_float32, fold_weight_norm, load_strictly
from .modeling_vocos import VocosCodecModel

__all__ = ["build", "renamed"]

logger = logging.getLogger(__name__)
Model = TypeVar("Model", bound=VocosCodecModel)

NOT_IN_SHAPES = {
    "sampling_rate",
    "use_causal_conv",
    "default_bandwidth_id",
    "group_norm_num_groups",
    "norm_eps",
}
"""What no tensor shows: taken from the caller's configuration, or else from the family's."""

FIXED = {
    "audio_channels": 1,
    "audio_normalize": False,
    "compress": 2,
    "istft_padding": "same",
    "kernel_size": 7,
    "last_kernel_size": 7,
    "norm_type": "weight_norm",
    "num_quantizers": 1,
    "num_residual_layers": 1,
    "pad_mode": "reflect",
    "residual_kernel_size": 3,
    "use_conv_shortcut": True,
}
"""What these models can only be."""

WITHOUT_EFFECT = {"dilation_growth_rate"}
"""The dilation grows from one residual layer to the next, and there is one."""


def renamed(name: str) -> str:
    """An original's name, without what is in front of `encoder.`, to ours.

    Example:
        >>> renamed("encoder.model.1.block.3.conv.conv.weight_g")
        'encoder.layers.1.block.3.conv.weight_g'
        >>> renamed("head.out.bias")
        'head.linear.bias'
    """
    name = re.sub(r"^encoder\.model\.", "encoder.layers.", name)
    if name.startswith("encoder."):
        name = name.replace(".conv.conv.", ".conv.")
    return re.sub(r"^head\.out\.", "head.linear.", name)


def build(
    model_class: type[Model],
    tensors: StateDict,
    settings: Mapping[str, Any] | None,
    **extra: Any,
) -> Model:
    """The model of an original's weights.

    Args:
        model_class: The family's model.
        tensors: Weights under our names, weight norm not folded.
        settings: What the caller says of the model, as `convert_*_checkpoint` takes it.
        extra: More fields of the configuration.

    Raises:
        CodecError: Weights that are missing, unknown or of impossible shapes, or settings that
            contradict them.
    """
    weights = fold_weight_norm(as_float32(tensors))
    derived = _numbers_in_shapes(weights)
    chosen = _checked_settings(model_class, settings or {}, derived)
    config = model_class.config_class(**derived, **chosen, **extra)
    return load_strictly(model_class, config, weights)


def _numbers_in_shapes(weights: StateDict) -> dict[str, Any]:
    """The configuration's fields, as far as the weights' shapes tell them."""
    places = _places(weights, r"encoder\.layers\.(\d+)\.conv\.weight")
    if len(places) < 3:
        raise CodecError("The checkpoint lacks the convolutions of a SEANet encoder.")
    first, *strided, last = places
    kernels = [_size(weights, f"encoder.layers.{i}.conv.weight", axis=2) for i in strided]
    if any(kernel % 2 for kernel in kernels):
        raise CodecError(
            f"The encoder's strided convolutions have kernels {kernels}, but SEANet's are twice "
            "the stride: this is another encoder."
        )
    adaptive = "backbone.norm.scale.weight"
    return {
        "num_filters": _size(weights, f"encoder.layers.{first}.conv.weight"),
        "upsampling_ratios": [kernel // 2 for kernel in reversed(kernels)],
        "num_lstm_layers": len(_places(weights, r"encoder\.layers\.\d+\.lstm\.weight_ih_l(\d+)")),
        "hidden_size": _size(weights, f"encoder.layers.{last}.conv.weight"),
        "codebook_size": _size(weights, "quantizer.codebook.embed"),
        "backbone_dim": _size(weights, "backbone.embed.weight"),
        "backbone_intermediate_dim": _size(weights, "backbone.convnext.0.pwconv1.weight"),
        "backbone_num_layers": len(_places(weights, r"backbone\.convnext\.(\d+)\.gamma")),
        "adanorm_num_embeddings": _size(weights, adaptive) if adaptive in weights else None,
        "n_fft": _size(weights, "head.linear.weight") - 2,
    }


def _places(weights: StateDict, pattern: str) -> list[int]:
    """The numbers that the names which match have at the pattern's group, in order."""
    return sorted(int(found[1]) for name in weights if (found := re.fullmatch(pattern, name)))


def _size(weights: StateDict, name: str, axis: int = 0) -> int:
    if name not in weights or weights[name].ndim <= axis:
        raise CodecError(
            f"The checkpoint lacks {name}, or has it in an impossible shape: pass the published "
            "checkpoint, whole and unchanged."
        )
    return weights[name].shape[axis]


def _checked_settings(
    model_class: type[VocosCodecModel], settings: Mapping[str, Any], derived: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings that shapes do not tell, after a look at all the others."""
    fixed = settings.get("fixed") or {}
    given = {**fixed, **settings}
    known = {**FIXED, **derived, "hop_length": math.prod(derived["upsampling_ratios"])}
    for name, value in (*settings.items(), *fixed.items()):
        wanted = known.get(name, given[name])
        if _plain(value) != _plain(wanted):
            raise CodecError(
                f"The configuration says {name}={value!r}, but this checkpoint and "
                f"{model_class.__name__} have {wanted!r}. Leave the configuration out, or pass the "
                "one that belongs to the checkpoint."
            )
    beside = given.keys() - known.keys() - NOT_IN_SHAPES - WITHOUT_EFFECT
    if unknown := sorted(beside & fixed.keys()):
        raise CodecError(
            f"The configuration's fixed part names {', '.join(unknown)}, which no "
            f"{model_class.__name__} has: leave them out if they change nothing."
        )
    logger.info("Read as notes, not as settings: %s", ", ".join(sorted(beside - {"fixed"})))
    return {name: given[name] for name in NOT_IN_SHAPES & given.keys()}


def _plain(value: Any) -> Any:
    """Tuples and lists are alike."""
    return list(value) if isinstance(value, tuple) else value
