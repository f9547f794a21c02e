"""`hf-codec-bpe push`: a saved processor, tokenizer or extended model on the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import PushError
from .options import hide_loading_bars, readable_clips

if TYPE_CHECKING:
    from ..evaluation.codec_figures import CodecReport
    from ..evaluation.compression_figures import CompressionReport

__all__ = ["push"]


def push(
    folder: Annotated[
        Path,
        typer.Argument(
            help="What train, extend or save_pretrained wrote: all of its files.", metavar="FOLDER"
        ),
    ],
    repository: Annotated[
        str, typer.Argument(help="Its name; created if it does not exist.", metavar="USER/NAME")
    ],
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            help="Audio to measure for the card: files and folders. Repeat it for more.",
            metavar="PATH",
        ),
    ] = None,
    held_out_name: Annotated[
        str | None,
        typer.Option(help="What the card calls that audio; by default its path.", metavar="TEXT"),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="A Hub dataset that the tokenizer was trained on. Repeat it for more.",
            metavar="ID",
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="The branch; main by default.", metavar="NAME")
    ] = None,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request instead of committing.")
    ] = False,
    message: Annotated[str | None, typer.Option(help="The commit's title.", metavar="TEXT")] = None,
    token: Annotated[
        str | None,
        typer.Option(help="A token; by default that of `hf auth login`.", metavar="TEXT"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the commit as JSON.")] = False,
) -> None:
    """Publish a folder with a card, in one commit.

    The card says what the folder holds and, with --held-out, how well it compresses that audio and,
    where hf-codec-bpe[evaluate] is installed, how well it comes back. A clip that cannot be read is
    reported and left out. A card that is there already keeps all that stands outside of its marked
    part.
    """
    from ..hub.pushing import card_for, draw, push_folder

    hide_loading_bars()
    thing = _load(folder)
    report = _measure(thing, held_out, held_out_name) if held_out else None
    commit = push_folder(
        folder,
        repository,
        card=card_for(thing, repository, report=report, datasets=dataset or ()),
        extra=draw(report),
        private=private or None,
        revision=revision,
        create_pr=create_pr,
        commit_message=message,
        token=token,
    )
    place = {"commit": commit.oid, "url": str(commit.commit_url), "pull_request": commit.pr_url}
    typer.echo(json.dumps(place) if as_json else commit.pr_url or str(commit.commit_url))


def _load(folder: Path) -> Any:
    """The processor or tokenizer in a folder."""
    from transformers import AutoTokenizer

    from ..processing_codec_bpe import CodecBPEProcessor

    if (folder / "processor_config.json").exists():
        return CodecBPEProcessor.from_pretrained(folder)
    if (folder / "tokenizer_config.json").exists():
        return AutoTokenizer.from_pretrained(folder)
    raise PushError(
        f"{folder} holds neither a processor nor a tokenizer: push what train, extend or "
        "save_pretrained wrote."
    )


def _measure(thing: Any, held_out: list[Path], name: str | None) -> CompressionReport | CodecReport:
    """What the tokenizer achieves, and where the extra `evaluate` is there, the codec too."""
    from tqdm import tqdm

    from ..data.sources import read_clips
    from ..evaluation.compression import audio_report
    from ..evaluation.metrics import are_metrics_available
    from ..evaluation.reconstruction import codec_report
    from ..processing_codec_bpe import CodecBPEProcessor

    if not isinstance(thing, CodecBPEProcessor):
        raise PushError(
            f"A {type(thing).__name__} has no codec to measure --held-out with: push a processor."
        )
    files = [clip.audio for clip in readable_clips(read_clips(held_out), thing)]
    clips = tqdm(files, unit="clip", desc="Measuring")
    title = name or ", ".join(map(str, held_out))
    if are_metrics_available():
        return codec_report(thing, clips, name=title)
    return audio_report(thing, clips, name=title)
