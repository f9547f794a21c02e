"""Measure a codec: codes in use, quality of the speech that comes back, and how well BPE shortens.

    python tools/evaluate_demo_codec.py codec --folder audio --held-out audio/jfk.flac \
        --codes codes --vocab-size 4096 --json report.json

Needs `pystoi` and `pesq`; with `--codes` (the training corpus as codes, .npy) also `codec-bpe`,
a reference implementation that knows nothing of this package.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr
import torch
from pesq import pesq
from pystoi import stoi
from transformers import DacFeatureExtractor, DacModel

AUDIO_SUFFIXES = {".flac", ".ogg", ".wav", ".mp3"}
MAX_TOKEN_FRAMES = 2

Samples = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]


class Codec:
    """A stored DacModel, loaded as its users load it: in single precision, with its extractor."""

    def __init__(self, folder: Path) -> None:
        self.model = DacModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.extractor = DacFeatureExtractor.from_pretrained(folder)
        self.codebook_size: int = self.model.config.codebook_size
        self.num_codebooks: int = self.model.config.n_codebooks
        self.sampling_rate: int = self.extractor.sampling_rate

    def read(self, path: Path) -> Samples:
        """Return the file at the codec's rate, mixed down to mono, [N]."""
        sound, rate = sf.read(path, dtype="float32", always_2d=True)
        return soxr.resample(sound.mean(axis=1), rate, self.sampling_rate)

    @torch.no_grad()
    def encode(self, audio: Samples) -> Codes:
        """Return the codes of `audio` [N], [K, T]."""
        inputs = self.extractor(audio, sampling_rate=self.sampling_rate, return_tensors="pt")
        return self.model.encode(inputs["input_values"]).audio_codes[0].numpy().astype(np.uint16)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Samples:
        """Return the audio of `codes` [K, T], [N]."""
        batch = torch.from_numpy(codes.astype(np.int64))[None]
        return self.model.decode(audio_codes=batch).audio_values[0].numpy()


def usage(codec: Codec, paths: list[Path]) -> list[float]:
    """Return the share of each codebook's codes that occur anywhere in `paths`."""
    codes = np.concatenate([codec.encode(codec.read(path)) for path in paths], axis=1)
    return [len(np.unique(row)) / codec.codebook_size for row in codes]


def quality(codec: Codec, path: Path, num_codebooks: int) -> dict[str, float]:
    """Return STOI and wide-band PESQ of one file through the first `num_codebooks` codebooks."""
    audio = codec.read(path)
    decoded = codec.decode(codec.encode(audio)[:num_codebooks])
    length = min(len(audio), len(decoded))
    audio, decoded = audio[:length], decoded[:length]
    return {
        "stoi": float(stoi(audio, decoded, codec.sampling_rate)),
        "pesq": float(pesq(codec.sampling_rate, audio, decoded, "wb")),
    }


def shortening(codec: Codec, codes_dir: Path, held_out: list[Path], vocab_size: int) -> float:
    """Return codes per token on `held_out` for a BPE tokenizer trained on `codes_dir`."""
    from codec_bpe.core.converter import codes_to_chars
    from codec_bpe.core.trainer import Trainer

    trainer = Trainer(
        codec.num_codebooks,
        codec.codebook_size,
        vocab_size=vocab_size,
        max_token_codebook_ngrams=MAX_TOKEN_FRAMES,
        pad_token="<pad>",
    )
    tokenizer = trainer.train(str(codes_dir))
    all_codes = [codec.encode(codec.read(path)) for path in held_out]
    texts = [codes_to_chars(codes, codec.codebook_size) for codes in all_codes]
    tokens = sum(len(ids) for ids in tokenizer(texts)["input_ids"])
    return sum(codes.size for codes in all_codes) / tokens


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return every number that `args` asks for."""
    codec = Codec(args.codec_dir)
    paths = sorted(p for p in args.folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    counts = range(1, codec.num_codebooks + 1)
    report: dict[str, Any] = {
        "weight_bytes": (args.codec_dir / "model.safetensors").stat().st_size,
        "usage": usage(codec, paths),
        "quality": {p.name: quality(codec, p, codec.num_codebooks) for p in args.held_out},
        "stoi_by_codebooks": [
            float(np.mean([quality(codec, p, count)["stoi"] for p in args.held_out]))
            for count in counts
        ],
    }
    scores = report["quality"].values()
    report["mean"] = {key: float(np.mean([s[key] for s in scores])) for key in ("stoi", "pesq")}
    if args.codes:
        report["vocab_size"] = args.vocab_size
        report["shortening"] = shortening(codec, args.codes, args.held_out, args.vocab_size)
    return report


def table(report: dict[str, Any]) -> str:
    """Return the report as lines for people."""
    lines = [f"weights            {report['weight_bytes']:,} bytes"]
    for number, share in enumerate(report["usage"], start=1):
        lines.append(f"codebook {number} in use  {share:.1%}")
    for name, score in [*report["quality"].items(), ("mean", report["mean"])]:
        lines.append(f"{name:<24} STOI {score['stoi']:.3f}  PESQ {score['pesq']:.3f}")
    by_count = " ".join(f"{value:.3f}" for value in report["stoi_by_codebooks"])
    lines.append(f"STOI with 1, 2, ... codebooks  {by_count}")
    if "shortening" in report:
        lines.append(f"BPE of {report['vocab_size']} tokens shortens {report['shortening']:.2f}x")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("codec_dir", type=Path, help="a stored DacModel")
    parser.add_argument("--folder", type=Path, required=True, help="audio to count codes over")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="speech to score")
    parser.add_argument("--codes", type=Path, help="training corpus as .npy codes, for BPE")
    parser.add_argument("--vocab-size", type=int, default=4096, help="default: 4096")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    report = measure(args)
    print(table(report))
    print(json.dumps(report))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
