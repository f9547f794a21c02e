"""The local Hub answers its real clients as the public one does."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, load_dataset
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    ModelCard,
    ModelCardData,
    get_hf_file_metadata,
    get_session,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tokenizers import Tokenizer, models
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from .hub import LocalHub, isolation

REPO = "user/thing"


@pytest.fixture
def api(hub: LocalHub) -> HfApi:
    return HfApi()


@pytest.fixture
def repo(api: HfApi) -> str:
    """A public model repository of the user's."""
    return api.create_repo(REPO).repo_id


def put(api: HfApi, path: str, data: bytes, **options: str) -> str:
    return api.upload_file(path_in_repo=path, path_or_fileobj=data, repo_id=REPO, **options).oid


def read(path: str = "file.txt", **options: str) -> bytes:
    return Path(hf_hub_download(REPO, path, **options)).read_bytes()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def asked(hub: LocalHub, method: str) -> list[str]:
    return [request.path for request in hub.requests if request.method == method]


def status_of(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


# Isolation


def test_without_a_hub_nothing_is_reached() -> None:
    with pytest.raises(OfflineModeIsEnabled):
        HfApi().model_info(REPO)
    with pytest.raises(LocalEntryNotFoundError):
        read()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", isolation.PORT))
    with pytest.raises(socket.gaierror, match="stay on this machine"):
        socket.create_connection(("huggingface.co", 443))


@pytest.mark.parametrize("round", [1, 2])
def test_every_test_starts_afresh(hub: LocalHub, round: int) -> None:
    """In the second round nothing of the first is left."""
    assert not hub.repositories
    assert not any(isolation.HOME.iterdir())
    hub.commit(REPO, {"file.txt": b"%d" % round})
    assert read() == b"%d" % round


def test_offline_only_the_cache_is_asked(
    hub: LocalHub, api: HfApi, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = put(api, "file.txt", b"cached")
    folder = snapshot_download(REPO)
    isolation.set_offline(monkeypatch, True)
    hub.requests.clear()
    assert read() == b"cached"
    assert snapshot_download(REPO) == folder
    assert try_to_load_from_cache(REPO, "file.txt", revision=commit) == f"{folder}/file.txt"
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download(REPO, "other.txt")
    assert not hub.requests


def test_a_process_of_its_own(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    api.create_repo(REPO, private=True)
    put(api, "file.txt", b"secret")
    code = f"import huggingface_hub as h; print(h.hf_hub_download('{REPO}', 'file.txt'))"
    for token, succeeds in ((hub.read_token, True), (None, False)):
        environment = hub.environment(tmp_path / str(token), token)
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert (done.returncode == 0) == succeeds, done.stderr
        assert done.stdout.startswith(str(tmp_path / str(token))) == succeeds
        assert {request.token for request in hub.requests if request.method == "HEAD"} >= {token}


# Repositories and who may see them


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_create_fill_and_delete(hub: LocalHub, api: HfApi, repo_type: str) -> None:
    sdk = "gradio" if repo_type == "space" else None
    url = api.create_repo("thing", repo_type=repo_type, space_sdk=sdk)
    assert (url.repo_id, url.repo_type, url.endpoint) == (REPO, repo_type, hub.endpoint)
    with pytest.raises(HfHubHTTPError, match="already created"):
        api.create_repo(REPO, repo_type=repo_type, space_sdk=sdk)
    assert api.create_repo(REPO, repo_type=repo_type, space_sdk=sdk, exist_ok=True) == url
    commit = put(api, "a/file.txt", b"text", repo_type=repo_type)
    info = api.repo_info(REPO, repo_type=repo_type, files_metadata=True)
    assert (info.id, info.author, info.sha, info.private) == (REPO, "user", commit, False)
    assert {file.rfilename: file.size for file in info.siblings}["a/file.txt"] == 4
    assert read("a/file.txt", repo_type=repo_type) == b"text"
    api.delete_repo(REPO, repo_type=repo_type)
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info(REPO, repo_type=repo_type)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(REPO, repo_type=repo_type)


def test_a_private_repository_is_only_its_owners(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    api.create_repo(REPO, private=True)
    put(api, "file.txt", b"secret")
    assert api.model_info(REPO, token=hub.read_token).private
    for token, status in ((False, 401), (hub.other_token, 404)):
        with pytest.raises(RepositoryNotFoundError) as caught:
            api.model_info(REPO, token=token)
        assert status_of(caught) == status
        with pytest.raises(RepositoryNotFoundError):
            read(token=token, cache_dir=tmp_path)
        assert not api.repo_exists(REPO, token=token)
    api.update_repo_settings(REPO, private=False)
    assert read(token=False, cache_dir=tmp_path) == b"secret"


def test_a_missing_repository_looks_like_a_private_one(api: HfApi) -> None:
    for token, status in ((False, 401), (None, 404)):
        with pytest.raises(RepositoryNotFoundError) as caught:
            api.model_info("user/missing", token=token)
        assert status_of(caught) == status


def test_tokens(hub: LocalHub, api: HfApi, repo: str) -> None:
    assert api.whoami()["name"] == "user"
    assert api.whoami(token=hub.other_token)["name"] == "other"
    for token, status in ((hub.read_token, 403), (hub.other_token, 403), ("wrong", 401)):
        with pytest.raises(HfHubHTTPError) as caught:
            put(api, "file.txt", b"text", token=token)
        assert status_of(caught) == status
        assert not isinstance(caught.value, RepositoryNotFoundError)
    with pytest.raises(HfHubHTTPError, match="rights"):
        api.create_repo("other/thing")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token="wrong")


# Commits


def test_a_folder_up_and_down(api: HfApi, repo: str, tmp_path: Path) -> None:
    files = {"a.txt": b"a", "sub/b.txt": b"b" * 1000, "sub/deep/c d.txt": b"c", "empty": b""}
    for name, data in files.items():
        (tmp_path / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / name).write_bytes(data)
    commit = api.upload_folder(repo_id=repo, folder_path=tmp_path / "up")
    folder = Path(snapshot_download(repo, revision=commit.oid))
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert set(api.list_repo_files(repo)) == {*files, ".gitattributes"}
    some = Path(snapshot_download(repo, allow_patterns="sub/*", local_dir=tmp_path / "down"))
    assert not (some / "a.txt").exists()
    assert (some / "sub" / "deep" / "c d.txt").read_bytes() == b"c"
    again = api.upload_folder(repo_id=repo, folder_path=tmp_path / "up")
    assert again.oid == commit.oid, "nothing has changed"


def test_trees_and_paths(hub: LocalHub, api: HfApi, repo: str) -> None:
    inside = {f"folder/{i}.txt": b"%d" % i for i in range(5)}
    first = hub.commit(repo, inside, message="first")
    second = hub.commit(repo, {"folder/0.txt": b"new", "model.safetensors": b"w"}, message="second")
    hub.page_size = 2
    tree = {entry.path: entry for entry in api.list_repo_tree(repo, recursive=True, expand=True)}
    assert set(tree) == {".gitattributes", "folder", "model.safetensors", *inside}
    assert tree["folder/0.txt"].last_commit.oid == tree["folder"].last_commit.oid == second
    assert tree["folder/1.txt"].last_commit.oid == first
    assert tree["folder/1.txt"].blob_id == git_sha1(b"1")
    assert tree["model.safetensors"].lfs.sha256 == hashlib.sha256(b"w").hexdigest()
    top = {entry.path for entry in api.list_repo_tree(repo, revision=first)}
    assert top == {"folder", ".gitattributes"}
    found = api.get_paths_info(repo, ["folder", "folder/1.txt", "nothing"])
    assert [entry.path for entry in found] == ["folder", "folder/1.txt"]
    assert [commit.title for commit in api.list_repo_commits(repo)][:2] == ["second", "first"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo, "nothing"))


def test_delete_and_copy(api: HfApi, repo: str) -> None:
    put(api, "folder/a.txt", b"a")
    put(api, "folder/b.bin", b"b")
    copies = [CommitOperationCopy(f"folder/{name}", name) for name in ("a.txt", "b.bin")]
    api.create_commit(repo, [*copies, CommitOperationDelete("folder/")], commit_message="move")
    assert (read("a.txt"), read("b.bin")) == (b"a", b"b")
    assert set(api.list_repo_files(repo)) == {"a.txt", "b.bin", ".gitattributes"}
    api.delete_file("a.txt", repo)
    with pytest.raises(EntryNotFoundError, match="doesn't exist"):
        api.delete_file("a.txt", repo)


def test_a_commit_on_an_outdated_parent_is_refused(api: HfApi, repo: str) -> None:
    first = put(api, "file.txt", b"1")
    put(api, "file.txt", b"2", parent_commit=first)
    with pytest.raises(HfHubHTTPError) as caught:
        put(api, "file.txt", b"3", parent_commit=first)
    assert status_of(caught) == 412
    assert read() == b"2"


@pytest.mark.parametrize(
    "path", ["../evil", "a/../b", "/etc/passwd", "a//b", ".git/config", "a\0b"]
)
def test_only_tests_commit_hostile_paths(hub: LocalHub, api: HfApi, repo: str, path: str) -> None:
    file = {"path": path, "content": b64encode(b"x").decode(), "encoding": "base64"}
    lines = [{"key": "header", "value": {"summary": "attack"}}, {"key": "file", "value": file}]
    answer = get_session().post(
        f"{hub.endpoint}/api/models/{repo}/commit/main",
        content="\n".join(map(json.dumps, lines)),
        headers={"Authorization": f"Bearer {hub.token}"},
    )
    assert answer.status_code == 400
    hub.commit(repo, {path: b"x"})
    assert path in api.list_repo_files(repo)


# Downloads


def test_missing_things_have_their_errors(hub: LocalHub, api: HfApi, repo: str) -> None:
    commit = api.model_info(repo).sha
    with pytest.raises(EntryNotFoundError):
        read("missing.txt")
    cached = isolation.HOME / "hub" / "models--user--thing" / ".no_exist" / commit / "missing.txt"
    assert cached.exists()
    with pytest.raises(RevisionNotFoundError):
        read(revision="missing")
    assert not api.file_exists(repo, "missing.txt")
    assert not api.revision_exists(repo, "missing")


@pytest.mark.parametrize("name", ["file.txt", "file.bin"])
def test_metadata_of_a_file(api: HfApi, repo: str, name: str) -> None:
    data = b"content" * 100
    commit = put(api, name, data)
    metadata = get_hf_file_metadata(hf_hub_url(repo, name))
    digest = hashlib.sha256(data).hexdigest() if name == "file.bin" else git_sha1(data)
    assert (metadata.etag, metadata.size, metadata.commit_hash) == (digest, 700, commit)
    pointer = get_session().get(hf_hub_url(repo, name).replace("/resolve/", "/raw/")).content
    assert (hashlib.sha256(data).hexdigest().encode() in pointer) == (name == "file.bin")
    assert api.get_paths_info(repo, name)[0].blob_id == git_sha1(pointer)


@pytest.mark.parametrize(
    ("asked", "status", "got"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=0-", 206, b"0123456789"),
        ("bytes=10-", 416, None),
    ],
)
def test_ranges(api: HfApi, repo: str, asked: str, status: int, got: bytes | None) -> None:
    put(api, "file.bin", b"0123456789")
    answer = get_session().get(hf_hub_url(repo, "file.bin"), headers={"Range": asked})
    assert answer.status_code == status
    assert got is None or answer.content == got
    end = answer.headers["Content-Range"].split("/")[1]
    assert end == "10"


def test_as_a_file_system(hub: LocalHub, api: HfApi, repo: str) -> None:
    data = np.random.default_rng(0).bytes(100_000)
    hub.commit(repo, {"folder/file.bin": data, "folder/sub/a.txt": b"a"})
    files = HfFileSystem()
    root = f"{repo}/folder"
    assert sorted(files.ls(root, detail=False)) == [f"{root}/file.bin", f"{root}/sub"]
    assert files.glob(f"{repo}/**/*.txt") == [f"{root}/sub/a.txt"]
    with files.open(f"{root}/file.bin", block_size=1000) as file:
        file.seek(50_000)
        assert file.read(10) == data[50_000:50_010]
    with files.open(f"{root}/written.txt", "w") as file:
        file.write("written")
    assert read("folder/written.txt") == b"written"
    pull = api.create_pull_request(repo, title="a change")
    assert files.read_bytes(f"{repo}@{pull.git_reference}/folder/sub/a.txt") == b"a"
    with pytest.raises(FileNotFoundError):
        files.info(f"{root}/missing")


# Large files


@pytest.mark.parametrize("part_size", [50_000_000, 3_000])
def test_large_files(hub: LocalHub, api: HfApi, repo: str, part_size: int, tmp_path: Path) -> None:
    hub.lfs_size, hub.part_size = 5_000, part_size
    data = np.random.default_rng(0).bytes(10_000)
    (tmp_path / "large").write_bytes(data)
    operations = [
        CommitOperationAdd("large", tmp_path / "large"),
        CommitOperationAdd("small.safetensors", data[:10]),
        CommitOperationAdd("small", data[:4_999]),
    ]
    api.create_commit(repo, operations, commit_message="large files")
    large = {file.rfilename for file in _siblings(api) if file.lfs is not None}
    assert large == {"large", "small.safetensors"}
    assert (read("large"), read("small.safetensors")) == (data, data[:10])
    uploads = asked(hub, "PUT")
    assert len(uploads) == (2 if part_size > 10_000 else 5)
    put(api, "again.bin", data)
    assert asked(hub, "PUT") == uploads, "it is there already"


def _siblings(api: HfApi) -> list:  # type: ignore[type-arg]
    return api.model_info(REPO, files_metadata=True).siblings


def test_above_ten_megabytes_files_are_large(api: HfApi, repo: str) -> None:
    data = bytes(10_000_001)
    put(api, "zeros.txt", data)
    assert read("zeros.txt") == data
    assert api.get_paths_info(repo, "zeros.txt")[0].lfs.size == len(data)


def test_large_files_are_checked(hub: LocalHub, repo: str) -> None:
    url = f"{hub.endpoint}/storage/models/{repo}/{'0' * 64}"
    assert get_session().put(url, content=b"something else").status_code == 400


# Branches, tags, pull requests


def test_branches_and_tags(api: HfApi, repo: str) -> None:
    first = put(api, "file.txt", b"first")
    api.create_tag(repo, tag="v1", revision=first)
    second = put(api, "file.txt", b"second")
    api.create_branch(repo, branch="old/one", revision="v1")
    api.create_branch(repo, branch="old/one", exist_ok=True)
    third = put(api, "file.txt", b"third", revision="old/one")
    for revision, data in [("v1", b"first"), ("main", b"second"), ("old/one", b"third")]:
        assert read(revision=revision) == data
    assert read(revision=first) == b"first"
    assert api.model_info(repo, revision=first[:8]).sha == first
    refs = api.list_repo_refs(repo)
    assert {ref.name: ref.target_commit for ref in refs.branches} == {
        "main": second,
        "old/one": third,
    }
    assert [(ref.name, ref.target_commit) for ref in refs.tags] == [("v1", first)]
    for create in (
        lambda: api.create_branch(repo, branch="old/one"),
        lambda: api.create_tag(repo, tag="v1"),
    ):
        with pytest.raises(HfHubHTTPError, match="409"):
            create()
    api.delete_tag(repo, tag="v1")
    api.delete_branch(repo, branch="old/one")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1")
    with pytest.raises(HfHubHTTPError, match="cannot be deleted"):
        api.delete_branch(repo, branch="main")
    with pytest.raises(RevisionNotFoundError):
        put(api, "file.txt", b"text", revision="old/one")


def test_a_pull_request_from_someone_else(hub: LocalHub, api: HfApi, repo: str) -> None:
    put(api, "file.txt", b"mine")
    operations = [CommitOperationAdd("weights.bin", b"theirs")]
    commit = HfApi(token=hub.other_token).create_commit(
        repo, operations, commit_message="Add weights", create_pr=True
    )
    assert (commit.pr_num, commit.pr_revision) == (1, "refs/pr/1")
    assert not api.file_exists(repo, "weights.bin")
    assert read("weights.bin", revision="refs/pr/1") == b"theirs"
    (listed,) = api.get_repo_discussions(repo)
    assert (listed.title, listed.author, listed.status) == ("Add weights", "other", "open")
    assert [ref.ref for ref in api.list_repo_refs(repo, include_pull_requests=True).pull_requests]
    put(api, "file.txt", b"mine, changed")
    assert api.comment_discussion(repo, 1, "Thank you").content == "Thank you"
    api.merge_pull_request(repo, 1)
    assert (read("weights.bin"), read()) == (b"theirs", b"mine, changed")
    details = api.get_discussion_details(repo, 1)
    assert (details.status, details.merge_commit_oid) == ("merged", api.model_info(repo).sha)
    assert [event.type for event in details.events] == ["comment", "status-change"]


def test_a_pull_request_in_conflict(api: HfApi, repo: str) -> None:
    put(api, "file.txt", b"theirs", create_pr=True)
    put(api, "file.txt", b"ours")
    assert api.get_discussion_details(repo, 1).conflicting_files == ["file.txt"]
    with pytest.raises(HfHubHTTPError, match="conflicts in file"):
        api.merge_pull_request(repo, 1)
    assert api.change_discussion_status(repo, 1, "closed").new_status == "closed"


# Cards


def test_cards(api: HfApi, repo: str) -> None:
    data = ModelCardData(license="mit", tags=["audio"], library_name="hf-codec-bpe")
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n# Title\n")
    put(api, "README.md", str(card).encode())
    assert ModelCard.load(repo).data.to_dict() == data.to_dict()
    info = api.model_info(repo)
    assert (info.tags, info.library_name, info.card_data.license) == (
        ["audio"],
        "hf-codec-bpe",
        "mit",
    )
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        put(api, "README.md", b"# No metadata")
    with pytest.raises(ValueError, match="Invalid metadata"):
        put(api, "README.md", b"---\nlicense: [\n---\n")


# Libraries


def test_transformers(hub: LocalHub, tmp_path: Path) -> None:
    vocabulary = {"[UNK]": 0, "hello": 1, "world": 2}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    config = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    model = BertModel(config).eval()
    tokenizer.push_to_hub(REPO, private=True)
    commit = model.push_to_hub(REPO).oid
    with torch.no_grad():
        next(model.parameters()).zero_()
    assert model.push_to_hub(REPO).oid != commit
    loaded = AutoTokenizer.from_pretrained(REPO)
    assert loaded.get_vocab() == vocabulary
    pinned = AutoModel.from_pretrained(REPO, revision=commit)
    assert not AutoModel.from_pretrained(REPO).embeddings.word_embeddings.weight.any()
    assert pinned.embeddings.word_embeddings.weight.any()
    with pytest.raises(OSError, match=REPO):
        AutoModel.from_pretrained(REPO, token=False, cache_dir=tmp_path / "visitor")


def test_datasets(hub: LocalHub, api: HfApi) -> None:
    rows = {"codes": [[1, 2, 3], [4]], "text": ["a", "b"]}
    Dataset.from_dict(rows).push_to_hub("user/rows", private=True)
    (parquet,) = (f for f in api.list_repo_tree("user/rows", "data", repo_type="dataset"))
    assert parquet.lfs is not None
    assert load_dataset("user/rows", split="train").to_dict() == rows
    streamed = load_dataset("user/rows", split="train", streaming=True)
    assert [row["text"] for row in streamed] == rows["text"]
    card = api.dataset_info("user/rows").card_data
    assert [feature["name"] for feature in card["dataset_info"]["features"]] == ["codes", "text"]


# The stand-in itself


def test_its_own_failures_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.set_offline(monkeypatch, False)
    with LocalHub() as hub:
        hub.repositories = None
        with pytest.raises(HfHubHTTPError, match="501"):
            HfApi(endpoint=hub.endpoint, token=hub.token).model_info(REPO)
        assert "AttributeError" in hub.failures[0]


def test_what_it_does_not_know_it_refuses(api: HfApi) -> None:
    with pytest.raises(HfHubHTTPError, match="There is no GET /api/papers/1 here"):
        api.paper_info("1")
