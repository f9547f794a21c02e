"""The processor: the corridor between audio and text on one side and token ids on the other.

It owns no arithmetic of its own: audio.py reads, the codec makes codes, the tokenizer's alphabet
makes them text, and the tokenizer makes that ids.

Axis letters: C = channels, S = samples, L = tokens.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from transformers import BatchFeature
from transformers.processing_utils import ProcessorMixin

from . import audio as sound
from .codecs.encoding import check_window
from .codecs.lazy import LazyCodec
from .codecs.pin import CODEC_FOLDER, CodecPin
from .errors import (
    CodecBPEError,
    CodecMismatchError,
    ProcessorError,
    ProcessorNotFoundError,
    TokenizerError,
    first_line,
)
from .processing_inputs import (
    TEXT_OPTIONS,
    audio_parts,
    check_placeholders,
    checked_texts,
    fill_placeholders,
    is_batch,
    read_example,
    split_options,
)
from .tokenization_codec_bpe import CodecBPETokenizer

if TYPE_CHECKING:
    import torch

    from .audio import Waveform
    from .codecs import AudioCodec

__all__ = ["CodecBPEProcessor"]


class CodecBPEProcessor(ProcessorMixin):
    """Audio in, tokens out; tokens in, audio out.

    `AutoProcessor.from_pretrained` loads one, `from_codec` makes one:

    ```python
    processor = CodecBPEProcessor.from_codec(load_codec("mimi", num_codebooks=8), tokenizer)
    ids = processor(audio="speech.wav")["input_ids"]
    waveforms = processor.decode_audio(ids)
    ```

    Args:
        feature_extractor: The codec's own.
        tokenizer: A `CodecBPETokenizer` for the codec's codebooks.
        codec: The codec: an `AudioCodec`; anything that `load_codec` takes, loaded now; the entry
            of a `processor_config.json`, loaded on first use; or `None` for work without audio.
        audio_token: Stands for a clip in a text.
        audio_start_token: A token of the vocabulary to put in front of every clip.
        audio_end_token: A token of the vocabulary to put behind every clip.
        chat_template: See `apply_chat_template`.
        chunk_seconds: Encode in chunks; see `AudioCodec.encode`. Saved, because it changes codes.
        context_seconds: Previous audio that a chunk sees; see `AudioCodec.encode`. Saved likewise.

    Raises:
        CodecMismatchError: The tokenizer was made for other codebooks.
        TokenizerError: A tokenizer without an alphabet, or without those tokens.
    """

    def __init__(
        self,
        feature_extractor: Any,
        tokenizer: Any,
        codec: AudioCodec | CodecPin | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        audio_token: str = "<|audio|>",
        audio_start_token: str | None = None,
        audio_end_token: str | None = None,
        chat_template: str | dict[str, str] | None = None,
        chunk_seconds: float | None = None,
        context_seconds: float = 0.0,
    ) -> None:
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template)
        self.audio_token = audio_token
        self.audio_start_token = audio_start_token
        self.audio_end_token = audio_end_token
        check_window(chunk_seconds, context_seconds)
        self.chunk_seconds = chunk_seconds
        self.context_seconds = context_seconds
        _check_tokenizer(tokenizer, [audio_start_token, audio_end_token])
        self._codec = LazyCodec.of(codec, num_codebooks=tokenizer.alphabet.num_codebooks)
        if self._codec.pin is not None:
            _check_fit(self._codec.pin, tokenizer, feature_extractor)

    @classmethod
    def from_codec(
        cls, codec: AudioCodec, tokenizer: CodecBPETokenizer, **kwargs: Any
    ) -> CodecBPEProcessor:
        """Makes a processor; `kwargs` are those of the class."""
        return cls(codec.feature_extractor, tokenizer, codec=codec, **kwargs)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> CodecBPEProcessor:
        """Loads a processor from the Hub or a folder; its codec waits for its first use.

        Raises:
            ProcessorNotFoundError: Nothing there, no way to reach it, or files are missing.
            ProcessorError: What is there does not fit together, or was not made by this package.
        """
        name = os.fspath(pretrained_model_name_or_path)
        try:
            processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        except CodecBPEError:
            raise
        except (OSError, ValueError) as error:
            raise ProcessorNotFoundError(
                f"There is no whole processor at {name}: it must be a folder that save_pretrained "
                f"wrote, or a Hub repository. ({first_line(error)})"
            ) from error
        access = ("revision", "token", "cache_dir", "local_files_only", "subfolder")
        processor._codec.source = {
            "name_or_path": os.path.abspath(name) if os.path.isdir(name) else name,
            **{key: kwargs[key] for key in access if kwargs.get(key) is not None},
        }
        return processor

    @classmethod
    def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
        # What is meant for the processor would otherwise become a setting, or even a special
        # token, of the tokenizer.
        own = inspect.signature(cls.__init__).parameters
        shared = {key: value for key, value in kwargs.items() if key not in own}
        return super()._get_arguments_from_pretrained(*args, **shared)

    @property
    def codec(self) -> AudioCodec:
        """The codec, loaded on first use.

        Raises:
            ProcessorError: The processor was made without one.
            CodecNotFoundError: It is not where the processor says.
            CodecMismatchError: It is another one than the processor was made for.
        """
        return self._codec.load()

    @property
    def codec_pin(self) -> CodecPin | None:
        """What the codec must be, known without loading it; `None` if there is none."""
        return self._codec.pin

    def to(self, device: str | torch.device) -> CodecBPEProcessor:
        """Puts the codec on a device, now or when it is loaded; returns the processor."""
        self._codec.to(device)
        return self

    def __call__(
        self,
        text: str | Sequence[str] | Mapping[str, Any] | None = None,
        audio: Any = None,
        *,
        sampling_rate: int | None = None,
        resample: bool | None = None,
        per_channel: bool = False,
        batch_size: int = 8,
        images: None = None,
        videos: None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Tokenizes audio, or text with audio in it.

        Args:
            text: Texts in which `audio_token` stands for one clip each; without text, every clip
                is a sequence of its own. Or an example of a dataset, or a batch of them, with a
                column `audio`: `dataset.map(processor)` and `dataset.map(processor,
                batched=True)` work. Its column `text` is used if it holds `audio_token`.
            audio: One clip or a list of them: a path, a URL, bytes, samples `[S]` or `[C, S]` as
                an array or tensor, or a value of a `datasets` Audio column.
            sampling_rate: The rate of bare arrays, in Hz.
            resample: Whether audio at another rate than the codec's is resampled. By default files
                and `datasets` values are; a bare array is an error.
            per_channel: One sequence per channel; by default channels are mixed down.
            batch_size: How many windows of equal length the codec encodes at once. Never changes
                ids.
            images: Not supported; accepted as `None` for Transformers' chat templates.
            videos: Not supported; likewise.
            kwargs: Passed on to the tokenizer: `padding`, `truncation`, `return_tensors`... Also,
                as Transformers has it, grouped as `text_kwargs={...}` and `audio_kwargs={...}`.

        Returns:
            `input_ids` and `attention_mask`, one sequence per text; flat for a single example of a
            dataset.

        Raises:
            AudioError: Audio that cannot be read or used; see its subclasses.
            ProcessorError: Nothing to process, clips and placeholders that do not match, or code
                characters in a text.
        """
        if images is not None or videos is not None:
            raise ProcessorError("This processor takes text and audio: no images, no videos.")
        text_options, audio_options = split_options(
            kwargs,
            sampling_rate=sampling_rate,
            resample=resample,
            per_channel=per_channel,
            batch_size=batch_size,
        )
        if isinstance(text, Mapping):
            return self._process_example(text, {**text_options, **audio_options})
        texts = None if text is None else checked_texts(text)
        clips = self._load(audio, audio_options)
        texts = [self.audio_token] * len(clips) if texts is None else texts
        if not texts:
            raise ProcessorError("There is nothing to process: pass audio, text, or both.")
        if any(re.search(f"[{self.tokenizer.alphabet.character_class}]", text) for text in texts):
            raise ProcessorError(
                "The text holds characters that stand for audio codes: take them out, and pass "
                f"audio as audio=, with {self.audio_token} in its place."
            )
        check_placeholders(texts, self.audio_token, len(clips))
        audio_texts = self._audio_texts(clips, audio_options["batch_size"])
        filled = fill_placeholders(texts, self.audio_token, audio_texts)
        return BatchFeature(dict(self.tokenizer(filled, **text_options)))

    def decode_audio(
        self, ids: Any, errors: Literal["strict", "drop"] = "strict"
    ) -> list[Waveform]:
        """Turns token ids back into sound.

        Args:
            ids: One sequence of ids `[L]`, or a batch of them, as lists, arrays or tensors.
                Special tokens such as padding are left out.
            errors: `"strict"` raises on anything but whole frames; `"drop"` keeps the whole frames
                of what a language model generated.

        Returns:
            Float32 samples `[S]` at `codec.output_sampling_rate` for each sequence:
            `codec.num_samples(number of frames)` of them.

        Raises:
            AlphabetError: Under `"strict"`, tokens that do not make up whole frames.
            TokenizerError: An id outside the vocabulary.
        """
        sequences = list(ids) if is_batch(ids) or getattr(ids, "ndim", 1) == 2 else [ids]
        return self.codec.decode([self.tokenizer.ids_to_codes(one, errors) for one in sequences])

    def save_audio(self, audio: Any, path: str | os.PathLike[str]) -> Path:
        """Writes samples `[S]` that `decode_audio` made to a file; its ending sets the format."""
        return sound.save_audio(audio, path, self.codec.output_sampling_rate)

    def post_process_multimodal_output(
        self,
        generated_outputs: Any,
        skip_special_tokens: bool = True,
        generation_mode: str | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """What a model generated, as text, or as audio with `generation_mode="audio"`."""
        if generation_mode == "audio":
            return self.decode_audio(generated_outputs, **kwargs)
        return super().post_process_multimodal_output(
            generated_outputs,
            skip_special_tokens=skip_special_tokens,
            generation_mode=generation_mode,
            **kwargs,
        )

    def apply_chat_template(
        self,
        conversation: Any,
        chat_template: str | None = None,
        *,
        tokenize: bool = False,
        return_dict: bool = False,
        processor_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Renders a conversation whose messages may hold audio.

        Args:
            conversation: Messages with a `role` and a `content`: text, or a list of parts
                `{"type": "text", "text": ...}` and `{"type": "audio", "audio": ...}` (or `"path"`
                or `"url"`), whose audio is anything that a call takes. Or a list of conversations.
            chat_template: A template, or the name of one of the processor's own.
            tokenize: Return ids instead of text.
            return_dict: With `tokenize`, return what a call does instead of `input_ids` alone.
            processor_kwargs: With `tokenize`, options of the call.
            kwargs: Passed on to `ProcessorMixin.apply_chat_template`.

        Raises:
            ProcessorError: A mask of the assistant's tokens is asked for, which cannot be told
                from the template once audio has taken its place.
        """
        if kwargs.pop("return_assistant_tokens_mask", False):
            raise ProcessorError(
                "return_assistant_tokens_mask is not supported: audio changes the places of tokens."
            )
        options = dict(processor_kwargs or {})
        for key in [key for key in kwargs if key in TEXT_OPTIONS]:
            options[key] = kwargs.pop(key)
        prompt = super().apply_chat_template(conversation, chat_template, tokenize=False, **kwargs)
        if not tokenize:
            return prompt
        clips = [
            part[key]
            for part in audio_parts(conversation)
            for key in ("audio", "path", "url")
            if key in part
        ]
        options.setdefault("add_special_tokens", False)  # the template writes them
        features = self(text=prompt, audio=clips or None, **options)
        return features if return_dict else features["input_ids"]

    @property
    def model_input_names(self) -> list[str]:
        """What a call returns: what the tokenizer does."""
        return list(self.tokenizer.model_input_names)

    def to_dict(self) -> dict[str, Any]:
        """What `processor_config.json` holds; the codec as its pin."""
        pin = self.codec_pin.to_dict() if self.codec_pin else None
        return {**super().to_dict(), "codec": pin}

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> list[str]:
        """Saves the processor and its tokenizer.

        A codec from the Hub is pinned to its commit; any other one is saved beside, in `codec/`.

        Raises:
            ProcessorError: The processor has no codec, so that nobody could load it.
        """
        if self.codec_pin is None:
            raise ProcessorError(
                "A processor without a codec cannot be saved: it would not decode. Make one with "
                "CodecBPEProcessor.from_codec(codec, tokenizer)."
            )
        if self.codec_pin.is_beside:
            self.codec.save_pretrained(Path(save_directory, CODEC_FOLDER))
        return super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoProcessor") -> None:
        """Does nothing: repositories carry no copy of this package's source."""

    def _load(self, audio: Any, options: Mapping[str, Any]) -> list[Waveform]:
        if audio is None:
            return []
        clips = list(audio) if is_batch(audio) else [audio]
        rate = self._codec.required_pin.sampling_rate
        how = {"source_rate": options["sampling_rate"], "resample": options["resample"]}
        if options["per_channel"]:
            return [each for clip in clips for each in sound.load_channels(clip, rate, **how)]
        return [sound.load_audio(clip, rate, **how) for clip in clips]

    def _audio_texts(self, clips: list[Waveform], batch_size: int) -> list[str]:
        if not clips:
            return []
        codes = self.codec.encode(
            clips,
            batch_size=batch_size,
            chunk_seconds=self.chunk_seconds,
            context_seconds=self.context_seconds,
        )
        start, end = self.audio_start_token or "", self.audio_end_token or ""
        return [f"{start}{self.tokenizer.alphabet.to_text(clip)}{end}" for clip in codes]

    def _process_example(self, example: Mapping[str, Any], options: dict[str, Any]) -> BatchFeature:
        clips, text, batched = read_example(example, self.audio_token)
        features = self(text=text, audio=clips, **options)
        if batched or options["per_channel"] or options.get("return_tensors"):
            return features
        return BatchFeature({key: value[0] for key, value in features.items()})


def _check_tokenizer(tokenizer: Any, tokens: Sequence[str | None]) -> None:
    if not isinstance(tokenizer, CodecBPETokenizer):
        raise TokenizerError(
            f"A {type(tokenizer).__name__} knows no codes: pass a CodecBPETokenizer, which "
            "train_tokenizer makes and CodecBPETokenizer.from_pretrained loads."
        )
    missing = [token for token in tokens if token and token not in tokenizer.get_vocab()]
    if missing:
        raise TokenizerError(
            f"The tokenizer has no token {missing[0]!r}: train it with "
            f"additional_special_tokens=[{missing[0]!r}]."
        )


def _check_fit(pin: CodecPin, tokenizer: CodecBPETokenizer, feature_extractor: Any) -> None:
    if feature_extractor.sampling_rate != pin.sampling_rate:
        raise CodecMismatchError(
            f"The feature extractor works at {feature_extractor.sampling_rate} Hz, but the codec "
            f"at {pin.sampling_rate} Hz: pass the codec's own, codec.feature_extractor."
        )
    sizes = tokenizer.alphabet.codebook_sizes
    if sizes != pin.codebook_sizes:
        raise CodecMismatchError(
            f"The tokenizer was made for codebooks of {list(sizes)} codes, but the codec has "
            f"{list(pin.codebook_sizes)}: load the codec with num_codebooks={len(sizes)}, or train "
            "a tokenizer for it."
        )
