"""The contract that every codec fulfils, and the one loop that encodes for all of them.

Axis letters: B = batch, K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

import hashlib
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from ..alphabet import CodebookAlphabet
from ..audio import Waveform
from ..errors import AudioError, CodecError
from .pin import CodecPin
from .selection import select_codebooks
from .windows import batches, cut, plan

__all__ = ["AudioCodec"]

Codes = npt.NDArray[np.int64]


class AudioCodec(ABC):
    """A neural audio codec: waveforms to codes and back.

    A family of codecs is a subclass that says how its model is called; the loop over clips,
    chunks, context and batches is here.

    The codes of a clip never depend on what it was batched with. Only windows of equal padded
    length share a batch, each padded as it would be alone. And on a CPU every window is encoded
    alone, which is faster there too: with its neighbours, the last bit of its embedding may round
    differently, which now and then tips a code over. (On a GPU that risk remains, as it does for
    everybody; `batch_size=1` rules it out.)

    Make one with `load_codec`, or from a Transformers model: `MimiCodec(model)`.

    Args:
        model: The Transformers model, put in evaluation mode.
        feature_extractor: The model's own, saved with the codec; `None` makes a fitting one.
        num_codebooks: How many of the model's codebooks to use, from the first one on; `None`
            uses all.
        bandwidth: Or the bandwidth that they must have, in kbps or bps.
        name_or_path: The Hub id that the model came from; `None` for one that is in no
            repository, which processors then save beside themselves.
        revision: The commit hash there.

    Raises:
        CodecError: A model that this family cannot treat exactly, or more codebooks than it has.
    """

    family: ClassVar[str]
    """The `model_type` of the family's configurations."""
    pads_to_frames: ClassVar[bool] = False
    """Whether a window is padded with silence to whole frames, alone too."""

    def __init__(
        self,
        model: PreTrainedModel,
        feature_extractor: Any = None,
        *,
        num_codebooks: int | None = None,
        bandwidth: float | None = None,
        name_or_path: str | None = None,
        revision: str | None = None,
    ) -> None:
        self.model = model.eval()
        self.config = model.config
        self._check_config()
        self.name_or_path = name_or_path
        self.revision = revision
        self.codebook_sizes = select_codebooks(
            self._all_codebook_sizes(),
            self.frame_rate,
            num_codebooks=num_codebooks,
            bandwidth=bandwidth,
        )
        self.feature_extractor = feature_extractor or self._make_feature_extractor()

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

    @abstractmethod
    def _make_feature_extractor(self) -> Any:
        """A feature extractor of the family's own class for a model that came without one."""

    def _check_config(self) -> None:
        """Refuses models of the family that cannot be treated exactly."""
        return

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

    def padded_length(self, num_samples: int) -> int:
        """The length that a window is padded to with silence, alone or in a batch."""
        return (
            self.num_frames(num_samples) * self.hop_length if self.pads_to_frames else num_samples
        )

    def num_frames(self, num_samples: int) -> int:
        """How many frames `encode` makes of so many samples, unchunked."""
        return -(-num_samples // self.hop_length)

    def num_samples(self, num_frames: int) -> int:
        """How many samples `decode` makes of so many frames."""
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
            name_or_path=self.name_or_path,
            revision=self.revision,
            num_codebooks=self.num_codebooks,
            codebook_sizes=self.codebook_sizes,
            sampling_rate=self.sampling_rate,
            output_sampling_rate=self.output_sampling_rate,
            frame_rate=self.frame_rate,
            fingerprint=None if self.name_or_path else self.fingerprint,
            dtype=str(self.dtype).removeprefix("torch."),
        )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the model's weights."""
        digest = hashlib.blake2b(digest_size=16)
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def to(self, device: str | torch.device) -> AudioCodec:
        """Moves the model to a device; returns the codec."""
        self.model.to(device)
        return self

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> None:
        """Writes the model and its feature extractor; `load_codec` reads the folder."""
        self.model.save_pretrained(save_directory)
        self.feature_extractor.save_pretrained(save_directory)

    @torch.inference_mode()
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
            batch_size: How many windows of equal length a GPU encodes at once: changes memory
                and speed. A CPU encodes one after another.
            chunk_seconds: Cut clips into chunks of this length, encoded independently: bounds
                memory, and simulates streaming. Codes near the cuts differ from uncut ones.
            context_seconds: The length of the window that a chunk is encoded in: the chunk and,
                in front of it, `context_seconds - chunk_seconds` of previous audio, silence at
                the beginning. Only the chunk's codes are kept (as in codec-bpe).

        Returns:
            Codes `[K, T]` for each clip.

        Raises:
            AudioError: A clip that is not `[S]`, is empty, or holds NaN or infinite samples.
            CodecError: Sizes that make no sense.
        """
        clips = self._checked_waveforms(waveforms)
        chunk, context = self._window_samples(chunk_seconds, context_seconds)
        if batch_size < 1:
            raise CodecError(f"batch_size={batch_size} is not possible: pass 1 or more.")
        windows = plan([len(clip) for clip in clips], chunk, context)
        no_frames = np.zeros((self.num_codebooks, 0), dtype=np.int64)
        parts: list[Codes] = [no_frames] * len(windows)
        at_once = 1 if self.device.type == "cpu" else batch_size
        for length, members in batches(windows, self.padded_length, at_once):
            if self.num_frames(length) == 0:
                continue
            inputs = np.stack([cut(clips[windows[i].clip], windows[i], length) for i in members])
            input_values = torch.from_numpy(inputs)[:, None].to(self.device, self.dtype)
            audio_codes = self._encode_batch(input_values).to("cpu", torch.int64).numpy()
            for index, codes in zip(members, audio_codes, strict=True):
                parts[index] = self._kept(codes, windows[index].length, context)
        joined: list[list[Codes]] = [[] for _ in clips]
        for window, codes in zip(windows, parts, strict=True):
            joined[window.clip].append(codes)
        return [np.concatenate(pieces, axis=1) for pieces in joined]

    @torch.inference_mode()
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
        """
        alphabet = CodebookAlphabet(self.codebook_sizes)
        return [self._decode_one(alphabet.checked(clip)) for clip in codes]

    def _decode_one(self, codes: npt.NDArray[np.integer[Any]]) -> Waveform:
        if codes.shape[1] == 0:
            return np.zeros(0, dtype=np.float32)
        audio_codes = torch.from_numpy(codes.astype(np.int64))[None].to(self.device)
        return self._decode_batch(audio_codes)[0].float().cpu().numpy()

    def _kept(self, codes: Codes, num_samples: int, context: int) -> Codes:
        """A window's codes without those of its context and of its padding."""
        return codes[:, -(-context // self.hop_length) : self.num_frames(num_samples)]

    def _window_samples(
        self, chunk_seconds: float | None, context_seconds: float
    ) -> tuple[int | None, int]:
        if chunk_seconds is None:
            if context_seconds:
                raise CodecError(
                    f"context_seconds={context_seconds} needs chunk_seconds: context is what a "
                    "chunk sees of the audio in front of it."
                )
            return None, 0
        chunk = _whole_samples(chunk_seconds, self.sampling_rate)
        if chunk < 1:
            raise CodecError(
                f"chunk_seconds={chunk_seconds} is shorter than one sample at "
                f"{self.sampling_rate} Hz: pass at least one frame, {1 / self.frame_rate:g} s."
            )
        previous = max(0.0, context_seconds - chunk_seconds)
        return chunk, _whole_samples(previous, self.sampling_rate)

    def _checked_waveforms(self, waveforms: Sequence[Any]) -> list[Waveform]:
        if isinstance(waveforms, (np.ndarray, torch.Tensor)) and waveforms.ndim == 1:
            raise AudioError("encode takes a list of clips, but got one clip: pass [waveform].")
        return [_checked_waveform(index, clip) for index, clip in enumerate(waveforms)]


def _whole_samples(seconds: float, sampling_rate: int) -> int:
    """Rounded down; but 0.12 - 0.04 seconds at 16 kHz are 1280 samples, not 1279."""
    return int(seconds * sampling_rate + 1e-6)


def _checked_waveform(index: int, clip: Any) -> Waveform:
    if isinstance(clip, torch.Tensor):
        clip = clip.detach().float().cpu().numpy()
    array = np.asarray(clip)
    if array.ndim != 1 or array.dtype.kind != "f":
        raise AudioError(
            f"Clip {index} has shape {list(array.shape)} and dtype {array.dtype}: encode takes "
            "float samples [S]. load_audio makes them from anything that holds sound."
        )
    if len(array) == 0:
        raise AudioError(f"Clip {index} has no samples: leave empty clips out.")
    # NaN and infinities reach the extremes; a mask of a long clip would cost memory.
    if not np.isfinite([array.min(), array.max()]).all():
        raise AudioError(f"Clip {index} holds NaN or infinite samples: repair it or leave it out.")
    return array.astype(np.float32, copy=False)
