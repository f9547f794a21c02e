"""The list of commands in `hf-codec-bpe --help`, by what one wants to do."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

__all__ = ["CommandSections"]

_OTHER = "Other commands"


class CommandSections(TyperGroup):
    """A group of commands that lists each under its `rich_help_panel`, as a whole sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the sections, in the order in which their first commands were added."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            row = (name, command.get_short_help_str(limit=1_000))
            sections.setdefault(command.rich_help_panel or _OTHER, []).append(row)
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), help_) for name, help_ in rows])
