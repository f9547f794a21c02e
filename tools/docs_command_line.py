"""The page `docs/command-line.md`: the help of every command, in 80 columns."""

from __future__ import annotations

from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from hf_codec_bpe.cli.app import app

__all__ = ["command_line"]

INTRODUCTION = """\
# The command line

What `hf-codec-bpe --help` and `hf-codec-bpe COMMAND --help` say. Errors are one sentence and the
next step; `--debug`, anywhere in the line, shows where they came from.

<!-- Made of the help texts by tools/write_docs.py: change those. -->
"""
WIDTH = 80


def command_line() -> str:
    """The whole page."""
    group: Any = get_command(app)
    page = INTRODUCTION + f"\n```text\n{_help()}\n```\n"
    for name in group.commands:
        page += f"\n## `{name}`\n\n```text\n{_help(name)}\n```\n"
    return page


def _help(*command: str) -> str:
    width: dict[str, Any] = {"terminal_width": WIDTH - 2}  # what a terminal's own margin leaves
    shown = CliRunner().invoke(app, [*command, "--help"], prog_name="hf-codec-bpe", **width)
    if shown.exit_code != 0:
        raise RuntimeError(shown.output) from shown.exception
    return shown.output.strip()
