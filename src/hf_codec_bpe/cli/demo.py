"""`hf-codec-bpe demo`: a clip to tokens and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import AudioError
from .options import check_file, hide_loading_bars

if TYPE_CHECKING:
    from ..demo.trip import Trip

__all__ = ["demo"]

_NUM_FIRST = 12
"""Tokens that are shown one by one."""


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
    from ..audio import audio_format, load_audio, save_audio
    from ..bundled import demo_clip, place_of
    from ..demo.trip import round_trip
    from ..processing_codec_bpe import CodecBPEProcessor

    audio_format(out)
    check_file(out)
    file = audio or demo_clip()
    if out.exists() and file.exists() and out.samefile(file):
        raise AudioError(f"{out} is the clip itself, which would be lost: choose another --out.")
    hide_loading_bars()
    loaded = CodecBPEProcessor.from_pretrained(place_of(processor))
    trip = round_trip(
        load_audio(file, loaded.codec.sampling_rate),
        loaded.codec,
        loaded.vocabulary,
        chunk_seconds=loaded.chunk_seconds,
        context_seconds=loaded.context_seconds,
    )
    save_audio(trip.returned, out, trip.returned_rate)
    figures = _figures(trip, file, out)
    typer.echo(json.dumps(figures, indent=2) if as_json else _report(figures))


def _figures(trip: Trip, audio: Path, out: Path) -> dict[str, Any]:
    """The figures as JSON values."""
    return {
        "audio": str(audio),
        "output": str(out),
        "seconds": trip.seconds,
        "num_codebooks": len(trip.codebook_sizes),
        "num_frames": trip.num_frames,
        "num_codes": trip.num_codes,
        "num_tokens": trip.num_tokens,
        "first_ids": (trip.ids or [])[:_NUM_FIRST],
        "first_codes": trip.clip.lengths[:_NUM_FIRST].tolist(),
        "tokens_per_second": round(trip.tokens_per_second, 2),
        "compression": round(trip.compression, 3),
    }


def _report(figures: dict[str, Any]) -> str:
    first = [str(i) for i in figures["first_ids"]]
    sizes = [f"{n:>{len(i)}}" for i, n in zip(first, figures["first_codes"], strict=True)]
    return "\n".join(
        [
            f"audio         {figures['audio']}",
            f"duration      {figures['seconds']:.2f} s",
            f"codes         {figures['num_codes']}: {figures['num_codebooks']} codebooks x "
            f"{figures['num_frames']} frames",
            f"tokens        {figures['num_tokens']}",
            f"per second    {figures['tokens_per_second']:.1f} tokens",
            f"compression   {figures['compression']:.2f} codes per token",
            f"first tokens  {' '.join(first)} ...",
            f"codes held    {' '.join(sizes)} ...",
            f"written       {figures['output']}",
        ]
    )
