"""Codec BPE for Transformers: audio in, tokens out, and back.

```python
import hf_codec_bpe
from transformers import AutoProcessor

processor = AutoProcessor.from_pretrained(hf_codec_bpe.demo_repo())
ids = processor(audio="speech.wav")["input_ids"]
waveforms = processor.decode_audio(ids)
```

Importing this package is light: public names load on first use, and the classes register with
Transformers' Auto classes when those are imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_names
from ._registration import register_with_transformers
from ._version import __version__

if TYPE_CHECKING:
    from .alphabet import CodebookAlphabet
    from .bundled import demo_repo
    from .code_shards import CodeShards
    from .codec_vocabulary import CodecVocabulary, alphabets_of
    from .codecs import AudioCodec, load_codec, register_codec
    from .codes_folder import CodesFolder
    from .compat import chars_to_codes, codes_to_chars
    from .configuration_codec_bpe import CodecBPEConfig
    from .data.encode_dataset import encode_dataset
    from .data.packing import pack_codes
    from .data.statistics import sequence_statistics
    from .generation import AudioGrammarLogitsProcessor, AudioStreamer
    from .processing_codec_bpe import CodecBPEProcessor
    from .tokenization_codec_bpe import CodecBPETokenizer
    from .training import train_tokenizer
    from .vocabulary.alphabets import move_alphabet
    from .vocabulary.model import extend_model
    from .vocabulary.tokenizer import extend_tokenizer

__all__ = [
    "AudioCodec",
    "AudioGrammarLogitsProcessor",
    "AudioStreamer",
    "CodeShards",
    "CodebookAlphabet",
    "CodecBPEConfig",
    "CodecBPEProcessor",
    "CodecBPETokenizer",
    "CodecVocabulary",
    "CodesFolder",
    "__version__",
    "alphabets_of",
    "chars_to_codes",
    "codes_to_chars",
    "demo_repo",
    "encode_dataset",
    "extend_model",
    "extend_tokenizer",
    "load_codec",
    "move_alphabet",
    "pack_codes",
    "register_codec",
    "sequence_statistics",
    "train_tokenizer",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AudioCodec": "codecs",
        "AudioGrammarLogitsProcessor": "generation",
        "AudioStreamer": "generation",
        "CodeShards": "code_shards",
        "CodebookAlphabet": "alphabet",
        "CodecBPEConfig": "configuration_codec_bpe",
        "CodecBPEProcessor": "processing_codec_bpe",
        "CodecBPETokenizer": "tokenization_codec_bpe",
        "CodecVocabulary": "codec_vocabulary",
        "CodesFolder": "codes_folder",
        "alphabets_of": "codec_vocabulary",
        "chars_to_codes": "compat",
        "codes_to_chars": "compat",
        "demo_repo": "bundled",
        "encode_dataset": "data.encode_dataset",
        "extend_model": "vocabulary.model",
        "extend_tokenizer": "vocabulary.tokenizer",
        "load_codec": "codecs",
        "move_alphabet": "vocabulary.alphabets",
        "pack_codes": "data.packing",
        "register_codec": "codecs",
        "sequence_statistics": "data.statistics",
        "train_tokenizer": "training",
    },
)

register_with_transformers()
