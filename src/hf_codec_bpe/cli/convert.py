"""`hf-codec-bpe convert`: a codec's original checkpoint to a folder for Transformers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import check_new_folder

__all__ = ["convert"]


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="A preset (hf-codec-bpe presets), a Hub id, a checkpoint file, or the YAML beside "
            "one.",
            metavar="SOURCE",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The folder to write: new or empty.", metavar="OUT")],
    file: Annotated[
        str | None,
        typer.Option(
            help="The checkpoint's name in the Hub repository, where no preset knows it.",
            metavar="NAME",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="The original's YAML: needed for FunCodec, for others to check.", metavar="PATH"
        ),
    ] = None,
    ema: Annotated[
        bool,
        typer.Option(
            "--ema", help="SimVQ: take the moving averages of the weights, which give other codes."
        ),
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit hash on the Hub.", metavar="NAME")
    ] = None,
) -> None:
    """Convert a research codec's checkpoint for Transformers.

    FlexiCodec, FunCodec, SimVQ and WavTokenizer were published in formats of their own. Their
    presets are converted by themselves on first use; this keeps the result in a folder, for
    --codec, load_codec and AutoModel. A file that wants to run code is refused.
    """
    from ..codecs.originals import convert_files, write_codec

    check_new_folder(out)
    paths = _find(source, file, revision)
    if config is not None:
        paths["config"] = config
    codec = convert_files(paths, ema=ema)
    write_codec(codec, out)
    counts = Counter(codec.codebook_sizes)
    codebooks = " + ".join(f"{count} x {size}" for size, count in counts.items())
    typer.echo(
        f"{codec.family}: {codec.sampling_rate} Hz, {codec.frame_rate:g} frames/s, "
        f"{codebooks} codes: {out}"
    )


def _find(source: str, file: str | None, revision: str | None) -> dict[str, Path]:
    """The files by role: on this disk, or downloaded."""
    from ..codecs.originals import download_files

    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        return {"checkpoint": _checkpoint_beside(path), "config": path}
    if path.is_file() or path.suffix in (".ckpt", ".pt", ".pth", ".safetensors"):
        return {"checkpoint": path}
    hub_id, files = (source, {"checkpoint": file}) if file else _files_of_preset(source)
    found = download_files(hub_id, files, revision=revision)
    return {role: downloaded.path for role, downloaded in found.items()}


def _files_of_preset(source: str) -> tuple[str, Any]:
    from ..errors import CodecError, CodecNotFoundError
    from ..presets import find_preset, presets

    preset = find_preset(source)
    if preset is None:
        same = [p.name for p in presets().values() if p.hub_id.lower() == source.lower()]
        hint = f"Name one of {', '.join(same)}" if same else "Name its checkpoint"
        raise CodecNotFoundError(
            f"{source} is not a file, and no preset says which checkpoint is meant. {hint}"
            f"{', or its checkpoint' if same else ''} with --file."
        )
    if preset.unsupported:
        raise CodecError(f"{preset.name} cannot be converted. {preset.unsupported}")
    if not preset.files:
        raise CodecError(f"{preset.name} needs no converting: Transformers loads {preset.hub_id}.")
    return preset.hub_id, preset.files


def _checkpoint_beside(config: Path) -> Path:
    """The one checkpoint in the YAML's folder or in the one above."""
    from ..errors import CodecNotFoundError

    for folder in (config.absolute().parent, config.absolute().parent.parent):
        found = sorted(path for path in folder.glob("*") if path.suffix in (".ckpt", ".pth"))
        if len(found) == 1:
            return found[0]
        if found:
            break
    raise CodecNotFoundError(
        f"Beside {config} there {'are several checkpoints' if found else 'is no checkpoint'}: pass "
        "the checkpoint, and the YAML with --config."
    )
