"""The application: its commands, and how errors reach people."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import CodecBPEError
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
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="hf-codec-bpe",
    help="Audio in, tokens out: codes, Codec BPE tokenizers and processors for Transformers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(encode.encode)
app.command()(decode.decode)
app.command()(train.train)
app.command()(extend.extend)
app.command()(pack.pack)
app.command()(stats.stats)
app.command()(report.report)
app.command()(evaluate.evaluate)
app.command()(build.build)
app.command()(push.push)
app.command()(presets.presets)
app.command()(convert.convert)


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
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Audio in, tokens out: codes, Codec BPE tokenizers and processors for Transformers."""


def main() -> None:
    """Runs the command line; an error is one sentence and a next step, with exit code 1."""
    try:
        app()
    except (CodecBPEError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
