"""All benchmarks, side by side with the installed codec-bpe, and one table of what they found.

    python benchmarks/run.py --out DIR [--quick] [--only training --only start-up]

Makes a corpus of codes of synthesised speech first, `DIR/codes.npz`, unless it is there. Then every
section writes its rows to `DIR/results.json` and `DIR/results.md` as soon as it has them, so that a
section can be measured again alone. `README.md` here says what the numbers mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from results import update
from sections import SECTIONS, Bench


def main(
    out: Annotated[Path, typer.Option(help="Where the corpus and the table are.")],
    quick: Annotated[
        bool, typer.Option(help="Little of everything, to see that it works.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(SECTIONS)}; may be given again.")
    ] = None,
    runs: int = 3,
    hours: Annotated[float, typer.Option(help="Of speech to make.")] = 0.5,
) -> None:
    """Measure, and write the table."""
    unknown = set(only or ()) - SECTIONS.keys()
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(SECTIONS)}.")
    bench = Bench(out, quick, 1 if quick else runs, 0.02 if quick else hours)
    for name in only or SECTIONS:
        rows, notes = SECTIONS[name](bench)
        if quick:  # targets are for corpora of some size
            rows = [row._replace(target=None) for row in rows]
        update(out, name, rows, notes)
        typer.echo(f"{name}: done")


if __name__ == "__main__":
    typer.run(main)
