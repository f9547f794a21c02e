"""Every code block of the README and the docs runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from codec_bpe.core.trainer import Trainer

from hf_codec_bpe.bundled import demo_clip

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(page.read_text()) if kind == language]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run_in_order(page: Path, tmp_path: Path) -> None:
    for name in ("speech.flac", "held-out.flac"):
        shutil.copy(demo_clip(), tmp_path / name)
    if page.name == "from-codec-bpe.md":
        np.save(tmp_path / "clip_c0.npy", np.zeros((4, 60), dtype=int))
        theirs = Trainer(4, 1024, vocab_size=4_100, pad_token="<pad>")
        theirs.train(str(tmp_path)).save_pretrained(tmp_path / "codec-bpe-tokenizer")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), namespace)


def test_the_readme_has_two_commands_and_ci_runs_the_second() -> None:
    commands = blocks(ROOT / "README.md", "bash")
    assert len(commands) == 2
    assert "hf-codec-bpe demo" in commands[0]
    assert "pytest" in commands[1]
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        if "://" not in target:
            place = page.parent / path if path else page
            assert place.exists(), target
            assert not heading or heading in anchors(place), target


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page in addresses."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
