"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["Bandwidth", "CodecName", "Device", "NumCodebooks", "hide_loading_bars", "open_codec"]

CodecName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--codec",
        "-c",
        help="A preset (hf-codec-bpe presets), a Hub id, a folder, or 'demo' for the bundled one.",
    ),
]
NumCodebooks: TypeAlias = Annotated[
    int | None,
    typer.Option("--num-codebooks", "-k", help="Use the first so many codebooks.", min=1),
]
Bandwidth: TypeAlias = Annotated[
    float | None,
    typer.Option("--bandwidth", help="Or as many as have this bandwidth, in kbps or bps."),
]
Device: TypeAlias = Annotated[
    str, typer.Option("--device", help="Where the codec runs: cpu, cuda, cuda:1...")
]


def hide_loading_bars() -> None:
    """Transformers shows a bar for every model it loads: here they would only flicker."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def open_codec(
    name: str, num_codebooks: int | None, device: str, bandwidth: float | None = None
) -> AudioCodec:
    """The codec that the options name."""
    from ..codecs import load_codec
    from ..codecs.pin import CODEC_FOLDER
    from ..demo import demo_repo

    hide_loading_bars()
    place: str | Path = demo_repo() / CODEC_FOLDER if name == "demo" else name
    return load_codec(place, num_codebooks=num_codebooks, bandwidth=bandwidth, device=device)
