"""The demo page as a Space: `app.py`, `requirements.txt` and a card, in one commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, SpaceCard, SpaceCardData

from .._version import __version__
from ..errors import PushError
from .cards import BEGIN, update_card
from .pushing import CARD, card_there, refusals_explained

__all__ = ["GRADIO_VERSION", "push_space"]

GRADIO_VERSION = "6.31.0"
"""What a Space runs: the version that the page is tested with."""

_APP = Path(__file__).parent / "space_app.py"
_CARD_TEMPLATE = Path(__file__).parent / "space_card.md"
_BUNDLED = "demo"
_HOW_IT_RUNS = ("sdk", "sdk_version", "app_file", "models")


def push_space(
    repo_id: str,
    processors: Sequence[str] = (_BUNDLED,),
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    requirement: str = f"hf-codec-bpe[demo]=={__version__}",
) -> CommitInfo:
    """Pushes the demo page as a Space that offers these processors.

    The files of an earlier push are replaced. Its card keeps what its owner wrote: all outside of
    our part, and the title, colours and so on.

    Args:
        repo_id: `user/name`; created if it does not exist.
        processors: Hub ids of processors, or `"demo"` for the bundled one.
        private: Whether a new Space is private.
        token: A Hub token; by default that of `hf auth login`.
        requirement: How the Space installs this package: a line of a `requirements.txt`.

    Raises:
        PushError: A processor is not on the Hub, or the Hub refused, or cannot be reached.
    """
    api = HfApi(token=token)
    ours = [name for name in processors if name != _BUNDLED]
    for name in ours:
        _check_on_hub(api, name)
    with refusals_explained(repo_id):
        made = api.create_repo(
            repo_id, repo_type="space", space_sdk="gradio", private=private, exist_ok=True
        )
        repo_id = str(made.repo_id)
        theirs = card_there(api, repo_id, repo_type="space")
        card = _card(repo_id.split("/")[-1], processors, ours)
        files = {
            "app.py": _app(processors),
            "requirements.txt": f"{requirement}\n",
            CARD: card if theirs is None or BEGIN not in theirs else _renewed(theirs, card),
        }
        return api.create_commit(
            repo_id,
            [CommitOperationAdd(name, text.encode()) for name, text in files.items()],
            repo_type="space",
            commit_message="Upload the demo page",
        )


def _check_on_hub(api: HfApi, processor: str) -> None:
    """Refuses what the Space could not load."""
    if Path(processor).is_dir():
        raise PushError(
            f"{processor} is a folder of this machine, which a Space cannot see: push it first "
            "(hf-codec-bpe push), and name its repository."
        )
    with refusals_explained(processor):
        is_there = api.file_exists(processor, "processor_config.json")
    if not is_there:
        raise PushError(
            f"{processor} is not a processor on the Hub: push one first (hf-codec-bpe push)."
        )


def _app(processors: Sequence[str]) -> str:
    return _APP.read_text(encoding="utf-8").replace('["demo"]', json.dumps(list(processors)))


def _card(title: str, processors: Sequence[str], models: list[str]) -> str:
    data = SpaceCardData(
        title=title,
        emoji="🎧",
        colorFrom="green",
        colorTo="indigo",
        sdk="gradio",
        sdk_version=GRADIO_VERSION,
        app_file="app.py",
        short_description="Sound to codec tokens, and back",
        license="apache-2.0",
        models=models or None,
        tags=["audio", "codec-bpe", "neural-audio-codec"],
    )
    template = _CARD_TEMPLATE.read_text(encoding="utf-8")
    names = " ".join(processors)
    return str(SpaceCard.from_template(data, template_str=template, title=title, processors=names))


def _renewed(theirs: str, ours: str) -> str:
    """The card of an earlier push, with our part and what says how the page runs as in ours."""
    card = SpaceCard(update_card(theirs, ours))
    fresh: Any = SpaceCard(ours).data
    for name in _HOW_IT_RUNS:
        setattr(card.data, name, getattr(fresh, name))
    return str(card)
