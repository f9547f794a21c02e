"""What `run.py` measures: each section calls a benchmark here and makes rows of what it gives."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from measuring import load_clips, summary
from results import Row

Found: TypeAlias = tuple[list[Row], dict[str, Any]]
"""Rows, and notes."""

__all__ = ["SECTIONS", "Bench"]

OURS, THEIRS = "hf_codec_bpe", "codec_bpe"
FRAME_RATE = 75
CHUNK_FRAMES = 30 * FRAME_RATE


@dataclass(frozen=True)
class Bench:
    """What sections share."""

    out: Path
    quick: bool
    runs: int
    hours: float

    @cached_property
    def clips(self) -> list[np.ndarray]:
        """Codes `[K, T]` of synthesised speech."""
        from speech_codes import save_speech_codes

        file = self.out / "codes.npz"
        if not file.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            save_speech_codes(file, self.hours)
        return load_clips(file)


def corpus(bench: Bench) -> Found:
    """How predictable the codes are."""
    from speech_codes import SIZE, described

    found = described(bench.clips)
    bits = found.pop("bits_of_each_codebook")
    rows = [
        Row(f"entropy of codebook {i}", "bits", _one(each), _one(math.log2(SIZE)), "uniform codes")
        for i, each in enumerate(bits)
    ]
    length = Row(
        "length after BPE", "tokens per code", _one(1 / found["codes_per_token"]), _one(1), "codes"
    )
    return [*rows, length], found


def training(bench: Bench) -> Found:
    """Training on many chunks and on one long file."""
    import train

    size, minutes = (100_000, 1) if bench.quick else (10_000_000, 20)
    found = train.compare(bench.clips, bench.runs, size, minutes)
    rows = []
    for corpus, target in (("many_chunks", 15), ("one_file", 100)):
        sides = found[corpus][OURS], found[corpus][THEIRS]
        for unit, least in (("cpu_seconds", target), ("seconds", None), ("megabytes", 3)):
            name = f"{corpus.replace('_', ' ')}, {found[corpus]['num_codes']:,} codes"
            rows.append(Row(name, unit, sides[0][unit], sides[1][unit], target=least))
    equal = all(found[corpus]["equal_merges"] for corpus in ("many_chunks", "one_file"))
    return rows, {"equal merges": equal, "seconds of compiling": found["compiling_seconds"]}


def conversion(bench: Bench) -> Found:
    """Codes to ids, codes to characters, and back."""
    import codes_and_ids

    short = bench.clips[:20] if bench.quick else bench.clips
    targets = {
        "codes_to_ids": 5,
        "ids_to_codes": 40,
        "ids_to_codes_of_lists": None,
        "codes_to_text": 20,
        "text_to_codes": 20,
    }
    rows, equal = [], True
    for clips in (short, codes_and_ids.joined(short, CHUNK_FRAMES)):
        found = codes_and_ids.compare(clips, 2 * bench.runs + 1)
        seconds = np.mean([clip.shape[1] for clip in clips]) / FRAME_RATE
        rows += [
            Row(
                f"{name.replace('_', ' ')}, clips of {seconds:.0f} s",
                "million codes/s",
                found[name][OURS],
                found[name][THEIRS],
                more_is_better=True,
                target=target,
            )
            for name, target in targets.items()
        ]
        equal = equal and all(found[name]["equal"] for name in targets)
    return rows, {"equal results": equal}


def encoding(bench: Bench) -> Found:
    """Files to codes on a CPU."""
    import encode_cpu

    files, clips = (2, 2) if bench.quick else (10, 20)
    threads = sorted({1, os.cpu_count() or 1})
    found = encode_cpu.compare(threads, bench.runs, files, clips)
    rows: list[Row] = []
    unlike, bests = 0, []
    for count in threads:
        some = found[f"threads_{count}"]
        best = min(
            (THEIRS, f"{THEIRS}_batch_8"), key=lambda side: some[side]["real_time_factor"]["median"]
        )
        name = f"EnCodec, {count} thread{'s' * (count > 1)}"
        rows += [
            Row(name, unit, some[OURS][unit], some[best][unit], target=target)
            for unit, target in (("real_time_factor", 1 / 0.6), ("megabytes", None))
        ]
        unlike += some["codes_unlike_codec_bpe"] + some["clips"]["codes_unlike_codec_bpe"]
        bests.append(best.replace("_", " "))
    return rows, {"codes unlike codec-bpe's": unlike, "codec-bpe's best": ", ".join(bests)}


def batches(bench: Bench) -> Found:
    """Clips of many lengths at once."""
    import batching

    found = batching.compare(4 if bench.quick else 20, 8)
    factors = found["real_time_factor"]
    row = Row("EnCodec, batch size 8", "cpu_factor", _one(factors[OURS]), _one(factors[THEIRS]))
    return [row], {"share of codes changed by the batch": found["codes_changed_by_the_batch"]}


def start_up(bench: Bench) -> Found:
    """Importing, `--help`, and a processor without its codec."""
    import startup

    found = startup.compare(2 * bench.runs + 1)
    alone, ours = found["import transformers"], found["import transformers, hf_codec_bpe"]
    tokenizer = found["AutoTokenizer.from_pretrained"]
    rows = [
        Row("import transformers, hf_codec_bpe", "cpu s", ours, alone, "import transformers"),
        Row(
            "hf-codec-bpe --help",
            "cpu s",
            found["hf-codec-bpe --help"],
            _one(1.0),
            "1 s allowed",
            target=1,
        ),
        Row(
            "AutoProcessor, 30k tokens",
            "cpu s",
            found["AutoProcessor.from_pretrained"],
            _one(0.5),
            "0.5 s allowed",
            target=1,
        ),
        Row(
            "AutoProcessor, 30k tokens",
            "cpu s",
            found["AutoProcessor.from_pretrained"],
            tokenizer,
            "AutoTokenizer alone",
        ),
    ]
    added = round(1000 * (ours["median"] - alone["median"]))
    return rows, {"milliseconds that importing adds (60 allowed)": added, "imports torch": False}


def growing(bench: Bench) -> Found:
    """Training on more and more."""
    import growth

    found = growth.compare(bench.clips, (0.02, 0.05) if bench.quick else growth.HOURS)
    growth.draw(found, bench.out / "growth.png")
    rows = [
        Row(
            f"{row['hours']:g} h, {row['num_codes']:,} codes",
            unit,
            _one(row[OURS][unit]),
            _one(row[THEIRS][unit]),
        )
        for row in found
        if THEIRS in row
        for unit in ("cpu_seconds", "megabytes")
    ]
    last, before = found[-1], found[-2]
    rows += [
        Row(
            f"{unit} a million codes, {last['hours']:g} h",
            unit,
            _per_million(last, unit),
            _per_million(before, unit),
            f"ours at {before['hours']:g} h",
        )
        for unit in ("cpu_seconds", "megabytes")
    ]
    return rows, {}


def extending(bench: Bench) -> Found:
    """New embeddings for a language model."""
    import extend_model

    found = extend_model.compare(*((2_000, 64, 5_000) if bench.quick else (151_936, 896, 30_000)))
    theirs = found.pop("Transformers, mean_resizing=True")
    rows = [
        Row(name, "cpu s", _one(each["seconds"]), _one(theirs["seconds"]), "Transformers")
        for name, each in found.items()
    ]
    return rows, {"closest new rows of Transformers": theirs["closest"]}


def long_memory(bench: Bench) -> Found:
    """Whether memory stays flat when clips get long, or many."""
    import encode_memory
    import long_clip

    short, long = long_clip.compare(0.2 if bench.quick else 1.0)
    hours, files = (0.1, 20) if bench.quick else (1.0, 1_000)
    one, many = encode_memory.compare(hours, files)
    return [
        Row(
            f"clip of {long['hours']:g} h",
            "MB above it",
            _one(long["peak_above_mb"]),
            _one(short["peak_above_mb"]),
            "10 minutes",
        ),
        Row(
            f"{files:,} files of 1 s",
            "MB with the codec",
            _one(many["codec_mb"] + many["peak_above_mb"]),
            _one(one["codec_mb"] + one["peak_above_mb"]),
            f"one file of {hours:g} h",
        ),
    ], {}


def _one(number: float) -> dict[str, float]:
    return summary([number])


def _per_million(row: dict[str, Any], unit: str) -> dict[str, float]:
    return _one(row[OURS][unit] / row["num_codes"] * 1e6)


SECTIONS: dict[str, Callable[[Bench], Found]] = {
    "corpus": corpus,
    "training": training,
    "conversion": conversion,
    "encoding": encoding,
    "batches": batches,
    "start-up": start_up,
    "growth": growing,
    "extending": extending,
    "long clips": long_memory,
}
