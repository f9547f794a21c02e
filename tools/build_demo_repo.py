"""Assembles the bundled demo repository from a trained codec and a corpus of speech.

python tools/synthesise_speech.py CORPUS --hours 1 --recordings LJ*.flac
python tools/train_demo_codec.py CORPUS CODEC
python tools/synthesise_speech.py MORE --hours 3 --recordings LJ*.flac
python tools/build_demo_repo.py CODEC MORE src/hf_codec_bpe/demo/repo
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from hf_codec_bpe import CodecBPEProcessor, load_codec, train_tokenizer
from hf_codec_bpe.audio import load_audio
from hf_codec_bpe.codecs.pin import CODEC_FOLDER
from hf_codec_bpe.data.audio_files import find_audio


def main(
    codec_dir: Annotated[Path, typer.Argument(help="What train_demo_codec.py wrote.")],
    corpus: Annotated[Path, typer.Argument(help="A folder of speech to train the tokenizer on.")],
    out: Annotated[Path, typer.Argument(help="The repository to write, anew.")],
    vocab_size: int = 30_000,
) -> None:
    """Train a tokenizer on the codec's codes, and save both as one repository."""
    codec = load_codec(codec_dir)
    files = [file.path for file in find_audio([corpus])]
    codes = [
        codec.encode([load_audio(file, codec.sampling_rate)])[0]
        for file in tqdm(files, desc="Encoding")
    ]
    tokenizer = train_tokenizer(
        codes,
        codebook_sizes=codec.codebook_sizes,
        vocab_size=vocab_size,
        additional_special_tokens=["<|audio_start|>", "<|audio_end|>"],
    )
    shutil.rmtree(out, ignore_errors=True)
    CodecBPEProcessor.from_codec(codec, tokenizer).save_pretrained(out)
    # The codec runs in float32, but is kept in the float16 that it was exported in.
    shutil.copytree(codec_dir, out / CODEC_FOLDER, dirs_exist_ok=True)


if __name__ == "__main__":
    typer.run(main)
