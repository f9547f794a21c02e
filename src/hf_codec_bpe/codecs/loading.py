"""From a name to a codec: presets, Hub repositories and folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import resolve_revision
from huggingface_hub.errors import HFValidationError, RevisionResolutionError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, PreTrainedConfig

from ..bundled import place_of
from ..configuration_codec_bpe import CodecBPEConfig
from ..errors import CodecBPEError, CodecError, CodecNotFoundError, first_line
from ..presets import Preset, find_preset, similar_presets
from ..untrusted import check_weights_index
from .arithmetic import usual_dtype
from .base import AudioCodec
from .pin import CODEC_FOLDER
from .registry import codec_class

__all__ = ["load_codec"]


def load_codec(
    name_or_path: str | os.PathLike[str],
    *,
    revision: str | None = None,
    num_codebooks: int | None = None,
    bandwidth: float | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    subfolder: str = "",
    **settings: Any,
) -> AudioCodec:
    """Loads a codec.

    Args:
        name_or_path: A preset's name in any case (`"mimi"`; `hf-codec-bpe presets` lists them), a
            Hub id (`"kyutai/mimi"`), a folder that `save_pretrained` wrote, or `"demo"`, the small
            codec that comes with this package.
        revision: A branch, tag or commit hash on the Hub.
        num_codebooks: How many codebooks to use, from the first one on. By default all.
        bandwidth: Or the bandwidth that they must have, in kbps (3) or bps (3000).
        device: Where to put the model. By default the CPU.
        dtype: The model's precision. By default float32: in a lower one, codes also depend on the
            batch that they were computed in.
        token: A Hub token for private repositories.
        local_files_only: Use only what is in the cache.
        cache_dir: Where the Hub's files are cached.
        subfolder: The folder inside the repository or the local folder.
        settings: A family's other options: `merging_threshold` and `dither` for FlexiCodec.

    Returns:
        The codec, in evaluation mode.

    Raises:
        CodecNotFoundError: Nothing there, or no way to reach it.
        CodecError: What is there is not a codec of a known family, or is incomplete; the family has
            no such setting; or a revision was given for a folder, or a subfolder for an original.
    """
    choice = {"num_codebooks": num_codebooks, "bandwidth": bandwidth, **settings}
    where: dict[str, Any] = {
        "revision": revision,
        "token": token,
        "local_files_only": local_files_only,
        "cache_dir": cache_dir,
        "subfolder": subfolder,
    }
    name = os.fspath(name_or_path)
    preset = None if os.path.isdir(name) else find_preset(name)
    place = _place(name, preset, where)
    if preset and preset.files:
        return _load_original(preset, where, device=device, dtype=dtype, **choice)
    codec = _loaded(name, place, dtype, where, choice)
    if os.path.isdir(place):
        codec.folder = os.path.abspath(os.path.join(place, subfolder))
    return codec if device is None else codec.to(device)


def _place(name: str, preset: Preset | None, where: Mapping[str, Any]) -> str:
    """The Hub id or the folder that is meant, if a codec may be there."""
    if preset and preset.unsupported:
        raise CodecError(f"{name} cannot be loaded. {preset.unsupported}")
    place = preset.hub_id if preset else place_of(name, CODEC_FOLDER)
    if not os.path.isdir(place):
        return place
    if where["revision"]:
        raise CodecError(
            f"revision={where['revision']!r} is for the Hub, but {name} is on this machine."
        )
    folder = Path(place, where["subfolder"])
    if not (folder / "config.json").exists():
        raise CodecNotFoundError(f"{folder} holds no codec: it has no config.json.")
    check_weights_index(folder)
    return place


def _commit(repository: str, where: Mapping[str, Any]) -> str:
    access = {key: value for key, value in where.items() if key != "subfolder"}
    resolved: str = resolve_revision(repository, **access).resolved
    return resolved


def _loaded(
    name: str,
    place: str,
    dtype: str | torch.dtype | None,
    where: Mapping[str, Any],
    choice: Mapping[str, Any],
) -> AudioCodec:
    on_hub = not os.path.isdir(place)
    try:
        # Resolved once, so that all files are of one commit.
        revision = _commit(place, where) if on_hub else None
        files = {**where, "revision": revision}
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **files)
        _check_not_processor(name, config)
        family = codec_class(config.model_type)
        model = _load_model(place, config, dtype, files)
        feature_extractor = _load_feature_extractor(place, files)
    except CodecBPEError:
        raise
    except (OSError, RevisionResolutionError, HFValidationError) as error:
        raise CodecNotFoundError(_not_found(name, where["revision"], error)) from error
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise CodecError(f"{name} cannot be loaded as a codec: {first_line(error)}") from error
    except (AttributeError, TypeError) as error:  # where Transformers takes any JSON for an object
        raise CodecError(
            f"{name} cannot be loaded as a codec ({first_line(error)}). That happens where "
            "config.json or preprocessor_config.json is not a JSON object: get the whole "
            "repository again."
        ) from error
    known_as = place if on_hub else None
    return family(model, feature_extractor, name_or_path=known_as, revision=revision, **choice)


def _check_not_processor(name: str, config: PreTrainedConfig) -> None:
    if config.model_type == CodecBPEConfig.model_type:
        raise CodecError(
            f"{name} holds a tokenizer or a processor, not a codec. If it has a folder "
            f"{CODEC_FOLDER}/, name that one, on the Hub by subfolder={CODEC_FOLDER!r}; otherwise "
            "name the codec that its processor_config.json names."
        )


def _load_original(preset: Preset, where: dict[str, Any], **choice: Any) -> AudioCodec:
    """A codec whose authors' files are converted into the cache on first use."""
    from .originals import convert_from_hub

    if where["subfolder"]:
        raise CodecError(
            f"subfolder={where['subfolder']!r} is not possible for {preset.name}, which says where "
            "its files are: leave it out."
        )
    access = {key: value for key, value in where.items() if key != "subfolder"}
    folder, commit = convert_from_hub(preset.hub_id, preset.files, family=preset.family, **access)
    codec = load_codec(folder, **choice)
    # The preset's name, because one repository may hold the originals of several codecs.
    codec.name_or_path, codec.revision = preset.name, commit
    return codec


def _load_model(
    place: str, config: PreTrainedConfig, dtype: str | torch.dtype | None, where: dict[str, Any]
) -> Any:
    with usual_dtype():  # filters and windows that are in no file are computed anew
        model, report = AutoModel.from_pretrained(
            place,
            config=config,
            dtype=dtype or torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **where,
        )
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise CodecError(
            f"The weights of {place} lack {len(missing)} tensors, {missing[0]} among them: the "
            "model would run on random numbers. Get the whole checkpoint."
        )
    return model


def _load_feature_extractor(place: str, where: dict[str, Any]) -> Any:
    """The repository's own; `None` where a folder has none, and the family makes one."""
    folder = Path(place, where["subfolder"])
    if folder.is_dir() and not (folder / "preprocessor_config.json").exists():
        return None
    return AutoFeatureExtractor.from_pretrained(place, trust_remote_code=False, **where)


def _not_found(name: str, revision: str | None, error: Exception) -> str:
    preset = find_preset(name)
    # Transformers passes a kind of string whose repr is not what the user asked for.
    wanted = f" at revision {str(revision)!r}" if revision else ""
    if preset is not None:
        return (
            f"The codec {preset.name} ({preset.hub_id}) could not be fetched{wanted}: check the "
            "network, HF_HUB_OFFLINE and your access to it, or pass a local folder. "
            f"({first_line(error)})"
        )
    similar = similar_presets(name)
    hint = f" Did you mean the preset {' or '.join(similar)}?" if similar else ""
    return (
        f"There is no codec {name!r}{wanted}: it is neither a preset (hf-codec-bpe presets lists "
        "them), nor a folder with a config.json, nor a Hub repository that can be reached."
        f"{hint} ({first_line(error)})"
    )
