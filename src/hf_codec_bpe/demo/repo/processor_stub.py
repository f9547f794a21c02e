"""Lets AutoProcessor find the installed package hf_codec_bpe; it holds nothing else.

Needed with trust_remote_code=True only. Without it, `import hf_codec_bpe` first does the same.
"""

from hf_codec_bpe import CodecBPEProcessor, CodecBPETokenizer

__all__ = ["CodecBPEProcessor", "CodecBPETokenizer"]
