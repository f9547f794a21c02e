"""`hf-codec-bpe pack`: a folder of codes to sequences that a language model is trained on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from .options import CodecIndex, check_file, check_finite, frame_rate_of, open_vocabulary

__all__ = ["pack"]


def pack(
    codes: Annotated[
        Path, typer.Argument(help="A folder of codes: encode's, or codec-bpe's.", metavar="CODES")
    ],
    tokenizer: Annotated[
        str,
        typer.Argument(
            help="A codec's tokenizer, or what extend made: a Hub id or a folder.",
            metavar="TOKENIZER",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="The file to write: .parquet (input_ids) or .txt.", metavar="OUT"),
    ],
    codec_index: CodecIndex = None,
    sequence_length: Annotated[
        int,
        typer.Option(
            "--sequence-length", "-l", help="The most tokens in a sequence.", min=1, metavar="N"
        ),
    ] = 4096,
    overlap_seconds: Annotated[
        float,
        typer.Option(
            help="Audio that a window repeats from the one before it.",
            min=0,
            metavar="SECONDS",
            callback=check_finite,
        ),
    ] = 0.0,
    join_clips: Annotated[
        bool, typer.Option("--join-clips", help="Go on with the next clip where one ends.")
    ] = False,
    drop_last: Annotated[
        bool, typer.Option("--drop-last", help="Leave out the last, shorter sequence of each clip.")
    ] = False,
    pad: Annotated[
        bool, typer.Option("--pad", help="Fill up every sequence to its full length.")
    ] = False,
    audio_start_token: Annotated[
        str | None,
        typer.Option(
            help="Before every window; by default the tokenizer's own. '' for none.",
            metavar="TOKEN",
        ),
    ] = None,
    audio_end_token: Annotated[
        str | None, typer.Option(help="After every window; likewise.", metavar="TOKEN")
    ] = None,
    bos: Annotated[
        bool | None,
        typer.Option(
            "--bos/--no-bos",
            help="A BOS token before every window; by default if the "
            "tokenizer begins texts with it.",
        ),
    ] = None,
    eos: Annotated[
        bool | None, typer.Option("--eos/--no-eos", help="An EOS token after it; likewise.")
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(
            help="Frames per second; by default as the folder says.",
            min=0.01,
            metavar="HZ",
            callback=check_finite,
        ),
    ] = None,
    codes_filter: Annotated[
        list[str] | None,
        typer.Option(help="Only files whose path holds this; repeat for more.", metavar="TEXT"),
    ] = None,
    num_sequences: Annotated[
        int | None, typer.Option(help="Only the first N sequences.", min=1, metavar="N")
    ] = None,
) -> None:
    """Pack codes into sequences to train a language model on.

    Every window is whole frames, tokenized by themselves. A .txt file has one sequence a line,
    without the BOS and EOS tokens that the tokenizer adds itself, for which room is left.
    """
    from tqdm import tqdm

    from ..code_shards import open_codes
    from ..data.packing import pack_codes
    from ..data.recordings import whole_clips
    from ..data.sequence_files import is_text, write_sequences

    is_text(out)  # refuses other endings before any work
    vocabulary = open_vocabulary(tokenizer, codec_index)
    num_codebooks = vocabulary.alphabet.num_codebooks
    folder = open_codes(codes, num_codebooks=num_codebooks, codes_filter=codes_filter)
    clips = whole_clips(folder)
    check_file(out)
    overlap_frames = 0
    if overlap_seconds:
        overlap_frames = round(overlap_seconds * frame_rate_of(frame_rate, tokenizer, codes))
    with tqdm(clips, unit="clip", desc="Packing") as shown:  # an error comes after its last line
        sequences = pack_codes(
            shown,
            vocabulary,
            sequence_length,
            overlap_frames=overlap_frames,
            join_clips=join_clips,
            drop_last=drop_last,
            pad=pad,
            audio_start_token=audio_start_token,
            audio_end_token=audio_end_token,
            add_bos_token=bos,
            add_eos_token=eos,
        )
        count = write_sequences(islice(sequences, num_sequences), out, vocabulary)
    typer.echo(f"{count} sequences of at most {sequence_length} tokens: {out}")
