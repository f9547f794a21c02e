"""Golden data of FunCodec, and how the original would have saved one of our models."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import torch
from safetensors.torch import load_file

from hf_codec_bpe.codecs.funcodec.modeling_funcodec import FunCodecModel

from .golden_cases import ROOT, Golden

TOLERANCE = 1e-5
CODEBOOK = ("embed", "embed_avg", "cluster_size", "inited")


class FunCodecGolden(Golden):
    """What FunCodec computed: of each case, at each `bit_width`."""

    def __init__(self, variant: str) -> None:
        super().__init__(f"funcodec/{variant}")

    @cached_property
    def inputs(self) -> dict[str, torch.Tensor]:
        """Samples `[B, 1, S]` of each case."""
        return load_file(ROOT / "funcodec" / "input.safetensors")

    @torch.inference_mode()
    def check(self, model: FunCodecModel) -> None:
        """Every case, every output."""
        for name, expected in self.expected.items():
            case, *bit_width, output = name.split(".")
            input_values = self.inputs[case]
            found = self._output(model, input_values, _bit_width(*bit_width), output)
            assert found.shape == expected.shape, name
            difference = (found - expected).abs().max().item()
            assert difference <= (0 if output == "codes" else TOLERANCE), (name, difference)

    def _output(
        self, model: FunCodecModel, samples: torch.Tensor, bit_width: int | None, output: str
    ) -> torch.Tensor:
        encoded = model.encode(samples, bit_width=bit_width)
        if output == "codes":
            return encoded.audio_codes.transpose(0, 1)
        if output == "scale":
            return encoded.audio_scales
        if output == "emb":
            return model.encoder(samples / encoded.audio_scales[:, None]).transpose(1, 2)
        if output == "decoded":
            return model.decode(encoded.audio_codes).audio_values
        assert output == "recon_scaled"
        recon = model.decode(encoded.audio_codes, encoded.audio_scales).audio_values
        return recon[..., : samples.shape[-1]]


def _bit_width(name: str = "bwNone") -> int | None:
    return None if name == "bwNone" else int(name.removeprefix("bw"))


def as_original(model: FunCodecModel) -> dict[str, torch.Tensor]:
    """A model's weights under the names of its original, codebooks stacked."""
    weights = model.state_dict()
    layers = range(model.config.num_quantizers)
    tensors = {
        f"quantizer.rq.model.{field}": torch.stack(
            [weights.pop(f"quantizer.layers.{i}.codebook.{field}") for i in layers]
        )
        for field in CODEBOOK
    }
    transposed = {
        f"decoder.layers.{i}."
        for i, layer in enumerate(model.decoder.layers)
        if "ConvTranspose" in type(layer).__name__
    }
    for name, tensor in weights.items():
        kind = "convtr" if name.startswith(tuple(transposed)) else "conv"
        name = re.sub(r"\.conv\.(weight|bias)$", rf".{kind}.{kind}.\1", name)
        name = re.sub(r"\.norm\.(weight|bias)$", rf".{kind}.norm.\1", name)
        tensors[name.replace(".layers.", ".model.", 1)] = tensor
    return tensors


def as_original_config(model: FunCodecModel) -> dict[str, Any]:
    """A model's sizes as the original's `config.yaml` says them."""
    config = model.config
    half = {
        "n_filters": config.num_filters,
        "n_residual_layers": config.num_residual_layers,
        "ratios": list(config.upsampling_ratios),
        "norm": "time_group_norm",
        "kernel_size": config.kernel_size,
        "last_kernel_size": config.last_kernel_size,
        "residual_kernel_size": config.residual_kernel_size,
        "dilation_base": config.dilation_growth_rate,
        "compress": config.compress,
        "seq_layer_num": config.num_lstm_layers,
    }
    return {
        "model": "encodec",
        "sampling_rate": config.sampling_rate,
        "encoder_conf": {**half, "dimension": config.hidden_size},
        "decoder_conf": half,
        "quantizer_conf": {
            "codebook_size": config.codebook_size,
            "num_quantizers": config.num_quantizers,
            "sampling_rate": config.sampling_rate,
            "encoder_hop_length": config.hop_length,
        },
        "model_conf": {"segment_dur": None, "audio_normalize": config.normalize},
    }
