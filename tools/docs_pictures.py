"""The pictures of `docs/how-it-works.md`: the bundled clip in the bundled tokenizer's tokens."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hf_codec_bpe import CodecBPEProcessor, demo_repo
from hf_codec_bpe.bundled import demo_clip
from hf_codec_bpe.evaluation import audio_report
from hf_codec_bpe.evaluation.clip_plot import plot_clip
from hf_codec_bpe.evaluation.clip_tokens import clip_tokens
from hf_codec_bpe.evaluation.plots import plot_token_lengths

__all__ = ["demo_digest", "digest_of", "pictures"]

KEY = "hf_codec_bpe demo"
"""Under which a picture says what it was made from."""
NUM_FRAMES = 40


def pictures() -> dict[str, bytes]:
    """The PNG files by name; each says which demo repository it shows."""
    processor = CodecBPEProcessor.from_pretrained(demo_repo())
    report = audio_report(processor, [demo_clip()], name="the bundled clip")
    return {
        "tokens.png": _marked(plot_clip(clip_tokens(processor, demo_clip()), NUM_FRAMES)),
        "lengths.png": _marked(plot_token_lengths(report)),
    }


def demo_digest() -> str:
    """A hash of the bundled repository and clip."""
    digest = hashlib.sha256()
    files = sorted(path for path in demo_repo().rglob("*") if path.is_file())
    for path in (*files, demo_clip()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def digest_of(picture: Path) -> str | None:
    """The `demo_digest` that a picture was made from."""
    with Image.open(picture) as image:
        return str(image.info.get(KEY))


def _marked(picture: bytes) -> bytes:
    info = PngInfo()
    info.add_text(KEY, demo_digest())
    buffer = BytesIO()
    with Image.open(BytesIO(picture)) as image:
        image.convert("RGB").quantize(128).save(buffer, "PNG", optimize=True, pnginfo=info)
    return buffer.getvalue()
