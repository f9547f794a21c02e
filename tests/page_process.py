"""The demo page in a process of its own, which may talk to this machine only."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

SECONDS_TO_START = 200
SECONDS_FOR_ITSELF = 3
"""How long Gradio waits for its own page, and gives up."""

# Imported by every Python that starts with its folder on PYTHONPATH.
_WATCH = """
import sys

HERE = (None, "", "localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1")

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in HERE:
        print("LEAVES THIS MACHINE:", host, file=sys.stderr, flush=True)
        raise OSError(f"Tests stay on this machine, and do not ask {host}")

sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class RunningPage:
    """Where a page is, and what its process has written."""

    url: str
    log: Path

    @property
    def hosts_asked(self) -> list[str]:
        """Who else's machines the process wanted to talk to."""
        return re.findall("LEAVES THIS MACHINE: (.*)", self.log.read_text())


@contextmanager
def running_page(
    arguments: Sequence[str | Path], folder: Path, port: int, environment: Mapping[str, str]
) -> Iterator[RunningPage]:
    """Runs Python with these arguments until the page answers, and ends it afterwards.

    Args:
        arguments: What makes Python open the page.
        folder: For its log and its files.
        port: Where the page will be.
        environment: What is different in the process's environment.
    """
    (folder / "sitecustomize.py").write_text(_WATCH)
    ours = {
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(folder),
    }
    page = RunningPage(f"http://127.0.0.1:{port}/", folder / "log.txt")
    with page.log.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, **environment, **ours},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, page, port)
        yield page
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], page: RunningPage, port: int) -> None:
    """Until somebody listens. Nothing is asked yet, as the page asks itself first, in haste."""
    deadline = monotonic() + SECONDS_TO_START
    while monotonic() < deadline and process.poll() is None:
        with socket.socket() as visitor:
            if visitor.connect_ex(("127.0.0.1", port)) == 0:
                sleep(SECONDS_FOR_ITSELF)
                break
        sleep(0.3)
    if process.poll() is not None or monotonic() > deadline:
        raise AssertionError(f"No page at {page.url}:\n{page.log.read_text()}")
