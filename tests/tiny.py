"""Tiny random models of every codec family, and a language model.

The codecs' biases are random too (zero biases hide padding bugs), and their codebooks hold outputs
of their own encoders, so that nearly all codes occur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from transformers import (
    FEATURE_EXTRACTOR_MAPPING,
    DacConfig,
    DacModel,
    EncodecConfig,
    EncodecModel,
    HiggsAudioV2TokenizerConfig,
    HiggsAudioV2TokenizerModel,
    LlamaConfig,
    LlamaForCausalLM,
    MimiConfig,
    MimiModel,
    NeuCodecConfig,
    NeuCodecModel,
    PreTrainedConfig,
    PreTrainedModel,
    Xcodec2Config,
    Xcodec2Model,
    XcodecConfig,
    XcodecModel,
)

from hf_codec_bpe.codecs.flexicodec.configuration_flexicodec import FlexiCodecConfig
from hf_codec_bpe.codecs.flexicodec.modeling_flexicodec import FlexiCodecModel
from hf_codec_bpe.codecs.funcodec.configuration_funcodec import FunCodecConfig
from hf_codec_bpe.codecs.funcodec.modeling_funcodec import FunCodecModel
from hf_codec_bpe.codecs.simvq.configuration_simvq import SimVQConfig
from hf_codec_bpe.codecs.simvq.modeling_simvq import SimVQModel
from hf_codec_bpe.codecs.vocos.modeling_vocos import VocosCodecModel
from hf_codec_bpe.codecs.wavtokenizer.configuration_wavtokenizer import WavTokenizerConfig
from hf_codec_bpe.codecs.wavtokenizer.modeling_wavtokenizer import WavTokenizerModel


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


HUBERT = {
    "model_type": "hubert",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
ACOUSTIC = {
    "model_type": "dac",
    "encoder_hidden_size": 4,
    "decoder_hidden_size": 32,
    "hidden_size": 16,
    "downsampling_ratios": [8, 5, 4, 2],
    "upsampling_ratios": [8, 5, 4, 2],
}
W2V_BERT = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "feature_projection_input_dim": 160,
}


def xcodec() -> XcodecModel:
    """16 kHz, hop 320, 8 codebooks of 16: the layout of hf-audio/xcodec-*."""
    config = XcodecConfig(
        acoustic_model_config=dict(ACOUSTIC),
        semantic_model_config=dict(HUBERT),
        codebook_size=16,
        target_bandwidths=[0.2, 0.4, 0.8, 1.6],
    )
    return _random(XcodecModel, config)


def higgs() -> HiggsAudioV2TokenizerModel:
    """24 kHz, hop 960, 8 codebooks of 16: the layout of Higgs Audio v2's tokenizer."""
    ratios = [8, 5, 4, 2, 3]
    config = HiggsAudioV2TokenizerConfig(
        acoustic_model_config={
            **ACOUSTIC,
            "downsampling_ratios": ratios,
            "upsampling_ratios": ratios,
        },
        semantic_model_config=dict(HUBERT),
        codebook_size=16,
        codebook_dim=8,
        target_bandwidths=[0.1, 0.2, 0.4, 0.8],
    )
    return _random(HiggsAudioV2TokenizerModel, config)


def xcodec2() -> Xcodec2Model:
    """16 kHz, hop 320, one codebook of 256: the layout of X-Codec2."""
    return _random(Xcodec2Model, Xcodec2Config(**_FSQ))


def neucodec() -> NeuCodecModel:
    """16 kHz in, 24 kHz out, one codebook of 256: the layout of NeuCodec."""
    return _random(NeuCodecModel, NeuCodecConfig(**_FSQ))


_FSQ = {
    "hidden_size": 64,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "encoder_hidden_size": 2,
    "semantic_model_config": W2V_BERT,
    "quantization_dim": 80,
    "quantization_levels": [4] * 4,
}

_VOCOS = {
    "num_filters": 3,
    "hidden_size": 16,
    "codebook_size": 64,
    "backbone_dim": 64,
    "backbone_intermediate_dim": 72,
    "backbone_num_layers": 2,
}


def wavtokenizer(**overrides: object) -> WavTokenizerModel:
    """24 kHz, hop 600, one codebook of 64: the layout of WavTokenizer's 40 frames a second."""
    options = {**_VOCOS, "upsampling_ratios": [6, 5, 5, 4], "n_fft": 2400, **overrides}
    return _random(WavTokenizerModel, WavTokenizerConfig(**options))


def simvq(**overrides: object) -> SimVQModel:
    """24 kHz, hop 320, one codebook of 64: the layout of SimVQ."""
    return _random(SimVQModel, SimVQConfig(**{**_VOCOS, **overrides}))


def funcodec(**overrides: object) -> FunCodecModel:
    """16 kHz, hop 320, 8 codebooks of 16: the layout of FunCodec's 50 frames a second."""
    options: dict[str, object] = {
        "num_filters": 4,
        "hidden_size": 16,
        "num_lstm_layers": 1,
        "codebook_size": 16,
        "num_quantizers": 8,
    }
    return _random(FunCodecModel, FunCodecConfig(**{**options, **overrides}))


def flexicodec(**overrides: object) -> FlexiCodecModel:
    """16 kHz, hop 1280, streams of 256, four times 16, and 8 lengths: the layout of FlexiCodec."""
    options: dict[str, object] = {
        "encoder_hidden_size": 1,
        "hidden_size": 32,
        "decoder_hidden_size": 32,
        "n_codebooks": 4,
        "codebook_size": 16,
        "codebook_dim": 4,
        "fsq_levels": [4] * 4,
        "semantic_hidden_size": 16,
        "convnext_hidden_size": 8,
        "convnext_intermediate_size": 16,
        "convnext_num_layers": 1,
        "aggregator_hidden_size": 16,
        "aggregator_intermediate_size": 32,
        "aggregator_num_layers": 1,
        "aggregator_num_heads": 2,
        "bottleneck_hidden_size": 16,
        "bottleneck_intermediate_size": 32,
        "bottleneck_num_layers": 1,
        "bottleneck_num_heads": 2,
        "sensevoice_num_layers": 2,
        "sensevoice_hidden_size": 16,
        "sensevoice_intermediate_size": 32,
        "sensevoice_num_heads": 2,
    }
    return _random(FlexiCodecModel, FlexiCodecConfig(**{**options, **overrides}))


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "encodec": encodec,
    "dac": dac,
    "flexicodec": flexicodec,
    "funcodec": funcodec,
    "higgs_audio_v2_tokenizer": higgs,
    "mimi": mimi,
    "neucodec": neucodec,
    "simvq": simvq,
    "wavtokenizer": wavtokenizer,
    "xcodec": xcodec,
    "xcodec2": xcodec2,
}


def llama(vocab_size: int, **options: object) -> LlamaForCausalLM:
    """A language model whose scores differ enough that sampling says something."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        initializer_range=0.3,
        bos_token_id=None,
        **options,
    )
    return LlamaForCausalLM(config).eval()


def speech_like(num_samples: int, seed: int = 0) -> np.ndarray:
    """Float32 noise `[num_samples]` that swells and fades, so that codes differ."""
    rng = np.random.default_rng(seed)
    swell = np.abs(np.sin(np.arange(num_samples) / 900 + seed)) + 0.02
    return (rng.standard_normal(num_samples) * swell * 0.2).clip(-1, 0.99).astype(np.float32)


def _random(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> PreTrainedModel:
    """The same random model every time."""
    with torch.random.fork_rng(), torch.no_grad(), _one_thread():
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


@contextmanager
def _one_thread() -> Iterator[None]:
    """Two would round sums differently, and codebooks are fitted to sums."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def _fit_residual(model: PreTrainedModel, samples: torch.Tensor) -> None:
    """EnCodec, FunCodec, X-Codec and Higgs: codebooks from what their quantizer is given."""
    quantizer = model.quantizer
    with patch.object(quantizer, "encode", side_effect=quantizer.encode) as spy:
        model.encode(samples[None, None])
    residual = spy.call_args.args[0]
    for layer in quantizer.layers if hasattr(quantizer, "layers") else quantizer.quantizers:
        states = residual[0].T
        if hasattr(layer, "project_in"):
            states = layer.project_in(states)
        layer.codebook.embed.copy_(_choice(states, model.config.codebook_size))
        residual = residual - layer.decode(layer.encode(residual))


def _fit_dac(model: DacModel, samples: torch.Tensor) -> None:
    _fit_dac_quantizer(model, model.encoder(samples[None, None]))


def _fit_dac_quantizer(model: DacModel | FlexiCodecModel, residual: torch.Tensor) -> None:
    for layer in model.quantizer.quantizers:
        latents = layer.in_proj(residual)[0].T
        # Directions decide, so they must not all be that of the mean.
        layer.in_proj.bias.sub_(latents.mean(dim=0))
        latents = layer.in_proj(residual)[0].T
        layer.codebook.weight.copy_(_choice(latents, model.config.codebook_size))
        residual = residual - layer(residual)[0]


def _fit_scalar(model: PreTrainedModel, samples: torch.Tensor) -> None:
    """X-Codec2 and NeuCodec: the projection in front of their levels spreads over all of them."""
    extractor = FEATURE_EXTRACTOR_MAPPING[type(model.config)]()
    features = extractor(samples.numpy(), sampling_rate=16_000, return_tensors="pt")
    _spread(model.quantizer.project_in, lambda: model.encode(**features))


def _fit_flexicodec(model: FlexiCodecModel, samples: torch.Tensor) -> None:
    def encode() -> object:
        return model.encode(samples[None], merging_threshold=1.0)

    _spread(model.semantic_quantizer.project_in, encode)
    with patch.object(model.quantizer, "forward", side_effect=model.quantizer.forward) as spy:
        encode()
    _fit_dac_quantizer(model, spy.call_args.args[0])


def _spread(projection: torch.nn.Linear, run: Callable[[], object]) -> None:
    """Gives a projection's outputs a mean of 0 and a spread of 1, as `run` computes them."""
    seen: list[torch.Tensor] = []
    hook = projection.register_forward_hook(lambda *call: seen.append(call[-1][0]))
    run()
    hook.remove()
    mean, spread = seen[0].mean(dim=0), seen[0].std(dim=0)
    projection.weight.div_(spread[:, None])
    projection.bias.sub_(mean).div_(spread)


def _fit_codebook(model: VocosCodecModel, samples: torch.Tensor) -> None:
    latents = model.encoder(samples[None, None])[0].T
    model.quantizer.codebook.embed.copy_(_choice(latents, model.config.codebook_size))


_FITTERS = {
    "codec_bpe_flexicodec": _fit_flexicodec,
    "codec_bpe_funcodec": _fit_residual,
    "codec_bpe_simvq": _fit_codebook,
    "codec_bpe_wavtokenizer": _fit_codebook,
    "dac": _fit_dac,
    "encodec": _fit_residual,
    "higgs_audio_v2_tokenizer": _fit_residual,
    "neucodec": _fit_scalar,
    "xcodec": _fit_residual,
    "xcodec2": _fit_scalar,
}


def _choice(vectors: torch.Tensor, size: int) -> torch.Tensor:
    return vectors[torch.randperm(len(vectors))[:size]]
