"""Who may do what: anonymous visitors, readers, owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .messages import HubError, Request
from .repository import Repository

if TYPE_CHECKING:
    from .server import LocalHub


@dataclass(frozen=True)
class Account:
    """Whom a token speaks for."""

    name: str
    can_write: bool = True


def account(hub: LocalHub, request: Request) -> Account | None:
    """Who asks; None without a token."""
    if request.token is None:
        return None
    if request.token not in hub.accounts:
        raise HubError(401, "Invalid credentials in Authorization header")
    return hub.accounts[request.token]


def member(hub: LocalHub, request: Request) -> Account:
    """Who asks, with a token."""
    asking = account(hub, request)
    if asking is None:
        raise HubError(401, "Invalid username or password.")
    return asking


def writer(hub: LocalHub, request: Request) -> Account:
    """Who asks, with a token that may write."""
    asking = member(hub, request)
    if not asking.can_write:
        raise HubError(403, "Your token does not have write permission")
    return asking


def readable(hub: LocalHub, request: Request) -> Repository:
    """The repository that a request names, if who asks may see it."""
    asking = account(hub, request)
    repository = hub.repositories.get((request.fields["type"], request.fields["repo"]))
    hidden = repository is None or (
        repository.private and (asking is None or asking.name != repository.owner)
    )
    if repository is None or hidden:
        # Without a token nobody learns whether a private repository exists.
        status, message = (401, "Invalid username or password.")
        if asking is not None:
            status, message = (404, "Repository not found")
        raise HubError(status, message, "RepoNotFound")
    return repository


def writable(hub: LocalHub, request: Request) -> tuple[Repository, Account]:
    """The repository that a request names and who asks, if they may change it."""
    repository = readable(hub, request)
    asking = writer(hub, request)
    if asking.name != repository.owner:
        raise HubError(403, f"{asking.name} may not write to {repository.id}")
    return repository, asking
