"""`AudioStreamer`: sound while a language model generates it.

Axis letters: B = batch, L = tokens, S = samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from queue import Queue
from typing import TYPE_CHECKING, Any, Literal

from transformers.generation.streamers import BaseStreamer

from ..audio import Waveform
from ..codec_vocabulary import CodecVocabulary
from ..codecs import AudioCodec
from ..errors import AlphabetError, CodecError, CodecMismatchError
from ..processing_outputs import legible_ids
from ..tokenization_codec_bpe import CodecBPETokenizer
from .clip_stream import ClipStream, FrameWindow

if TYPE_CHECKING:
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["AudioStreamer"]


class AudioStreamer(BaseStreamer):
    """Gives the samples of generated audio as soon as they are final, chunk by chunk.

    Generate in another thread and iterate here, as with Transformers' `TextIteratorStreamer`:

    ```python
    streamer = AudioStreamer.of(processor, skip_prompt=True, timeout=60)
    Thread(target=model.generate, kwargs={**inputs, "streamer": streamer}).start()
    for samples in streamer:
        play(samples, processor.codec.output_sampling_rate)
    ```

    Or override `on_finalized_audio`, which is called in the generating thread.

    A clip is what it is for `CodecBPEProcessor.decode_audio`: every run of audio tokens, decoded by
    itself, while text and special tokens between runs are skipped; or everything that a codec's own
    tokenizer wrote, without its special tokens.

    The chunks of a clip, put together, are as long as what `AudioCodec.decode` makes of it, and
    equal to it, up to rounding, if context and lookahead cover what the decoder sees: 9 frames to
    either side with DAC, X-Codec and Higgs Audio. EnCodec's LSTM and Mimi's attention see
    everything before a frame (only faintly beyond half a second) and nothing after it. FunCodec,
    NeuCodec, SimVQ, WavTokenizer and X-Codec2 see the whole clip: their chunks come close to it
    with much context, and differ audibly with little.

    Args:
        codec: The codec.
        vocabulary: Which tokens are audio: a processor's `.vocabulary`, or `CodecVocabulary.of`.
        chunk_seconds: The length of a chunk. Shorter ones come earlier, and more is decoded twice.
        context_seconds: Frames before a chunk that are decoded again with it. (Unlike that of
            `AudioCodec.encode`, it does not include the chunk.)
        lookahead_seconds: Frames after a chunk that it waits for. EnCodec and Mimi need none;
            others click at every border without them.
        errors: `"strict"` raises on audio that is not whole frames, on pieces of code characters,
            and on other codecs' audio; `"drop"` mends the first, see `CodebookAlphabet.mend`, and
            drops the others. `AudioGrammarLogitsProcessor` leaves nothing to mend.
        skip_prompt: Leave out the prompt's audio. Where it ends inside a clip, that is continued,
            from the end of its last whole frame on.
        timeout: How many seconds to wait for a chunk; `None` waits forever, even if `generate`
            failed. (An error in the streamer itself is raised here too.)

    Raises:
        CodecMismatchError: The vocabulary is for other codebooks than the codec's.
        CodecError: A length that is negative or too short, or a codec whose frames differ in
            length.
    """

    def __init__(
        self,
        codec: AudioCodec,
        vocabulary: CodecVocabulary,
        *,
        chunk_seconds: float = 1.0,
        context_seconds: float = 2.0,
        lookahead_seconds: float = 0.1,
        errors: Literal["strict", "drop"] = "strict",
        skip_prompt: bool = False,
        timeout: float | None = None,
    ) -> None:
        _check(codec, vocabulary, errors)
        self.codec = codec
        self.vocabulary = vocabulary
        self.errors = errors
        self.skip_prompt = skip_prompt
        self.timeout = timeout
        self._window = FrameWindow.of(codec, chunk_seconds, context_seconds, lookahead_seconds)
        self._queue: Queue[Waveform | BaseException | None] = Queue()
        self._is_over = False
        self._is_prompt = True
        self._clip = self._new_clip()

    @classmethod
    def of(cls, processor: CodecBPEProcessor, **options: Any) -> AudioStreamer:
        """A streamer with a processor's codec; `options` are the arguments of the class."""
        return cls(processor.codec, processor.vocabulary, **options)

    def put(self, value: Any) -> None:
        """Takes the prompt `[1, L]` and then each token `[1]`, as `generate` passes them.

        Raises:
            CodecError: More than one sequence.
            AlphabetError: Under `"strict"`, audio that is not whole frames.
            TokenizerError: An id outside the vocabulary, or under `"strict"` one that neither text
                nor this codec's audio is written with.
        """
        with self._errors_reaching_the_reader():
            skipped = self.skip_prompt and self._is_prompt
            self._is_prompt = False
            runs = self._runs(_one_sequence(value))
            if skipped:
                self._clip.skip(runs[-1] if runs else "")
                return
            for run in runs:
                self._give(self._clip.push(run) if run else self._clip.flush())
                if not run:
                    self._clip = self._new_clip()

    def end(self) -> None:
        """Ends the last clip; called by `generate`.

        Raises:
            AlphabetError: Under `"strict"`, a clip that is not whole frames.
        """
        with self._errors_reaching_the_reader():
            self._give(self._clip.flush())
        self._start_anew()
        self._queue.put(None)

    def on_finalized_audio(self, waveform: Waveform) -> None:
        """Gets each chunk: float32 samples `[S]` at the codec's `output_sampling_rate`."""
        self._queue.put(waveform)

    def __iter__(self) -> Iterator[Waveform]:
        self._is_over = False
        return self

    def __next__(self) -> Waveform:
        """The next chunk: float32 samples `[S]` at the codec's `output_sampling_rate`.

        Raises:
            queue.Empty: No chunk came within `timeout` seconds.
        """
        if self._is_over:
            raise StopIteration
        value = self._queue.get(timeout=self.timeout)
        self._is_over = value is None or isinstance(value, BaseException)
        if value is None:
            raise StopIteration
        if isinstance(value, BaseException):
            raise value
        return value

    def _start_anew(self) -> None:
        self._is_prompt = True
        self._clip = self._new_clip()

    def _new_clip(self) -> ClipStream:
        return ClipStream(self.codec, self.vocabulary.alphabet, self._window, self.errors)

    def _runs(self, ids: list[int]) -> list[str]:
        """The code characters of each run of audio; nothing for each run of something else."""
        tokenizer = self.vocabulary.tokenizer
        if isinstance(tokenizer, CodecBPETokenizer):
            text = tokenizer.ids_to_text(ids)
            return [text] if text else []
        legible = legible_ids(self.vocabulary, ids, self.errors)
        texts = (self.vocabulary.texts.get(token_id, "") for token_id in legible)
        return ["".join(run) for _, run in groupby(texts, key=bool)]

    def _give(self, waveforms: Iterator[Waveform]) -> None:
        for waveform in waveforms:
            self.on_finalized_audio(waveform)

    @contextmanager
    def _errors_reaching_the_reader(self) -> Iterator[None]:
        # An error here ends `generate` without a call of `end`: a reader would wait forever.
        try:
            yield
        except BaseException as error:
            self._start_anew()
            self._queue.put(error)
            raise


def _one_sequence(value: Any) -> list[int]:
    """The ids of what `generate` passes: `[1, L]`, `[L]`, or `[1]`."""
    shape = list(value.shape)
    if len(shape) > 1 and shape[0] > 1:
        raise CodecError(
            f"AudioStreamer got tokens of shape {shape}, and can follow one sequence alone: "
            "generate with a batch of one, and with num_return_sequences=1."
        )
    ids: list[int] = value.reshape(-1).tolist()
    return ids


def _check(codec: AudioCodec, vocabulary: CodecVocabulary, errors: str) -> None:
    sizes = vocabulary.alphabet.codebook_sizes
    if sizes != codec.codebook_sizes:
        raise CodecMismatchError(
            f"The vocabulary has codebooks of {list(sizes)} codes, but the codec of "
            f"{list(codec.codebook_sizes)}: load the codec with num_codebooks={len(sizes)}, or "
            "find its own with CodecVocabulary.of(tokenizer, codec.codebook_sizes)."
        )
    if errors not in ("strict", "drop"):
        raise AlphabetError(f"errors={errors!r} is not known: pass 'strict' or 'drop'.")
