"""Putting a folder on the Hub: one commit, with a card that keeps what its owner wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    RevisionNotFoundError,
)

from ..configuration_codec_bpe import CodecBPEConfig
from ..errors import PushError, first_line
from .cards import make_card, update_card

if TYPE_CHECKING:
    from ..evaluation.codec_figures import CodecReport
    from ..evaluation.compression_figures import CompressionReport

__all__ = [
    "CARD",
    "card_for",
    "card_there",
    "draw",
    "push",
    "push_folder",
    "refusals_explained",
]

CARD = "README.md"
CONFIG = "config.json"
_NO_ANSWER: type[Any] = HfHubHTTPError.__mro__[1]
"""What the Hub's HTTP client raises without an answer: its package changes with huggingface_hub."""
_PICTURE = "codec_bpe_report/token_lengths.png"


def push(
    thing: Any,
    repo_id: str,
    *,
    report: CompressionReport | CodecReport | None = None,
    tags: Sequence[str] | None = None,
    datasets: Sequence[str] = (),
    **options: Any,
) -> CommitInfo:
    """Saves a processor or a codec's tokenizer, and pushes it with a card.

    Args:
        thing: Whatever has `save_pretrained` and a card.
        repo_id: `user/name`.
        report: What was measured on a held-out set, for the card.
        tags: More tags for the card.
        datasets: Hub ids of the datasets that the tokenizer was trained on, for the card.
        options: See `push_folder`, which also lists the errors.
    """
    with TemporaryDirectory() as name:
        thing.save_pretrained(name)
        if options.get("commit_message") is None:
            options["commit_message"] = f"Upload {type(thing).__name__}"
        pictures = draw(report)
        card = card_for(thing, repo_id, report=report, tags=tags or (), datasets=datasets)
        return push_folder(name, repo_id, card=card, extra=pictures, **options)


def card_for(
    thing: Any,
    repo_id: str,
    *,
    report: CompressionReport | CodecReport | None = None,
    tags: Sequence[str] = (),
    datasets: Sequence[str] = (),
) -> str:
    """The card of what is pushed, as text."""
    picture = _PICTURE if _drawable(report) else None
    return str(
        make_card(thing, repo_id, report=report, tags=tags, datasets=datasets, picture=picture)
    )


def draw(report: CompressionReport | CodecReport | None) -> dict[str, bytes]:
    """The card's pictures by their names in the repository; none without matplotlib."""
    from ..evaluation.plots import plot_token_lengths

    compression = _drawable(report)
    return {_PICTURE: plot_token_lengths(compression)} if compression else {}


def _drawable(report: CompressionReport | CodecReport | None) -> CompressionReport | None:
    from ..evaluation.codec_figures import compression_of
    from ..evaluation.plots import is_matplotlib_available

    return compression_of(report) if is_matplotlib_available() else None


def push_folder(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    card: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
    commit_description: str | None = None,
) -> CommitInfo:
    """Pushes a folder as it is, all of it in one commit.

    Args:
        folder: The folder.
        repo_id: `user/name`; created if it does not exist.
        card: Our card. The repository's own keeps all that stands outside of our part.
        extra: More files by their names in the repository.
        private: Whether a new repository is private.
        token: A Hub token; by default that of `hf auth login`.
        revision: The branch, created if it does not exist; by default `main`.
        create_pr: Open a pull request instead of committing.
        commit_message: The commit's title.
        commit_description: The rest of its message.

    Raises:
        PushError: The Hub refused, or cannot be reached.
    """
    api = HfApi(token=token)
    with refusals_explained(repo_id):
        repo_id = str(api.create_repo(repo_id, private=private, exist_ok=True).repo_id)
        if revision is not None and not revision.startswith("refs/pr/"):
            _make_branch(api, repo_id, revision, create_pr)
        contents: dict[str, Any] = {
            path.relative_to(folder).as_posix(): path for path in _files(Path(folder))
        }
        if _is_placeholder(contents.get(CONFIG)) and api.file_exists(
            repo_id, CONFIG, revision=revision
        ):
            del contents[CONFIG]  # a language model's is there
        theirs = card_there(api, repo_id, revision=revision) or _text(contents.get(CARD))
        contents |= extra or {}
        if card is not None:
            contents[CARD] = (update_card(theirs, card) if theirs else card).encode()
        return api.create_commit(
            repo_id,
            [CommitOperationAdd(name, content) for name, content in contents.items()],
            commit_message=commit_message or f"Upload {Path(folder).absolute().name}",
            commit_description=commit_description,
            revision=revision,
            create_pr=create_pr,
        )


@contextmanager
def refusals_explained(repo_id: str) -> Iterator[None]:
    """Raises what goes wrong between here and the Hub as a `PushError`."""
    try:
        yield
    except (HfHubHTTPError, _NO_ANSWER, HFValidationError, OSError) as error:
        raise PushError(
            f"{repo_id} could not be pushed: {first_line(error)} Check the name, the connection, "
            "and that the token may write there (`hf auth login`)."
        ) from error


def card_there(api: HfApi, repo_id: str, **place: Any) -> str | None:
    """The card that a repository has; `place` is its `repo_type` and `revision`."""
    try:
        path = api.hf_hub_download(repo_id, CARD, **place)
    except (EntryNotFoundError, RevisionNotFoundError):
        return None
    return _text(Path(path))


def _make_branch(api: HfApi, repo_id: str, revision: str, create_pr: bool) -> None:
    try:
        api.create_branch(repo_id, branch=revision, exist_ok=True)
    except HfHubHTTPError as error:
        # Who may only suggest changes cannot make branches; the commit tells whether it is there.
        if not (create_pr and error.response.status_code == 403):
            raise


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, save hidden ones such as a clone's `.git`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts):
            yield path


def _is_placeholder(path: Path | None) -> bool:
    """Whether this `config.json` describes no model."""
    if path is None:
        return False
    described = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    return bool(described == CodecBPEConfig.model_type)


def _text(path: Path | None) -> str | None:
    return path.read_text(encoding="utf-8") if path is not None else None
