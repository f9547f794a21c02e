"""How seconds and memory of training grow with the corpus, up to 100 hours, and a plot of it.

    python benchmarks/growth.py CODES.npz [--hours 1 --hours 10] [--plot PNG]

Codes as in `train.py`, in chunks of 30 seconds. codec-bpe trains too, up to 10 hours. Seconds are
those of the processor.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from measuring import as_many, in_turn, load_clips, save_clips, tell
from train import FRAME_RATE, K, ours, theirs

HOURS = (0.1, 1.0, 10.0, 100.0)
MOST_OF_THEIRS = 10.0
CHUNK_SECONDS = 30


def main(
    codes: Path,
    hours: Annotated[list[float] | None, typer.Option()] = None,
    plot: Path | None = None,
    out: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print seconds and megabytes of both sides for each size."""
    rows = compare(load_clips(codes), hours or HOURS)
    tell(rows, out)
    if plot:
        draw(rows, plot)


def compare(clips: list[np.ndarray], hours: Sequence[float] = HOURS) -> list[dict[str, Any]]:
    """Trains once on every size; on the largest with this package alone."""
    rows = []
    for each in hours:
        chosen = as_many(clips, int(each * 3600 * FRAME_RATE * K))
        sides = {"hf_codec_bpe": ours}
        if each <= MOST_OF_THEIRS:
            sides["codec_bpe"] = theirs
        with tempfile.TemporaryDirectory() as name:
            save_clips(Path(name, "codes"), chosen)
            found = in_turn(sides, str(Path(name, "codes")), CHUNK_SECONDS, runs=1)
        merges = [results[0][0] for results in found.values()]
        assert all(other == merges[0] for other in merges), f"merges differ at {each} hours"
        rows.append(
            {
                "hours": each,
                "num_codes": sum(clip.size for clip in chosen),
                **{side: results[0][1] for side, results in found.items()},
            }
        )
    return rows


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Plots seconds and megabytes against codes, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    measures = (("cpu_seconds", "Seconds of the processor"), ("megabytes", "Megabytes"))
    for panel, (measure, title) in zip(panels, measures, strict=True):
        for side, mark in (("codec_bpe", "s--"), ("hf_codec_bpe", "o-")):
            points = [(row["num_codes"], row[side][measure]) for row in rows if side in row]
            panel.loglog(*zip(*points, strict=True), mark, label=side)
        panel.set(title=title, xlabel="Codes (1.08 million an hour)")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    typer.run(main)
