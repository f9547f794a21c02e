"""Folders: small corpora to encode, and whatever is in one afterwards."""

from __future__ import annotations

from pathlib import Path

from hf_codec_bpe.audio import save_audio

from . import tiny


def corpus(folder: Path, num_clips: int) -> Path:
    """Fills a folder with clips of different lengths at 24 kHz, and one file that is not audio."""
    for i in range(num_clips):
        save_audio(tiny.speech_like(8_000 + i, i), folder / f"{i:02d}.wav", 24_000)
    (folder / "10-bad.wav").write_text("no audio")
    return folder


def files_of(folder: str | Path) -> dict[str, bytes]:
    """Every file of a folder, the hidden ones too."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
