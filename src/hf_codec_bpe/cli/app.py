"""The application: its commands, and how errors reach people."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated

import typer

from .. import __version__
from ..errors import CodecBPEError, first_line
from . import (
    build,
    convert,
    decode,
    demo,
    encode,
    evaluate,
    extend,
    pack,
    presets,
    push,
    report,
    stats,
    train,
    ui,
)
from .sections import CommandSections

__all__ = ["app", "main"]

_DEBUG = "--debug"
_HELP = """Audio in, tokens out, and back: Codec BPE for Transformers.

Begin with demo or ui: they need no network and no account.
"""
_SECTIONS: dict[str, tuple[Callable[..., None], ...]] = {
    "Try it": (demo.demo, ui.ui),
    "Make a tokenizer": (encode.encode, train.train, decode.decode, build.build),
    "Teach a language model": (extend.extend, pack.pack, stats.stats),
    "Measure and publish": (evaluate.evaluate, report.report, push.push),
    "Codecs": (presets.presets, convert.convert),
}

app = typer.Typer(
    name="hf-codec-bpe",
    help=_HELP,
    cls=CommandSections,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _title, _commands in _SECTIONS.items():
    for _command in _commands:
        app.command(rich_help_panel=_title)(_command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_print_version
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show where an error came from; works anywhere.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; an error is one sentence and a next step, with exit code 1."""
    _print_whatever_comes()
    arguments = [each for each in sys.argv[1:] if each != _DEBUG]
    if _DEBUG not in sys.argv:
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # no line for every attempt to connect
    try:
        _check_none_empty(arguments)
        app(arguments, prog_name="hf-codec-bpe")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if _DEBUG in sys.argv:
            raise
        from tqdm import tqdm

        tqdm.write(f"Error: {_sentence(error)}", file=sys.stderr)  # below a bar that still stands
        sys.exit(1)


def _check_none_empty(arguments: Sequence[str]) -> None:
    """Refuses what would be the current folder as a path.

    Only tokens of a vocabulary, such as `--pad-token`, may be empty, for none.
    """
    pairs = pairwise(["", *arguments])
    if any(not each and not re.fullmatch("--.+-token", before) for before, each in pairs):
        raise CodecBPEError(
            "An argument is empty, as a shell variable without a value is. Give it one; `.` is the "
            "current folder."
        )


def _print_whatever_comes() -> None:
    """Lets characters that the terminal cannot show become "?" instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _sentence(error: Exception) -> str:
    """What went wrong and what to do next."""
    if isinstance(error, CodecBPEError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Check the path, or choose another."
    return (
        f"{type(error).__name__}: {first_line(error)} This was not foreseen: run the same with "
        f"{_DEBUG} to see where it happened."
    )
