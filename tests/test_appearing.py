"""Files and folders are whole or not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hf_codec_bpe.appearing import appearing_file, appearing_folder, is_left_behind, write_json


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def half_written(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("ne")
    raise OSError("The disk is full.")


@pytest.mark.parametrize("is_durable", [False, True])
@pytest.mark.parametrize("is_shared", [False, True])
def test_a_file_appears_at_the_end(tmp_path: Path, is_shared: bool, is_durable: bool) -> None:
    path = tmp_path / "below" / "file"
    for text in ("first", "second"):
        before = path.read_text() if path.exists() else None
        with appearing_file(path, is_shared=is_shared, is_durable=is_durable) as partial:
            partial.write_text(text)
            assert (path.read_text() if path.exists() else None) == before
        assert path.read_text() == text
    assert names(tmp_path) == ["below", "below/file"]


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path, is_shared: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), appearing_file(path, is_shared=is_shared) as partial:
        half_written(partial)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_two_writers_of_a_shared_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with appearing_file(path, is_shared=True) as one, appearing_file(path, is_shared=True) as two:
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"  # the last to be done
    assert names(tmp_path) == ["file"]


def test_the_guard_is_around_our_own_steps_only(tmp_path: Path) -> None:
    @contextmanager
    def guard(path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ValueError(path.name) from error

    with pytest.raises(ValueError, match="file"), appearing_file(tmp_path / "file", guard=guard):
        pass  # nothing was written
    with pytest.raises(KeyError), appearing_file(tmp_path / "file", guard=guard):
        raise KeyError
    with pytest.raises(FileNotFoundError), appearing_file(tmp_path / "file", guard=guard):
        Path(tmp_path, "missing").read_text()


def test_json(tmp_path: Path) -> None:
    write_json(tmp_path / "below" / "values.json", {"a": [1, 2]})
    assert json.loads((tmp_path / "below" / "values.json").read_text()) == {"a": [1, 2]}


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_longest_names(tmp_path: Path, is_shared: bool) -> None:
    for name in ("x" * 255, "\u97f3" * 85):
        with appearing_file(tmp_path / name, is_shared=is_shared) as partial:
            partial.write_text(name)
        assert (tmp_path / name).read_text() == name
    assert len(names(tmp_path)) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from hf_codec_bpe.appearing import appearing_file

with appearing_file(Path(sys.argv[1]), is_shared=True) as partial:
    partial.write_text("ha")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_is_told_from_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with appearing_file(tmp_path / "file", is_shared=True) as written:
        written.write_text("ha")
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "file")], check=False)
        (left,) = set(tmp_path.iterdir()) - {written}
        assert is_left_behind(left)
        assert not is_left_behind(written)
        monkeypatch.setattr("platform.node", lambda: "another machine")
        for path in (left, written):
            assert not is_left_behind(path)  # nobody can tell
        os.utime(left, (0, 0))
        assert is_left_behind(left)
    assert not is_left_behind(written)  # it has appeared


def make(part: Path) -> None:
    (part / "codec").mkdir(parents=True)
    for name in ("one", "two", "codec/three"):
        (part / name).write_text(f"new {name}")


MADE = ["codec", "codec/three", "one", "two"]


def test_a_folder_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "below" / "folder"
    with appearing_folder(path) as part:
        make(part)
        assert not path.exists()
    assert names(path) == MADE
    assert names(tmp_path / "below") == ["folder", *(f"folder/{name}" for name in MADE)]


def test_a_folder_that_is_there_keeps_its_other_files(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "codec").mkdir(parents=True)
    path.chmod(0o770)
    for name in ("notes", "one", "codec/three", "codec/notes"):
        (path / name).write_text("old")
    with appearing_folder(path) as part:
        make(part)
        assert (path / "one").read_text() == "old"
    assert names(path) == sorted([*MADE, "notes", "codec/notes"])
    assert {(path / name).read_text() for name in ("notes", "codec/notes")} == {"old"}
    assert all((path / name).read_text() == f"new {name}" for name in MADE if name != "codec")
    assert path.stat().st_mode & 0o777 == 0o770


def test_links_and_dots_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with appearing_folder(tmp_path / "link") as part:
        make(part)
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == MADE
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "mine").touch()
    monkeypatch.chdir(tmp_path / "below")
    with appearing_folder(Path("..", "real", "..")) as part:
        make(part)
    assert names(tmp_path / "below") == ["mine"]
    assert set(MADE) < set(names(tmp_path))


KILLED_FOLDER = """
import os, signal, sys
from pathlib import Path
from hf_codec_bpe.appearing import appearing_folder

with appearing_folder(Path(sys.argv[1])) as part:
    part.mkdir()
    (part / "one").write_text("ha")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_killed_process_leaves_of_a_folder_goes(tmp_path: Path, is_new: bool) -> None:
    path = tmp_path / "[a].folder"
    if not is_new:
        path.mkdir()
    subprocess.run([sys.executable, "-c", KILLED_FOLDER, str(path)], check=False)
    assert len(names(tmp_path)) == 2 + (not is_new)
    with appearing_folder(path) as other:
        make(other)
        with appearing_folder(path) as part:
            make(part)
        assert other.is_dir()  # its process is at work
    assert names(tmp_path) == ["[a].folder", *(f"[a].folder/{name}" for name in MADE)]


def test_a_folder_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "file").write_text("old")
    with pytest.raises(OSError, match="full"), appearing_folder(path) as part:
        half_written(part / "file")
    assert names(tmp_path) == ["folder", "folder/file"]
    assert (path / "file").read_text() == "old"
