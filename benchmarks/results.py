"""The table of results: rows, and how they are written."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Row", "update"]

Summary = dict[str, float]
"""Median, least and most of some runs; see `measuring.summary`."""

PACKAGES = ("hf-codec-bpe", "codec-bpe", "tokenizers", "transformers", "torch", "numba", "numpy")


class Row(NamedTuple):
    """One thing that was measured on both sides."""

    what: str
    unit: str
    ours: Summary
    other: Summary
    against: str = "codec-bpe"
    more_is_better: bool = False
    target: float | None = None
    """How many times better ours must be at least."""

    @property
    def times_better(self) -> float:
        """How many times better ours is."""
        ratio = self.other["median"] / self.ours["median"]
        return 1 / ratio if self.more_is_better else ratio

    def to_dict(self) -> dict[str, Any]:
        """All of it, and whether the target is met."""
        met = None if self.target is None else self.times_better >= self.target
        return {**self._asdict(), "times_better": round(self.times_better, 2), "met": met}


def update(folder: Path, section: str, rows: list[Row], notes: dict[str, Any]) -> None:
    """Puts a section's rows in `results.json`, leaves the others there, and writes the table anew.

    Args:
        folder: Where the files are.
        section: What the rows are about.
        rows: At least one.
        notes: What else there is to say, such as whether results were equal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results[section] = {
        "rows": [row.to_dict() for row in rows],
        "notes": notes,
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
    }
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(_markdown(results), encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def _markdown(results: dict[str, Any]) -> str:
    return "\n".join(line for item in results.items() for line in _section(*item))


def _section(name: str, found: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{package} {number}" for package, number in found["versions"].items())
    return [
        f"## {name}",
        "",
        "| | unit | ours: median (least-most) | other | against | times better | target |",
        "|---|---|---|---|---|---|---|",
        *map(_line, found["rows"]),
        "",
        *(f"- {note}: {value}" for note, value in found["notes"].items()),
        f"- {found['cpus']} core(s) of {found['processor']}, load {found['load']} at the end; "
        f"Python {found['python']}, {versions}",
        "",
    ]


def _line(row: dict[str, Any]) -> str:
    sides = [
        f"{side['median']:.4g} ({side['least']:.4g}-{side['most']:.4g})"
        for side in (row["ours"], row["other"])
    ]
    target = (
        "" if row["target"] is None else f"{row['target']:.3g}: {'' if row['met'] else 'not '}met"
    )
    cells = [
        row["what"],
        row["unit"],
        *sides,
        row["against"],
        f"**{row['times_better']:.3g}**",
        target,
    ]
    return f"| {' | '.join(cells)} |"
