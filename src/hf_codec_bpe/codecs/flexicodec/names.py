"""The originals' names of weights, and ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from .configuration_flexicodec import FlexiCodecConfig

__all__ = ["renamed"]

UNIT = ("snake1", "conv1", "snake2", "conv2")
ENCODER_BLOCK = ("res_unit1", "res_unit2", "res_unit3", "snake1", "conv1")
DECODER_BLOCK = ("snake1", "conv_t1", "res_unit1", "res_unit2", "res_unit3")

LAYER = {
    "self_attn.in_proj_weight": "self_attn.qkv_proj.weight",
    "self_attn.out_proj": "self_attn.o_proj",
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    "linear1": "fc1",
    "linear2": "fc2",
    "layer_scale_1": "self_attn_layer_scale",
    "layer_scale_2": "mlp_layer_scale",
}
SENSEVOICE_LAYER = {
    "self_attn.linear_q_k_v": "self_attn.qkv_proj",
    "self_attn.linear_out": "self_attn.o_proj",
    "self_attn.fsmn_block": "self_attn.memory",
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    "feed_forward.w_1": "fc1",
    "feed_forward.w_2": "fc2",
}


def renamed(name: str, config: FlexiCodecConfig) -> str:
    """An original's name to ours; one that is not known stays or becomes one that we do not have.

    Example:
        >>> config = FlexiCodecConfig()
        >>> renamed("dac.encoder.block.1.block.0.block.3.bias", config)
        'encoder.block.0.res_unit1.conv2.bias'
        >>> renamed("convnext_decoder.4.bias", config)
        'semantic_decoder.conv.bias'
        >>> renamed("semantic_model.encoder.encoders.0.norm1.bias", config)
        'semantic_model.layers.1.input_layernorm.bias'
    """
    for prefix, rename in _PLACES.items():
        if name.startswith(prefix):
            return rename(name.removeprefix(prefix), config)
    return name


def _moved(place: str, rest: str, config: FlexiCodecConfig) -> str:
    return f"{place}.{rest}"


def _dac(half: str, block: Sequence[str], rest: str, config: FlexiCodecConfig) -> str:
    ratios = config.downsampling_ratios if half == "encoder" else config.upsampling_ratios
    last = len(ratios) + 1
    number, _, inside = rest.partition(".")
    ends = {"0": "conv1", str(last): "snake1", str(last + 1): "conv2"}
    if number in ends:
        return f"{half}.{ends[number]}.{inside}"
    found = re.fullmatch(r"(\d+)\.block\.([0-4])\.(?:block\.([0-3])\.)?(\w+)", rest)
    if not found:
        return f"{half}.{rest}"
    unit = f"{UNIT[int(found[3])]}." if found[3] else ""
    return f"{half}.block.{int(found[1]) - 1}.{block[int(found[2])]}.{unit}{found[4]}"


def _convnext_encoder(rest: str, config: FlexiCodecConfig) -> str:
    number, _, inside = rest.partition(".")
    layer = f"layers.{int(number) - 1}" if number.isdecimal() else number
    return f"semantic_encoder.{'conv' if number == '0' else layer}.{inside}"


def _convnext_decoder(rest: str, config: FlexiCodecConfig) -> str:
    number, _, inside = rest.partition(".")
    is_conv = number == str(config.convnext_num_layers)
    return f"semantic_decoder.{'conv' if is_conv else f'layers.{number}'}.{inside}"


def _transformer(place: str, rest: str, config: FlexiCodecConfig) -> str:
    rest = rest.removeprefix("transformer.").replace("output_projs.0.", "output_proj.")
    found = re.fullmatch(r"(layers\.\d+\.)(.+)", rest)
    return f"{place}.{found[1]}{_part(found[2], LAYER)}" if found else f"{place}.{rest}"


def _sensevoice(rest: str, config: FlexiCodecConfig) -> str:
    found = re.fullmatch(r"encoder\.encoders(0?)\.(\d+)\.(.+)", rest)
    if found:
        number = int(found[2]) + (not found[1])
        return f"semantic_model.layers.{number}.{_part(found[3], SENSEVOICE_LAYER)}"
    rest = rest.replace("encoder.after_norm.", "layer_norm.").replace("embed.weight", "prompt")
    return f"semantic_model.{rest}"


def _part(rest: str, parts: Mapping[str, str]) -> str:
    """A name inside a layer."""
    for old, new in parts.items():
        if rest == old or rest.startswith(f"{old}."):
            return new + rest.removeprefix(old)
    return rest


_PLACES: dict[str, Callable[[str, FlexiCodecConfig], str]] = {
    "dac.encoder.block.": partial(_dac, "encoder", ENCODER_BLOCK),
    "dac.decoder.model.": partial(_dac, "decoder", DECODER_BLOCK),
    "dac.quantizer.": partial(_moved, "quantizer"),
    "semantic_vq.fsq.": partial(_moved, "semantic_quantizer"),
    "convnext_encoder.": _convnext_encoder,
    "convnext_decoder.": _convnext_decoder,
    "semantic_aggregator.transformer.": partial(_transformer, "semantic_aggregator.transformer"),
    "acoustic_aggregator.transformer.": partial(_transformer, "acoustic_aggregator.transformer"),
    "bottleneck_transformer.": partial(_transformer, "bottleneck"),
    "semantic_model.": _sensevoice,
}
