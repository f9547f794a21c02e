"""The processor: the corridor between audio and text on one side and token ids on the other.

It owns no arithmetic of its own: audio.py reads, the codec makes codes, the tokenizer's alphabet
turns them into text, and the tokenizer turns that into ids.

Axis letters: B = batch, C = channels, S = samples, L = tokens.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from transformers import BatchFeature

from . import audio as sound
from .alphabet import Errors
from .codec_vocabulary import CodecVocabulary, alphabets_of
from .codecs.encoding import check_window, plain_number
from .codecs.lazy import LazyCodec
from .codecs.pin import CodecPin
from .errors import CodecMismatchError, ProcessorError, TokenizerError, first_line
from .processing_chat import (
    Span,
    as_batch,
    as_templates_read,
    assistant_spans,
    audio_clips,
    moved_spans,
)
from .processing_features import Labels, tokenized
from .processing_inputs import (
    CallOptions,
    as_clips,
    check_none_is_empty,
    check_placeholders,
    checked_texts,
    clips_of_texts,
    fill_placeholders,
    is_batch,
    is_option,
    read_example,
    split_by_text,
)
from .processing_outputs import TextOrCodes, split_output
from .processing_repository import CodecProcessorMixin

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from .audio import Waveform
    from .codecs import AudioCodec

__all__ = ["CodecBPEProcessor"]


class CodecBPEProcessor(CodecProcessorMixin):
    """Audio in, tokens out; tokens in, audio out.

    `AutoProcessor.from_pretrained` loads one, `from_codec` makes one:

    ```python
    processor = CodecBPEProcessor.from_codec(load_codec("mimi", num_codebooks=8), tokenizer)
    ids = processor(audio="speech.wav")["input_ids"]
    waveforms = processor.decode_audio(ids)
    ```

    Args:
        feature_extractor: The codec's own.
        tokenizer: A `CodecBPETokenizer` for the codec's codebooks, or a language model's tokenizer
            that `extend_tokenizer` taught them.
        codec: The codec: an `AudioCodec`; anything that `load_codec` takes, loaded now; the entry
            of a `processor_config.json`, loaded on first use; or `None` for work without audio.
        audio_token: Stands for a clip in a text; by default the one that the tokenizer was extended
            with for this codec, or `"<|audio|>"`.
        audio_start_token: A token of the vocabulary to put in front of every clip; by default the
            one that the tokenizer was extended with for this codec, if any. `""` for none.
        audio_end_token: A token of the vocabulary to put after every clip; likewise.
        chat_template: See `apply_chat_template`.
        chunk_seconds: Encode in chunks; see `AudioCodec.encode`. Saved, because it changes codes.
        context_seconds: The length of the window that a chunk is encoded in, the chunk included;
            see `AudioCodec.encode`. Saved likewise.
        codec_index: Which of the tokenizer's codecs this is, in the order in which they were added;
            needed only where two have equal codebooks.

    Raises:
        CodecMismatchError: The tokenizer was made for other codebooks.
        TokenizerError: A tokenizer that knows no codec, or lacks those tokens.
    """

    def __init__(
        self,
        feature_extractor: Any,
        tokenizer: Any,
        codec: AudioCodec | CodecPin | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        audio_token: str | None = None,
        audio_start_token: str | None = None,
        audio_end_token: str | None = None,
        chat_template: str | dict[str, str] | None = None,
        chunk_seconds: float | None = None,
        context_seconds: float = 0.0,
        codec_index: int | None = None,
    ) -> None:
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template)
        check_window(chunk_seconds, context_seconds)
        self.chunk_seconds = plain_number(chunk_seconds)
        self.context_seconds = plain_number(context_seconds)
        self.codec_index = codec_index
        if isinstance(codec, (str, os.PathLike)):
            alphabet = CodecVocabulary.of(tokenizer, index=codec_index).alphabet
            self._codec = LazyCodec.of(codec, num_codebooks=alphabet.num_codebooks)
        else:
            self._codec = LazyCodec.of(codec)
        if self._codec.pin is not None:
            _check_fit(self._codec.pin, tokenizer, feature_extractor)
        self._vocabulary = self._find_vocabulary()
        own = self._vocabulary
        self.audio_token = audio_token or own.audio_token or "<|audio|>"
        self.audio_start_token = _chosen(audio_start_token, own.audio_start_token)
        self.audio_end_token = _chosen(audio_end_token, own.audio_end_token)
        _check_tokens(tokenizer, self._tokens_around)

    @classmethod
    def from_codec(
        cls, codec: AudioCodec, tokenizer: PreTrainedTokenizerFast, **kwargs: Any
    ) -> CodecBPEProcessor:
        """Makes a processor.

        Args:
            codec: The codec.
            tokenizer: A tokenizer of the codec's codebooks, as for the class.
            kwargs: The other arguments of the class.

        Raises:
            CodecMismatchError: The tokenizer was made for other codebooks.
            TokenizerError: A tokenizer that knows no codec, or lacks the tokens named.
        """
        return cls(codec.feature_extractor, tokenizer, codec=codec, **kwargs)

    @property
    def vocabulary(self) -> CodecVocabulary:
        """Which of the tokenizer's ids are this codec's audio, and what they stand for."""
        known = self._vocabulary
        if known.tokenizer is not self.tokenizer or known.tokenizer_size != len(self.tokenizer):
            self._vocabulary = self._find_vocabulary()
        return self._vocabulary

    def __call__(
        self,
        text: str | Sequence[str] | Mapping[str, Any] | None = None,
        audio: Any = None,
        *,
        sampling_rate: int | None = None,
        resample: bool | None = None,
        per_channel: bool = False,
        batch_size: int = 8,
        output_labels: Labels = False,
        whole_frames: bool = True,
        images: None = None,
        videos: None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Tokenizes audio, or text with audio in it.

        Text around audio needs a language model's tokenizer, extended with `extend_tokenizer`; a
        codec's own knows nothing but audio and its special tokens.

        Args:
            text: Texts in which `audio_token` stands for one clip each; without text, every clip
                is a sequence of its own. Or an example of a dataset, or a batch of them, with a
                column `audio`: `dataset.map(processor)` and `dataset.map(processor,
                batched=True)` work. Its column `text` is used if it holds `audio_token`.
            audio: One clip or a list of them: a path, a URL, bytes, samples `[S]` or `[C, S]` as
                an array or tensor, or a value of a `datasets` Audio column. An array of more than
                two rows may be a batch, so a clip of more than two channels must be in a list.
            sampling_rate: The rate of bare arrays, in Hz.
            resample: Whether audio at another rate than the codec's is resampled. By default files
                and `datasets` values are; a bare array is an error.
            per_channel: One sequence per channel; by default channels are mixed down.
            batch_size: How many windows of equal length the codec encodes at once. Never changes
                ids.
            output_labels: Also return `labels`, where -100 hides a token from a loss: `True` hides
                padding; `"audio"` hides text too, and leaves audio with its start and end tokens;
                `"assistant"` leaves what the assistant says, see `apply_chat_template`.
            whole_frames: Whether `truncation` leaves whole frames: it may then cut a few tokens
                more than it must.
            images: Not supported; accepted as `None` for Transformers' chat templates.
            videos: Not supported; likewise.
            kwargs: Passed on to the tokenizer: `padding`, `truncation`, `return_tensors`... Also,
                as Transformers has it, grouped as `text_kwargs={...}` and `audio_kwargs={...}`.

        Returns:
            `input_ids` and `attention_mask`, one sequence per text; flat for a single example of a
            dataset.

        Raises:
            AudioError: Audio that cannot be read or used; see its subclasses.
            ProcessorError: Nothing to process, clips and placeholders that do not match, code
                characters in a text, or an array that may be one clip or several.
        """
        if images is not None or videos is not None:
            raise ProcessorError("This processor takes text and audio: no images, no videos.")
        options = CallOptions.of(
            {
                "sampling_rate": sampling_rate,
                "resample": resample,
                "per_channel": per_channel,
                "batch_size": batch_size,
                "output_labels": output_labels,
                "whole_frames": whole_frames,
                **kwargs,
            }
        )
        if isinstance(text, Mapping):
            return self._process_example(text, options)
        return self._process(text, audio, options)

    def decode_audio(self, ids: Any, errors: Literal["strict", "drop"] = "strict") -> list[Any]:
        """Turns token ids back into sound, and into text where there is some.

        Args:
            ids: One sequence of ids `[L]`, or a batch of them, as lists, arrays or tensors.
                Special tokens such as padding are left out.
            errors: `"strict"` raises on anything but whole frames; `"drop"` keeps the whole frames
                of what a language model generated. (With codecs that merge frames, that is the
                `"drop_frames"` of `CodecVocabulary.ids_to_codes`, not its `"drop"`.)

        Returns:
            For each sequence float32 samples `[S]` at `codec.output_sampling_rate`:
            `codec.num_samples(number of frames)` of them, where the frames of codecs that merge
            them count as often as they last. A sequence that is more than one clip gives its parts
            instead; `decode_parts` gives them for every sequence.

        Raises:
            AlphabetError: Under `"strict"`, tokens that do not make up whole frames.
            TokenizerError: An id outside the vocabulary.
        """
        return [_lone_clip(parts) for parts in self.decode_parts(ids, errors)]

    def decode_parts(
        self, ids: Any, errors: Literal["strict", "drop"] = "strict"
    ) -> list[list[dict[str, Any]]]:
        """Turns what a language model generated into text and sound, in order.

        Args:
            ids: See `decode_audio`, which also lists the errors.
            errors: Likewise.

        Returns:
            For each sequence its parts, as a chat message's content has them: `{"type": "text",
            "text": ...}` and `{"type": "audio", "audio": samples [S], "sampling_rate": ...}`.
            Special tokens end a part and are left out.
        """
        ids = getattr(ids, "sequences", ids)  # what generate returns as a dictionary
        sequences = list(ids) if is_batch(ids) or getattr(ids, "ndim", 1) == 2 else [ids]
        how: Errors = errors
        if errors == "drop" and self._codec.merges_frames:
            how = "drop_frames"  # a group that lost its length must not take the next one's
        return [
            [self._as_part(part) for part in split_output(self.vocabulary, one, how)]
            for one in sequences
        ]

    def save_audio(self, audio: Any, path: str | os.PathLike[str]) -> Path:
        """Writes samples that `decode_audio` made to a file, at the rate of the codec's output.

        Args:
            audio: Samples `[S]`.
            path: The file, whose ending sets the format: .wav, .flac, .ogg...

        Raises:
            AudioError: An ending that names no format, or samples that are not finite audio.
        """
        return sound.save_audio(audio, path, self.codec.output_sampling_rate)

    def post_process_multimodal_output(
        self,
        generated_outputs: Any,
        skip_special_tokens: bool = True,
        generation_mode: str | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """What a model generated, as text or as audio.

        Args:
            generated_outputs: Ids `[L]`, or `[B, L]`.
            skip_special_tokens: Leave special tokens out of text; audio never holds any.
            generation_mode: `"audio"` for samples, see `decode_audio`; text by default.
            kwargs: Passed on to `decode_audio`, or to the tokenizer.

        Raises:
            AlphabetError: Audio that is not whole frames, unless `errors="drop"` is passed.
            TokenizerError: An id outside the vocabulary, of audio.
            ValueError: Another `generation_mode`.
        """
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
        return_assistant_tokens_mask: bool = False,
        processor_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Renders a conversation whose messages may hold audio.

        Args:
            conversation: Messages with a `role` and a `content`, mappings or Pydantic models: text,
                or a list of parts `{"type": "text", "text": ...}` and `{"type": "audio", "audio":
                ...}` (or `"path"` or `"url"`), whose audio is anything that a call takes. Or a list
                of conversations.
            chat_template: A template, or the name of one of the processor's own; by default the
                processor's, or else its tokenizer's. One that does not write `audio_token` for an
                audio part, such as a text model's, gets messages of plain text with it in place.
            tokenize: Return ids instead of text.
            return_dict: With `tokenize`, return what a call does instead of `input_ids` alone.
            return_assistant_tokens_mask: Also return `assistant_masks`, 1 for what stands between
                `{% generation %}` and `{% endgeneration %}` in the template. `output_labels=
                "assistant"` among the options of the call gives labels.
            processor_kwargs: With `tokenize`, options of the call.
            kwargs: Passed on to `ProcessorMixin.apply_chat_template`.

        Raises:
            ProcessorError: No template, a message that it cannot show, or
                `sanitize_control_tokens=True`, which only the tokenizer's own method supports.
        """
        flat = {key: kwargs.pop(key) for key in list(kwargs) if is_option(key)}
        options = CallOptions.of({**(processor_kwargs or {}), **flat})
        options.text.setdefault("add_special_tokens", False)  # the template writes them
        template = self._template(chat_template, kwargs.get("tools"))
        conversations, is_batched = as_batch(conversation)
        variables = {**self.tokenizer.special_tokens_map, **kwargs}
        readable = as_templates_read(conversations, template, self.audio_token, variables)
        prompts = super().apply_chat_template(readable, template, tokenize=False, **kwargs)
        prompt = prompts if is_batched else prompts[0]
        if not tokenize:
            return prompt
        said = None
        if return_assistant_tokens_mask or options.output_labels == "assistant":
            said = assistant_spans(readable, template, variables)
        features = self._process(prompt, audio_clips(conversations) or None, options, said)
        if not return_assistant_tokens_mask:
            features.pop("assistant_masks", None)
        return features if return_dict else features["input_ids"]

    @property
    def model_input_names(self) -> list[str]:
        """What a call returns: what the tokenizer does."""
        return list(self.tokenizer.model_input_names)

    def _process_example(self, example: Mapping[str, Any], options: CallOptions) -> BatchFeature:
        clips, text, batched = read_example(example, self.audio_token)
        # Channels apart are sequences of their own, of which there are more than rows.
        is_apart = options.per_channel and all(each == self.audio_token for each in text)
        features = self._process(None if is_apart else text, clips, options)
        if batched or options.per_channel or options.text.get("return_tensors"):
            return features
        return BatchFeature({key: value[0] for key, value in features.items()})

    def _process(
        self,
        text: Any,
        audio: Any,
        options: CallOptions,
        said: list[list[Span]] | None = None,
    ) -> BatchFeature:
        if text is None:
            check_none_is_empty(audio)
        clips = self._load(audio, options)
        texts = [self.audio_token] * len(clips) if text is None else checked_texts(text)
        if not texts:
            raise ProcessorError("There is nothing to process: pass audio, text, or both.")
        _check_no_codes(texts, self.tokenizer)
        of_texts = None if text is None or options.per_channel else clips_of_texts(audio)
        check_placeholders(texts, self.audio_token, len(clips), of_texts)
        fillers = split_by_text(self._audio_texts(clips, options), texts, self.audio_token)
        if said is not None:
            said = [
                moved_spans(spans, text, self.audio_token, own)
                for spans, text, own in zip(said, texts, fillers, strict=True)
            ]
        return tokenized(
            self.vocabulary,
            [
                fill_placeholders(text, self.audio_token, own)
                for text, own in zip(texts, fillers, strict=True)
            ],
            options.text,
            whole_frames=options.whole_frames,
            labels=options.output_labels,
            label_ids=self.tokenizer.convert_tokens_to_ids(self._tokens_around),
            assistant_spans=said,
        )

    def _load(self, audio: Any, options: CallOptions) -> list[Waveform]:
        if audio is None:
            return []
        clips = as_clips(audio, options.per_channel)
        rate = self._codec.required_pin.sampling_rate
        how: dict[str, Any] = {"source_rate": options.sampling_rate, "resample": options.resample}
        if options.per_channel:
            return [each for clip in clips for each in sound.load_channels(clip, rate, **how)]
        return [sound.load_audio(clip, rate, **how) for clip in clips]

    def _audio_texts(self, clips: list[Waveform], options: CallOptions) -> list[str]:
        if not clips:
            return []
        codes = self.codec.encode(
            clips,
            batch_size=options.batch_size,
            chunk_seconds=self.chunk_seconds,
            context_seconds=self.context_seconds,
        )
        start, end = self.audio_start_token or "", self.audio_end_token or ""
        return [f"{start}{self.vocabulary.alphabet.to_text(clip)}{end}" for clip in codes]

    @property
    def _tokens_around(self) -> list[str]:
        return [token for token in (self.audio_start_token, self.audio_end_token) if token]

    def _as_part(self, part: TextOrCodes) -> dict[str, Any]:
        if part.codes is None:
            return {"type": "text", "text": part.text}
        (samples,) = self.codec.decode([part.codes])
        rate = self.codec.output_sampling_rate
        return {"type": "audio", "audio": samples, "sampling_rate": rate}

    def _find_vocabulary(self) -> CodecVocabulary:
        sizes = None if self._codec.pin is None else self._codec.pin.codebook_sizes
        return CodecVocabulary.of(self.tokenizer, sizes, self.codec_index)

    def _template(self, name_or_template: str | None, tools: Any) -> str:
        """The template asked for, or the processor's own, or its tokenizer's."""
        own = self.chat_template
        if isinstance(own, dict) and (name_or_template or "default") in own:
            return str(own[name_or_template or "default"])
        if isinstance(own, str) or (own and name_or_template):
            return name_or_template or str(own)
        if name_or_template is None and not self.tokenizer.chat_template:
            raise ProcessorError(
                "Neither the processor nor its tokenizer has a chat template: pass chat_template=."
            )
        try:
            return str(self.tokenizer.get_chat_template(name_or_template, tools))
        except ValueError as error:
            raise ProcessorError(f"There is no such chat template: {first_line(error)}") from error


def _chosen(given: str | None, default: str | None) -> str | None:
    return default if given is None else given


def _lone_clip(parts: list[dict[str, Any]]) -> Any:
    if not parts:
        return np.zeros(0, dtype=np.float32)
    return parts[0]["audio"] if [part["type"] for part in parts] == ["audio"] else parts


def _check_tokens(tokenizer: Any, tokens: Sequence[str]) -> None:
    missing = [token for token in tokens if token not in tokenizer.get_vocab()]
    if missing:
        raise TokenizerError(
            f"The tokenizer has no token {missing[0]!r}: train it with "
            f"additional_special_tokens=[{missing[0]!r}], or give it to extend_tokenizer."
        )


def _check_no_codes(texts: Sequence[str], tokenizer: Any) -> None:
    classes = "".join(alphabet.character_class for alphabet in alphabets_of(tokenizer))
    if any(re.search(f"[{classes}]", text) for text in texts):
        raise ProcessorError(
            "The text holds characters that stand for audio codes: take them out, and pass audio "
            "as audio=, with the audio token in its place."
        )


def _check_fit(pin: CodecPin, tokenizer: Any, feature_extractor: Any) -> None:
    if feature_extractor.sampling_rate != pin.sampling_rate:
        raise CodecMismatchError(
            f"The feature extractor works at {feature_extractor.sampling_rate} Hz, but the codec "
            f"at {pin.sampling_rate} Hz: pass the codec's own, codec.feature_extractor."
        )
    known = [list(alphabet.codebook_sizes) for alphabet in alphabets_of(tokenizer)]
    if known and list(pin.codebook_sizes) not in known:
        raise CodecMismatchError(
            f"The tokenizer was made for codebooks of {' or '.join(map(str, known))} codes, but "
            f"the codec has {list(pin.codebook_sizes)}: load the codec with "
            f"num_codebooks={len(known[0])}, or train a tokenizer for it."
        )
