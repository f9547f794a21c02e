"""`hf-codec-bpe stats`: how much audio sequences hold, and in how many tokens."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import CodecIndex, check_finite, frame_rate_of, open_vocabulary

if TYPE_CHECKING:
    from ..data.statistics import SequenceStatistics, Spread

__all__ = ["stats"]


def stats(
    data: Annotated[
        Path,
        typer.Argument(
            help="Sequences: .parquet with input_ids, or .txt. pack makes both.", metavar="DATA"
        ),
    ],
    tokenizer: Annotated[
        str,
        typer.Argument(
            help="The tokenizer that made them: a Hub id or a folder.", metavar="TOKENIZER"
        ),
    ],
    codec_index: CodecIndex = None,
    codes: Annotated[
        Path | None,
        typer.Option(help="The folder of codes, which says the frame rate.", metavar="PATH"),
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(
            help="Frames per second; by default from --codes, or the processor.",
            min=0.01,
            metavar="HZ",
            callback=check_finite,
        ),
    ] = None,
    num_sequences: Annotated[
        int | None, typer.Option(help="Only the first N sequences.", min=1, metavar="N")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Show how much audio sequences hold, and in how many tokens."""
    from tqdm import tqdm

    from ..data.sequence_files import read_sequences
    from ..data.statistics import sequence_statistics

    vocabulary = open_vocabulary(tokenizer, codec_index)
    rate = frame_rate_of(frame_rate, tokenizer, codes)
    sequences = islice(read_sequences(data, vocabulary), num_sequences)
    progress = tqdm(sequences, unit="sequence", desc="Counting")
    found = sequence_statistics(progress, vocabulary, rate)
    typer.echo(json.dumps(found.to_dict(), indent=2) if as_json else _report(found))


def _report(found: SequenceStatistics) -> str:
    rows = {
        "seconds per sequence": found.seconds_per_sequence,
        "tokens per sequence": found.tokens_per_sequence,
        "audio tokens per second": found.audio_tokens_per_second,
    }
    return "\n".join(
        [
            f"sequences       {found.num_sequences}",
            f"clips           {found.num_clips}",
            f"audio           {found.seconds:.2f} s ({found.seconds / 3600:.2f} h)",
            f"tokens          {found.num_tokens}: {found.num_audio_tokens} of audio",
            f"per second      {found.tokens_per_second:.2f} tokens",
            f"compression     {found.compression:.3f} codes per token",
            "",
            f"{'':24}{'mean':>10}{'std':>10}{'min':>10}{'median':>10}{'max':>10}",
            *(f"{name:24}{_cells(spread)}" for name, spread in rows.items()),
        ]
    )


def _cells(spread: Spread) -> str:
    figures = (spread.mean, spread.std, spread.min, spread.median, spread.max)
    return "".join(f"{figure:10.2f}" for figure in figures)
