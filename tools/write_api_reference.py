"""The page `docs/api.md`: the reference of all public names, from their docstrings.

tools/write_docs.py writes it, with all else in docs/ that is generated.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from typing import Any

__all__ = ["api_reference"]

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

<!-- Made of the docstrings by tools/write_docs.py: change those. -->
"""
LISTS = ("Args", "Attributes", "Raises", "Warns")
SECTIONS = (*LISTS, "Returns", "Yields", "Note", "Example")
ENTRY = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): ", re.MULTILINE)
FENCE = re.compile(r":?\n*^ *```python\n.*?```$", re.DOTALL | re.MULTILINE)


def api_reference() -> str:
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
    errors = {key: value for key, value in documented.items() if _is_error(value)}
    others = sorted((key for key in documented if key not in errors), key=str.lower)
    page += "\n" + " · ".join(f"[{key}](#{_anchor(key)})" for key in others) + "\n" * bool(others)
    if errors:
        page += "\nEach is also caught as what stands in brackets.\n\n"
    page += "".join(_error(key, value) for key, value in sorted(errors.items()))
    for key in others:
        value = documented[key]
        page += _class(key, value, seen) if inspect.isclass(value) else _function(key, value, "###")
    seen.update(documented.values())
    return page


def _anchor(heading: str) -> str:
    """What GitHub calls a heading in addresses."""
    return re.sub(r"[^\w-]", "", heading.lower())


def _is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def _error(name: str, value: Any) -> str:
    bases = ", ".join(f"`{base.__name__}`" for base in value.__bases__)
    return f"- `{name}` ({bases}): {_prose(value.__doc__ or '')}\n"


def _class(name: str, value: type, seen: set[Any]) -> str:
    members = "".join(_member(name, key, member) for key, member in _members(value, seen))
    return _function(name, value, "###", _kind(value, seen)) + members


def _kind(value: type, seen: set[Any]) -> str:
    """For a class that is made as its base is, whose reference stands elsewhere: a link there."""
    if "__init__" in vars(value):
        return ""
    bases = (base.__name__ for base in value.__mro__[1:] if base in seen)
    return next((f"Made like every [`{name}`](#{_anchor(name)}).\n\n" for name in bases), "")


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


def _function(name: str, value: Any, heading: str, kind: str = "") -> str:
    prose = _prose(inspect.getdoc(value) or "")
    signature = _signature(name, value)
    return f"\n{heading} `{name}`\n\n{signature}{kind}{prose}\n"


def _signature(name: str, value: Any) -> str:
    """The signature as an indented block, one parameter a line where it is long.

    A class that is made as its base is has none: it would only repeat that, or what another
    library has there today.
    """
    if inspect.isclass(value) and "__init__" not in vars(value):
        return ""
    signature = inspect.signature(value)
    if inspect.isclass(value):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    signature = signature.replace(parameters=parameters)
    text = f"{name.rpartition('.')[2]}{_readable(str(signature))}"
    if len(text) > 92:
        star = "".join(f"    {line},\n" for line in _lines(signature))
        returned = _readable(str(signature)).rpartition(") -> ")[2]
        ending = f") -> {returned}" if signature.return_annotation is not inspect._empty else ")"
        text = f"{name.rpartition('.')[2]}(\n{star}{ending}"
    return textwrap.indent(text, "    ") + "\n\n"


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
    text = re.sub(r"(: |-> )(?:'([^']*)'|\"([^\"]*)\")", r"\1\2\3", text)
    text = text.replace("<factory>", "...")
    return re.sub(r"<(?:function|class|object) ?'?([\w.]+)[^>]*>", r"\1", text)


def _prose(docstring: str) -> str:
    """Google's sections as lists; blocks that no test runs from here are left out."""
    text = FENCE.sub(_end_of_sentence, inspect.cleandoc(docstring))
    blocks: list[str] = []
    for block in text.split("\n\n"):
        if block.startswith(" ") and blocks and _heading(blocks[-1]):
            blocks[-1] += f"\n\n{block}"  # a section goes on as long as it is indented
        else:
            blocks.append(block.strip("\n"))
    return "\n\n".join(filter(None, map(_block, blocks)))


def _end_of_sentence(fence: re.Match[str]) -> str:
    return "." if fence[0].startswith(":") else ""


def _heading(block: str) -> str | None:
    heading = block.partition("\n")[0]
    return heading[:-1] if heading.endswith(":") and heading[:-1] in SECTIONS else None


def _block(block: str) -> str:
    heading = _heading(block)
    if heading is None:
        return "" if block == "Example." else block
    body = textwrap.dedent(block.partition("\n")[2])
    if heading == "Example":
        return f"**Example**\n\n{textwrap.indent(body, '    ')}"
    if heading in LISTS:
        return f"**{heading}**\n\n" + ENTRY.sub(r"- `\1`: ", body)
    return f"**{heading}**: {body}"
