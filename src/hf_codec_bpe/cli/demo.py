"""`hf-codec-bpe demo`: a clip to tokens and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import hide_loading_bars, make_folder

if TYPE_CHECKING:
    from ..demo.round_trip import RoundTrip

__all__ = ["demo"]


def demo(
    audio: Annotated[
        Path | None,
        typer.Argument(help="An audio file; by default a bundled clip of speech.", metavar="AUDIO"),
    ] = None,
    processor: Annotated[
        str,
        typer.Option(
            "--processor",
            "-p",
            help="A processor: a folder, a Hub id, or 'demo'.",
            metavar="PROCESSOR",
        ),
    ] = "demo",
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Where to write the sound that came back.", metavar="PATH"
        ),
    ] = Path("round_trip.wav"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Turn a clip into tokens and back, and show what happened.

    Needs no network and no account: codec, tokenizer and clip come with the package.
    """
    from ..demo import demo_clip, demo_repo
    from ..demo.round_trip import round_trip
    from ..processing_codec_bpe import CodecBPEProcessor

    make_folder(out.parent)
    hide_loading_bars()
    place = demo_repo() if processor == "demo" else processor
    result = round_trip(CodecBPEProcessor.from_pretrained(place), audio or demo_clip(), out)
    typer.echo(json.dumps(result.to_dict(), indent=2) if as_json else _report(result))


def _report(result: RoundTrip) -> str:
    first = " ".join(str(i) for i in result.first_ids)
    sizes = " ".join(
        f"{size:>{len(str(i))}}"
        for i, size in zip(result.first_ids, result.first_codes, strict=True)
    )
    return "\n".join(
        [
            f"audio         {result.audio}",
            f"duration      {result.seconds:.2f} s",
            f"codes         {result.num_codes}: {result.num_codebooks} codebooks x "
            f"{result.num_frames} frames",
            f"tokens        {result.num_tokens}",
            f"per second    {result.tokens_per_second:.1f} tokens",
            f"compression   {result.compression:.2f} codes per token",
            f"first tokens  {first} ...",
            f"codes held    {sizes} ...",
            f"written       {result.output}",
        ]
    )
