"""Requests and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class HubError(Exception):
    """An answer that says no; clients choose their exception by its code."""

    def __init__(
        self, status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        one_line = " ".join(message.split()).encode("ascii", "backslashreplace").decode()
        self.status, self.headers = status, {"X-Error-Message": one_line, **(headers or {})}
        if code:
            self.headers["X-Error-Code"] = code


@dataclass
class Request:
    """A request as it came, and in `fields` what its handler's URL template took from it."""

    method: str
    url: str
    headers: Message
    body: bytes = b""
    fields: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.url).query)

    @property
    def token(self) -> str | None:
        return (self.headers["Authorization"] or "").removeprefix("Bearer ") or None

    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("1", "true")


@dataclass
class Response:
    """An answer."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(
        cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """An answer in JSON."""
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return cls(json.dumps(value, default=str).encode(), status, {**kind, **(headers or {})})

    @classmethod
    def refusal(cls, error: HubError) -> Response:
        """The answer that an error stands for."""
        return cls.json({"error": str(error)}, error.status, error.headers)
