"""Accounts and whole repositories: who am I, create, change, delete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from .access import member, readable, writable, writer
from .messages import HubError, Request, Response
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

routes = Routes()

_CARD_METADATA = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_SPACE_CARD = "---\ntitle: New\nemoji: 🐢\nsdk: {sdk}\nsdk_version: 1.0.0\napp_file: app.py\n---\n"
"""What a new Space has."""


@routes.add("GET", "/api/whoami-v2")
def whoami(hub: LocalHub, request: Request) -> Response:
    asking = member(hub, request)
    role = "write" if asking.can_write else "read"
    access = {"type": "access_token", "accessToken": {"displayName": "local", "role": role}}
    return Response.json({"type": "user", "name": asking.name, "orgs": [], "auth": access})


@routes.add("POST", "/api/repos/create")
def create(hub: LocalHub, request: Request) -> Response:
    type, id = _named(hub, request)
    if (type, id) in hub.repositories:
        url = f"{hub.endpoint}/{hub.repositories[type, id].url_path}"
        error = {"error": f"You already created this {type} repo", "url": url}
        return Response.json(error, 409)
    sdk = request.json().get("sdk")
    if type == "space" and sdk is None:
        raise HubError(400, "sdk: Required for a space")
    repository = hub.create(id, type=type, private=_is_private(request) or False)
    if type == "space":
        hub.commit(id, {"README.md": _SPACE_CARD.format(sdk=sdk).encode()}, type=type)
    url = f"{hub.endpoint}/{repository.url_path}"
    return Response.json({"url": url, "name": id, "id": id})


@routes.add("DELETE", "/api/repos/delete")
def delete(hub: LocalHub, request: Request) -> Response:
    type, id = _named(hub, request)
    request.fields = {"type": type, "repo": id}
    readable(hub, request)
    del hub.repositories[type, id]
    return Response()


@routes.add("PUT", "/api/{types}/{repo}/settings")
def change_settings(hub: LocalHub, request: Request) -> Response:
    repository, _ = writable(hub, request)
    private = _is_private(request)
    repository.private = repository.private if private is None else private
    return Response.json({"private": repository.private})


@routes.add("GET", "/api/{types}/{repo}/auth-check")
def check_access(hub: LocalHub, request: Request) -> Response:
    readable(hub, request)
    return Response.json({})


@routes.add("POST", "/api/validate-yaml")
def validate_card(hub: LocalHub, request: Request) -> Response:
    try:
        metadata = card_metadata(request.json()["content"].encode())
    except HubError as error:
        return Response.json({"errors": [{"message": str(error)}], "warnings": []}, 400)
    warnings = [] if metadata else [{"message": "empty or missing yaml metadata in repo card"}]
    return Response.json({"errors": [], "warnings": warnings})


def card_metadata(card: bytes) -> dict[str, object]:
    """The YAML block at the head of a README.md; {} where there is none."""
    match = _CARD_METADATA.match(card.decode(errors="replace"))
    try:
        metadata = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise HubError(400, f"Invalid YAML in README.md: {' '.join(str(error).split())}") from None
    if not isinstance(metadata, (dict, type(None))):
        raise HubError(400, "The YAML in README.md must be a mapping")
    return metadata or {}


def _named(hub: LocalHub, request: Request) -> tuple[str, str]:
    """The type and id of the repository that a request's body names, of who asks."""
    asking, body = writer(hub, request), request.json()
    type, owner = body.get("type") or "model", body.get("organization") or asking.name
    if owner != asking.name:
        raise HubError(403, f'You don\'t have the rights for a {type} under "{owner}"')
    return type, f"{owner}/{body['name']}"


def _is_private(request: Request) -> bool | None:
    """What a request's body says on visibility: in a word, or in older clients a flag."""
    body: dict[str, object] = request.json()
    if "visibility" in body:
        return body["visibility"] != "public"
    return None if body.get("private") is None else bool(body["private"])
