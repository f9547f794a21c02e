"""What a FunCodec's `config.yaml` says, and what of it can be converted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import CodecError
from ..converting import check_fixed

__all__ = ["fields_of"]

Section = Mapping[str, Any]

CLASSES = {
    "model": "encodec",
    "encoder": "encodec_seanet_encoder",
    "quantizer": "costume_quantizer",
    "decoder": "encodec_seanet_decoder",
    "input_size": 1,
}
"""What a FunCodec of the EnCodec kind is made of."""

NUMBERS = {
    "n_filters": ("num_filters", 32),
    "n_residual_layers": ("num_residual_layers", 1),
    "kernel_size": ("kernel_size", 7),
    "last_kernel_size": ("last_kernel_size", 7),
    "residual_kernel_size": ("residual_kernel_size", 3),
    "dilation_base": ("dilation_growth_rate", 2),
    "compress": ("compress", 2),
    "seq_layer_num": ("num_lstm_layers", 2),
}
"""The numbers of encoder and decoder, our names for them, and the original's defaults."""

RATIOS = (8, 5, 4, 2)

SEANET = {
    "activation": "ELU",
    "activation_params": {"alpha": 1.0},
    "norm": "time_group_norm",
    "norm_params": {},
    "causal": False,
    "pad_mode": "reflect",
    "true_skip": False,
    "seq_model": "lstm",
    "res_seq": True,
    "add_snake_activation": False,
}

FIXED: dict[str, Section] = {
    "encoder_conf": {**SEANET, "double_filters": True},
    "decoder_conf": {
        **SEANET,
        "half_filters": True,
        "channels": 1,
        "final_activation": None,
        "trim_right_ratio": 1.0,
    },
    "quantizer_conf": {"use_ddp": True, "q0_ds_ratio": 1, "codec_dim": None, "codec_range": None},
    "model_conf": {"codec_domain": "time", "segment_dur": None, "bypass_quantizer": False},
}
"""What can only be as in the published models, by section."""

DEFAULTS: Section = {"segment_dur": 1.0}
"""The original's defaults, where they are not what `FIXED` asks for."""

CONVERTED = {
    "encoder_conf": {*NUMBERS, "ratios", "dimension"},
    "decoder_conf": {*NUMBERS, "ratios"},
    "quantizer_conf": {"codebook_size", "num_quantizers", "sampling_rate", "encoder_hop_length"},
    "model_conf": {"audio_normalize"},
}

WITHOUT_EFFECT = {
    "encoder_conf": set[str](),
    "decoder_conf": {"final_activation_params"},
    "quantizer_conf": {"ema_decay", "kmeans_init", "quantize_dropout", "rand_num_quant"},
    "model_conf": {
        "odim",
        "target_sample_hz",
        "multi_spectral_window_powers_of_two",
        "multi_spectral_n_mels",
        "recon_loss_weight",
        "multi_spectral_recon_loss_weight",
        "adversarial_loss_weight",
        "feat_match_loss_weight",
        "enc_quant_loss_weight",
        "use_power_spec_loss",
        "context_loss_weight",
        "context_loss_conf",
        "overlap_ratio",
        "domain_conf",
    },
}
"""What matters in training alone, or not to the models that can be converted."""


def fields_of(settings: Section) -> dict[str, Any]:
    """The fields of a `FunCodecConfig` that a `config.yaml` gives.

    What it leaves out is filled in as the original would. Options of training are not looked at.

    Raises:
        CodecError: A model of another kind, an option that is unknown in its section, a value of
            the wrong type, or numbers that contradict each other.
    """
    check_fixed(settings, CLASSES, DEFAULTS)
    encoder, decoder, quantizer, model = (_section(settings, name) for name in FIXED)
    fields = dict(
        **_numbers_of_both(encoder, decoder),
        sampling_rate=_whole("sampling_rate", settings.get("sampling_rate", 16_000)),
        hidden_size=_whole("encoder_conf.dimension", encoder.get("dimension", 128)),
        codebook_size=_whole("quantizer_conf.codebook_size", quantizer.get("codebook_size", 1024)),
        num_quantizers=_whole("quantizer_conf.num_quantizers", quantizer.get("num_quantizers", 8)),
        normalize=_truth("model_conf.audio_normalize", model.get("audio_normalize", True)),
    )
    _check_rates(quantizer, fields)
    return fields


def _section(settings: Section, name: str) -> Section:
    """A section, if all its options are known and those that are fixed have their value."""
    section = settings.get(name) or {}
    if not isinstance(section, Mapping):
        raise CodecError(
            f"The configuration's {name} is {section!r}: it must hold options by name."
        )
    unknown = {str(option) for option in section} - (
        FIXED[name].keys() | CONVERTED[name] | WITHOUT_EFFECT[name]
    )
    if unknown:
        raise CodecError(
            f"The configuration's {name} has {', '.join(sorted(unknown))}, which no FunCodec of "
            "the EnCodec kind has: pass the config.yaml that came with the checkpoint."
        )
    check_fixed(section, FIXED[name], DEFAULTS, f"{name}.")
    return section


def _numbers_of_both(encoder: Section, decoder: Section) -> dict[str, Any]:
    """The fields of our configuration that the encoder and the decoder have in common."""
    front, back = _numbers("encoder_conf", encoder), _numbers("decoder_conf", decoder)
    if front != back:
        raise CodecError(
            f"The configuration's encoder and decoder differ: {front} and {back}. Only models "
            "where they are alike can be converted."
        )
    return front


def _numbers(name: str, section: Section) -> dict[str, Any]:
    ratios = section.get("ratios", list(RATIOS))
    if not isinstance(ratios, (list, tuple)) or not ratios:
        raise CodecError(f"The configuration has {name}.ratios={ratios!r}: pass a list of numbers.")
    numbers = {
        ours: _whole(f"{name}.{theirs}", section.get(theirs, default))
        for theirs, (ours, default) in NUMBERS.items()
    }
    return {**numbers, "upsampling_ratios": [_whole(f"{name}.ratios", ratio) for ratio in ratios]}


def _whole(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise CodecError(f"The configuration has {name}={value!r}: it must be 1, 2, 3...")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise CodecError(f"The configuration has {name}={value!r}: it must be true or false.")
    return value


def _check_rates(quantizer: Section, fields: Mapping[str, Any]) -> None:
    """The original's quantizer computes bandwidths of a frame rate that it is told separately."""
    defaults = {"sampling_rate": 24_000, "encoder_hop_length": math.prod(RATIOS)}
    hop_length = math.prod(fields["upsampling_ratios"])
    actual = {"sampling_rate": fields["sampling_rate"], "encoder_hop_length": hop_length}
    for option, default in defaults.items():
        value = quantizer.get(option, default)
        if value != actual[option]:
            raise CodecError(
                f"The configuration has quantizer_conf.{option}={value!r} (by default {default}), "
                f"but the model's is {actual[option]}: pass the config.yaml that came with the "
                "checkpoint."
            )
