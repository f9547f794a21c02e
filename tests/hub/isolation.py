"""Where the Hub's clients in the tests' own process look: nowhere, or at a local Hub.

Most of what clients read from the environment they read once, when they are imported, and copy
around. So a process of tests has one home and one address from the start; the home is emptied
before every test, and nobody is at the address until a test asks for a Hub.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

_home = tempfile.TemporaryDirectory(prefix="hf-home-")  # gone when the process ends
HOME = Path(_home.name)

# Held, but not listened on: connections are refused.
_held = socket.socket()
_held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
_held.bind(("127.0.0.1", 0))
PORT: int = _held.getsockname()[1]


def free_port() -> int:
    """A port of this machine that nobody holds now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def isolate_environment() -> None:
    """To be called before any client is imported."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGING", "TRANSFORMERS_")):
            del os.environ[name]
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{PORT}"
    os.environ["HF_HOME"] = str(HOME)
    for switch in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET"):
        os.environ[switch] = "1"


def empty_home() -> None:
    """Fresh caches, and nobody logged in."""
    for path in HOME.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def stay_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps clients that have an address written into their code on this machine."""
    look_up = socket.getaddrinfo

    def look_up_local(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (None, "", "localhost", "127.0.0.1", "::1"):
            raise socket.gaierror(f"Tests stay on this machine, and do not ask {host}")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_local)


def set_offline(monkeypatch: pytest.MonkeyPatch, offline: bool) -> None:
    """Switches clients that are already imported, and processes started from now on."""
    import datasets.config
    from huggingface_hub import HfFileSystem, close_session, constants

    monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))
    for module in (constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", offline)
    HfFileSystem.clear_instance_cache()
    close_session()
