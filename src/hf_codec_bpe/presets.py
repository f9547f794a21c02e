"""The published codecs that have a name here: one file each in `hub_configs/`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .errors import PresetError

__all__ = ["Preset", "Recipe", "find_preset", "presets", "similar_presets"]

FOLDER = Path(__file__).parent / "hub_configs"


@dataclass(frozen=True)
class Recipe:
    """The tokenizer that is recommended for a codec, and why."""

    num_codebooks: int
    vocab_size: int
    max_token_codebook_ngrams: int
    reason: str


@dataclass(frozen=True)
class Preset:
    """What is known of a published codec before it is downloaded."""

    name: str
    title: str
    family: str
    hub_id: str
    license: str
    domain: str
    sampling_rate: int
    output_sampling_rate: int
    hop_length: int
    codebook_sizes: tuple[int, ...]
    tokenizer: Recipe
    repository: str
    """The name of the repository that `hf-codec-bpe build` makes of it."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The original's files that are converted: names in `hub_id`, or `repository:name`."""
    unsupported: str | None = None
    """Why it cannot be loaded, if it cannot."""

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sampling_rate / self.hop_length

    @property
    def bandwidth(self) -> float:
        """Bits per second with all codebooks."""
        return self.frame_rate * sum(math.log2(size) for size in self.codebook_sizes)


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in alphabetical order."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def find_preset(name: str) -> Preset | None:
    """The preset of that name or Hub id, in any case; `None` if there is none."""
    wanted = name.lower()
    for preset in presets().values():
        if wanted == preset.name.lower():
            return preset
    of_repository = [p for p in presets().values() if p.hub_id.lower() == wanted]
    # A repository that holds several models is not the name of one.
    return of_repository[0] if len(of_repository) == 1 else None


def similar_presets(name: str) -> list[str]:
    """Names that somebody who typed `name` may have meant."""
    return difflib.get_close_matches(name.lower(), list(presets()), n=3)


def _read(path: Path) -> Preset:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {each.name for each in fields(Preset)} - {"name"}
    required = {each.name for each in fields(Preset) if each.default is MISSING} - {"name", "files"}
    if not required <= set(values) <= known:
        wrong = (required - set(values)) | (set(values) - known)
        raise PresetError(f"{path}: these keys are missing or unknown: {', '.join(sorted(wrong))}.")
    return Preset(
        name=path.stem,
        **{
            **values,
            "codebook_sizes": _codebook_sizes(values["codebook_sizes"]),
            "tokenizer": Recipe(**values["tokenizer"]),
        },
    )


def _codebook_sizes(value: Any) -> tuple[int, ...]:
    """A list of sizes, or `{count, size}` where all are equal."""
    if isinstance(value, Mapping):
        return (value["size"],) * value["count"]
    return tuple(value)
