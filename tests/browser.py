"""A real browser without a window: the Chromium of the system, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # Whatever else asks for a name learns that there is none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass
class Seen:
    """What a browser did besides showing pages."""

    requests_elsewhere: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)


@contextmanager
def open_browser(microphone: Path) -> Iterator[Browser]:
    """Chromium, whose microphone hears a WAV file again and again.

    Where there is none, newcomers still see all other tests pass. In CI that is a failure: what
    nobody looked at is not known to work.
    """
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("The page is tested in Chromium, and none is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=[*_ARGUMENTS, f"--use-file-for-fake-audio-capture={microphone}"],
        )
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, url: str, seen: Seen, **options: object) -> Iterator[Page]:
    """A page with nothing in its caches; `options` are those of a browser context."""
    context = browser.new_context(**options)

    def go(route: Route) -> None:
        if route.request.url.startswith(url):
            route.continue_()
        else:
            seen.requests_elsewhere.append(route.request.url)
            route.abort()

    context.route("**/*", go)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: seen.console_errors.append(str(error)))
    page.on(
        "console",
        lambda said: seen.console_errors.append(said.text) if said.type == "error" else None,
    )
    page.goto(url)
    yield page
    context.close()
