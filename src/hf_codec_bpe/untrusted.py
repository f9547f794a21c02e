"""Files that strangers made, read within bounds.

Repositories come from anybody, so their files are checked before anything is built from them: what
is too large, too deep, ambiguous or points elsewhere is refused. Weights are safetensors, and
nothing is ever unpickled or run. `tests/test_attacks.py` lists the attacks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import RepositoryError

__all__ = [
    "check_tokenizer_files",
    "check_weights_index",
    "checked_object",
    "is_repository_name",
    "read_json",
]

MAX_CONFIG_BYTES = 4 * 2**20
MAX_TOKENIZER_BYTES = 256 * 2**20

_FILE_OPTIONS = ("vocab_file", "merges_file", "tokenizer_file", "tokenizer_object", "spm_file")
"""Names of tokenizer options that open files: a repository's own are found by their names."""


def is_repository_name(name: str) -> bool:
    """Whether this may be a Hub id or a preset: no path, nothing to climb up by.

    Example:
        >>> is_repository_name("kyutai/mimi"), is_repository_name("../secrets")
        (True, False)
    """
    part = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
    return re.fullmatch(f"{part}(/{part})?", name) is not None and ".." not in name


def read_json(path: str | os.PathLike[str], max_bytes: int) -> Any:
    """A JSON file's content.

    Raises:
        RepositoryError: The file is larger than `max_bytes`, not JSON, nested deeper than Python
            goes, or holds a key twice.
    """
    size = Path(path).stat().st_size
    if size > max_bytes:
        raise RepositoryError(f"{path} has {size} bytes, and at most {max_bytes} are read.")
    try:
        text = Path(path).read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError as error:
        raise RepositoryError(f"{path} is nested too deeply.") from error
    except ValueError as error:
        raise RepositoryError(
            f"{path} cannot be used ({error}): get the whole file again."
        ) from error


def checked_object(content: Any, path: str) -> dict[str, Any]:
    """What a JSON file holds, if that is names and values.

    Raises:
        RepositoryError: It is something else.
    """
    if not isinstance(content, dict):
        raise RepositoryError(
            f"{path} holds {str(content)[:40]!r}, but must hold a JSON object, as save_pretrained "
            "writes it: get the whole repository again, or save it again."
        )
    return content


def check_tokenizer_files(files: Mapping[str, str | None]) -> None:
    """Refuses a tokenizer's files unless they are as `save_pretrained` writes them.

    Args:
        files: Paths by Transformers' names: `tokenizer_file` and `tokenizer_config_file`.

    Raises:
        RepositoryError: See `read_json`; or a config that names files, or a vocabulary whose
            ids are not one for each token, or whose merges are not of its tokens.
    """
    config_file, tokenizer_file = files.get("tokenizer_config_file"), files.get("tokenizer_file")
    if config_file is not None:
        _check_config(read_json(config_file, MAX_CONFIG_BYTES), config_file)
    if tokenizer_file is not None:
        _check_backend(read_json(tokenizer_file, MAX_TOKENIZER_BYTES), tokenizer_file)


def check_weights_index(folder: str | os.PathLike[str]) -> None:
    """Refuses a local model whose weights are said to lie in other folders.

    Raises:
        RepositoryError: See `read_json`; or files that are not beside the index.
    """
    path = Path(folder, "model.safetensors.index.json")
    if not path.exists():
        return
    check = _checker(str(path))
    index = read_json(path, MAX_TOKENIZER_BYTES)
    files: Any = index.get("weight_map") if isinstance(index, dict) else None
    check(isinstance(files, dict), "it has no weight_map")
    for file in set(map(str, files.values())):
        check(is_repository_name(file) and "/" not in file, f"weights are in {file!r}")


def _check_config(config: Any, path: str) -> None:
    check = _checker(path)
    check(isinstance(config, dict), "it is not a JSON object")
    named = [option for option in _FILE_OPTIONS if config.get(option) is not None]
    check(not named, f"it names files of its own: {', '.join(named)}")
    templates = config.get("chat_template")
    for template in templates if isinstance(templates, list) else []:
        name = template.get("name") if isinstance(template, dict) else None
        check(re.fullmatch(r"[\w-]+", str(name)) is not None, f"a template is named {name!r}")


def _check_backend(backend: Any, path: str) -> None:
    check = _checker(path)
    check(isinstance(backend, dict) and isinstance(backend.get("model"), dict), "it has no model")
    model, added = backend["model"], backend.get("added_tokens") or []
    vocabulary, merges = model.get("vocab"), model.get("merges") or []
    check(isinstance(vocabulary, dict), "its vocabulary is not a mapping of tokens to ids")
    are_tokens = isinstance(added, list) and all(isinstance(token, dict) for token in added)
    check(are_tokens, "its added_tokens are not a list of JSON objects")
    ids = [*vocabulary.values(), *(token.get("id") for token in added)]
    check(all(type(token_id) is int for token_id in ids), "an id is not an integer")
    tokens = {token.get("content"): token["id"] for token in added} | vocabulary
    check(
        all(tokens[token.get("content")] == token["id"] for token in added), "a token has two ids"
    )
    check(len(set(tokens.values())) == len(tokens), "two tokens have one id")
    check(
        all(0 <= token_id < len(tokens) for token_id in ids),
        f"its {len(tokens)} tokens have ids outside of 0 to {len(tokens) - 1}",
    )
    check(isinstance(merges, list) and len(merges) <= len(vocabulary), "it has too many merges")
    wrong = next((merge for merge in merges if not _is_merge(merge, vocabulary)), None)
    check(wrong is None, f"it merges {str(wrong)[:40]}, which are not tokens of its vocabulary")


def _is_merge(merge: Any, vocabulary: Mapping[str, int]) -> bool:
    pair = merge.split(" ") if isinstance(merge, str) else merge
    if not (isinstance(pair, list) and [type(part) for part in pair] == [str, str]):
        return False
    left, right = pair
    return left in vocabulary and right in vocabulary and left + right in vocabulary


def _checker(path: str) -> Callable[[bool, str], None]:
    def check(is_fine: bool, problem: str) -> None:
        if not is_fine:
            raise RepositoryError(
                f"{path} is not as save_pretrained writes it: {problem}. Do not use it."
            )

    return check


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:40]!r} occurs twice")
        result[key] = value
    return result
