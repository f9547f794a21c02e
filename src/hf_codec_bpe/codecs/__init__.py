"""Waveforms to codes and back, for every family of codecs through one contract.

Read `base.py` first: it is the contract. `windows.py` cuts and groups clips; each family has a
small file or folder of its own; `registry.py` knows them and `loading.py` loads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ..presets import Preset, find_preset, presets
    from .base import AudioCodec
    from .dac import DacCodec
    from .encodec import EncodecCodec
    from .flexicodec.codec import FlexiCodecCodec
    from .flexicodec.conversion import convert_flexicodec_checkpoint
    from .funcodec.codec import FunCodecCodec
    from .funcodec.conversion import convert_funcodec_checkpoint
    from .loading import load_codec
    from .mimi import MimiCodec
    from .pin import CodecPin
    from .registry import families, register_codec
    from .simvq.codec import SimVQCodec
    from .simvq.conversion import convert_simvq_checkpoint
    from .wavtokenizer.codec import WavTokenizerCodec
    from .wavtokenizer.conversion import convert_wavtokenizer_checkpoint
    from .xcodec import HiggsAudioV2TokenizerCodec, XcodecCodec
    from .xcodec2 import NeuCodecCodec, Xcodec2Codec

__all__ = [
    "AudioCodec",
    "CodecPin",
    "DacCodec",
    "EncodecCodec",
    "FlexiCodecCodec",
    "FunCodecCodec",
    "HiggsAudioV2TokenizerCodec",
    "MimiCodec",
    "NeuCodecCodec",
    "Preset",
    "SimVQCodec",
    "WavTokenizerCodec",
    "Xcodec2Codec",
    "XcodecCodec",
    "convert_flexicodec_checkpoint",
    "convert_funcodec_checkpoint",
    "convert_simvq_checkpoint",
    "convert_wavtokenizer_checkpoint",
    "families",
    "find_preset",
    "load_codec",
    "presets",
    "register_codec",
]

# Transformers' AutoConfig imports configurations from here while it is itself half imported.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AudioCodec": "base",
        "CodecPin": "pin",
        "DacCodec": "dac",
        "EncodecCodec": "encodec",
        "FlexiCodecCodec": "flexicodec.codec",
        "FunCodecCodec": "funcodec.codec",
        "HiggsAudioV2TokenizerCodec": "xcodec",
        "MimiCodec": "mimi",
        "NeuCodecCodec": "xcodec2",
        "Preset": ".presets",
        "SimVQCodec": "simvq.codec",
        "WavTokenizerCodec": "wavtokenizer.codec",
        "Xcodec2Codec": "xcodec2",
        "XcodecCodec": "xcodec",
        "convert_flexicodec_checkpoint": "flexicodec.conversion",
        "convert_funcodec_checkpoint": "funcodec.conversion",
        "convert_simvq_checkpoint": "simvq.conversion",
        "convert_wavtokenizer_checkpoint": "wavtokenizer.conversion",
        "families": "registry",
        "find_preset": ".presets",
        "load_codec": "loading",
        "presets": ".presets",
        "register_codec": "registry",
    },
)
