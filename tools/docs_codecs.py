"""The tables of `docs/choose-a-codec.md`: published codecs, and what was measured of the demo's."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hf_codec_bpe.evaluation import CodecReport
from hf_codec_bpe.evaluation.codec_table import codec_table
from hf_codec_bpe.presets import Preset, presets

__all__ = ["DEMO_REPORT", "demo_figures", "preset_table"]

DEMO_REPORT = Path(__file__).parents[1] / "docs" / "demo-report.json"
"""What `hf-codec-bpe evaluate demo AUDIO --out FOLDER` wrote as report.json."""
HEAD = (
    "preset", "family", "Hz", "frames/s", "codebooks", "codes/s", "bits/s", "trained on", "licence"
)  # fmt: skip
RECIPE_HEAD = ("preset", "codebooks", "codes/s", "bits/s", "vocabulary", "frames' worth in a token")


def preset_table() -> str:
    """All codecs that can be loaded by name, then the tokenizers that their presets recommend."""
    known = [preset for preset in presets().values() if not preset.unsupported]
    refused = [preset for preset in presets().values() if preset.unsupported]
    codecs = _markdown(HEAD, [_codec(preset) for preset in known])
    recipes = _markdown(RECIPE_HEAD, [_recipe(preset) for preset in known])
    reasons = "\n".join(f"- `{preset.name}`: {_line(preset.unsupported)}" for preset in refused)
    return (
        f"{codecs}\n\nWhat `hf-codec-bpe build` uses unless told otherwise "
        "(`hf-codec-bpe presets --json` says why):\n\n"
        f"{recipes}\n\nThese have a name, but cannot be loaded:\n\n{reasons}"
    )


def demo_figures() -> str:
    """The demo codec's report, as `hf-codec-bpe evaluate` prints it."""
    return codec_table([CodecReport.from_dict(json.loads(DEMO_REPORT.read_text("utf-8")))])


def _codec(preset: Preset) -> tuple[str, ...]:
    return (
        f"`{preset.name}`",
        preset.family,
        _rates(preset),
        _rate(preset.frame_rate),
        _sizes(preset.codebook_sizes),
        _rate(preset.frame_rate * len(preset.codebook_sizes)),
        f"{preset.bandwidth:,.0f}",
        preset.domain,
        preset.license,
    )


def _recipe(preset: Preset) -> tuple[str, ...]:
    recipe = preset.tokenizer
    sizes = preset.codebook_sizes[: recipe.num_codebooks]
    if preset.family == "flexicodec":  # the lengths of groups are always in use
        sizes = (*sizes[:-1], preset.codebook_sizes[-1])
    bits = preset.frame_rate * sum(math.log2(size) for size in sizes)
    return (
        f"`{preset.name}`",
        str(recipe.num_codebooks),
        _rate(preset.frame_rate * len(sizes)),
        f"{bits:,.0f}",
        f"{recipe.vocab_size:,}",
        str(recipe.max_token_codebook_ngrams),
    )


def _rate(rate: float) -> str:
    return f"{round(rate, 1):,g}"


def _rates(preset: Preset) -> str:
    rates = dict.fromkeys([preset.sampling_rate, preset.output_sampling_rate])
    return " → ".join(f"{rate:,}" for rate in rates)


def _sizes(sizes: Sequence[int]) -> str:
    return " + ".join(f"{count} x {size:,}" for size, count in Counter(sizes).items())


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
