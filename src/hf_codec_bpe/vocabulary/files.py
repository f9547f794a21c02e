"""Files of an extended tokenizer that load alike everywhere.

`AutoTokenizer` prefers a class of the model's family to the saved tokenizer where `config.json`
says so (Qwen 2 and 3.5): it would build the base's pre-tokenizer anew and lose the one that keeps
audio apart. An entry in `auto_map` stops that, in Transformers without any code being run. Only a
caller who passes `trust_remote_code=True` loads the module it names, which does nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from . import plain_tokenizer

__all__ = ["ExtendedTokenizer", "portable_config"]

_NAME = "PreTrainedTokenizerFast"  # which Transformers 4 knows too
_LEAKS = (
    "fix_mistral_regex",  # the backend that is saved has been fixed, and would be once more
    "is_local",
    "local_files_only",
    "model_specific_special_tokens",
)
_MODULE = Path(plain_tokenizer.__file__)
_AUTO_MAP = {"AutoTokenizer": [None, f"{_MODULE.stem}.{_NAME}"]}


def portable_config(config: dict[str, Any]) -> dict[str, Any]:
    """A `tokenizer_config.json` with which everybody loads `tokenizer.json` as it is."""
    kept = {key: value for key, value in config.items() if key not in _LEAKS}
    return {**kept, "tokenizer_class": _NAME, "auto_map": _AUTO_MAP}


class ExtendedTokenizer(PreTrainedTokenizerFast):
    """A plain fast tokenizer whose files load as one, whatever model they lie beside."""

    # No __init__: with one of its own, Transformers would rebuild the backend without its parts.

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Saves the tokenizer; see `PreTrainedTokenizerFast.save_pretrained`."""
        # The last call's truncation and padding would be saved too, and hold for other readers.
        self.backend_tokenizer.no_truncation()
        self.backend_tokenizer.no_padding()
        return super().save_pretrained(save_directory, **kwargs)

    def _save_pretrained(
        self, save_directory: Any, file_names: tuple[str, ...], *args: Any, **kwargs: Any
    ) -> tuple[str, ...]:
        """Called between writing `tokenizer_config.json` and uploading."""
        config_file = Path(file_names[0])
        config = portable_config(json.loads(config_file.read_text(encoding="utf-8")))
        text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
        config_file.write_text(text + "\n", encoding="utf-8")
        module = Path(save_directory, _MODULE.name)
        module.write_text(_MODULE.read_text(encoding="utf-8"), encoding="utf-8")
        file_names = (*file_names, str(module))
        return super()._save_pretrained(save_directory, file_names, *args, **kwargs)

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoTokenizer") -> None:
        """Does nothing: repositories carry no copy of this package's source."""
