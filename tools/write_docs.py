"""Writes everything in `docs/` that is generated.

python tools/write_docs.py

- `api.md` from docstrings, `command-line.md` from help texts;
- the tables in `choose-a-codec.md` from `hub_configs/` and `docs/demo-report.json`;
- the pictures of `how-it-works.md` from the bundled demo repository.

After the demo codec changed, measure it first, on speech that it never saw:

hf-codec-bpe evaluate demo SPEECH --name "what it is" --out FOLDER
cp FOLDER/report.json docs/demo-report.json
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from docs_codecs import demo_figures, preset_table
from docs_command_line import command_line
from docs_pictures import demo_digest, digest_of, pictures
from write_api_reference import api_reference

__all__ = ["DOCS", "PAGES", "PICTURES", "with_sections", "write"]

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = DOCS / "images"
SECTIONS: dict[str, Callable[[], str]] = {"presets": preset_table, "demo": demo_figures}
PAGES: dict[str, Callable[[], str]] = {
    "api.md": api_reference,
    "command-line.md": command_line,
    "choose-a-codec.md": lambda: with_sections((DOCS / "choose-a-codec.md").read_text("utf-8")),
}
MARKS = re.compile(r"(<!-- begin (\w+): [^>]* -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def with_sections(page: str) -> str:
    """A page with everything between its marks written anew."""
    return MARKS.sub(lambda found: f"{found[1]}\n{SECTIONS[found[2]]()}\n\n{found[3]}", page)


def write() -> None:
    """Writes what is not as it should be."""
    for name, make in PAGES.items():
        _write(DOCS / name, make().encode())
    names = ("tokens.png", "lengths.png")
    if not all(_is_current(PICTURES / name) for name in names):
        PICTURES.mkdir(exist_ok=True)
        for name, picture in pictures().items():
            _write(PICTURES / name, picture)


def _is_current(picture: Path) -> bool:
    return picture.exists() and digest_of(picture) == demo_digest()


def _write(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
        print(path)


if __name__ == "__main__":
    write()
