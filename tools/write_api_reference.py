"""Writes `docs/api.md`, the reference of all public names, from their docstrings.

python tools/write_api_reference.py
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
MODULES = (
    "hf_codec_bpe",
    "hf_codec_bpe.audio",
    "hf_codec_bpe.codecs",
    "hf_codec_bpe.evaluation",
    "hf_codec_bpe.data.ray",
    "hf_codec_bpe.errors",
)
INTRODUCTION = """\
# API reference

What `from hf_codec_bpe import ...` gives, and what its modules add. Examples are in
[the guides](README.md). Letters in shapes: B batch, K codebooks, T frames, S samples, L tokens.

<!-- Made of the docstrings by tools/write_api_reference.py: change those. -->
"""
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Warns", "Note")
ENTRY = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): ", re.MULTILINE)
FENCE = re.compile(r"```python\n.*?```\n?", re.DOTALL)


def reference() -> str:
    """The whole page."""
    seen: set[Any] = set()
    return INTRODUCTION + "".join(_module(name, seen) for name in MODULES)


def _module(name: str, seen: set[Any]) -> str:
    module = import_module(name)
    values = {key: getattr(module, key) for key in module.__all__}
    documented = {
        key: value
        for key, value in values.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and value not in seen
    }
    summary = _prose(inspect.getdoc(module) or "").split("\n\n")[0]
    page = f"\n## `{name}`\n\n{summary}\n"
    for key, value in sorted(documented.items(), key=lambda item: item[0].lower()):
        page += _class(key, value, seen) if inspect.isclass(value) else _function(key, value, "###")
        seen.add(value)
    return page


def _class(name: str, value: type, seen: set[Any]) -> str:
    if issubclass(value, BaseException):
        bases = " and ".join(f"`{base.__name__}`" for base in value.__bases__)
        return f"\n### `{name}`\n\n{_prose(value.__doc__ or '')} Caught as {bases} too.\n"
    members = "".join(_member(name, key, member) for key, member in _members(value, seen))
    return _function(name, value, "###") + members


def _members(value: type, seen: set[Any]) -> Iterator[tuple[str, Any]]:
    """Public methods and properties with docstrings, also of our base classes not yet `seen`."""
    members: dict[str, Any] = {}
    for base in reversed(value.__mro__):
        if base.__module__.startswith("hf_codec_bpe") and base not in seen:
            members.update(vars(base))
    for name, member in members.items():
        described = inspect.getdoc(getattr(member, "__func__", member))
        if not name.startswith("_") and described and not inspect.isclass(member):
            yield name, member


def _member(owner: str, name: str, member: Any) -> str:
    if isinstance(member, (property, cached_property)):
        return f"\n#### `{owner}.{name}`\n\n{_prose(inspect.getdoc(member) or '')}\n"
    function = getattr(member, "__func__", member)
    return _function(f"{owner}.{name}", function, "####") if inspect.isfunction(function) else ""


def _function(name: str, value: Any, heading: str) -> str:
    prose = _prose(inspect.getdoc(value) or "")
    return f"\n{heading} `{name}`\n\n{_signature(name, value)}\n{prose}\n"


def _signature(name: str, value: Any) -> str:
    """The signature as an indented block, one parameter a line where it is long."""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return ""
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    signature = signature.replace(parameters=parameters)
    text = f"{name.rpartition('.')[2]}{_readable(str(signature))}"
    if len(text) > 92:
        star = "".join(f"    {line},\n" for line in _lines(signature))
        returned = _readable(str(signature)).rpartition(") -> ")[2]
        ending = f") -> {returned}" if signature.return_annotation is not inspect._empty else ")"
        text = f"{name.rpartition('.')[2]}(\n{star}{ending}"
    return textwrap.indent(text, "    ") + "\n"


def _lines(signature: inspect.Signature) -> Iterator[str]:
    starred = False
    for parameter in signature.parameters.values():
        starred |= parameter.kind is inspect.Parameter.VAR_POSITIONAL
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        yield _readable(str(parameter))


def _readable(text: str) -> str:
    """Annotations are kept as strings: without their quotes, and without our modules' names."""
    text = re.sub(r": '([^']*)'", r": \1", text)
    text = re.sub(r"-> '([^']*)'", r"-> \1", text)
    return re.sub(r"<(?:function|class|object) ?'?([\w.]+)[^>]*>", r"\1", text)


def _prose(docstring: str) -> str:
    """Google's sections as lists; code blocks, which are not run from here, left out."""
    blocks = FENCE.sub("", inspect.cleandoc(docstring)).split("\n\n")
    return "\n\n".join(filter(None, (_block(block.strip("\n")) for block in blocks)))


def _block(block: str) -> str:
    heading, _, body = block.partition("\n")
    if heading.rstrip(":") not in SECTIONS or not heading.endswith(":"):
        return block
    body = textwrap.dedent(body)
    if heading in ("Returns:", "Yields:", "Note:"):
        return f"**{heading[:-1]}**: {body}"
    return f"**{heading[:-1]}**\n\n" + ENTRY.sub(r"- `\1`: ", body)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
