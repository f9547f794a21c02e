"""The contract that every codec fulfils; `encoding.py` has the loop that encodes for all of them.

Axis letters: B = batch, K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from ..alphabet import CodebookAlphabet
from ..audio import Waveform
from ..errors import CodecError
from .arithmetic import own_precision
from .devices import checked_device
from .encoding import checked_clips, encode_clips, window_samples
from .integer_padding import count_padding_in_integers
from .memory import memory_errors
from .pin import CodecPin, weights_fingerprint
from .selection import select_codebooks
from .streaming import CodecStream, WindowStream
from .windows import rounded_up

__all__ = ["AudioCodec"]

Codes = npt.NDArray[np.int64]


class AudioCodec(ABC):
    """A neural audio codec: waveforms to codes and back.

    A family of codecs is a subclass that says how its model is called; the loop over clips,
    chunks, context and batches is one for all.

    The codes of a clip never depend on what it was batched with. Only windows of equal padded
    length share a batch, each padded as it would be alone. On a CPU every window is encoded by
    itself, which is also faster: in a batch, the last bit of an embedding may round differently,
    which now and then changes a code. (On a GPU this can still happen; `batch_size=1` rules it
    out.)

    Make one with `load_codec`, or from a Transformers model: `MimiCodec(model)`.

    Args:
        model: The Transformers model, put in evaluation mode, now and whenever it encodes or
            decodes.
        feature_extractor: The model's own, saved with the codec; `None` makes a fitting one.
        num_codebooks: How many of the model's codebooks to use, from the first one on; `None`
            uses all.
        bandwidth: Or the bandwidth that they must have, in kbps or bps.
        name_or_path: The Hub id that the model came from.
        revision: The commit hash there. A model without one is saved beside its processors.
        settings: The family's other options, by the names in `default_settings`.

    Raises:
        CodecError: A model that this family cannot treat exactly, more codebooks than it has, or
            a setting that it does not know or cannot have.
    """

    family: ClassVar[str]
    """The `model_type` of the family's configurations."""
    pads_to_frames: ClassVar[bool] = False
    """Whether every window, even alone, is padded with silence to whole frames."""
    dynamic_frame_rate: ClassVar[bool] = False
    """Whether neighbouring frames are merged where they are alike. `encode` then gives groups, at
    most `num_frames`, and the last codebook says how many frames each of them lasts."""
    default_settings: ClassVar[Mapping[str, Any]] = {}
    """What else changes a family's codes, by the name of an argument, with its default."""

    def __init__(
        self,
        model: PreTrainedModel,
        feature_extractor: Any = None,
        *,
        num_codebooks: int | None = None,
        bandwidth: float | None = None,
        name_or_path: str | None = None,
        revision: str | None = None,
        **settings: Any,
    ) -> None:
        self.model = model.eval()
        count_padding_in_integers(self.model)
        self.config = model.config
        self._check_config()
        self.name_or_path = name_or_path
        self.revision = revision
        self.codebook_sizes = self._select_codebooks(num_codebooks, bandwidth)
        self.settings = self._checked_settings(settings)
        self.feature_extractor = feature_extractor or self._make_feature_extractor()
        self.folder: str | None = None
        """Where it was loaded from, if that is on this machine."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name_or_path or 'in memory'}: {self.sampling_rate} Hz, "
            f"{self.frame_rate:g} frames/s, {self.num_codebooks} codebooks, {self.device})"
        )

    # What a family says about itself.

    @abstractmethod
    def _all_codebook_sizes(self) -> Sequence[int]:
        """The sizes of all codebooks of the model."""

    @abstractmethod
    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        """Waveforms `[B, 1, S]` of one padded length to codes `[B, K, T]`."""

    @abstractmethod
    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T]` to waveforms `[B, num_samples(T)]`."""

    def _as_input(self, samples: torch.Tensor) -> torch.Tensor:
        """Float32 samples `[B, 1, S]` as `_encode_batch` takes them: by default like the model."""
        return samples.to(self.device, self.dtype)

    @abstractmethod
    def _make_feature_extractor(self) -> Any:
        """A feature extractor of the family's own class for a model that came without one."""

    def _check_config(self) -> None:
        """Refuses models of the family that cannot be treated exactly."""
        return

    def _select_codebooks(
        self, num_codebooks: int | None, bandwidth: float | None
    ) -> tuple[int, ...]:
        """The sizes of the codebooks in use."""
        return select_codebooks(
            self._all_codebook_sizes(),
            self.frame_rate,
            num_codebooks=num_codebooks,
            bandwidth=bandwidth,
        )

    def _checked_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """All settings, with defaults for those that were left out."""
        unknown = sorted(settings.keys() - self.default_settings.keys())
        if unknown:
            known = ", ".join(self.default_settings) or "none"
            raise CodecError(
                f"{self.family} codecs have no setting {', '.join(unknown)}: they have {known}."
            )
        return {**self.default_settings, **settings}

    @property
    def hop_length(self) -> int:
        """Input samples per frame."""
        return int(self.config.hop_length)

    @property
    def sampling_rate(self) -> int:
        """Samples per second that `encode` takes."""
        return int(self.config.sampling_rate)

    @property
    def output_sampling_rate(self) -> int:
        """Samples per second that `decode` gives."""
        return self.sampling_rate

    @property
    def is_causal(self) -> bool:
        """Whether silence after whole frames changes none of their codes."""
        return False

    def padded_length(self, num_samples: int) -> int:
        """The length that a window is padded to with silence, alone or in a batch.

        Where windows can share a batch, those of a causal model are padded further, to one of a
        few lengths.
        """
        if not self.pads_to_frames:
            return num_samples
        num_frames = self.num_frames(num_samples)
        if self.is_causal and self.max_batch_size(2) > 1:
            num_frames = rounded_up(num_frames)
        return num_frames * self.hop_length

    def num_frames(self, num_samples: int) -> int:
        """How many frames `encode` makes of `num_samples` samples, unchunked, before merging."""
        return -(-num_samples // self.hop_length)

    def num_samples(self, num_frames: int) -> int:
        """How many samples `decode` makes of `num_frames` frames."""
        return num_frames * self.hop_length

    # What follows from it.

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sampling_rate / self.hop_length

    @property
    def num_codebooks(self) -> int:
        """K: how many codebooks are in use."""
        return len(self.codebook_sizes)

    @property
    def bandwidth(self) -> float:
        """Bits per second of the flat codes."""
        return self.frame_rate * sum(math.log2(size) for size in self.codebook_sizes)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """The model's precision."""
        return self.model.dtype

    @property
    def pin(self) -> CodecPin:
        """Everything that must be equal for codes to be equal."""
        return CodecPin(
            family=self.family,
            name_or_path=self.name_or_path if self.revision else None,
            revision=self.revision,
            num_codebooks=self.num_codebooks,
            codebook_sizes=self.codebook_sizes,
            sampling_rate=self.sampling_rate,
            output_sampling_rate=self.output_sampling_rate,
            frame_rate=self.frame_rate,
            fingerprint=None if self.revision else self.fingerprint,
            dtype=str(self.dtype).removeprefix("torch."),
            settings=self.settings,
        )

    @property
    def fingerprint(self) -> str:
        """A hash of the model's weights, as they are now."""
        return weights_fingerprint(self.model)

    def to(self, device: str | torch.device) -> AudioCodec:
        """Moves the model to a device; returns the codec.

        Raises:
            CodecError: There is no such device here, or no room on it; the model stays where it
                was.
        """
        before, wanted = self.device, checked_device(device)
        try:
            self.model.to(wanted)
        except RuntimeError as error:
            self.model.to(before)
            raise CodecError(f"The model cannot be moved to {wanted}: {error}") from error
        return self

    def with_choices(self, num_codebooks: int | None = None, **settings: Any) -> AudioCodec:
        """The same model with other choices; the codec itself if nothing changes.

        Both share the model: moving or compiling one also moves or compiles the other. Both are
        pinned to the same commit, or to the same weights.

        Args:
            num_codebooks: How many of the model's codebooks to use, from the first one on; `None`
                changes nothing.
            settings: The settings to change.

        Raises:
            CodecError: More codebooks than the model has, or a setting that it cannot have.
        """
        num_codebooks = self.num_codebooks if num_codebooks is None else num_codebooks
        settings = {**self.settings, **settings}
        if num_codebooks == self.num_codebooks and settings == self.settings:
            return self
        twin = type(self)(
            self.model,
            self.feature_extractor,
            num_codebooks=num_codebooks,
            name_or_path=self.name_or_path,
            revision=self.revision,
            **settings,
        )
        twin.folder = self.folder
        return twin

    def max_batch_size(self, batch_size: int) -> int:
        """How many windows are encoded at once when `batch_size` are allowed."""
        return 1 if self.device.type == "cpu" else batch_size

    def compile(self, **options: Any) -> AudioCodec:
        """Compiles the model's parts with `torch.compile`, in place; returns the codec.

        Worth the minutes of warm-up on a GPU, for windows of one length (`chunk_seconds`). Compiled
        code rounds differently, so that a code may now and then differ from uncompiled.

        Args:
            options: Passed on to `torch.compile`: `mode`, `dynamic`, `backend`...
        """
        for part in self.model.children():
            part.compile(**options)
        return self

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """What `encode`, `decode` and streams run the model in: evaluation mode, own precision."""
        # Again: train() of a larger model that this one is a part of reaches it too.
        self.model.eval()
        with own_precision(self.device):
            yield

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> None:
        """Writes the model and its feature extractor; `load_codec` reads the folder.

        The model has all of its codebooks there: `num_codebooks` and settings are to be given to
        `load_codec` again. (A processor's pin remembers them.)

        Raises:
            CodecError: It is a file.
        """
        if os.path.isfile(save_directory):  # Transformers would fail without saying why
            raise CodecError(f"{save_directory} is a file: save to a folder.")
        self.model.save_pretrained(save_directory)
        self.feature_extractor.save_pretrained(save_directory)

    def encode(
        self,
        waveforms: Sequence[Any],
        *,
        batch_size: int = 8,
        chunk_seconds: float | None = None,
        context_seconds: float = 0.0,
    ) -> list[Codes]:
        """Encodes clips, each to the codes that it would have alone.

        Args:
            waveforms: Clips of any lengths, each float samples `[S]` at `sampling_rate`.
            batch_size: How many windows of equal padded length a GPU encodes at once: changes
                memory and speed. A CPU encodes one after another.
            chunk_seconds: Cut clips into chunks of this length, encoded independently: bounds
                memory, and simulates streaming. Codes near the cuts differ from uncut ones.
            context_seconds: The length of the window that a chunk is encoded in: the chunk and,
                in front of it, `context_seconds - chunk_seconds` of previous audio, silence at
                the beginning. Only the chunk's codes are kept (as in codec-bpe).

        Returns:
            Codes `[K, T]` for each clip.

        Raises:
            AudioError: A clip that is not `[S]`, is empty, or holds NaN or infinite samples.
            CodecError: A size out of range, or context for a dynamic frame rate.
            CodecMemoryError: Windows do not fit in memory.
        """
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise CodecError(f"batch_size={batch_size!r} is not possible: pass 1 or more.")
        chunk, context = window_samples(self, chunk_seconds, context_seconds)
        with self._inference():
            return encode_clips(self, checked_clips(waveforms), batch_size, chunk, context)

    def decode(self, codes: Sequence[Any]) -> list[Waveform]:
        """Decodes clips, one by one.

        Args:
            codes: Integers `[K, T]` for each clip: lists, numpy arrays or torch tensors.

        Returns:
            Float32 samples `[num_samples(T)]` at `output_sampling_rate` for each clip; no frames
            give no samples.

        Raises:
            CodesError: Codes of another shape or type.
            AlphabetError: A code outside its codebook.
            CodecMemoryError: A clip does not fit in memory.
        """
        alphabet = CodebookAlphabet(self.codebook_sizes)
        with self._inference():
            return [self._decode_one(alphabet.checked(clip)) for clip in codes]

    def stream(
        self, *, chunk_seconds: float | None = None, context_seconds: float = 0.0
    ) -> CodecStream:
        """Starts encoding a clip as it arrives.

        Args:
            chunk_seconds: The length of a chunk; see `encode`, which gives the same codes.
            context_seconds: The length of the window that a chunk is encoded in; likewise.

        Raises:
            CodecError: No chunk length, for a family that cannot stream without one.
        """
        chunk, context = window_samples(self, chunk_seconds, context_seconds)
        if chunk is None:
            raise CodecError(
                f"{self.family} models do not stream by themselves: pass chunk_seconds, and "
                "context_seconds for better codes."
            )
        return WindowStream(self, chunk, context)

    def _decode_one(self, codes: npt.NDArray[np.integer[Any]]) -> Waveform:
        if codes.shape[1] == 0:
            return np.zeros(0, dtype=np.float32)
        seconds = codes.shape[1] / self.frame_rate
        with memory_errors(f"{seconds:g} s of codes on {self.device}", "decode shorter pieces"):
            audio_codes = torch.from_numpy(codes.astype(np.int64))[None].to(self.device)
            return self._decode_batch(audio_codes)[0].float().cpu().numpy()
