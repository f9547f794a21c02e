"""Waveforms to codes and back, for every family of codecs through one contract.

Read `base.py` first: it is the contract. `windows.py` cuts and groups clips; each family has a
small file of its own; `registry.py` knows them and `loading.py` loads them.
"""

from ..presets import Preset, find_preset, presets
from .base import AudioCodec
from .dac import DacCodec
from .encodec import EncodecCodec
from .loading import load_codec
from .mimi import MimiCodec
from .pin import CodecPin
from .registry import families, register_codec
from .xcodec import HiggsAudioV2TokenizerCodec, XcodecCodec
from .xcodec2 import NeuCodecCodec, Xcodec2Codec

__all__ = [
    "AudioCodec",
    "CodecPin",
    "DacCodec",
    "EncodecCodec",
    "HiggsAudioV2TokenizerCodec",
    "MimiCodec",
    "NeuCodecCodec",
    "Preset",
    "Xcodec2Codec",
    "XcodecCodec",
    "families",
    "find_preset",
    "load_codec",
    "presets",
    "register_codec",
]

for _codec in (
    DacCodec,
    EncodecCodec,
    HiggsAudioV2TokenizerCodec,
    MimiCodec,
    NeuCodecCodec,
    Xcodec2Codec,
    XcodecCodec,
):
    register_codec(_codec)
