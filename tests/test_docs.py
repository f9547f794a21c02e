"""What is generated in the docs is current, and every command that they show is one."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hf_codec_bpe import demo_repo
from hf_codec_bpe.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = ("api.md", "command-line.md")
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(DOCS.glob("*.md")) if path.name not in GENERATED),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("hf-codec-bpe", "pip", "python", "python3", "ray")
RAY_PARSES = """
import sys
from ray.scripts import scripts
scripts.cli.commands[sys.argv[1]].make_context(sys.argv[1], sys.argv[2:])
"""
STALE = "is not current: run `python tools/write_docs.py`"


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that writes what is generated."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return import_module("write_docs")


@pytest.mark.parametrize("name", [*GENERATED, "choose-a-codec.md"])
def test_generated_pages_are_current(docs: Any, name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == docs.PAGES[name](), f"docs/{name} {STALE}"


@pytest.mark.parametrize("name", ["tokens.png", "lengths.png"])
def test_pictures_show_the_bundled_codec(docs: Any, name: str) -> None:
    assert docs.digest_of(docs.PICTURES / name) == docs.demo_digest(), f"docs/images/{name} {STALE}"


def test_figures_are_of_the_bundled_codec() -> None:
    report = json.loads((DOCS / "demo-report.json").read_text("utf-8"))
    codec = json.loads((demo_repo() / "processor_config.json").read_text("utf-8"))["codec"]
    for name in ("codebook_sizes", "frame_rate", "sampling_rate"):
        assert report[name] == codec[name], "docs/demo-report.json: see tools/write_docs.py"


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_has_a_language_that_a_test_runs(page: Path) -> None:
    languages = {language for language, code in FENCE.findall(page.read_text("utf-8"))}
    assert languages <= {"python", "bash", "", "text"}
    for language, code in FENCE.findall(page.read_text("utf-8")):
        assert language or not re.search(r"import |hf-codec-bpe", code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_is_one(page: Path) -> None:
    for line in (*shown(page), *mentioned(page)):
        words = shlex.split(re.sub(r"\$\w+", "0", line), comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            command, words = words[:end], words[end + 1 :]
            program = Path(command[0]).name
            assert program in CHECKS, f"{page.name}: no test knows {line!r}"
            CHECKS[program](command[1:])


def test_commands_that_are_none_are_found() -> None:
    for line in ("encode a b --nosuch", "nosuch", "encode", "train codes --vocab-size many"):
        with pytest.raises(Exception, match=r"nosuch|[Mm]issing|valid"):
            our_command([*shlex.split(line)], mention=False)


@pytest.mark.parametrize(
    "module",
    [
        "audio_to_codes",
        "extend_tokenizer",
        "lm_dataset_stats",
        "prep_lm_dataset",
        "train_tokenizer",
    ],
)
def test_the_guide_from_codec_bpe_names_all_its_options(module: str) -> None:
    found = find_spec(f"codec_bpe.{module}")
    assert found
    assert found.origin
    options = re.findall(r'"(--\w+)"', Path(found.origin).read_text("utf-8"))
    page = (DOCS / "from-codec-bpe.md").read_text("utf-8")
    section = page.partition(f"## `codec_bpe.{module}`")[2].partition("\n## ")[0]
    assert len(options) >= 4
    assert [option for option in options if f"`{option}`" not in section] == []


def shown(page: Path) -> Iterator[str]:
    """The lines of bash blocks, and indented lines that begin with a program that we know."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    for language, code in FENCE.findall(text):
        if language == "bash":
            yield from code.splitlines()
    for line in re.findall(r"^ {4}(\S.*)$", FENCE.sub("", text), re.MULTILINE):
        if Path(line.split()[0]).name in PROGRAMS:
            yield line


def mentioned(page: Path) -> Iterator[str]:
    """Commands of ours between backticks in prose."""
    prose = FENCE.sub("", page.read_text("utf-8"))
    for found in re.findall(r"`(hf-codec-bpe\s[^`]*)`", prose):
        yield " ".join(found.split())


def our_command(words: list[str], *, mention: bool = True) -> None:
    """Parses a command line of ours without running it; a mere mention needs no arguments."""
    name, *arguments = words
    command: Any = get_command(app)
    command = command.commands[name]
    if arguments or not mention:
        command.make_context(name, arguments)


def pip(words: list[str]) -> None:
    """Extras that are to be installed exist."""
    extras = metadata("hf-codec-bpe").get_all("Provides-Extra") or []
    assert words[0] == "install"
    for word in words[1:]:
        found = re.fullmatch(r"(?:hf-codec-bpe|\.)(?:\[([\w,]+)\])?", word)
        assert found or word == "-e", word
        assert set(found[1].split(",") if found and found[1] else ()) <= set(extras)


def python(words: list[str]) -> None:
    """A module that everybody has, or a script of ours with such options."""
    if words[0] == "-m":
        assert words[1] in ("venv", "pytest")
        return
    script = (ROOT / words[0]).read_text("utf-8")
    for option in words[1:]:
        name = option.lstrip("-").partition("=")[0]
        assert not option.startswith("--") or name.replace("-", "_") in script.replace("-", "_")


def ray(words: list[str]) -> None:
    """Parses a command line of Ray without running it."""
    # Not in this process: Ray reads its settings when it is imported, and other tests have some.
    subprocess.run([sys.executable, "-c", RAY_PARSES, *words], check=True)


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "hf-codec-bpe": our_command,
    "pip": pip,
    "python": python,
    "python3": python,
    "ray": ray,
}
