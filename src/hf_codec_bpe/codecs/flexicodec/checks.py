"""What `FlexiCodecModel` takes, checked and cut into clips.

Axis letters: B = batch, D = size of semantic features, G = groups, K = streams of codes, N =
semantic features, S = samples.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch

from ...errors import AudioError, CodecError, CodesError
from ..model_inputs import whole_codes
from .configuration_flexicodec import FlexiCodecConfig

__all__ = [
    "check_merging",
    "check_padding",
    "checked_clips",
    "checked_codes",
    "checked_features",
    "checked_quantizers",
]

logger = logging.getLogger(__name__)

MOST_DITHER = 32_768.0
"""Noise as loud as the loudest sample."""


def check_merging(merging_threshold: float, dither: float) -> None:
    """Refuses a threshold that is not a similarity, and a strength of noise that makes no sense.

    Raises:
        CodecError: Either is out of range.
    """
    if not (isinstance(merging_threshold, Real) and 0 <= merging_threshold <= 1):
        raise CodecError(
            f"merging_threshold={merging_threshold!r} is not possible: choose 0 (merge all that is "
            "at all alike) to 1 (merge nothing)."
        )
    if not (isinstance(dither, Real) and 0 <= dither <= MOST_DITHER):
        raise CodecError(f"dither={dither!r} is not possible: choose 0 to {MOST_DITHER}.")


def checked_quantizers(num_quantizers: int | None, most: int) -> int:
    """How many codebooks to use: as many as asked for, or all where there are fewer.

    Raises:
        CodecError: No whole number, or less than 1.
    """
    if num_quantizers is None:
        return most
    if not isinstance(num_quantizers, Integral) or num_quantizers < 1:
        raise CodecError(
            f"num_quantizers={num_quantizers!r} is not possible: this model has {most}, the "
            f"semantic one among them; choose 1 to {most}."
        )
    if num_quantizers > most:
        logger.warning("num_quantizers=%d, but the model has %d: using all.", num_quantizers, most)
    return min(int(num_quantizers), most)


def checked_clips(
    input_values: torch.Tensor, padding_mask: torch.Tensor | None, fewest: int
) -> list[torch.Tensor]:
    """The samples `[S]` of each clip in `[B, S]` or `[B, 1, S]`.

    Raises:
        AudioError: Another shape, a mask of another shape or with gaps, or fewer samples.
    """
    samples = input_values[:, 0] if input_values.ndim == 3 else input_values
    if samples.ndim != 2 or input_values.shape[1:-1] not in ((), (1,)) or not samples.numel():
        raise AudioError(
            f"input_values has shape {list(input_values.shape)}: encode takes samples [batch, "
            "samples] or [batch, 1, samples], at least one."
        )
    mask = torch.ones_like(samples) if padding_mask is None else torch.as_tensor(padding_mask)
    if mask.shape != samples.shape:
        raise AudioError(
            f"padding_mask has shape {list(mask.shape)}, but input_values has "
            f"{list(input_values.shape)}: pass [batch, samples]."
        )
    lengths = mask.bool().sum(dim=1).tolist()
    if not all(row[:length].all() for row, length in zip(mask, lengths, strict=True)):
        raise AudioError("padding_mask has padding in front of samples: pad clips on the right.")
    if min(lengths) < fewest:
        raise AudioError(
            f"A clip of {min(lengths)} samples is too short: the model takes {fewest} or more. Pad "
            "it with silence, as load_codec's codecs do."
        )
    return [clip[:length] for clip, length in zip(samples, lengths, strict=True)]


def check_padding(
    padding_mask: torch.Tensor | None, features: torch.Tensor, lengths: torch.Tensor | None
) -> None:
    """Refuses padded samples with features of unknown lengths, and the other way round.

    Raises:
        CodecError: Only one of them says where clips end, and they do end there.
    """
    if lengths is None and padding_mask is not None and not torch.as_tensor(padding_mask).all():
        raise CodecError(
            "padding_mask says that clips are padded, but not how many features each has: pass "
            "feature_lengths as well."
        )
    if padding_mask is None and lengths is not None and min(_counts(lengths)) < features.shape[1]:
        raise CodecError(
            f"feature_lengths={_counts(lengths)} says that clips are padded, but not how many "
            "samples each has: pass padding_mask as well."
        )


def checked_features(
    features: torch.Tensor,
    lengths: torch.Tensor | None,
    batch_size: int,
    config: FlexiCodecConfig,
) -> list[torch.Tensor]:
    """The features `[N, D]` of each clip in `[B, N, D]`.

    Raises:
        CodecError: Another shape, or too few features.
    """
    if features.ndim != 3 or features.shape[::2] != (batch_size, config.semantic_hidden_size):
        raise CodecError(
            f"The semantic features have shape {list(features.shape)}, but must be "
            f"[batch={batch_size}, features, {config.semantic_hidden_size}]: pass outputs of the "
            "semantic encoder as audio_features."
        )
    counts = [features.shape[1]] * batch_size if lengths is None else _counts(lengths)
    fewest, most = math.ceil(config.semantic_downsample_factor), features.shape[1]
    if len(counts) != batch_size or not all(fewest <= count <= most for count in counts):
        raise CodecError(
            f"{counts} features are not possible: each of the {batch_size} clips needs at least "
            f"{fewest}, and there are {most}."
        )
    return [clip[:count] for clip, count in zip(features, counts, strict=True)]


def checked_codes(
    audio_codes: torch.Tensor, codebook_sizes: Sequence[int], no_code: int
) -> list[torch.Tensor]:
    """The codes `[K, G]`, int64, of each clip, without what is after its last group.

    There, the length is `no_code`, whatever the other codes are.

    Raises:
        CodesError: No integers, another shape, a clip without groups, or a code outside its
            codebook.
    """
    audio_codes = whole_codes(audio_codes)
    if audio_codes.ndim != 3 or not 2 <= audio_codes.shape[1] <= len(codebook_sizes):
        raise CodesError(
            f"audio_codes has shape {list(audio_codes.shape)}: decode takes codes [batch, streams, "
            f"groups] with 2 (semantic codes, lengths) to {len(codebook_sizes)} streams."
        )
    streams = audio_codes.shape[1]
    sizes = torch.tensor([*codebook_sizes[: streams - 1], codebook_sizes[-1]])
    sizes = sizes.to(audio_codes.device)[:, None]
    clips = []
    for codes in audio_codes:
        groups = (codes[-1] != no_code).nonzero()
        clip = codes[:, : int(groups[-1]) + 1 if len(groups) else 0]
        outside = ((clip < 0) | (clip >= sizes)).nonzero()
        if len(outside) or not clip.numel():
            raise CodesError(_wrong(clip, outside, sizes))
        clips.append(clip)
    return clips


def _counts(lengths: torch.Tensor) -> list[int]:
    """How many features `[B]` each clip has."""
    counts: list[int] = torch.as_tensor(lengths).long().reshape(-1).tolist()
    return counts


def _wrong(clip: torch.Tensor, outside: torch.Tensor, sizes: torch.Tensor) -> str:
    if not len(outside):
        return "A clip has no groups: leave it out."
    stream, group = outside[0].tolist()
    return (
        f"Code {int(clip[stream, group])} in stream {stream}, group {group} is outside its "
        f"codebook of {int(sizes[stream])} codes. The last stream holds lengths, 0 for one frame."
    )
