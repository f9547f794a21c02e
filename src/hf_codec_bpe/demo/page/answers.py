"""What the page answers when a visitor does something."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...audio import save_audio
from ...errors import AudioError, CodecBPEError
from ..trip import round_trip
from .drawing import draw_clip
from .figures import NOTHING_YET, error_message, key_figures, legend, note, token_chips
from .gradio_import import require_gradio
from .visitors_clip import visitors_clip

if TYPE_CHECKING:
    from ..trip import Trip
    from .choices import Choices

__all__ = ["Answers"]

_LOWEST_THRESHOLD = 0.5


class Answers:
    """Answers for a page with these choices."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices

    def sliders(self, codec_name: str, tokenizer: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The two sliders' settings for a codec, with the tokenizer's number of codebooks.

        Raises:
            CodecBPEError: The codec cannot be loaded, or the tokenizer does not fit it.
        """
        codec = self.choices.codecs[codec_name].load()
        vocabulary = self.choices.vocabulary(codec_name, tokenizer)
        most = codec.num_codebooks
        fewest = 2 if codec.dynamic_frame_rate else 1
        used = vocabulary.alphabet.num_codebooks if vocabulary else most
        threshold = codec.settings.get("merging_threshold")
        return (
            {"minimum": fewest, "maximum": most, "value": used, "visible": most > fewest},
            {
                "minimum": min(_LOWEST_THRESHOLD, threshold or 1),
                "maximum": 1,
                "value": threshold or 1,
                "visible": threshold is not None,
            },
        )

    def move_sliders(self, codec_name: str, tokenizer: str) -> tuple[Any, Any]:
        """The sliders for another codec or tokenizer."""
        gr = require_gradio()
        try:
            num_codebooks, threshold = self.sliders(codec_name, tokenizer)
        except CodecBPEError:  # shown in place of the clip
            return gr.skip(), gr.skip()
        return gr.update(**num_codebooks), gr.update(**threshold)

    def show(
        self,
        audio: str | None,
        codec: str,
        tokenizer: str,
        num_codebooks: int,
        threshold: float,
    ) -> tuple[Any, Any, str]:
        """The clip itself, the one that came back, and what there is to say about it.

        A file that cannot be used makes room for another one.
        """
        gr = require_gradio()
        if audio is None:
            return gr.skip(), None, NOTHING_YET
        try:
            vocabulary = self.choices.vocabulary(codec, tokenizer)
            choice = self.choices.codecs[codec]
            loaded = choice.load()
            trip = round_trip(
                visitors_clip(audio, loaded.sampling_rate),
                loaded,
                vocabulary,
                num_codebooks=int(num_codebooks),
                merging_threshold=threshold,
                chunk_seconds=choice.chunk_seconds,
                context_seconds=choice.context_seconds,
            )
        except CodecBPEError as error:
            kept = None if isinstance(error, AudioError) else gr.skip()
            return kept, None, error_message(error)
        reads = vocabulary.alphabet.num_codebooks if vocabulary else None
        parts = [
            key_figures(trip),
            note(trip, reads),
            '<div class="card">',
            legend(trip),
            draw_clip(trip.clip),
            token_chips(trip),
            "</div>",
        ]
        return gr.skip(), _playable(trip), "".join(parts)


def _playable(trip: Trip) -> str:
    """The round trip as a file that Gradio serves, and deletes later.

    Not as an array: Gradio would turn every clip up to full scale.
    """
    from gradio.processing_utils import save_bytes_to_cache
    from gradio.utils import get_upload_folder

    with TemporaryDirectory() as folder:
        file = save_audio(trip.returned, Path(folder, "round_trip.wav"), trip.returned_rate)
        return save_bytes_to_cache(file.read_bytes(), file.name, get_upload_folder())
