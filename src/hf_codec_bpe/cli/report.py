"""`hf-codec-bpe report`: what a processor's tokenizer achieves on held-out audio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import Device, check_folder, hide_loading_bars, readable_clips

__all__ = ["report"]


def report(
    processor: Annotated[
        str,
        typer.Argument(
            help="A processor: a Hub id, a folder, or 'demo' for the bundled one.",
            metavar="PROCESSOR",
        ),
    ],
    audio: Annotated[
        list[Path],
        typer.Argument(help="Held-out audio: files and folders, or one manifest.", metavar="AUDIO"),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="The folder for the page, its pictures and JSON.", metavar="PATH"
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What the held-out audio is; by default its path.", metavar="TEXT"),
    ] = None,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure a tokenizer on held-out audio, and draw its tokens.

    Writes report.html, report.json and pictures: token lengths, frequencies by rank, and the tokens
    of the first clip over its spectrogram. A clip that cannot be read is reported and left out; the
    exit code is then 1.
    """
    from tqdm import tqdm

    from ..bundled import place_of
    from ..data.sources import read_clips
    from ..evaluation.clip_tokens import clip_tokens
    from ..evaluation.compression import audio_report
    from ..evaluation.pages import write_report
    from ..evaluation.plots import require_matplotlib
    from ..processing_codec_bpe import CodecBPEProcessor

    require_matplotlib()
    check_folder(out)
    hide_loading_bars()
    loaded = CodecBPEProcessor.from_pretrained(place_of(processor)).to(device)
    clips = read_clips(audio)
    good = [clip.audio for clip in readable_clips(clips, loaded)]
    title = name or ", ".join(map(str, audio))
    found = audio_report(loaded, tqdm(good, unit="clip", desc="Measuring"), name=title)
    page = write_report(out, found, clip_tokens(loaded, good[0]))
    if as_json:
        typer.echo(json.dumps(found.to_dict()))
    else:
        typer.echo(
            f"{found.tokens_per_second:.2f} tokens per second, {found.compression:.3f} codes per "
            f"token, {found.coverage:.1%} of the vocabulary used: {page}"
        )
    if len(good) < len(clips):
        raise typer.Exit(1)
