"""`hf-codec-bpe ui`: a page to try codecs on, here or as a Space."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import Annotated

import typer

from .options import Device, hide_loading_bars

__all__ = ["ui"]


def ui(
    processors: Annotated[
        list[str] | None,
        typer.Argument(
            help="Processors to choose from: folders, Hub ids, or 'demo' for the bundled one, "
            "which is the default.",
            metavar="PROCESSOR",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on; 0.0.0.0 lets other machines in.", metavar="ADDRESS"
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            help="The port; by default the first free one from 7860 on.",
            min=1,
            max=65535,
            metavar="N",
        ),
    ] = None,
    device: Device = "cpu",
    push: Annotated[
        str | None,
        typer.Option(
            help="Publish the page as the Space user/name instead of opening it here.",
            metavar="USER/NAME",
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new Space private.")] = False,
) -> None:
    """Open a page to try codecs on, or publish it as a Space.

    Record or drop a clip there, see its tokens, and hear it come back. It needs no network, and
    loads nothing from elsewhere. With --push the same page becomes a Space on the Hub, for
    processors that are there.
    """
    chosen = processors or ["demo"]
    if push:
        _publish(push, chosen, private)
    else:
        _open(chosen, host, port, device)


def _open(processors: list[str], host: str, port: int | None, device: str) -> None:
    """Serves the page until Ctrl+C."""
    from ..demo.page import Choices, launch

    hide_loading_bars()
    choices = Choices.of(processors, device)
    _, address, _ = launch(
        choices, server_name=host, server_port=port, prevent_thread_lock=True, quiet=True
    )
    typer.echo(f"The page is at {address} until you press Ctrl+C.")
    with suppress(KeyboardInterrupt):
        Event().wait()


def _publish(repository: str, processors: list[str], private: bool) -> None:
    from ..hub.space import push_space

    typer.echo(push_space(repository, processors, private=private or None).repo_url)
