"""Branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .access import writable
from .messages import HubError, Request, Response
from .repository import Repository
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

routes = Routes()


@routes.add("POST", "/api/{types}/{repo}/branch/{branch}")
def create_branch(hub: LocalHub, request: Request) -> Response:
    repository, _ = writable(hub, request)
    start = request.json().get("startingPoint", "main")
    return _create(repository, f"refs/heads/{request.fields['branch']}", start)


@routes.add("DELETE", "/api/{types}/{repo}/branch/{branch}")
def delete_branch(hub: LocalHub, request: Request) -> Response:
    repository, _ = writable(hub, request)
    if request.fields["branch"] == "main":
        raise HubError(403, "The branch main cannot be deleted")
    return _delete(repository, f"refs/heads/{request.fields['branch']}")


@routes.add("POST", "/api/{types}/{repo}/tag/{revision}")
def create_tag(hub: LocalHub, request: Request) -> Response:
    repository, _ = writable(hub, request)
    tag = f"refs/tags/{request.json()['tag']}"
    return _create(repository, tag, request.fields["revision"])


@routes.add("DELETE", "/api/{types}/{repo}/tag/{tag}")
def delete_tag(hub: LocalHub, request: Request) -> Response:
    repository, _ = writable(hub, request)
    return _delete(repository, f"refs/tags/{request.fields['tag']}")


def _create(repository: Repository, ref: str, revision: str) -> Response:
    if ref in repository.refs:
        raise HubError(409, f"{ref} already exists")
    repository.refs[ref] = repository.at(revision)
    return Response.json({}, 201)


def _delete(repository: Repository, ref: str) -> Response:
    if ref not in repository.refs:
        raise HubError(404, f"There is no {ref}", "RevisionNotFound")
    del repository.refs[ref]
    return Response()
