"""Reading published checkpoints, which are pickles, and their YAML safely; loading strictly."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeAlias, TypeVar

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from ..errors import CodecError, CodecNotFoundError, first_line

__all__ = [
    "StateDict",
    "as_float32",
    "check_fixed",
    "fold_weight_norm",
    "listed",
    "load_strictly",
    "read_checkpoint",
    "read_yaml",
    "without",
]

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
        CodecError: The file is damaged, not a checkpoint, or holds more than weights.
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
            f"{file} is not a whole checkpoint: it is damaged, cut short, or of a kind older than "
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
            f"{file} is not a plain state dict: {listed(others)} are not tensors. Pass a "
            "checkpoint whose weights lie at its top or under state_dict."
        )
    return content


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a configuration of plain values.

    Raises:
        CodecNotFoundError: There is no such file.
        CodecError: The file is not YAML of plain values by name.
    """
    if not Path(path).is_file():
        raise CodecNotFoundError(f"There is no configuration {os.fspath(path)}: check the path.")
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CodecError(f"{os.fspath(path)} is not YAML of plain values: {error}") from error
    if not isinstance(values, Mapping):
        raise CodecError(f"{os.fspath(path)} holds no settings by name: pass a configuration.")
    return dict(values)


def check_fixed(
    given: Mapping[str, Any],
    fixed: Mapping[str, Any],
    defaults: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """Refuses settings of models that cannot be converted.

    Args:
        given: A section of an original's configuration.
        fixed: What all models have that can be converted.
        defaults: The original's defaults, where they are not what is in `fixed`.
        prefix: Stands in front of the settings' names.
    """
    for name, wanted in fixed.items():
        value = given.get(name, defaults.get(name, wanted))
        if value != wanted:
            absent = "" if name in given else ", because it leaves that out"
            raise CodecError(
                f"The configuration has {prefix}{name}={value!r}{absent}, but only models with "
                f"{wanted!r} can be converted."
            )


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


def fold_weight_norm(tensors: StateDict) -> dict[str, torch.Tensor]:
    """Replaces each `weight_g` and `weight_v` by the `weight` that they stand for.

    That is v scaled to the length g, for each output channel. A g without its v stays, and is then
    an unknown weight. PyTorch's newer names, `parametrizations.weight.original0` and `1`, count as
    g and v.
    """
    folded = {_older_name(name): tensor for name, tensor in tensors.items()}
    for name in list(folded):
        stem = name.removesuffix("_v")
        if stem != name and stem.endswith("weight") and f"{stem}_g" in folded:
            direction, length = folded.pop(name), folded.pop(f"{stem}_g")
            if not direction.ndim or length.shape != (len(direction), *[1] * (direction.ndim - 1)):
                raise CodecError(
                    f"{name} and {stem}_g have the shapes {list(direction.shape)} and "
                    f"{list(length.shape)}, which are not those of a weight norm: "
                    "get the checkpoint again."
                )
            # The originals' own function: other ways to write it round differently.
            folded[stem] = torch._weight_norm(direction, length, 0)
    return folded


def _older_name(name: str) -> str:
    for number, letter in enumerate("gv"):
        name = name.replace(f"parametrizations.weight.original{number}", f"weight_{letter}")
    return name


def load_strictly(model_class: type[Model], config: PreTrainedConfig, tensors: StateDict) -> Model:
    """A model with exactly these weights, in evaluation mode.

    Raises:
        CodecError: A weight is missing, unknown, or of another shape; names them.
    """
    with torch.device("meta"):
        wanted = model_class(config).state_dict()
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
    with no_init_weights():  # on the CPU: there are buffers that are in no file
        model = model_class(config)
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
