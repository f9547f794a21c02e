"""The files that a codec's authors published, to a folder that `load_codec` reads.

Each family's `conversion.py` has the two functions that are needed of it: `is_checkpoint(tensors)`
tells its checkpoints from others', `convert_files(files)` makes its model of them. SimVQ's takes
`ema` too.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import cached_assets_path, hf_hub_download
from huggingface_hub.errors import HFValidationError

from ..errors import CodecError, CodecNotFoundError, first_line
from .base import AudioCodec
from .converting import read_checkpoint
from .registry import OWN_FAMILIES, codec_class

__all__ = ["Converted", "convert_files", "convert_from_hub", "download_files", "write_codec"]

LAYOUT = 1
"""Raise it when conversion changes: older results in the cache are then no longer used."""


class Downloaded(NamedTuple):
    """A file of a Hub repository, and the commit that it comes from."""

    path: Path
    revision: str


class Converted(NamedTuple):
    """A folder that `load_codec` reads, and the commit that its original comes from."""

    folder: Path
    revision: str


def convert_files(
    files: Mapping[str, str | os.PathLike[str]], *, family: str | None = None, ema: bool = False
) -> AudioCodec:
    """Makes a codec of an original's files.

    Args:
        files: Paths by role: `checkpoint`, and for some `config`.
        family: Which codec it is; by default the checkpoint tells.
        ema: Take the moving averages of the weights, which only SimVQ has.

    Raises:
        CodecNotFoundError: A file is not there.
        CodecError: A file is damaged, unsafe, of no known family, or does not fit the family; or
            there are no averages.
    """
    family = family or _family_of(files["checkpoint"])
    if family not in OWN_FAMILIES:
        raise CodecError(
            f"Originals of the family {family!r} cannot be converted: "
            f"{', '.join(OWN_FAMILIES)} can."
        )
    if ema and family != "simvq":
        raise CodecError(
            f"{OWN_FAMILIES[family]} checkpoints hold no moving averages: leave ema out."
        )
    options = {"ema": ema} if ema else {}
    model = _converter(family).convert_files(files, **options)
    return codec_class(family)(model)


def convert_from_hub(
    hub_id: str,
    files: Mapping[str, str],
    *,
    family: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    **options: Any,
) -> Converted:
    """Converts an original of the Hub once, into the Hugging Face cache.

    The folder appears there whole or not at all, so that processes may do this side by side.

    Args:
        hub_id: The repository.
        files: Names of files there by role, or `repository:name` for another repository.
        family: Which codec it is; by default the checkpoint tells.
        revision: A branch, tag or commit hash of `hub_id`; for files of several repositories
            perhaps one for each, `a,b`, as the result has it.
        token: A Hub token for private repositories.
        cache_dir: Where the Hub's files are cached; its folder `assets` then gets the result.
        local_files_only: Use only what is in the cache.
        options: What else `convert_files` takes.

    Raises:
        CodecNotFoundError: A file that is not there or cannot be reached.
        CodecError: As `convert_files`; or more revisions than repositories.
    """
    access = {"token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
    found = download_files(hub_id, files, revision=revision, **access)
    folder = _cache_folder(hub_id, files, found, options, cache_dir)
    if not folder.is_dir():
        paths = {role: file.path for role, file in found.items()}
        write_codec(convert_files(paths, family=family, **options), folder)
    commits = {_split(hub_id, files[role])[0]: file.revision for role, file in found.items()}
    return Converted(folder, ",".join(commits[each] for each in _repositories(hub_id, files)))


def download_files(
    hub_id: str, files: Mapping[str, str], *, revision: str | None = None, **access: Any
) -> dict[str, Downloaded]:
    """Gets files of the Hub into its cache; see `convert_from_hub`.

    Raises:
        CodecNotFoundError: A file that is not there or cannot be reached.
        CodecError: More revisions than repositories.
    """
    repositories = _repositories(hub_id, files)
    given = revision.split(",") if revision else []
    if len(given) > len(repositories):
        raise CodecError(
            f"revision={revision!r} names {len(given)} commits, but the files come from "
            f"{', '.join(repositories)}: pass at most one for each, in that order."
        )
    revisions = dict(zip(repositories, given, strict=False))
    found = {}
    for role, name in files.items():
        repository, file = _split(hub_id, name)
        found[role] = _download(repository, file, revisions.get(repository), access)
    return found


def _split(hub_id: str, name: str) -> tuple[str, str]:
    """A file's repository and its name there."""
    repository, _, file = name.rpartition(":")
    return repository or hub_id, file


def _repositories(hub_id: str, files: Mapping[str, str]) -> list[str]:
    """All repositories that files come from, the codec's own first."""
    return list(dict.fromkeys([hub_id, *(_split(hub_id, name)[0] for name in files.values())]))


def _download(
    repository: str, file: str, revision: str | None, access: Mapping[str, Any]
) -> Downloaded:
    try:
        path = hf_hub_download(repository, file, revision=revision, **access)
    except (OSError, HFValidationError) as error:
        raise CodecNotFoundError(
            f"The file {file} of {repository} cannot be fetched from the Hub or the cache: check "
            f"the names, the revision and the connection. ({first_line(error)})"
        ) from error
    # The cache keeps files under snapshots/<commit>/.
    return Downloaded(Path(path), Path(path).parents[file.count("/")].name)


def write_codec(codec: AudioCodec, folder: Path) -> None:
    """Writes a codec's folder, whole or not at all.

    If another process has written it meanwhile, that one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as scratch:
        part = Path(scratch, folder.name)
        codec.save_pretrained(part)
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def _cache_folder(
    hub_id: str,
    files: Mapping[str, str],
    found: Mapping[str, Downloaded],
    options: Mapping[str, Any],
    cache_dir: str | os.PathLike[str] | None,
) -> Path:
    """A folder for exactly these files at these commits, converted with these options."""
    revisions = {role: (files[role], file.revision) for role, file in found.items()}
    identity = json.dumps([LAYOUT, revisions, dict(options)], sort_keys=True)
    digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    assets = None if cache_dir is None else Path(cache_dir, "assets")
    parent = cached_assets_path("hf_codec_bpe", hub_id, "converted", assets_dir=assets)
    return parent / f"{files['checkpoint'].replace('/', '--').replace(':', '--')}--{digest}"


def _family_of(checkpoint: str | os.PathLike[str]) -> str:
    tensors = read_checkpoint(checkpoint)
    for family in OWN_FAMILIES:
        if _converter(family).is_checkpoint(tensors):
            return family
    raise CodecError(
        f"{os.fspath(checkpoint)} is not a checkpoint of a known family "
        f"({', '.join(OWN_FAMILIES)}): its weights have names like {next(iter(tensors))}."
    )


def _converter(family: str) -> Any:
    return import_module(f".{family}.conversion", __package__)
