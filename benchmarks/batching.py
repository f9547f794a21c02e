"""Exact batches against codec-bpe's padded ones: the same clips, the same model, one run.

    python benchmarks/batching.py [--clips 200] [--batch-size 8] [--json FILE]

The model is EnCodec 24 kHz at full size with random weights: reading and computing cost what they
cost with real ones. Clips are noise of 1 to 15 seconds. Both ways encode the clips in turns of 20,
one after the other, so that whatever else the machine does meets both; seconds are those of the
processor.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import codec_bpe
import numpy as np
import torch
import transformers
import typer
from codec_bpe.tools.audio_encoder import AudioEncoder
from codec_bpe.tools.codec_utils import CodecTypes
from measuring import tell
from transformers import EncodecConfig, EncodecFeatureExtractor, EncodecModel

from hf_codec_bpe import AudioCodec
from hf_codec_bpe.codecs import EncodecCodec

KBPS = 3.0
TURN = 20


def main(
    clips: int = 200,
    batch_size: int = 8,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print seconds of computing per second of audio for both, their ratio, and the codes' fate."""
    tell(compare(clips, batch_size, seed), out)


def compare(clips: int, batch_size: int, seed: int = 0) -> dict[str, Any]:
    """Both ways on so many clips."""
    rng = np.random.default_rng(seed)
    lengths = (rng.uniform(1, 15, clips) * 24_000).astype(int)
    waveforms = [rng.standard_normal(n).astype(np.float32) * 0.1 for n in lengths]
    torch.manual_seed(seed)
    model = _spread(EncodecModel(EncodecConfig()).eval())
    ours, theirs = EncodecCodec(model, bandwidth=KBPS), _codec_bpe(model)

    seconds = {"hf_codec_bpe": 0.0, "codec_bpe": 0.0}
    changed = {"hf_codec_bpe": 0, "codec_bpe": 0}
    num_codes = 0
    for start in range(0, clips, TURN):
        turn = waveforms[start : start + TURN]
        exact, took = _timed(lambda turn=turn: ours.encode(turn, batch_size=batch_size))
        seconds["hf_codec_bpe"] += took
        padded, took = _timed(lambda turn=turn: _padded(theirs, turn, batch_size))
        seconds["codec_bpe"] += took
        for clip, a, b in zip(turn, exact, padded, strict=True):
            alone = _alone(ours, clip)
            num_codes += alone.size
            changed["hf_codec_bpe"] += int((a != alone).sum())
            changed["codec_bpe"] += int((b[:, : alone.shape[1]] != alone).sum())

    audio = float(lengths.sum()) / 24_000
    return {
        "clips": clips,
        "batch_size": batch_size,
        "audio_seconds": round(audio, 1),
        "real_time_factor": {name: round(s / audio, 4) for name, s in seconds.items()},
        "ratio": round(seconds["hf_codec_bpe"] / seconds["codec_bpe"], 3),
        "codes_changed_by_the_batch": {name: n / num_codes for name, n in changed.items()},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "codec_bpe": codec_bpe.__version__,
        },
        "threads": torch.get_num_threads(),
    }


def _spread(model: EncodecModel) -> EncodecModel:
    """Random codebooks: those of a new model are zero, and all codes would be too."""
    with torch.no_grad():
        for layer in model.quantizer.layers:
            layer.codebook.embed.normal_(std=0.1)
    return model


def _codec_bpe(model: EncodecModel) -> AudioEncoder:
    """codec-bpe's encoder around a model that is here already."""
    encoder = AudioEncoder.__new__(AudioEncoder)
    encoder.codec_type = CodecTypes.ENCODEC
    encoder.device = torch.device("cpu")
    encoder.model, encoder.processor = model, EncodecFeatureExtractor(sampling_rate=24_000)
    encoder.sr_enc, encoder.bandwidth, encoder.n_quantizers = 24_000, KBPS, None
    return encoder


def _padded(encoder: AudioEncoder, clips: list[Any], batch_size: int) -> list[Any]:
    codes: list[Any] = []
    for start in range(0, len(clips), batch_size):
        batch, _ = encoder._encode_batch(clips[start : start + batch_size])
        codes += list(batch[0].numpy())
    return codes


def _alone(codec: AudioCodec, clip: Any) -> Any:
    return codec.encode([clip])[0]


def _timed(work: Callable[[], list[Any]]) -> tuple[list[Any], float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


if __name__ == "__main__":
    typer.run(main)
