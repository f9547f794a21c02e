"""The pieces of the benchmarks that take no time: codes of spectra, rows, and the table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from . import tiny

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _as_a_script(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in {file.stem for file in FOLDER.glob("*.py")} & sys.modules.keys():
        del sys.modules[name]


def test_every_section_imports() -> None:
    import sections

    assert {"training", "conversion", "encoding", "start-up", "growth"} <= sections.SECTIONS.keys()


def test_codes_are_the_nearest_centres() -> None:
    import speech_codes

    spectra = speech_codes.log_mel(tiny.speech_like(60_000, 0))
    frames = torch.cat([spectra, torch.randn(2_000, speech_codes.MELS)])
    codes = speech_codes.quantized(frames)
    assert codes.shape == (speech_codes.K, len(frames))
    assert codes.min() >= 0
    assert codes.max() < speech_codes.SIZE
    assert 0 < speech_codes.entropy(codes[0].numpy()) <= 10


def test_table(tmp_path: Path) -> None:
    import results

    slow, fast = ({"median": n, "least": n, "most": n} for n in (4.0, 2.0))
    rows = [
        results.Row("cost", "s", fast, slow, target=1.5),
        results.Row("speed", "codes/s", fast, slow, more_is_better=True, target=1.5),
    ]
    results.update(tmp_path, "one", rows, {})
    results.update(tmp_path, "two", rows[:1], {"equal": True})
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [row["times_better"] for row in found["one"]["rows"]] == [2.0, 0.5]
    assert [row["met"] for row in found["one"]["rows"]] == [True, False]
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| cost | s | 2 (2-2) | 4 (4-4) | codec-bpe | **2** | 1.5: met |" in table
    assert "- equal: True" in table


def test_a_corpus_is_stretched_without_copies() -> None:
    from measuring import as_many

    clip = np.arange(400).reshape(4, 100)
    found = as_many([clip], 1_000)
    assert [each.shape for each in found] == [(4, 100)] * 3
    assert not np.array_equal(found[1], clip)
    assert not np.array_equal(found[1], found[2])


def test_throughput_tells_what_a_precision_changes(tmp_path: Path) -> None:
    import encode_throughput
    import soundfile

    soundfile.write(tmp_path / "one.wav", tiny.speech_like(24_000, 0), 16_000)
    ways = ["float32", "bfloat16", "nothing"]
    rows = encode_throughput.compared("demo", "cpu", ways, tmp_path, [1.0], batch_size=8, runs=1)
    assert [row["way"] for row in rows] == ways
    assert 0 < rows[1]["share_of_codes_changed"] < 1
    assert all(0 <= row["share_of_time_in_the_model"] <= 1 for row in rows)
    assert all(row["hours_per_hour"] > 0 for row in rows)
