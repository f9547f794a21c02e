"""Training BPE tokenizers on codes."""

from .trainer import train_tokenizer

__all__ = ["train_tokenizer"]
