"""Files, whole or in part."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .access import readable
from .messages import HubError, Request, Response
from .objects import Blob, Commit
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

routes = Routes()


@routes.add("GET", "/{prefix}{repo}/resolve/{revision}/{path}")
def resolve(hub: LocalHub, request: Request) -> Response:
    commit, blob = _file(hub, request)
    # Served here, not behind a redirect as large files are on the public Hub: clients that follow
    # a redirect to the same host miss the headers of the first answer.
    headers = {"X-Repo-Commit": commit.id, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
    if blob.is_lfs:
        headers |= {"X-Linked-Size": str(len(blob.data)), "X-Linked-ETag": f'"{blob.sha256}"'}
    if request.headers["Range"] is None:
        return Response(blob.data, headers=headers)
    start, end = _range(request.headers["Range"], len(blob.data))
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(blob.data)}"
    return Response(blob.data[start:end], 206, headers)


@routes.add("GET", "/{prefix}{repo}/raw/{revision}/{path}")
def raw(hub: LocalHub, request: Request) -> Response:
    commit, blob = _file(hub, request)
    return Response(blob.in_git, headers={"X-Repo-Commit": commit.id, "ETag": f'"{blob.oid}"'})


def _file(hub: LocalHub, request: Request) -> tuple[Commit, Blob]:
    commit = readable(hub, request).at(request.fields["revision"])
    path = request.fields["path"]
    if path not in commit.files:
        # With the commit, clients note that it lacks the file.
        raise HubError(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.id})
    return commit, commit.files[path]


def _range(header: str, size: int) -> tuple[int, int]:
    """Start and end (excluded) of what a Range header asks for.

    >>> _range("bytes=2-4", 10), _range("bytes=2-", 10), _range("bytes=-3", 10)
    ((2, 5), (2, 10), (7, 10))
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if match is None or match.groups() == ("", ""):
        raise HubError(400, f"Unsupported range: {header}")
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if not start < end:
        raise HubError(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return start, end
