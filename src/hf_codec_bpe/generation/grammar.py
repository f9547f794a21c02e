"""`AudioGrammarLogitsProcessor`: a language model's scores, kept inside the grammar of audio.

Axis letters: B = batch, K = codebooks, L = tokens so far, V = scores of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessor

from ..codec_vocabulary import CodecVocabulary
from ..errors import TokenizerError
from .tables import GrammarTables, grammar_tables, never_generated

if TYPE_CHECKING:
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["AudioGrammarLogitsProcessor"]


class AudioGrammarLogitsProcessor(LogitsProcessor):
    """Keeps generation such that every clip in it decodes with nothing dropped.

    In a clip, only audio tokens whose codes are due come next: those of the codebook behind the
    last code, in turn. The end token comes at a frame's end alone, once there is a whole frame: an
    empty clip would be no sound at all. Where clips have no end token, whatever is allowed outside
    ends them there.

    Outside, text is left as it is. A clip begins with the start token, or by itself where clips
    have none. Placeholders of clips, pieces of code characters (any codec's), and rows of the model
    beyond the tokenizer are never allowed. Other codecs' audio counts as text; one grammar for each
    codec can be used together if their start tokens differ.

    With `max_length`, no clip is cut off: tokens that would leave no room for the rest of the frame
    and for the end token are not allowed either. Without it, or if something else stops generation
    (a stop string, a time limit), the last frame may be incomplete. A prompt that ends inside a
    clip, even inside a frame, is continued.

    What comes next depends on the tokens so far alone, so that beams, sampling, batches padded on
    the left and assisted generation all work. With `inputs_embeds`, `generate` needs the prompt's
    `input_ids` too. Where `max_length` comes too soon for a clip that the prompt began, it is
    ignored for that row.

    Some token is always allowed: where other processors (`forced_eos_token_id`, suppressed tokens)
    have ruled out all that the grammar allows, the grammar wins, and what it allows is equally
    likely.

    ```python
    length = inputs["input_ids"].shape[1] + 500
    grammar = AudioGrammarLogitsProcessor.of(processor, max_length=length)
    ids = model.generate(**inputs, max_length=length, logits_processor=[grammar])
    ```

    Args:
        vocabulary: Which tokens are audio: a processor's `.vocabulary`, or `CodecVocabulary.of`.
        audio_start_token_id: The token that clips start with; by default the codec's own, if the
            tokenizer has one for it.
        audio_end_token_id: The token that clips end with; likewise.
        max_length: How many tokens a row has at most, prompt and padding included: what
            `generate` is given as `max_length`, or the prompt's length and `max_new_tokens`.

    Raises:
        TokenizerError: Start or end tokens that cannot be.
    """

    supports_continuous_batching = False  # there, a processor does not see the tokens so far

    def __init__(
        self,
        vocabulary: CodecVocabulary,
        *,
        audio_start_token_id: int | None = None,
        audio_end_token_id: int | None = None,
        max_length: int | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        own_start_id, own_end_id = _borders_of(vocabulary, vocabulary)
        self.audio_start_token_id = (
            own_start_id if audio_start_token_id is None else audio_start_token_id
        )
        self.audio_end_token_id = own_end_id if audio_end_token_id is None else audio_end_token_id
        self.max_length = max_length
        borders = (self.audio_start_token_id, self.audio_end_token_id)
        never = never_generated(vocabulary)
        _check_borders(vocabulary, borders, never)
        self._tables = self._fitted = grammar_tables(vocabulary, *borders, never)

    @classmethod
    def of(
        cls,
        tokenizer: Any,
        codebook_sizes: Sequence[int] | None = None,
        index: int | None = None,
        **options: Any,
    ) -> AudioGrammarLogitsProcessor:
        """The grammar of a processor, or of one codec in a tokenizer.

        Args:
            tokenizer: A processor, whose start and end tokens may be its own; a
                `CodecBPETokenizer`; or what `extend_tokenizer` made.
            codebook_sizes: See `CodecVocabulary.of`; a processor knows its codec.
            index: Likewise.
            options: Those of the class.
        """
        if not hasattr(tokenizer, "vocabulary"):
            return cls(CodecVocabulary.of(tokenizer, codebook_sizes, index), **options)
        start_id, end_id = _borders_of(tokenizer, tokenizer.vocabulary)
        borders = {"audio_start_token_id": start_id, "audio_end_token_id": end_id}
        return cls(tokenizer.vocabulary, **{**borders, **options})

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """Sets the scores of tokens that may not come next to minus infinity.

        Args:
            input_ids: The tokens so far `[B, L]`.
            scores: The model's scores for the next one `[B, V]`.

        Returns:
            New scores `[B, V]`.

        Raises:
            TokenizerError: The model has fewer scores than the tokenizer has tokens, or there are
                no tokens so far.
        """
        if input_ids.shape[1] == 0:
            raise TokenizerError(
                "The grammar sees no prompt, so it cannot tell whether a clip is open, nor how "
                "many tokens are left: with generate(inputs_embeds=...), pass the prompt's "
                "input_ids too."
            )
        tables = self._fitting(scores)
        states = self._states(tables, input_ids.to(scores.device))
        left = None if self.max_length is None else self.max_length - input_ids.shape[1]
        allowed = self._allowed(tables, states, left)
        stuck = (scores.masked_fill(~allowed, -torch.inf) == -torch.inf).all(1, keepdim=True)
        return scores.masked_fill(stuck, 0).masked_fill(~allowed, -torch.inf)

    def _states(self, tables: GrammarTables, input_ids: torch.Tensor) -> torch.Tensor:
        """The state `[B]` that each row is in."""
        outside = len(tables.allowed) - 1
        states = tables.following[input_ids]
        if self.audio_start_token_id is None:
            return states[:, -1]
        # Audio is a clip if the last token that is none is the one that starts clips.
        num_codebooks = self.vocabulary.alphabet.num_codebooks
        places = torch.arange(states.shape[1], device=states.device)
        opener = torch.where(states >= num_codebooks, places, 0).amax(1, keepdim=True)
        opened = states.gather(1, opener) == num_codebooks
        return torch.where(opened[:, 0], states[:, -1], outside)

    def _allowed(
        self, tables: GrammarTables, states: torch.Tensor, left: int | None
    ) -> torch.Tensor:
        """Which tokens `[B, V]` may come next, if so many are left, that one included."""
        num_codebooks = self.vocabulary.alphabet.num_codebooks
        longest = num_codebooks + (self.audio_end_token_id is not None)
        if left is None or left > longest:
            return tables.allowed[states]
        if left < longest:  # too late for a first frame: an empty clip is better than half of one
            states = torch.where(states == num_codebooks, 0, states)
        allowed = tables.allowed[states]
        in_time = allowed & (tables.cost < left)
        return torch.where(in_time.any(1, keepdim=True), in_time, allowed)

    def _fitting(self, scores: torch.Tensor) -> GrammarTables:
        """The tables as wide as the scores, and where those are: fitted once for a model."""
        cost = self._fitted.cost
        if cost.device != scores.device or len(cost) != scores.shape[1]:
            self._fitted = self._tables.fitting(scores)
        return self._fitted


def _borders_of(
    owner: CodecVocabulary | CodecBPEProcessor, vocabulary: CodecVocabulary
) -> tuple[int | None, int | None]:
    """The ids of the tokens that a codec or a processor puts around clips."""
    start_id, end_id = (
        vocabulary.tokenizer.convert_tokens_to_ids(token) if token else None
        for token in (owner.audio_start_token, owner.audio_end_token)
    )
    return start_id, end_id


def _check_borders(
    vocabulary: CodecVocabulary, token_ids: Iterable[int | None], never: frozenset[int]
) -> None:
    given = [token_id for token_id in token_ids if token_id is not None]
    if len(set(given)) < len(given):
        raise TokenizerError(
            f"Token {given[0]} cannot both start and end clips: nobody could tell which it does. "
            "Pass two tokens, or one of them."
        )
    for token_id in given:
        inside = 0 <= token_id < len(vocabulary.num_codes)
        if not inside or vocabulary.num_codes[token_id] or token_id in never:
            raise TokenizerError(
                f"Token {token_id} cannot start or end clips: it must be one of the tokenizer's "
                f"{len(vocabulary.num_codes)} tokens and neither audio nor the token that stands "
                "for a clip."
            )
