"""`hf-codec-bpe train`: a folder of codes to a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..appearing import appearing_folder
from ..errors import TrainingError
from .options import check_finite, check_folder, code_point

if TYPE_CHECKING:
    from ..codes_folder import CodecInfo

__all__ = ["train"]


def train(
    codes: Annotated[
        Path, typer.Argument(help="A folder of codes: encode's, or codec-bpe's.", metavar="CODES")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of the tokenizer.", metavar="PATH")
    ] = Path("tokenizer"),
    vocab_size: Annotated[int, typer.Option(help="How many tokens in all.", metavar="N")] = 30000,
    max_token_codebook_ngrams: Annotated[
        int,
        typer.Option(
            help="The most codes in a token, in frames' worth; 0 learns no merges.",
            min=0,
            metavar="N",
        ),
    ] = 2,
    min_frequency: Annotated[
        int,
        typer.Option(
            help="How often a run of codes must occur to become a token.", min=0, metavar="N"
        ),
    ] = 2,
    chunk_seconds: Annotated[
        float,
        typer.Option(
            help="No token spans two chunks of this length; 0 does not cut.",
            min=0,
            metavar="SECONDS",
            callback=check_finite,
        ),
    ] = 30.0,
    num_codebooks: Annotated[
        int | None,
        typer.Option(
            "--num-codebooks",
            "-k",
            help="Use only the first N codebooks; by default all.",
            min=1,
            metavar="N",
        ),
    ] = None,
    codebook_size: Annotated[
        int | None,
        typer.Option(
            help="Codes in a codebook; by default as the folder says.", min=1, metavar="N"
        ),
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
    pad_token: Annotated[
        str, typer.Option(help="The padding token; '' for none.", metavar="TOKEN")
    ] = "<pad>",
    bos_token: Annotated[
        str | None, typer.Option(help="A token that begins a sequence.", metavar="TOKEN")
    ] = None,
    eos_token: Annotated[
        str | None, typer.Option(help="A token that ends a sequence.", metavar="TOKEN")
    ] = None,
    unk_token: Annotated[
        str | None, typer.Option(help="A token for whatever is not a code.", metavar="TOKEN")
    ] = None,
    special_token: Annotated[
        list[str] | None,
        typer.Option(help="A further special token; repeat for more.", metavar="TOKEN"),
    ] = None,
    unicode_offset: Annotated[
        str | None,
        typer.Option(help="The first character's code point, such as 0x4E00.", metavar="CODE"),
    ] = None,
    codes_filter: Annotated[
        list[str] | None,
        typer.Option(help="Only clips whose path holds this; repeat for more.", metavar="TEXT"),
    ] = None,
    num_files: Annotated[
        int | None, typer.Option(help="Only the first N clips.", min=1, metavar="N")
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            help="Of those, only a random sample of this much audio.",
            min=0.001,
            metavar="SECONDS",
            callback=check_finite,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Chooses the sample; the same seed chooses the same clips.", metavar="N"),
    ] = 0,
) -> None:
    """Train a tokenizer on codes.

    Learns which runs of codes are frequent enough to become a token of their own.
    """
    from ..code_shards import CodeShards, open_codes
    from ..training import train_tokenizer
    from ..training.trainer import frames_of_chunk

    info = open_codes(codes, num_files=1).info
    check_folder(out)
    k = num_codebooks or _known(info, "num_codebooks", "--num-codebooks")
    size = codebook_size or _known(info, "codebook_size", "--codebook-size")
    chunk_frames = None
    if chunk_seconds:
        rate = frame_rate or _known(info, "framerate", "--frame-rate")
        chunk_frames = frames_of_chunk(chunk_seconds, rate)
    folder = open_codes(
        codes,
        num_codebooks=int(k),
        codes_filter=codes_filter,
        num_files=num_files,
        max_seconds=max_seconds,
        seed=seed,
    )
    sizes = [int(size)] * int(k)
    if isinstance(folder, CodeShards) and not codebook_size:
        sizes = folder.codebook_sizes
    tokenizer = train_tokenizer(
        folder,
        codebook_sizes=sizes,
        vocab_size=vocab_size,
        max_token_codebook_ngrams=max_token_codebook_ngrams,
        min_frequency=min_frequency,
        chunk_frames=chunk_frames,
        unicode_offset=None if unicode_offset is None else code_point(unicode_offset),
        bos_token=bos_token,
        eos_token=eos_token,
        unk_token=unk_token,
        pad_token=pad_token,
        additional_special_tokens=special_token or (),
        show_progress=True,
    )
    with appearing_folder(out) as part:
        tokenizer.save_pretrained(part)
    all_codes = open_codes(codes)
    used = f"{len(folder)} of {len(all_codes)} clips"
    if info:
        used += f" ({folder.seconds / 3600:.2f} of {all_codes.seconds / 3600:.2f} hours)"
    typer.echo(f"A tokenizer of {len(tokenizer)} tokens, trained on {used}: {out}")


def _known(info: CodecInfo | None, field: str, option: str) -> float:
    if info is None:
        raise TrainingError(f"The folder has no codec_info.json: pass {option}.")
    return float(getattr(info, field))
