"""What a tokenizer achieves on audio that it was not trained on: numbers, and pictures of them."""

from .compression import audio_report, compression_report
from .report import CompressionReport

__all__ = ["CompressionReport", "audio_report", "compression_report"]
