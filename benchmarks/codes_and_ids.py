"""Codes to ids and back, and codes to characters and back, beside codec-bpe's ways.

    python benchmarks/codes_and_ids.py CODES.npz [--runs 7] [--json FILE]

CODES.npz holds clips `[K, T]` of 1,024 codes. A tokenizer of 30,000 is trained on every other clip,
and the rest is tokenized, clip by clip in one thread, by both ways in turn; seconds are those of
the processor. codec-bpe's way is a Transformers tokenizer around the same backend, and
`codes_to_chars` and `chars_to_codes`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from codec_bpe import chars_to_codes, codes_to_chars
from measuring import load_clips, summary, tell
from transformers import PreTrainedTokenizerFast

from hf_codec_bpe import train_tokenizer

SIZE, OFFSET = 1024, 0x4E00
NUM_CODES = 2_000_000
"""So many codes at least, which no core's cache holds: each is read from memory, as a corpus is."""
SECONDS = 0.2
"""How long a timed stretch lasts at least."""

Way = Callable[[Any], Any]


def main(
    codes: Path,
    runs: int = 7,
    out: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print millions of codes a second for both ways, and their ratios."""
    tell(compare(load_clips(codes), runs), out)


def compare(loaded: list[np.ndarray], runs: int) -> dict[str, Any]:
    """Both ways on every other clip, all four ways round."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    clips = [clip.astype(np.int64) for clip in loaded]
    num_codebooks = len(clips[0])
    ours = train_tokenizer(
        clips[::2],
        codebook_sizes=[SIZE] * num_codebooks,
        vocab_size=30_000,
        chunk_frames=2250,
        unicode_offset=OFFSET,
    )
    theirs = PreTrainedTokenizerFast(
        tokenizer_object=ours.backend_tokenizer, clean_up_tokenization_spaces=False
    )

    def encode(clip: Any) -> list[int]:
        return theirs(codes_to_chars(clip, SIZE), add_special_tokens=False)["input_ids"]

    def read(text: str) -> Any:
        return chars_to_codes(text, num_codebooks, SIZE, return_tensors="np")

    held_out = enough(clips[1::2])
    ids = [np.array(encode(clip)) for clip in held_out]
    texts = [codes_to_chars(clip, SIZE) for clip in held_out]
    alphabet = ours.alphabet
    comparisons: dict[str, tuple[list[Any], Way, Way]] = {
        "codes_to_ids": (held_out, ours.codes_to_ids, encode),
        "ids_to_codes": (ids, ours.ids_to_codes, lambda i: read(theirs.decode(i))),
        "ids_to_codes_of_lists": (
            [sequence.tolist() for sequence in ids],
            ours.ids_to_codes,
            lambda i: read(theirs.decode(i)),
        ),
        "codes_to_text": (held_out, alphabet.to_text, lambda c: codes_to_chars(c, SIZE)),
        "text_to_codes": (texts, alphabet.to_codes, read),
    }
    num_codes = sum(clip.size for clip in held_out)
    report: dict[str, Any] = {"cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    report["num_codes"] = num_codes
    for name, (items, one, other) in comparisons.items():
        report[name] = _compared(items, one, other, num_codes, runs)
    return report


def enough(clips: list[np.ndarray]) -> list[np.ndarray]:
    """Clips and copies of them."""
    times = math.ceil(NUM_CODES / sum(clip.size for clip in clips))
    return [clip.copy() for _ in range(times) for clip in clips]


def joined(clips: list[np.ndarray], num_frames: int) -> list[np.ndarray]:
    """The same codes in clips of so many frames, as recordings cut into chunks give."""
    whole = np.concatenate(clips, axis=1)
    return np.array_split(whole, max(2, round(whole.shape[1] / num_frames)), axis=1)


def _compared(items: list[Any], one: Way, other: Way, num_codes: int, runs: int) -> dict[str, Any]:
    equal = all(np.array_equal(one(item), other(item)) for item in items)  # and all is warm
    passes = {way: _passes(items, way) for way in (one, other)}
    speeds: dict[Way, list[float]] = {one: [], other: []}
    for _ in range(runs):
        for way in (one, other):
            seconds = _seconds(items, way, passes[way]) / passes[way]
            speeds[way].append(num_codes / seconds / 1e6)
    ours, theirs = summary(speeds[one]), summary(speeds[other])
    return {
        "equal": equal,
        "hf_codec_bpe": ours,
        "codec_bpe": theirs,
        "times_faster": round(ours["median"] / theirs["median"], 1),
    }


def _passes(items: list[Any], way: Way) -> int:
    """How often to go through all items, so that what comes before does not show."""
    return math.ceil(SECONDS / _seconds(items, way, 1))


def _seconds(items: list[Any], way: Way, passes: int) -> float:
    start = time.process_time()
    for _ in range(passes):
        for item in items:
            way(item)
    return time.process_time() - start


if __name__ == "__main__":
    typer.run(main)
