"""What a tokenizer achieves on audio that it was not trained on, and what a codec makes of audio.

Numbers, and pictures of them.
"""

from .codec_figures import CodecReport
from .compression import audio_report, compression_report
from .compression_figures import CompressionReport
from .reconstruction import codec_report

__all__ = ["CodecReport", "CompressionReport", "audio_report", "codec_report", "compression_report"]
