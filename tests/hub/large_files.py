"""Large file storage (LFS): where to upload, uploads whole and in parts, their check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .access import readable, writer
from .messages import HubError, Request, Response
from .objects import Blob
from .repository import Repository
from .routing import Routes

if TYPE_CHECKING:
    from .server import LocalHub

routes = Routes()


@routes.add("POST", "/{prefix}{repo}.git/info/lfs/objects/batch")
def batch(hub: LocalHub, request: Request) -> Response:
    repository = readable(hub, request)
    writer(hub, request)
    objects = [_instructions(hub, repository, item) for item in request.json()["objects"]]
    return Response.json({"transfer": "basic", "objects": objects})


@routes.add("POST", "/{prefix}{repo}.git/info/lfs/verify")
def verify(hub: LocalHub, request: Request) -> Response:
    blob = readable(hub, request).large_files.get(request.json()["oid"])
    if blob is None or len(blob.data) != request.json()["size"]:
        raise HubError(404, "This large file has not been uploaded")
    return Response.json({})


@routes.add("PUT", "/storage/{types}/{owner}/{name}/{oid}")
def upload(hub: LocalHub, request: Request) -> Response:
    return _store(_repository(hub, request), request.fields["oid"], request.body)


@routes.add("PUT", "/storage/{types}/{owner}/{name}/{oid}/{part}")
def upload_part(hub: LocalHub, request: Request) -> Response:
    oid, part = request.fields["oid"], int(request.fields["part"])
    _repository(hub, request).parts[oid, part] = request.body
    return Response(headers={"ETag": f'"{Blob(request.body).oid}"'})


@routes.add("POST", "/storage/{types}/{owner}/{name}/{oid}")
def complete(hub: LocalHub, request: Request) -> Response:
    repository, oid = _repository(hub, request), request.fields["oid"]
    numbers = [part["partNumber"] for part in request.json()["parts"]]
    return _store(repository, oid, b"".join(repository.parts.pop((oid, n)) for n in numbers))


def _instructions(hub: LocalHub, repository: Repository, item: dict[str, Any]) -> dict[str, object]:
    """How to upload one object; nothing where it is there already."""
    oid, size = item["oid"], item["size"]
    if oid in repository.large_files:
        return {"oid": oid, "size": size}
    url = f"{hub.endpoint}/storage/{repository.type}s/{repository.id}/{oid}"
    action: dict[str, object] = {"href": url}
    if size > hub.part_size:
        parts = range(1, -(-size // hub.part_size) + 1)
        urls = {str(part): f"{url}/{part}" for part in parts}
        action["header"] = {"chunk_size": str(hub.part_size), **urls}
    check = {"href": f"{hub.endpoint}/{repository.url_path}.git/info/lfs/verify"}
    return {"oid": oid, "size": size, "actions": {"upload": action, "verify": check}}


def _repository(hub: LocalHub, request: Request) -> Repository:
    """The one that an upload's URL names: such URLs, being signed, are used without a token."""
    fields = request.fields
    return hub.repositories[fields["type"], f"{fields['owner']}/{fields['name']}"]


def _store(repository: Repository, oid: str, data: bytes) -> Response:
    blob = Blob(data, is_lfs=True)
    if blob.sha256 != oid:
        raise HubError(400, f"What was uploaded as {oid} is {blob.sha256}")
    repository.large_files[oid] = blob
    return Response.json({})
