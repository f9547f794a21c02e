"""A codec whose processes can be watched, held up and killed; light to import for a worker."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import torch

from hf_codec_bpe.codecs import EncodecCodec


class WatchedCodec(EncodecCodec):
    """Notes which process encodes which clip, told by its length, and obeys files beside the log.

    `meet`: waits until two processes are at work. `hold`: waits at the sixth clip. `die`: the first
    who sees it is killed.
    """

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        with Path("log").open("a") as log:
            log.write(f"{input_values.shape[-1]} {os.getpid()}\n")
        while Path("meet").exists() and len(processes()) < 2:
            time.sleep(0.02)
        while Path("hold").exists() and len(_column(0)) > 5:
            time.sleep(0.02)
        if Path("die").exists():
            Path("die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._encode_batch(input_values)


def encoded() -> Counter[str]:
    """How often each clip was begun to be encoded."""
    return Counter(_column(0))


def processes() -> set[str]:
    """Who encoded."""
    return set(_column(1))


def _column(number: int) -> list[str]:
    return [line.split()[number] for line in Path("log").read_text().splitlines()]
