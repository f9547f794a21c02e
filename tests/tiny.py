"""Tiny random models of every codec family.

Their biases are random too (zero biases hide padding bugs), and their codebooks hold outputs of
their own encoders, so that nearly all codes occur.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from transformers import (
    DacConfig,
    DacModel,
    EncodecConfig,
    EncodecModel,
    MimiConfig,
    MimiModel,
    PreTrainedConfig,
    PreTrainedModel,
)


def encodec(**overrides: object) -> EncodecModel:
    """24 kHz, hop 320, 16 codebooks of 16: the layout of facebook/encodec_24khz."""
    options: dict[str, object] = {
        "target_bandwidths": [0.6, 1.2, 2.4, 4.8],
        "hidden_size": 16,
        "num_filters": 4,
        "codebook_size": 16,
        "num_lstm_layers": 1,
    }
    return _random(EncodecModel, EncodecConfig(**{**options, **overrides}))


def mimi(**overrides: object) -> MimiModel:
    """24 kHz, 12.5 frames a second, 6 codebooks of 16: the layout of kyutai/mimi."""
    options: dict[str, object] = {
        "hidden_size": 32,
        "num_filters": 4,
        "codebook_size": 16,
        "codebook_dim": 8,
        "vector_quantization_hidden_dimension": 8,
        "num_quantizers": 6,
        "num_hidden_layers": 2,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "upsample_groups": 32,
        "layer_scale_initial_scale": 0.5,
    }
    return _random(MimiModel, MimiConfig(**{**options, **overrides}))


def dac(**overrides: object) -> DacModel:
    """16 kHz, hop 320, 4 codebooks of 16: the layout of descript/dac_16khz."""
    options: dict[str, object] = {
        "encoder_hidden_size": 4,
        "decoder_hidden_size": 32,
        "downsampling_ratios": [2, 4, 5, 8],
        "n_codebooks": 4,
        "codebook_size": 16,
        "codebook_dim": 4,
        "sampling_rate": 16000,
    }
    return _random(DacModel, DacConfig(**{**options, **overrides}))


MODELS: dict[str, Callable[[], PreTrainedModel]] = {"encodec": encodec, "mimi": mimi, "dac": dac}


def speech_like(num_samples: int, seed: int = 0) -> np.ndarray:
    """Float32 noise `[num_samples]` that swells and fades, so that codes differ."""
    rng = np.random.default_rng(seed)
    swell = np.abs(np.sin(np.arange(num_samples) / 900 + seed)) + 0.02
    return (rng.standard_normal(num_samples) * swell * 0.2).clip(-1, 0.99).astype(np.float32)


def _random(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> PreTrainedModel:
    """The same random model every time."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = model_class(config).eval()
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if name.endswith("bias"):
                tensor.uniform_(-0.1, 0.1)
            elif name.endswith(".embed_sum"):  # Mimi's codebooks
                tensor.normal_()
        if config.model_type in _FITTERS:
            _FITTERS[config.model_type](model, torch.from_numpy(speech_like(64_000)))
    return model


def _fit_encodec(model: EncodecModel, samples: torch.Tensor) -> None:
    residual = model.encoder(samples[None, None])[0].T
    for layer in model.quantizer.layers:
        layer.codebook.embed.copy_(_choice(residual, model.config.codebook_size))
        residual = residual - layer.codebook.decode(layer.codebook.encode(residual))


def _fit_dac(model: DacModel, samples: torch.Tensor) -> None:
    residual = model.encoder(samples[None, None])
    for layer in model.quantizer.quantizers:
        latents = layer.in_proj(residual)[0].T
        layer.codebook.weight.copy_(_choice(latents, model.config.codebook_size))
        residual = residual - layer(residual)[0]


_FITTERS = {"encodec": _fit_encodec, "dac": _fit_dac}


def _choice(vectors: torch.Tensor, size: int) -> torch.Tensor:
    return vectors[torch.randperm(len(vectors))[:size]]
