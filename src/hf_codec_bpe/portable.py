"""Tokenizer files that load alike everywhere.

`AutoTokenizer` prefers a class of the model's family to the saved tokenizer where `config.json`
says so (Qwen 2 and 3.5, Mistral, Phi 3): it would build that family's pre-tokenizer anew, and lose
audio. An entry in `auto_map` stops that, in Transformers without any code being run, as long as
`tokenizer_class` is a class of Transformers'. Only a caller who passes `trust_remote_code=True`
loads the module that the entry names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["STUB", "copy_module", "is_codec_config", "make_config_portable", "portable_config"]

STUB = Path(__file__).parent / "hub" / "processor_stub.py"
"""The module that brings our own classes."""

_CLASS = "PreTrainedTokenizerFast"  # which Transformers 4 knows too
_LEAKS = (
    "fix_mistral_regex",  # the backend that is saved has been fixed, and would be once more
    "is_local",
    "local_files_only",
    "model_specific_special_tokens",
)


def is_codec_config(config: Mapping[str, Any]) -> bool:
    """Whether this `tokenizer_config.json` is a `CodecBPETokenizer`'s."""
    return "codebook_sizes" in config


def portable_config(config: Mapping[str, Any], module: Path, name: str = _CLASS) -> dict[str, Any]:
    """A `tokenizer_config.json` with which everybody loads `tokenizer.json` as it is.

    Args:
        config: What Transformers wrote.
        module: What `trust_remote_code=True` loads; see `copy_module`.
        name: The class in it.
    """
    kept = {key: value for key, value in config.items() if key not in _LEAKS}
    auto_map = {"AutoTokenizer": [None, f"{module.stem}.{name}"]}
    return {**kept, "tokenizer_class": _CLASS, "auto_map": auto_map}


def make_config_portable(file: Path, module: Path, name: str = _CLASS) -> str:
    """Rewrites a `tokenizer_config.json`; returns the path of the module beside it."""
    config = portable_config(json.loads(file.read_text(encoding="utf-8")), module, name)
    text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
    return copy_module(module, file.parent)


def copy_module(module: Path, folder: str | os.PathLike[str]) -> str:
    """Puts a module beside the files that name it; returns its path there."""
    copied = Path(folder, module.name)
    copied.write_text(module.read_text(encoding="utf-8"), encoding="utf-8")
    return str(copied)
