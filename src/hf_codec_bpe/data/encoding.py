"""Encoding files to a folder of codes, in codec-bpe's layout.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..audio import Waveform, load_audio, load_channels
from ..codecs import AudioCodec
from ..codes_folder import CodecInfo, save_codes
from ..errors import CodecBPEError, CodecError, CodesError
from .audio_files import AudioFile

__all__ = ["Encoded", "codec_info", "encode_files"]

SETTINGS_FILE = "encoding.json"
"""All that the codes of a folder depend on."""


class Encoded(NamedTuple):
    """What became of one file."""

    source: Path
    outputs: list[Path]
    seconds: float
    """Of audio; 0 if it was skipped or failed."""
    error: CodecBPEError | None = None


def encode_files(
    codec: AudioCodec,
    files: Iterable[AudioFile],
    out: str | os.PathLike[str],
    *,
    per_channel: bool = False,
    batch_size: int = 8,
    chunk_seconds: float | None = None,
    context_seconds: float = 0.0,
    overwrite: bool = False,
) -> Iterator[Encoded]:
    """Encodes files one by one; a file that fails is reported and touches no other.

    Each file `a/b.wav` becomes `out/a/b_c0.npy`, codes `[K, T]`; with `per_channel`, `b_c1.npy` is
    the second channel. Files that are there already are skipped, so that a run that was broken off
    goes on where it stopped: no file is ever half written. The folder also gets codec-bpe's
    `codec_info.json`, and `encoding.json`, which says all that the codes depend on.

    Args:
        codec: The codec.
        files: What `find_audio` found.
        out: The folder to write to; gets a `codec_info.json` too.
        per_channel: Encode channels apart; by default they are mixed down.
        batch_size: See `AudioCodec.encode`, as for `chunk_seconds` and `context_seconds`.
        chunk_seconds: Cut files into chunks.
        context_seconds: Previous audio that a chunk sees.
        overwrite: Encode files again that are there already.

    Yields:
        What became of each file.

    Raises:
        CodesError: Two files would become one, or the folder holds codes made otherwise.
    """
    out = Path(out)
    targets = _targets(files, out)
    settings = {
        **codec.pin.to_dict(),
        "chunk_seconds": chunk_seconds,
        "context_seconds": context_seconds,
        "per_channel": per_channel,
    }
    _begin_folder(out, codec_info(codec), settings)
    for target, file in targets.items():
        if not overwrite and target.with_name(f"{target.name}_c0.npy").exists():
            yield Encoded(file.path, [], 0.0)
            continue
        try:
            clips = _load(file.path, codec.sampling_rate, per_channel)
            codes = codec.encode(
                clips,
                batch_size=batch_size,
                chunk_seconds=chunk_seconds,
                context_seconds=context_seconds,
            )
        except CodecBPEError as error:
            yield Encoded(file.path, [], 0.0, error)
            continue
        outputs = [target.with_name(f"{target.name}_c{i}.npy") for i in range(len(codes))]
        # Channel 0 tells that a file is done, so it comes last.
        for output, channel in reversed(list(zip(outputs, codes, strict=True))):
            save_codes(output, channel)
        yield Encoded(file.path, outputs, len(clips[0]) / codec.sampling_rate)


def codec_info(codec: AudioCodec) -> CodecInfo:
    """A codec as codec-bpe describes it.

    Raises:
        CodecError: Its codebooks differ in size, which codec-bpe's format cannot say.
    """
    if len(set(codec.codebook_sizes)) != 1:
        raise CodecError(
            f"codec-bpe's folders hold codebooks of one size, but this codec's are "
            f"{list(codec.codebook_sizes)}."
        )
    return CodecInfo(
        codec_type=codec.family,
        codec_model=codec.name_or_path or codec.family,
        sampling_rate_encoder=codec.sampling_rate,
        sampling_rate_decoder=codec.output_sampling_rate,
        num_codebooks=codec.num_codebooks,
        codebook_size=codec.codebook_sizes[0],
        framerate=codec.frame_rate,
    )


def _targets(files: Iterable[AudioFile], out: Path) -> dict[Path, AudioFile]:
    """What each file becomes, without `_c0.npy`."""
    targets: dict[Path, AudioFile] = {}
    for file in files:
        target = out / file.relative.with_suffix("")
        if target in targets:
            raise CodesError(
                f"{file.path} and {targets[target].path} would both become {target}_c0.npy: encode "
                "them to different folders, or rename one."
            )
        targets[target] = file
    return targets


def _begin_folder(out: Path, info: CodecInfo, settings: dict[str, Any]) -> None:
    """Makes the folder, or checks that what is in it was made with the same settings."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / SETTINGS_FILE
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        changed = sorted(k for k in {*found, *settings} if found.get(k) != settings.get(k))
        if changed:
            raise CodesError(
                f"{out} holds codes that were made with other settings ({', '.join(changed)}): "
                "encode to another folder, or delete this one."
            )
    elif any(out.rglob("*.npy")):
        raise CodesError(
            f"{out} holds codes, but no {SETTINGS_FILE} that says how they were made: encode to "
            "another folder."
        )
    info.save(out)
    path.write_text(json.dumps(settings, indent=4), encoding="utf-8")


def _load(path: Path, sampling_rate: int, per_channel: bool) -> list[Waveform]:
    if per_channel:
        return load_channels(path, sampling_rate)
    return [load_audio(path, sampling_rate)]
