"""Sends clips through a codec and back, and measures what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..errors import ReportError
from .bench import Bench
from .codec_figures import CodecReport
from .compression import compression_report, encoded_clip
from .metrics import require_metrics
from .recognition import Recogniser, name_of

if TYPE_CHECKING:
    from ..codecs import AudioCodec
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["clip_name", "codec_report"]


def codec_report(
    codec: AudioCodec | CodecBPEProcessor,
    audio: Iterable[Any],
    *,
    name: str,
    label: str | None = None,
    asr: Recogniser | None = None,
) -> CodecReport:
    """Encodes and decodes clips, and measures quality, speed and rates.

    Args:
        codec: The codec, or a processor: then also what its tokenizer makes of the codes. A
            processor encodes in the chunks that it was made with.
        audio: Clips of a sentence or so: paths, values of a `datasets` Audio column, anything else
            that knows its sampling rate, or rows `{"audio": ..., "text": ...}` with a transcript.
            One is in memory at a time.
        name: What the clips are, for readers.
        label: What readers call the codec; by default the repository that it comes from.
        asr: A speech recogniser: what `pipeline("automatic-speech-recognition")` makes. Word errors
            count against the transcripts, or without them against its own of the originals.

    Raises:
        MissingDependencyError: pesq or pystoi is not installed.
        AudioError: A clip that cannot be read. What can be read but not measured is in the report.
        ReportError: No clips, some with a transcript and some without, or a tokenizer that loses
            codes.
    """
    from ..processing_codec_bpe import CodecBPEProcessor

    require_metrics()
    processor = codec if isinstance(codec, CodecBPEProcessor) else None
    bench = (
        Bench(processor.codec, partial(encoded_clip, processor), asr)
        if processor
        else Bench(codec, lambda waveform: codec.encode([waveform])[0], asr)
    )
    clips = [bench.measure(*clip) for clip in _clips(audio)]
    if not clips:
        raise ReportError(f"{name} holds no clips: there is no figure.")
    seconds = [clip.seconds for clip in clips]
    return CodecReport(
        name=name,
        codec=label or bench.codec.name_or_path or bench.codec.family,
        device=_name_of(bench.codec.device),
        sampling_rate=bench.codec.sampling_rate,
        output_sampling_rate=bench.codec.output_sampling_rate,
        frame_rate=bench.codec.frame_rate,
        codebook_sizes=bench.codec.codebook_sizes,
        **bench.figures(sum(seconds)),
        clips=clips,
        bpe=processor and compression_report(processor, bench.codes, name=name, seconds=seconds),
        asr=None if asr is None else name_of(asr),
        has_transcripts=True in bench.has_text,
    )


class _Clip(NamedTuple):
    name: str
    audio: Any
    text: str | None


def _clips(audio: Iterable[Any]) -> Iterator[_Clip]:
    """Clips by their files' names: no paths of this machine."""
    for index, value in enumerate(audio):
        is_row = isinstance(value, Mapping) and "audio" in value
        sound, text = (value["audio"], value.get("text")) if is_row else (value, None)
        yield _Clip(clip_name(sound, index), sound, text)


def clip_name(audio: Any, index: int) -> str:
    """What a report calls a clip, the `index`-th of those that are measured."""
    path = audio.get("path") if isinstance(audio, Mapping) else audio
    return Path(path).name if isinstance(path, (str, Path)) else f"clip {index}"


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = torch.get_num_threads()
    return f"{device.type}, {count} thread{'s' if count > 1 else ''}"
