"""Commits."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from .access import Account, readable, writable, writer
from .messages import HubError, Request, Response
from .objects import Blob
from .repositories import card_metadata
from .repository import Repository
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

routes = Routes()


@routes.add("POST", "/api/{types}/{repo}/preupload/{revision}")
def preupload(hub: LocalHub, request: Request) -> Response:
    repository, _ = _committer(hub, request)
    present = repository.at(request.fields["revision"]).files

    def answer(file: dict[str, Any]) -> dict[str, object]:
        path, blob = file["path"], present.get(file["path"])
        mode = "lfs" if hub.is_large(path, file["size"]) else "regular"
        oid = blob.etag if blob else None  # with it clients leave out what has not changed
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    return Response.json({"files": [answer(file) for file in request.json()["files"]]})


@routes.add("POST", "/api/{types}/{repo}/commit/{revision}")
def commit(hub: LocalHub, request: Request) -> Response:
    repository, asking = _committer(hub, request)
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header, operations = lines[0]["value"], lines[1:]
    ref = repository.writable_ref(request.fields["revision"])
    if header.get("parentCommit") not in (None, repository.refs[ref].id):
        raise HubError(412, "A commit has happened since. Please refresh and try again.")
    files = dict(repository.refs[ref].files)
    for operation in operations:
        _apply(repository, files, operation["key"], operation["value"])
    answer = {"success": True, "hookOutput": ""}
    if request.flag("create_pr"):
        pull = repository.discuss(header["summary"], asking.name, base=ref)
        pages = f"{hub.endpoint}/{repository.url_path}/discussions"
        ref, answer["pullRequestUrl"] = pull.ref, f"{pages}/{pull.num}"
    made = repository.commit(
        ref,
        files,
        title=header["summary"],
        message=header.get("description", ""),
        author=asking.name,
    )
    url = f"{hub.endpoint}/{repository.url_path}/commit/{made.id}"
    return Response.json({**answer, "commitOid": made.id, "commitUrl": url})


def _committer(hub: LocalHub, request: Request) -> tuple[Repository, Account]:
    """The repository and who asks: everyone who sees it may open pull requests."""
    if request.flag("create_pr"):
        return readable(hub, request), writer(hub, request)
    return writable(hub, request)


def _apply(repository: Repository, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
    """Does one of a commit's operations to a set of files."""
    path = _checked(value["path"])
    if key == "file":
        files[path] = Blob(b64decode(value["content"]))
    elif key == "lfsFile":
        if value["oid"] not in repository.large_files:
            raise HubError(400, f"The large file {value['oid']} of {path} has not been uploaded")
        files[path] = repository.large_files[value["oid"]]
    elif key in ("deletedFile", "deletedFolder"):
        gone = [name for name in files if name == path or name.startswith(f"{path}/")]
        if not gone or (key == "deletedFile") != (path in files):
            message = f"A file with this name doesn't exist: {path}"
            raise HubError(404, message, "EntryNotFound")
        for name in gone:
            del files[name]
    else:
        raise HubError(400, f"Unknown operation {key}")
    if path == "README.md" and path in files:
        card_metadata(files[path].data)


def _checked(path: str) -> str:
    """A path without the slash that marks folders, if a repository may have it."""
    path = path.removesuffix("/")
    parts = path.split("/")
    if any(part in ("", ".", "..", ".git") for part in parts) or not path.isprintable():
        raise HubError(400, f"Invalid path in commit: {path!r}")
    return path
