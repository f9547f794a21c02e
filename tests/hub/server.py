"""A Hub on this machine, in memory, for real clients to talk to."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Lock, Thread

from . import browsing, discussions, downloading, large_files, naming, repositories, uploading
from .access import Account
from .messages import HubError, Request, Response
from .objects import Blob
from .repository import LFS_PATTERNS, Repository
from .routing import Route, find_handler

_ROUTES: list[Route] = [
    *repositories.routes,
    *browsing.routes,
    *naming.routes,
    *uploading.routes,
    *large_files.routes,
    *downloading.routes,
    *discussions.routes,
]


class LocalHub:
    """Speaks the Hub's protocol on 127.0.0.1 while its context lasts.

    Its users are "user", with a token that may write and one that may only read, and "other".
    What it is asked is in `requests`, where it failed itself in `failures`.

    Attributes:
        lfs_size: From this many bytes on, and where `LFS_PATTERNS` say so, files are large.
        part_size: Large files of more bytes are uploaded in parts.
        page_size: How many entries a page of a listing has.

    Example:
        ```python
        with LocalHub() as hub:
            api = HfApi(endpoint=hub.endpoint, token=hub.token)
            api.create_repo("user/model")
        ```
    """

    token = "hf_user"
    read_token = "hf_user_read_only"
    other_token = "hf_other"

    def __init__(self, port: int = 0) -> None:
        self.accounts = {
            self.token: Account("user"),
            self.read_token: Account("user", can_write=False),
            self.other_token: Account("other"),
        }
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[Request] = []
        self.failures: list[str] = []
        self.lfs_size, self.part_size, self.page_size = 10_000_000, 50_000_000, 1000
        self._lock = Lock()
        self._server = _Server(port, self)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LocalHub:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        with suppress(OSError):  # forked processes may hold the socket, and would keep it listening
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The environment of a process that is to use this Hub, with its caches in `home`."""
        ours = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        others = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
        return {**others, **ours, **({"HF_TOKEN": token} if token else {})}

    def create(self, id: str, *, type: str = "model", private: bool = False) -> Repository:
        """Makes a repository without asking anyone."""
        self.repositories[type, id] = repository = Repository(type, id, private)
        return repository

    def commit(
        self,
        id: str,
        files: Mapping[str, bytes | None],
        *,
        type: str = "model",
        revision: str = "main",
        message: str = "commit",
    ) -> str:
        """Commits files unseen, also such as no client would send, and returns the commit's id.

        None deletes a file. The repository is made where there is none.
        """
        repository = self.repositories.get((type, id)) or self.create(id, type=type)
        ref = repository.writable_ref(revision)
        changed = {
            path: Blob(data, is_lfs=self.is_large(path, len(data)))
            for path, data in files.items()
            if data is not None
        }
        kept = {path: b for path, b in repository.refs[ref].files.items() if path not in files}
        return repository.commit(ref, {**kept, **changed}, title=message).id

    def is_large(self, path: str, size: int) -> bool:
        """Whether a file goes to large file storage."""
        return size >= self.lfs_size or any(fnmatch(path, pattern) for pattern in LFS_PATTERNS)

    def answer(self, request: Request) -> Response:
        """Notes a request and answers it, one at a time."""
        with self._lock:
            self.requests.append(request)
            try:
                response = find_handler(_ROUTES, request)(self, request)
            except HubError as error:
                response = Response.refusal(error)
            except Exception:  # not with a 500, after which clients ask again and again
                self.failures.append(f"{request.method} {request.url}\n{traceback.format_exc()}")
                response = Response.refusal(HubError(501, "The local Hub failed"))
            request.status = response.status
            return response


class _Server(ThreadingHTTPServer):
    def __init__(self, port: int, hub: LocalHub) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.hub = hub

    def server_bind(self) -> None:
        # A port may be held by a socket that does not listen, so that no one else takes it.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        TCPServer.server_bind(self)  # HTTPServer's would look up the host's name


class _Handler(BaseHTTPRequestHandler):
    """Turns what comes over the wire into requests, and answers into what goes back."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        request = Request(self.command, self.path, self.headers, self._body())
        response = self.server.hub.answer(request)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_: object) -> None:
        """Prints nothing: the hub keeps the requests."""
