"""The published WavTokenizer checkpoints to our model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...errors import CodecError
from ..converting import StateDict, read_checkpoint, without
from ..vocos.conversion import build, renamed
from ..vocos.settings import read_settings
from .modeling_wavtokenizer import WavTokenizerModel

__all__ = ["convert_files", "convert_wavtokenizer_checkpoint", "is_checkpoint"]

ENCODEC = "feature_extractor.encodec."
CODEBOOK = f"{ENCODEC}quantizer.vq.layers.0._codebook."
UNUSED = (
    # What only training needed.
    "multiperioddisc.",
    "multiresddisc.",
    "dac.",
    "dacdiscriminator.",
    "melspec_loss.",
    f"{CODEBOOK}cluster_size",
    f"{CODEBOOK}embed_avg",
    f"{CODEBOOK}inited",
    # EnCodec's own decoder, which Vocos replaces.
    f"{ENCODEC}decoder.",
    # Computed.
    "head.istft.window",
)


def is_checkpoint(state_dict: StateDict) -> bool:
    """Whether the names are those of a WavTokenizer."""
    return any(name.startswith(ENCODEC) for name in state_dict)


def convert_files(files: Mapping[str, str | os.PathLike[str]]) -> WavTokenizerModel:
    """Makes a model of the files `checkpoint` and, if it is there, `config`; see below."""
    settings = read_settings(files["config"]) if "config" in files else None
    return convert_wavtokenizer_checkpoint(read_checkpoint(files["checkpoint"]), settings)


def convert_wavtokenizer_checkpoint(
    state_dict: StateDict, config: Mapping[str, Any] | None = None
) -> WavTokenizerModel:
    """Makes a model of an original's weights.

    Args:
        state_dict: Tensors by their original names, in any precision; `read_checkpoint` reads
            them. Weights of training alone may be there or not.
        config: What is known of the model, as a check: it may say whatever `WavTokenizerConfig`
            does, and must agree with the weights. Nothing in it is needed. The `sampling_rate`,
            `default_bandwidth_id`, `use_causal_conv`, `group_norm_num_groups` and `norm_eps`,
            which no weight shows, are taken from it; by default they are the published models'.

    Returns:
        The model in float32, in evaluation mode.

    Raises:
        CodecError: A checkpoint of another family, a weight that is missing or unknown, a codebook
            that was never learnt, or a `config` that contradicts the weights.
    """
    if not is_checkpoint(state_dict):
        raise CodecError(
            f"This is not a WavTokenizer checkpoint: no weight begins with {ENCODEC}. "
            "hf-codec-bpe convert finds out what a checkpoint is."
        )
    _check_codebook(state_dict)
    tensors = {_our_name(name): tensor for name, tensor in without(state_dict, UNUSED).items()}
    return build(WavTokenizerModel, tensors, _settings(config))


def _our_name(name: str) -> str:
    if name == f"{CODEBOOK}embed":
        return "quantizer.codebook.embed"
    return renamed(name.removeprefix(ENCODEC) if name.startswith(f"{ENCODEC}encoder.") else name)


def _check_codebook(state_dict: StateDict) -> None:
    """The original learns an uninitialised codebook from the first audio it is asked to encode."""
    initialised = state_dict.get(f"{CODEBOOK}inited")
    if initialised is None or not bool(initialised.all()):
        raise CodecError(
            f"The codebook of this checkpoint was never learnt ({CODEBOOK}inited is "
            f"{'missing' if initialised is None else initialised.tolist()}): the original would "
            "make one up from the first audio. Use a checkpoint from the end of training."
        )


def _settings(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The caller's configuration, unless it is that of another codec."""
    codec = (config or {}).get("codec", "wavtokenizer")
    if codec != "wavtokenizer":
        raise CodecError(f"The configuration is that of {codec!r}, not of a WavTokenizer.")
    return config or {}
