"""Files of an extended tokenizer that load alike everywhere; see `portable`.

The module that they name in `auto_map` does nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from ..codec_vocabulary import CODEC_VOCABULARIES
from ..portable import make_config_portable
from . import plain_tokenizer

__all__ = ["MODULE", "ExtendedTokenizer", "make_portable"]

MODULE = Path(plain_tokenizer.__file__)


def make_portable(
    folder: str | os.PathLike[str], filename_prefix: str | None = None
) -> tuple[str, ...]:
    """Repairs the files of an extended tokenizer that whatever class saved.

    Once loaded by `AutoTokenizer`, it is a tokenizer of Transformers', whose `save_pretrained`
    names its own class, leaves the module out, and keeps the last call's truncation and padding,
    which would hold for everybody who reads `tokenizer.json`.

    Args:
        folder: Where it was saved. Another tokenizer's files stay as they are.
        filename_prefix: As given to `save_pretrained`.

    Returns:
        The paths of files that were added.
    """
    prefix = f"{filename_prefix}-" if filename_prefix else ""
    config_file = Path(folder, f"{prefix}tokenizer_config.json")
    config = json.loads(config_file.read_text(encoding="utf-8"))
    if CODEC_VOCABULARIES not in config:
        return ()
    _forget_last_call(Path(folder, f"{prefix}tokenizer.json"))
    return (make_config_portable(config_file, MODULE),)


def _forget_last_call(tokenizer_file: Path) -> None:
    backend = Tokenizer.from_file(str(tokenizer_file))
    if backend.truncation or backend.padding:
        backend.no_truncation()
        backend.no_padding()
        backend.save(str(tokenizer_file))


class ExtendedTokenizer(PreTrainedTokenizerFast):
    """A plain fast tokenizer whose files load as one, whatever model they lie beside."""

    # No __init__: with one of its own, Transformers would rebuild the backend without its parts.

    def _save_pretrained(
        self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> tuple[str, ...]:
        """Called between writing `tokenizer_config.json` and uploading."""
        files = super()._save_pretrained(save_directory, *args, **kwargs)
        return (*files, *make_portable(save_directory, kwargs.get("filename_prefix")))

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoTokenizer") -> None:
        """Does nothing: repositories carry no copy of this package's source."""
