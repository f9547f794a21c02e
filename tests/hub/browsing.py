"""Looking into repositories: information, folders, names, history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from .access import readable
from .messages import HubError, Request, Response
from .objects import Blob, Commit
from .repositories import card_metadata
from .repository import Repository
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

Item = TypeVar("Item")

routes = Routes()


@routes.add("GET", "/api/{types}/{repo}")
@routes.add("GET", "/api/{types}/{repo}/revision/{revision}")
def info(hub: LocalHub, request: Request) -> Response:
    repository = readable(hub, request)
    commit = repository.at(request.fields.get("revision", "main"))
    known = _information(repository, commit, with_blobs=request.flag("blobs"))
    if expand := request.query.get("expand"):
        known = {name: known.get(name) for name in ("id", *expand)}
    return Response.json(known)


@routes.add("GET", "/api/{types}/{repo}/tree/{revision}")
@routes.add("GET", "/api/{types}/{repo}/tree/{revision}/{path}")
def tree(hub: LocalHub, request: Request) -> Response:
    commit = readable(hub, request).at(request.fields["revision"])
    folder = request.fields.get("path", "").strip("/")
    if folder and not commit.below(folder):
        message = f"{folder} does not exist on {request.fields['revision']}"
        raise HubError(404, message, "EntryNotFound", {"X-Repo-Commit": commit.id})
    paths = {*commit.folders, *commit.files}
    prefix = folder and folder + "/"
    inside = sorted(path for path in paths if path.startswith(prefix))
    if not request.flag("recursive"):
        inside = [path for path in inside if "/" not in path[len(prefix) :]]
    page, headers = _page(hub, request, inside)
    return Response.json(
        [_entry(commit, path, request.flag("expand")) for path in page], headers=headers
    )


@routes.add("POST", "/api/{types}/{repo}/paths-info/{revision}")
def paths_info(hub: LocalHub, request: Request) -> Response:
    commit = readable(hub, request).at(request.fields["revision"])
    form = parse_qs(request.body.decode())
    paths = [path.rstrip("/") for path in form.get("paths", [])]
    expand = form.get("expand", [""])[0].lower() == "true"
    return Response.json([_entry(commit, path, expand) for path in paths if commit.oid_at(path)])


@routes.add("GET", "/api/{types}/{repo}/refs")
def refs(hub: LocalHub, request: Request) -> Response:
    repository = readable(hub, request)

    def below(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit.id}
            for ref, commit in repository.refs.items()
            if ref.startswith(prefix)
        ]

    names = {"branches": below("refs/heads/"), "tags": below("refs/tags/"), "converts": []}
    if request.flag("include_prs"):
        names["pullRequests"] = below("refs/pr/")
    return Response.json(names)


@routes.add("GET", "/api/{types}/{repo}/commits/{revision}")
def commits(hub: LocalHub, request: Request) -> Response:
    commit = readable(hub, request).at(request.fields["revision"])
    page, headers = _page(hub, request, commit.history())
    history = [
        {**_summary(commit), "message": commit.message, "authors": [{"user": commit.author}]}
        for commit in page
    ]
    return Response.json(history, headers=headers)


def _information(
    repository: Repository, commit: Commit, *, with_blobs: bool = False
) -> dict[str, object]:
    metadata = _metadata(commit)
    files = [_sibling(path, blob, with_blobs) for path, blob in commit.files.items()]
    return {
        "id": repository.id,
        "author": repository.owner,
        "sha": commit.id,
        "createdAt": repository.created,
        "lastModified": commit.date,
        "private": repository.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": metadata.get("tags", []),
        "library_name": metadata.get("library_name"),
        "pipeline_tag": metadata.get("pipeline_tag"),
        "cardData": metadata,
        "siblings": files,
        "usedStorage": sum(len(blob.data) for blob in commit.files.values()),
    }


def _metadata(commit: Commit) -> dict[str, object]:
    try:
        return card_metadata(commit.files["README.md"].data)
    except (KeyError, HubError):  # only tests themselves commit broken cards
        return {}


def _sibling(path: str, blob: Blob, with_blob: bool) -> dict[str, object]:
    if not with_blob:
        return {"rfilename": path}
    sibling = {"rfilename": path, "blobId": blob.oid, "size": len(blob.data)}
    return {**sibling, "lfs": {**_pointer(blob), "sha256": blob.sha256}} if blob.is_lfs else sibling


def _pointer(blob: Blob) -> dict[str, object]:
    return {"oid": blob.sha256, "size": len(blob.data), "pointerSize": len(blob.in_git)}


def _summary(commit: Commit) -> dict[str, object]:
    return {"id": commit.id, "title": commit.title, "date": commit.date}


def _entry(commit: Commit, path: str, expand: bool) -> dict[str, object]:
    """A file or folder as clients list it."""
    entry: dict[str, object] = {"path": path, "oid": commit.oid_at(path)}
    if expand:
        entry["lastCommit"] = _summary(commit.last_change(path))
    if (blob := commit.files.get(path)) is None:
        return {**entry, "type": "directory", "size": 0}
    lfs = {"lfs": _pointer(blob)} if blob.is_lfs else {}
    return {**entry, **lfs, "type": "file", "size": len(blob.data)}


def _page(
    hub: LocalHub, request: Request, items: Sequence[Item]
) -> tuple[Sequence[Item], dict[str, str]]:
    """One page of a listing, and the header that leads to the next one."""
    start = int(request.query.get("cursor", ["0"])[0])
    end = start + hub.page_size
    if end >= len(items):
        return items[start:], {}
    url = urlsplit(request.url)
    query = urlencode({**request.query, "cursor": end}, doseq=True)
    return items[start:end], {"Link": f'<{hub.endpoint}{url.path}?{query}>; rel="next"'}
