"""The key under which Transformers' Auto classes know this package's classes."""

from __future__ import annotations

from transformers import PreTrainedConfig

__all__ = ["CodecBPEConfig"]


class CodecBPEConfig(PreTrainedConfig):
    """Names the tokenizer and the processor to the Auto classes.

    It describes no model: what a tokenizer knows of its codebooks is in `tokenizer_config.json`,
    what a processor knows of its codec in `processor_config.json`.
    """

    model_type = "codec_bpe"
