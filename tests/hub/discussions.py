"""Discussions and pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .access import member, readable, writable
from .messages import HubError, Request, Response
from .repository import Discussion, Repository, now
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

routes = Routes()


@routes.add("GET", "/api/{types}/{repo}/discussions")
def discussions(hub: LocalHub, request: Request) -> Response:
    repository = readable(hub, request)
    known = [_description(repository, one) for one in repository.discussions.values()]
    return Response.json({"count": len(known), "start": 0, "discussions": known})


@routes.add("POST", "/api/{types}/{repo}/discussions")
def create(hub: LocalHub, request: Request) -> Response:
    repository, body = readable(hub, request), request.json()
    base = "refs/heads/main" if body["pullRequest"] else None
    discussion = repository.discuss(body["title"], member(hub, request).name, base)
    if discussion.is_pull_request:
        discussion.status = "draft"
    return Response.json({"num": discussion.num})


@routes.add("GET", "/api/{types}/{repo}/discussions/{num}")
def details(hub: LocalHub, request: Request) -> Response:
    repository = readable(hub, request)
    discussion = _discussion(repository, request)
    described = {**_description(repository, discussion), "events": discussion.events}
    if discussion.is_pull_request:
        described["changes"] = {"base": discussion.base, "mergeCommitId": discussion.merged_as}
        described["filesWithConflicts"] = repository.conflicts(discussion)
    return Response.json(described)


@routes.add("POST", "/api/{types}/{repo}/discussions/{num}/comment")
def comment(hub: LocalHub, request: Request) -> Response:
    discussion = _discussion(readable(hub, request), request)
    latest = {"latest": {"raw": request.json()["comment"]}, "edited": False, "hidden": False}
    author = member(hub, request).name
    return Response.json({"newMessage": _event(discussion, author, "comment", latest)})


@routes.add("POST", "/api/{types}/{repo}/discussions/{num}/status")
def change_status(hub: LocalHub, request: Request) -> Response:
    repository, asking = writable(hub, request)
    discussion = _discussion(repository, request)
    discussion.status = request.json()["status"]
    return Response.json({"newStatus": _status_event(discussion, asking.name)})


@routes.add("POST", "/api/{types}/{repo}/discussions/{num}/merge")
def merge(hub: LocalHub, request: Request) -> Response:
    repository, asking = writable(hub, request)
    pull = _discussion(repository, request)
    if not pull.is_pull_request or pull.status not in ("open", "draft"):
        raise HubError(400, f"{pull.num} is no open pull request")
    if conflicts := repository.conflicts(pull):
        raise HubError(409, f"Pull request {pull.num} conflicts in {', '.join(conflicts)}")
    pull.merged_as, pull.status = repository.merge(pull, asking.name).id, "merged"
    return Response.json({"newStatus": _status_event(pull, asking.name)})


def _discussion(repository: Repository, request: Request) -> Discussion:
    num = int(request.fields["num"])
    if num not in repository.discussions:
        raise HubError(404, f"There is no discussion {num}")
    return repository.discussions[num]


def _description(repository: Repository, discussion: Discussion) -> dict[str, object]:
    return {
        "num": discussion.num,
        "title": discussion.title,
        "author": {"name": discussion.author},
        "status": discussion.status,
        "isPullRequest": discussion.is_pull_request,
        "createdAt": discussion.created,
        "repo": {"name": repository.id, "type": repository.type},
    }


def _status_event(discussion: Discussion, author: str) -> dict[str, object]:
    return _event(discussion, author, "status-change", {"status": discussion.status})


def _event(discussion: Discussion, author: str, type: str, data: object) -> dict[str, object]:
    id = f"{len(discussion.events):06x}"
    event = {"id": id, "type": type, "createdAt": now(), "data": data}
    discussion.events.append({**event, "author": {"name": author}})
    return discussion.events[-1]
