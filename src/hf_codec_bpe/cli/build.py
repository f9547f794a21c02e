"""`hf-codec-bpe build`: a codec and a folder of audio to a processor, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Device, Revision, check_finite, open_codec

if TYPE_CHECKING:
    from ..presets import Recipe

__all__ = ["build"]


def build(
    preset: Annotated[
        str,
        typer.Argument(
            help="A codec: a preset, a Hub id, a folder, or 'demo' for the bundled one.",
            metavar="CODEC",
        ),
    ],
    audio: Annotated[
        list[Path],
        typer.Option(
            help="The corpus: a file or a folder; repeat it for more. Or one manifest.",
            metavar="PATH",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="The folder for codes, processor and report.", metavar="PATH"
        ),
    ],
    revision: Revision = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            help="Audio to measure with; by default every 20th file of the corpus.", metavar="PATH"
        ),
    ] = None,
    num_codebooks: Annotated[
        int | None,
        typer.Option(
            "--num-codebooks",
            "-k",
            help="How many codebooks; by default as the preset says.",
            min=1,
            metavar="N",
        ),
    ] = None,
    vocab_size: Annotated[
        int | None,
        typer.Option(help="How many tokens; by default as the preset says.", metavar="N"),
    ] = None,
    max_token_codebook_ngrams: Annotated[
        int | None,
        typer.Option(
            help="The most codes in a token, in frames' worth; by default as the preset says.",
            min=0,
            metavar="N",
        ),
    ] = None,
    chunk_seconds: Annotated[
        float,
        typer.Option(
            help="Encode in chunks of this length; 0 does not cut.",
            min=0,
            metavar="SECONDS",
            callback=check_finite,
        ),
    ] = 30.0,
    push: Annotated[
        str | None, typer.Option(help="Publish as user/name when all is done.", metavar="USER/NAME")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    device: Device = "cpu",
) -> None:
    """Do all of it: encode, train, measure, and with --push publish.

    Run it again to continue where it stopped: every finished step stays.
    """
    from ..hub.building import Build
    from ..hub.pushing import card_for, draw, push_folder

    recipe = _recipe(preset, num_codebooks, vocab_size, max_token_codebook_ngrams)
    codec = open_codec(preset, recipe.num_codebooks or None, device, revision=revision)
    making = Build(
        codec, recipe, audio, out, held_out=held_out or (), chunk_seconds=chunk_seconds or None
    )
    processor, report = making.run()
    typer.echo(
        f"{making.folder}: {report.tokens_per_second:.2f} tokens per second, "
        f"{report.compression:.3f} codes per token on held-out audio."
    )
    evaluation = making.evaluate(processor)
    if evaluation is None:
        typer.echo(
            "What comes back was not measured: pip install 'hf-codec-bpe[evaluate]' and run this "
            "again.",
            err=True,
        )
    if push:
        commit = push_folder(
            making.folder,
            push,
            card=card_for(processor, push, report=evaluation or report),
            extra=draw(report),
            private=private or None,
        )
        typer.echo(str(commit.commit_url))


def _recipe(
    name: str, num_codebooks: int | None, vocab_size: int | None, ngrams: int | None
) -> Recipe:
    """The preset's recipe with what the options say; for other codecs, a plain one."""
    from ..presets import Recipe, find_preset

    preset = find_preset(name)
    known = preset.tokenizer if preset else Recipe(0, 30_000, 2, "the defaults")
    return Recipe(
        num_codebooks or known.num_codebooks,
        vocab_size or known.vocab_size,
        known.max_token_codebook_ngrams if ngrams is None else ngrams,
        known.reason,
    )
