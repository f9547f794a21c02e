"""Reading published checkpoints, which are pickles, safely, and loading what they hold strictly."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeAlias, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedConfig, PreTrainedModel

from ..errors import CodecError, CodecNotFoundError, first_line

__all__ = ["StateDict", "as_float32", "load_strictly", "read_checkpoint", "without"]

StateDict: TypeAlias = Mapping[str, torch.Tensor]
Model = TypeVar("Model", bound=PreTrainedModel)

SHOWN = 3
"""How many names an error lists."""


def read_checkpoint(path: str | os.PathLike[str]) -> StateDict:
    """Reads a checkpoint's weights and nothing else.

    A pickle is only read with `weights_only=True`: whatever it holds beside tensors and plain
    containers is refused, never run. It is mapped into memory, so that optimizer states cost
    nothing. Weights under `state_dict`, as Lightning saves them, are unwrapped.

    Args:
        path: A file of `torch.save`, or of safetensors.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        CodecNotFoundError: There is no such file.
        CodecError: It is damaged, not a checkpoint, or holds more than weights.
    """
    file = Path(path)
    if not file.is_file():
        raise CodecNotFoundError(f"There is no checkpoint {file}: check the path.")
    try:
        content = _read(file)
    except UnpicklingError as error:
        raise CodecError(
            f"{file} is a pickle that is not a plain state dict, or no pickle at all. It could run "
            "any code, so it was refused and nothing in it was run. Ask its author for the "
            f"weights alone. ({first_line(error)})"
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError, SafetensorError) as error:
        raise CodecError(
            f"{file} is no whole checkpoint: it is damaged, cut short, or of a kind older than "
            f"PyTorch 1.6. Download it again. ({first_line(error)})"
        ) from error
    return _state_dict(file, content)


def _read(file: Path) -> Any:
    if file.suffix == ".safetensors":
        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True, mmap=True)


def _state_dict(file: Path, content: Any) -> StateDict:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise CodecError(
            f"{file} holds a {type(content).__name__}, not tensors by name: pass a checkpoint."
        )
    others = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise CodecError(
            f"{file} is not a plain state dict: {listed(others)} are no tensors. Pass a checkpoint "
            "whose weights lie at its top or under state_dict."
        )
    return content


def without(tensors: StateDict, prefixes: Iterable[str]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with none of the prefixes.

    Example:
        >>> list(without({"loss.a": torch.ones(1), "encoder.a": torch.ones(1)}, ["loss."]))
        ['encoder.a']
    """
    unwanted = tuple(prefixes)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(unwanted)}


def as_float32(tensors: StateDict) -> dict[str, torch.Tensor]:
    """Copies in float32 on the CPU: no file stays mapped, and the originals are not shared."""
    return {
        name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        for name, tensor in tensors.items()
    }


def load_strictly(model_class: type[Model], config: PreTrainedConfig, tensors: StateDict) -> Model:
    """A model with exactly these weights, in evaluation mode.

    Raises:
        CodecError: A weight is missing, unknown, or of another shape; names them.
    """
    with torch.device("meta"):
        model = model_class(config)
    wanted = model.state_dict()
    problems = {
        "missing": wanted.keys() - tensors.keys(),
        "unknown": tensors.keys() - wanted.keys(),
        "of another shape": {
            f"{name} ({list(tensors[name].shape)} instead of {list(wanted[name].shape)})"
            for name in wanted.keys() & tensors.keys()
            if tensors[name].shape != wanted[name].shape
        },
    }
    found = [f"{kind}: {listed(names)}" for kind, names in problems.items() if names]
    if found:
        raise CodecError(
            f"The checkpoint does not fit a {model_class.__name__}, {'; '.join(found)}. Pass the "
            "published checkpoint, whole and unchanged."
        )
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are.

    Example:
        >>> listed("edcba")
        'a, b, c and 2 more'
    """
    ordered = sorted(names)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(ordered[:SHOWN]) + more
