"""What an original's YAML says, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import CodecError
from ..converting import check_fixed

__all__ = ["fields_of"]

FIELDS: dict[str, tuple[str, Any]] = {
    "sample_rate": ("sampling_rate", 24_000),
    "encoder_dim": ("encoder_hidden_size", 64),
    "encoder_rates": ("downsampling_ratios", (2, 4, 8, 8)),
    "latent_dim": ("hidden_size", None),
    "decoder_dim": ("decoder_hidden_size", 1536),
    "decoder_rates": ("upsampling_ratios", (8, 8, 4, 2)),
    "n_codebooks": ("n_codebooks", 9),
    "codebook_size": ("codebook_size", 1024),
    "codebook_dim": ("codebook_dim", 8),
    "max_tokens_per_group": ("max_group_length", 8),
    "semantic_downsample_factor": ("semantic_downsample_factor", 2),
    "convnext_dim": ("convnext_hidden_size", 768),
    "convnext_layers": ("convnext_num_layers", 4),
    "agg_transformer_dim": ("aggregator_hidden_size", 512),
    "agg_transformer_dim_feedforward": ("aggregator_intermediate_size", 2048),
    "agg_transformer_num_layers": ("aggregator_num_layers", 6),
    "agg_transformer_num_heads": ("aggregator_num_heads", 8),
    "transformer_dim": ("bottleneck_hidden_size", 512),
    "transformer_dim_feedforward": ("bottleneck_intermediate_size", 2048),
    "transformer_num_layers": ("bottleneck_num_layers", 6),
    "transformer_num_heads": ("bottleneck_num_heads", 8),
}
"""The original's numbers, our names for them, and its defaults, often not the published values."""

FIXED = {
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

DEFAULTS = {
    "is_causal": True,
    "use_query_token_aggregator": False,
    "use_similarity_alignment": False,
}
"""The original's defaults, where they are not what `FIXED` asks for."""

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

    What they leave out is filled in as the original's class would.

    Raises:
        CodecError: A setting that is not known, or of a model that this is not.
    """
    model = config.get("model", config)
    if not isinstance(model, Mapping):
        raise CodecError(f"The configuration's model is {model!r}, but must hold settings by name.")
    settings = dict(model)
    levels = _levels(settings.pop("fsq_config", None))
    has_bottleneck = settings.pop("use_bottleneck_transformer", False)
    check_fixed(settings, FIXED, DEFAULTS)
    _check_known(settings)
    fields = {ours: settings.get(name, default) for name, (ours, default) in FIELDS.items()}
    if fields["hidden_size"] is None:
        fields["hidden_size"] = _last_width(fields)
    if not has_bottleneck:
        fields["bottleneck_num_layers"] = 0
    return {**fields, **levels}


def _check_known(settings: Mapping[str, Any]) -> None:
    """Options of other versions are no obstacle as long as they are off, which 0 is not."""
    known = {*FIELDS, *FIXED, *WITHOUT_EFFECT}
    for name, value in settings.items():
        if name not in known and value is not None and value is not False:
            raise CodecError(
                f"The configuration says {name}={value!r}, which this FlexiCodec does not know: "
                "leave it out if it changes nothing."
            )


def _last_width(fields: Mapping[str, Any]) -> Any:
    """What the original takes for `latent_dim`: the channels after the encoder's last stride."""
    width, ratios = fields["encoder_hidden_size"], fields["downsampling_ratios"]
    is_known = isinstance(width, int) and isinstance(ratios, (list, tuple))
    return width * 2 ** len(ratios) if is_known else None


def _levels(config: Any) -> dict[str, Any]:
    """The semantic quantizer's levels, from `fsq_config`."""
    options = dict(config) if isinstance(config, Mapping) else {"": config} if config else {}
    levels = options.pop("levels", None)
    if options.pop("num_codebooks", 1) != 1 or options:
        raise CodecError(f"fsq_config={config!r} is not possible: only levels can be chosen.")
    return {} if levels is None else {"fsq_levels": list(levels)}
