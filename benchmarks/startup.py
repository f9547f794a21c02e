"""How soon one can begin: importing, `--help`, and a processor whose codec is not needed yet.

    python benchmarks/startup.py [--runs 7]

Every run is a new process; those that are compared take turns. Seconds are those of the processor,
which other work on the machine lengthens less.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import typer
from measuring import summary, tell

from hf_codec_bpe import CodecBPEProcessor, demo_repo, load_codec, train_tokenizer

VOCAB_SIZE = 30_000

CLOCK = "import time; start = time.process_time()"
STOP = "print(time.process_time() - start)"
IMPORT = f"{CLOCK}; import transformers; {STOP}"
IMPORT_OURS = f"""{CLOCK}; import transformers, hf_codec_bpe; {STOP}
import sys; assert "torch" not in sys.modules, "hf_codec_bpe imports torch"
"""
HELP = f"""{CLOCK}; import sys; sys.argv = ["hf-codec-bpe", "--help"]
import contextlib, io
from hf_codec_bpe.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()
{STOP}
"""
LOAD = f"""
import sys, hf_codec_bpe
from transformers import AutoProcessor, AutoTokenizer
{CLOCK}; auto = AutoProcessor if sys.argv[2] == "processor" else AutoTokenizer
auto.from_pretrained(sys.argv[1])
{STOP}
"""


def main(runs: int = 7) -> None:
    """Print seconds of each."""
    tell(compare(runs))


def compare(runs: int) -> dict[str, Any]:
    """Seconds of importing, of `--help` and of loading, after one run that fills caches."""
    with tempfile.TemporaryDirectory() as folder:
        _save_processor(folder)
        ways = {
            "import transformers": [IMPORT],
            "import transformers, hf_codec_bpe": [IMPORT_OURS],
            "hf-codec-bpe --help": [HELP],
            "AutoTokenizer.from_pretrained": [LOAD, folder, "tokenizer"],
            "AutoProcessor.from_pretrained": [LOAD, folder, "processor"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(runs + 1):
            for name, way in ways.items():
                seconds[name].append(_run(way))
    return {name: summary(found[1:]) for name, found in seconds.items()}


def _run(way: list[str]) -> float:
    ran = subprocess.run(
        [sys.executable, "-c", *way], stdout=subprocess.PIPE, check=True, text=True
    )
    return float(ran.stdout.split()[-1])


def _save_processor(folder: str) -> None:
    """The bundled codec with a vocabulary of the size that codec-bpe recommends."""
    codec = load_codec(Path(demo_repo(), "codec"))
    rng = np.random.default_rng(0)
    shape, sizes = (codec.num_codebooks, 4_000), np.array(codec.codebook_sizes)[:, None]
    clips = [rng.geometric(0.02, shape).clip(1, sizes) - 1 for _ in range(60)]
    tokenizer = train_tokenizer(clips, codebook_sizes=codec.codebook_sizes, vocab_size=VOCAB_SIZE)
    assert len(tokenizer) == VOCAB_SIZE
    CodecBPEProcessor.from_codec(codec, tokenizer).save_pretrained(folder)


if __name__ == "__main__":
    typer.run(main)
