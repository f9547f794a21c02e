"""The demo page as a Space: what is pushed, to a Hub on this machine.

That the page runs from what is pulled is in `test_page_browser.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, SpaceCard, snapshot_download

from hf_codec_bpe import CodecBPEProcessor
from hf_codec_bpe._version import __version__
from hf_codec_bpe.cli import main
from hf_codec_bpe.errors import PushError
from hf_codec_bpe.hub.space import GRADIO_VERSION, push_space

from .hub.server import LocalHub

SPACE = "user/page"
PROCESSOR = "user/codec-bpe-mimi"

pytestmark = pytest.mark.usefixtures("hub")


def pulled() -> Path:
    return Path(snapshot_download(SPACE, repo_type="space"))


def test_three_files_in_one_commit(processor: CodecBPEProcessor) -> None:
    processor.push_to_hub(PROCESSOR)
    commit = push_space(SPACE, ["demo", PROCESSOR])
    assert commit.repo_url.repo_type == "space"
    commits = HfApi().list_repo_commits(SPACE, repo_type="space")
    assert commits[0].title == "Upload the demo page"
    folder = pulled()
    names = {path.name for path in folder.iterdir()} - {".gitattributes"}
    assert names == {"app.py", "requirements.txt", "README.md"}
    assert f'PROCESSORS = ["demo", "{PROCESSOR}"]' in (folder / "app.py").read_text()
    requirements = (folder / "requirements.txt").read_text()
    assert requirements == f"hf-codec-bpe[demo]=={__version__}\n"
    card = SpaceCard.load(folder / "README.md")
    assert card.data.to_dict() == {
        "title": "page",
        "emoji": "🎧",
        "colorFrom": "green",
        "colorTo": "indigo",
        "sdk": "gradio",
        "sdk_version": GRADIO_VERSION,
        "app_file": "app.py",
        "short_description": "Sound to codec tokens, and back",
        "license": "apache-2.0",
        "models": [PROCESSOR],
        "tags": ["audio", "codec-bpe", "neural-audio-codec"],
    }
    assert f"hf-codec-bpe ui demo {PROCESSOR}" in card.text


def test_a_second_push_keeps_what_the_owner_wrote(hub: LocalHub) -> None:
    push_space(SPACE)
    card = SpaceCard.load(pulled() / "README.md")
    card.data.title, card.data.sdk_version = "My page", "1.0.0"
    card.text += "\nMy own words.\n"
    hub.commit(SPACE, {"README.md": str(card).encode(), "mine.txt": b"mine"}, type="space")
    push_space(SPACE, requirement="a-fork[demo]")
    folder = pulled()
    card = SpaceCard.load(folder / "README.md")
    assert (card.data.title, card.data.sdk_version) == ("My page", GRADIO_VERSION)
    assert card.text.count("hf-codec-bpe ui demo") == 1
    assert "My own words." in card.text
    assert (folder / "mine.txt").exists()
    assert (folder / "requirements.txt").read_text() == "a-fork[demo]\n"


def test_the_command(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", "ui", "--push", SPACE, "--private"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert capsys.readouterr().out == f"{hub.endpoint}/spaces/{SPACE}\n"
    assert hub.repositories["space", SPACE].private


def test_what_a_space_could_not_load_is_refused(hub: LocalHub, tmp_path: Path) -> None:
    with pytest.raises(PushError, match="is a folder of this machine"):
        push_space(SPACE, [str(tmp_path)])
    hub.commit("user/something", {"config.json": b"{}"})
    for name in ("user/nothing", "user/something"):
        with pytest.raises(PushError, match=f"{name} is not a processor on the Hub"):
            push_space(SPACE, [name])
    with pytest.raises(PushError, match="no name could not be pushed"):
        push_space(SPACE, ["no name"])
    assert ("space", SPACE) not in hub.repositories


def test_who_may_not_write_is_told(hub: LocalHub) -> None:
    with pytest.raises(PushError, match="user/page could not be pushed"):
        push_space(SPACE, token=hub.read_token)
