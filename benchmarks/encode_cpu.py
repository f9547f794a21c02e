"""Encoding files on a CPU beside codec-bpe: seconds per second of audio, memory, and equal codes.

    python benchmarks/encode_cpu.py [--threads 1 --threads 2] [--runs 3] [--files 20] [--clips 200]

The model is EnCodec 24 kHz at full size with random weights at 3 kbps: computing costs what it
costs with real ones. 20 files, 176 seconds of noise at 24 kHz, half of them FLAC. Each side reads
the files and writes codes, codec-bpe one file at a time and eight. Every run is a new process,
warmed up on one file; sides take turns. Then come clips of noise, 0.5 to 4 seconds long: our codes,
one clip at a time and eight, against codec-bpe's one at a time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from measuring import in_turn, measured, summary, tell

KBPS, RATE = 3.0, 24_000
SECONDS_PER_FILE = 8.8
SHORTEST, LONGEST = 0.5, 4.0


def main(
    threads: Annotated[list[int] | None, typer.Option()] = None,
    runs: int = 3,
    files: int = 20,
    clips: int = 200,
    out: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print each side's real-time factor, and ours over the better one of codec-bpe's."""
    tell(compare(threads or [1, 2], runs, files, clips), out)


def compare(threads: Sequence[int], runs: int, files: int, clips: int) -> dict[str, Any]:
    """Both sides with so many threads each, on so many files and clips."""
    seconds = files * SECONDS_PER_FILE
    report: dict[str, Any] = {"cpus": os.cpu_count(), "audio_seconds": seconds}
    sides: dict[str, Callable[..., Any]] = {
        "hf_codec_bpe": ours,
        "codec_bpe": partial(theirs, 1),
        "codec_bpe_batch_8": partial(theirs, 8),
    }
    with tempfile.TemporaryDirectory() as name:
        _write_files(Path(name), files)
        for count in threads:
            load = os.getloadavg()[0]
            found = in_turn(sides, name, count, runs=runs)
            codes = in_turn({"clips": clip_codes}, clips, count, runs=1)["clips"][0]
            rows = _compared(found, seconds)
            report[f"threads_{count}"] = {"load_before": load, **rows, "clips": codes}
    return report


def ours(folder: str, threads: int) -> tuple[list[Any], dict[str, float]]:
    """Encodes with this package."""
    from hf_codec_bpe import encode_dataset
    from hf_codec_bpe.codecs import EncodecCodec

    codec = EncodecCodec(_model(threads), bandwidth=KBPS)

    def encode(source: str, target: Path) -> None:
        encode_dataset(source, target, codec, format="npy", show_progress=False)

    return _encoded(encode, folder)


def theirs(batch_size: int, folder: str, threads: int) -> tuple[list[Any], dict[str, float]]:
    """Encodes with codec-bpe around the same model."""
    encoder = _codec_bpe(_model(threads), batch_size)

    def encode(source: str, target: Path) -> None:
        assert not encoder.encode_audio(source, str(target)).errored_audio_files

    return _encoded(encode, folder)


def clip_codes(count: int, threads: int) -> dict[str, int]:
    """How many codes of some clips differ from codec-bpe's, and from those in batches."""
    from hf_codec_bpe.codecs import EncodecCodec

    rng = np.random.default_rng(1)
    lengths = (rng.uniform(SHORTEST, LONGEST, count) * RATE).astype(int)
    clips = [rng.standard_normal(length).astype(np.float32) * 0.1 for length in lengths]
    model = _model(threads)
    codec, encoder = EncodecCodec(model, bandwidth=KBPS), _codec_bpe(model, 1)
    theirs = [encoder._encode_batch([clip])[0][0, 0].numpy() for clip in clips]
    one, eight = (codec.encode(clips, batch_size=size) for size in (1, 8))
    return {
        "clips": count,
        "codes": sum(codes.size for codes in theirs),
        "distinct_codes": len(np.unique(np.concatenate(theirs, axis=1))),
        "codes_unlike_codec_bpe": _num_different(one, theirs),
        "codes_unlike_in_batches_of_8": _num_different(one, eight),
    }


def _codec_bpe(model: Any, batch_size: int) -> Any:
    """codec-bpe's encoder around a model that is here already."""
    import torch
    from codec_bpe.tools.audio_encoder import AudioEncoder
    from codec_bpe.tools.codec_utils import CodecTypes
    from transformers import EncodecFeatureExtractor

    encoder = AudioEncoder.__new__(AudioEncoder)
    encoder.codec_model, encoder.codec_type = "random", CodecTypes.ENCODEC
    encoder.device, encoder.batch_size = torch.device("cpu"), batch_size
    encoder.chunk_size_secs, encoder.context_secs = 30.0, 0.0
    encoder.chunk_size_samples, encoder.context_samples = 30 * RATE, 0
    encoder.bandwidth, encoder.n_quantizers = KBPS, None
    encoder.stereo, encoder.file_per_chunk = False, False
    encoder.model, encoder.sr_enc = model, RATE
    encoder.processor = EncodecFeatureExtractor(sampling_rate=RATE)
    return encoder


def _encoded(
    encode: Callable[[str, Path], None], folder: str
) -> tuple[list[Any], dict[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        encode(str(Path(folder, "one")), Path(name, "warm"))
        _, numbers = measured(lambda: encode(str(Path(folder, "all")), Path(name, "codes")))
        codes = [np.load(file) for file in sorted(Path(name, "codes").glob("*.npy"))]
    return [array.reshape(-1, array.shape[-1]) for array in codes], numbers


def _model(threads: int) -> Any:
    """Codebooks spread like what they quantize: those of a new model are all zero."""
    import torch
    from transformers import EncodecConfig, EncodecModel

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = EncodecModel(EncodecConfig()).eval()
    with torch.no_grad():
        frames = model.encoder(torch.randn(1, 1, 2 * RATE) * 0.1)[0].T
        for index, layer in enumerate(model.quantizer.layers):
            embed = layer.codebook.embed
            embed.normal_().mul_(frames.std(dim=0)).add_(frames.mean(dim=0) * (index == 0))
    return model


def _write_files(folder: Path, count: int) -> None:
    import soundfile

    rng = np.random.default_rng(0)
    shares = rng.uniform(1, 3, count)
    total = count * SECONDS_PER_FILE * RATE
    for i, num_samples in enumerate((shares / shares.sum() * total).astype(int)):
        samples = rng.standard_normal(num_samples).astype(np.float32) * 0.1
        for part in ["all", "one"][: 1 + (i == 0)]:
            (folder / part).mkdir(exist_ok=True)
            soundfile.write(folder / part / f"{i:02d}.{('wav', 'flac')[i % 2]}", samples, RATE)


def _compared(found: dict[str, list[Any]], seconds: float) -> dict[str, Any]:
    rows: dict[str, Any] = {
        side: {
            "real_time_factor": summary([run["seconds"] / seconds for _, run in runs]),
            "cpu_factor": summary([run["cpu_seconds"] / seconds for _, run in runs]),
            "megabytes": summary([run["megabytes"] for _, run in runs]),
        }
        for side, runs in found.items()
    }
    for measure in ("real_time_factor", "cpu_factor"):
        best = min(rows[side][measure]["median"] for side in ("codec_bpe", "codec_bpe_batch_8"))
        rows[f"ratio_of_{measure}"] = round(rows["hf_codec_bpe"][measure]["median"] / best, 3)
    ours, theirs = (found[side][0][0] for side in ("hf_codec_bpe", "codec_bpe"))
    return {**rows, "codes_unlike_codec_bpe": _num_different(ours, theirs)}


def _num_different(some: list[Any], others: list[Any]) -> int:
    return sum(int((a != b).sum()) for a, b in zip(some, others, strict=True))


if __name__ == "__main__":
    typer.run(main)
