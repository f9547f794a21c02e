"""The numbers that SenseVoice's inputs are normalised by.

Axis letters: N = features.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from safetensors.torch import load_file

from ...errors import CodecError, CodecNotFoundError

__all__ = ["published_cmvn", "read_cmvn"]

PUBLISHED = Path(__file__).with_name("sensevoice_cmvn.safetensors")


def published_cmvn() -> torch.Tensor:
    """SenseVoiceSmall's shifts and scales, float32 `[2, 560]`.

    They are the numbers of `am.mvn`, which is in the repository FunAudioLLM/SenseVoiceSmall and in
    FlexiCodec's own package (https://github.com/amphionspace/FlexiCodec, MIT licence).
    """
    return load_file(PUBLISHED)["cmvn"]


def read_cmvn(path: str | os.PathLike[str]) -> torch.Tensor:
    """Reads Kaldi's text file of normalisation, SenseVoiceSmall's `am.mvn`.

    Returns:
        The shifts and the scales, float32 `[2, N]`.

    Raises:
        CodecNotFoundError: There is no such file.
        CodecError: The file does not hold shifts and scales.
    """
    if not Path(path).is_file():
        raise CodecNotFoundError(f"There is no file {os.fspath(path)}: check the path.")
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    rows = [
        [
            float(number)
            for found in re.findall(rf"<{tag}>[^[]*\[([-+.\deE\s]*)\]", text)
            for number in found.split()
        ]
        for tag in ("AddShift", "Rescale")
    ]
    if not rows[0] or len(rows[0]) != len(rows[1]):
        raise CodecError(
            f"{os.fspath(path)} holds {len(rows[0])} shifts and {len(rows[1])} scales: pass the "
            "am.mvn of SenseVoiceSmall, whole."
        )
    return torch.tensor(rows, dtype=torch.float32)
