"""Training beside codec-bpe's, on the same codes: seconds, memory, and equal merges.

    python benchmarks/train.py CODES.npz [--runs 3] [--json FILE]

CODES.npz holds clips `[4, T]` of 1,024 codes at 75 Hz. Two corpora: ten million codes in chunks of
30 seconds, and one file of 20 minutes that is not cut. Every run is a new process that reads the
same `.npy` files; megabytes are those above what it had before, with everything imported. Compiling
is reported by itself.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from measuring import as_many, in_turn, load_clips, measured, save_clips, summary, tell

FRAME_RATE, SIZE, K = 75, 1024, 4
VOCAB_SIZE, NGRAMS = 30_000, 2


def main(
    codes: Path,
    runs: int = 3,
    num_codes: int = 10_000_000,
    minutes: int = 20,
    out: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print seconds and megabytes of both sides and their ratios."""
    tell(compare(load_clips(codes), runs, num_codes, minutes), out)


def compare(
    clips: list[np.ndarray], runs: int, num_codes: int = 10_000_000, minutes: int = 20
) -> dict[str, Any]:
    """Both sides on both corpora, made of these clips."""
    report: dict[str, Any] = {"cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        corpora = {"many_chunks": as_many(clips, num_codes), "one_file": [_long(clips, minutes)]}
        for corpus, chosen in corpora.items():
            folder = Path(name, corpus)
            save_clips(folder, chosen)
            chunk_seconds = 30 if corpus == "many_chunks" else None
            found = in_turn(
                {"hf_codec_bpe": ours, "codec_bpe": theirs}, str(folder), chunk_seconds, runs=runs
            )
            report[corpus] = _compared(found, sum(clip.size for clip in chosen))
        with tempfile.TemporaryDirectory() as cache:
            first, later = (in_turn({"": compiling}, cache, runs=1)[""][0] for _ in range(2))
        report["compiling_seconds"] = {"first": round(first, 2), "later": round(later, 2)}
    return report


def ours(folder: str, chunk_seconds: int | None) -> tuple[list[Any], dict[str, float]]:
    """Trains with this package."""
    from hf_codec_bpe import train_tokenizer
    from hf_codec_bpe.training.integer_trainer import compile_trainer

    compile_trainer()
    tokenizer, numbers = measured(
        lambda: train_tokenizer(
            folder,
            codebook_sizes=[SIZE] * K,
            vocab_size=VOCAB_SIZE,
            max_token_codebook_ngrams=NGRAMS,
            chunk_frames=chunk_seconds and chunk_seconds * FRAME_RATE,
            unicode_offset=0x4E00,
        )
    )
    return _merges(tokenizer), numbers


def theirs(folder: str, chunk_seconds: int | None) -> tuple[list[Any], dict[str, float]]:
    """Trains with codec-bpe."""
    from codec_bpe.core.trainer import Trainer

    trainer = Trainer(
        K,
        SIZE,
        codec_framerate=FRAME_RATE,
        chunk_size_secs=chunk_seconds,
        vocab_size=VOCAB_SIZE,
        pad_token="<pad>",
        max_token_codebook_ngrams=NGRAMS,
    )
    tokenizer, numbers = measured(lambda: trainer.train(folder))
    return _merges(tokenizer), numbers


def compiling(cache: str) -> float:
    """Seconds until the trainer is ready, with an empty cache or with one that was filled."""
    os.environ["NUMBA_CACHE_DIR"] = cache
    from hf_codec_bpe.training.integer_trainer import compile_trainer

    start = time.perf_counter()
    compile_trainer()
    return time.perf_counter() - start


def _merges(tokenizer: Any) -> list[Any]:
    return json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]


def _long(clips: list[np.ndarray], minutes: int) -> np.ndarray:
    frames = minutes * 60 * FRAME_RATE
    return np.concatenate(as_many(clips, frames * K), axis=1)[:, :frames]


def _compared(found: dict[str, list[Any]], num_codes: int) -> dict[str, Any]:
    merges = [merges for results in found.values() for merges, _ in results]
    names = ("seconds", "cpu_seconds", "megabytes")
    sides = {
        side: {name: summary([numbers[name] for _, numbers in results]) for name in names}
        for side, results in found.items()
    }
    a, b = sides["hf_codec_bpe"], sides["codec_bpe"]
    return {
        "num_codes": num_codes,
        "num_merges": len(merges[0]),
        "equal_merges": all(other == merges[0] for other in merges),
        **sides,
        "times_faster": round(b["seconds"]["median"] / a["seconds"]["median"], 1),
        "times_less_computing": round(b["cpu_seconds"]["median"] / a["cpu_seconds"]["median"], 1),
        "part_of_memory": round(a["megabytes"]["median"] / b["megabytes"]["median"], 3),
    }


if __name__ == "__main__":
    typer.run(main)
