"""`hf-codec-bpe presets`: the codecs that have a name here."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["presets"]

_HEADER = ("preset", "kHz", "frames/s", "codebooks", "size", "kbps", "domain", "licence")


def presets(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is known as JSON.")
    ] = False,
) -> None:
    """List the codecs that have a name here."""
    from ..presets import Preset
    from ..presets import presets as all_presets

    found = list(all_presets().values())
    if as_json:
        derived = ("frame_rate", "bandwidth")
        values = [asdict(p) | {name: getattr(p, name) for name in derived} for p in found]
        typer.echo(json.dumps(values, indent=2))
        return

    def row(preset: Preset) -> tuple[str, ...]:
        sizes = sorted(set(preset.codebook_sizes), reverse=True)
        return (
            preset.name,
            f"{preset.sampling_rate / 1000:g}",
            f"{preset.frame_rate:g}",
            str(len(preset.codebook_sizes)),
            "/".join(map(str, sizes)),
            f"{preset.bandwidth / 1000:.3g}",
            preset.domain,
            preset.license,
        )

    rows = [_HEADER, *(row(preset) for preset in found if not preset.unsupported)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for cells in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        typer.echo(line.rstrip())
