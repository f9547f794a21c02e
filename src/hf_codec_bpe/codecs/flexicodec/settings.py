"""What an original's YAML says, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import CodecError

__all__ = ["fields_of"]

FIELDS = {
    "sample_rate": "sampling_rate",
    "encoder_dim": "encoder_hidden_size",
    "encoder_rates": "downsampling_ratios",
    "latent_dim": "hidden_size",
    "decoder_dim": "decoder_hidden_size",
    "decoder_rates": "upsampling_ratios",
    "n_codebooks": "n_codebooks",
    "codebook_size": "codebook_size",
    "codebook_dim": "codebook_dim",
    "max_tokens_per_group": "max_group_length",
    "semantic_downsample_factor": "semantic_downsample_factor",
    "convnext_dim": "convnext_hidden_size",
    "convnext_layers": "convnext_num_layers",
    "agg_transformer_dim": "aggregator_hidden_size",
    "agg_transformer_dim_feedforward": "aggregator_intermediate_size",
    "agg_transformer_num_layers": "aggregator_num_layers",
    "agg_transformer_num_heads": "aggregator_num_heads",
    "transformer_dim": "bottleneck_hidden_size",
    "transformer_dim_feedforward": "bottleneck_intermediate_size",
    "transformer_num_layers": "bottleneck_num_layers",
    "transformer_num_heads": "bottleneck_num_heads",
}

BUILT_IN = {
    "agg_transformer_causal": False,
    "agg_use_mean_pooling_init": True,
    "decode_semantic_for_codec": True,
    "is_causal": False,
    "semantic_model_type": "sensevoice",
    "sensevoice_prepend_inputs": True,
    "transformer_causal": False,
    "use_query_token_aggregator": True,
    "use_similarity_alignment": True,
}
"""What these models can only be."""

WITHOUT_EFFECT = {
    # Only causal attention has a context.
    "agg_transformer_context_frames",
    "transformer_context_frames",
    # The threshold is an argument of every call.
    "similarity_threshold",
    "similarity_threshold_lower",
    "similarity_threshold_upper",
    "use_dynamic_similarity_threshold",
    # Training alone.
    "distill_projection_out_dim",
    "lambda_distill_loss",
    "quantizer_dropout",
    # The original reads them and then does something else.
    "bottleneck_transformer_config",
    "semantic_codebook_dim",
    "semantic_codebook_size",
    "semantic_model_path",
    "sensevoice_sim_layer_idx",
    "skip_normalize",
    "ssl_dim",
}


def fields_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `FlexiCodecConfig` that an original's settings give.

    Raises:
        CodecError: A setting that is not known, or of a model that this is not.
    """
    model = config.get("model", config)
    if not isinstance(model, Mapping):
        raise CodecError(f"The configuration's model is {model!r}, but must hold settings by name.")
    settings = dict(model)
    levels = _levels(settings.pop("fsq_config", None))
    has_bottleneck = settings.pop("use_bottleneck_transformer", True)
    for name, value in settings.items():
        _check(name, value)
    fields = {ours: settings[name] for name, ours in FIELDS.items() if name in settings}
    if not has_bottleneck:
        fields["bottleneck_num_layers"] = 0
    return {**fields, **levels}


def _check(name: str, value: Any) -> None:
    if name in BUILT_IN and value != BUILT_IN[name]:
        raise CodecError(
            f"The configuration says {name}={value!r}, but this FlexiCodec only knows "
            f"{BUILT_IN[name]!r}."
        )
    # Options of other versions are no obstacle as long as they are off.
    known = {*FIELDS, *BUILT_IN, *WITHOUT_EFFECT}
    if name not in known and value not in (None, False):
        raise CodecError(
            f"The configuration says {name}={value!r}, which this FlexiCodec does not know: leave "
            "it out if it changes nothing."
        )


def _levels(config: Any) -> dict[str, Any]:
    """The semantic quantizer's levels, from `fsq_config`."""
    options = dict(config) if isinstance(config, Mapping) else {"": config} if config else {}
    levels = options.pop("levels", None)
    if options.pop("num_codebooks", 1) != 1 or options:
        raise CodecError(f"fsq_config={config!r} is not possible: only levels can be chosen.")
    return {} if levels is None else {"fsq_levels": list(levels)}
