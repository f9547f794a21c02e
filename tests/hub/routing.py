"""From a URL to the function that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from .messages import HubError, Request, Response

if TYPE_CHECKING:
    from .server import LocalHub

Handler = Callable[["LocalHub", Request], Response]

_FIELDS = {
    "types": "(?P<type>model|dataset|space)s",
    "prefix": "(?:(?P<type>dataset|space)s/)?",
    "repo": "(?P<repo>[^/]+(?:/[^/]+)?)",
    # HfFileSystem leaves the slashes of pull requests unquoted.
    "revision": "(?P<revision>refs/[^/]+/[^/]+|[^/]+)",
    "path": "(?P<path>.+)",
}


class Route(NamedTuple):
    """Which requests a function answers."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Routes(list[Route]):
    """The routes of one module."""

    def add(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """Has a function answer the requests to URL paths like "/api/{types}/{repo}/refs"."""
        pattern = re.compile(re.sub(r"{(\w+)}", _field, template))

        def register(handler: Handler) -> Handler:
            self.append(Route(method, pattern, handler))
            return handler

        return register


def find_handler(routes: Iterable[Route], request: Request) -> Handler:
    """The function that answers a request; fills in the request's fields."""
    path = urlsplit(request.url).path
    method = "GET" if request.method == "HEAD" else request.method
    for route in routes:
        if method == route.method and (match := route.pattern.fullmatch(path)):
            given = {name: unquote(text) for name, text in match.groupdict().items() if text}
            request.fields = {"type": "model", **given}
            return route.handler
    raise HubError(404, f"There is no {request.method} {request.path} here")


def _field(match: re.Match[str]) -> str:
    return _FIELDS.get(match[1], f"(?P<{match[1]}>[^/]+)")
