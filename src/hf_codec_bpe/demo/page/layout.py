"""The page itself, in Gradio: what is where, and what happens when."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...audio import save_audio
from ...errors import CodecBPEError, MissingDependencyError
from .. import demo_clip
from .choices import NO_TOKENIZER, Choices
from .drawing import draw_clip
from .figures import error_message, key_figures, legend, note, token_chips
from .trip import LONGEST_SECONDS, Trip, round_trip

if TYPE_CHECKING:
    from gradio import Blocks

__all__ = ["build_page", "launch"]

_HEADING = """<div class="heading"><h1>Codec BPE</h1><p>A neural audio codec turns sound into codes,
and BPE merges frequent runs of codes into tokens that a language model can read and write. Send a
clip there and back.</p></div>"""
_STYLE = Path(__file__).parent / "style.css"
_LOWEST_THRESHOLD = 0.5
_LARGEST_FILE = "50mb"


def build_page(choices: Choices) -> Blocks:
    """The page, to be opened by `launch`.

    Args:
        choices: The codecs and tokenizers to choose from; at least one codec.

    Raises:
        MissingDependencyError: Gradio is not installed.
    """
    gr = _gradio()
    page = _Page(choices)
    first = next(iter(choices.codecs))
    with gr.Blocks(title="Codec BPE", analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
        gr.HTML(_HEADING)
        with gr.Row(equal_height=True):
            audio = gr.Audio(
                label=f"Your clip, up to {LONGEST_SECONDS} s",
                sources=["upload", "microphone"],
                type="filepath",
                editable=False,
                elem_id="original",
            )
            returned = gr.Audio(label="Round trip", interactive=False, elem_id="round-trip")
        bundled = gr.Button("Take the bundled clip", size="sm", elem_id="bundled")
        with gr.Row():
            codec = gr.Dropdown(list(choices.codecs), value=first, label="Codec")
            tokenizer = gr.Dropdown(
                [*choices.tokenizers, NO_TOKENIZER],
                value=choices.tokenizer_for(first),
                label="Tokenizer",
            )
            num_codebooks = gr.Slider(label="Codebooks", step=1, elem_id="codebooks")
            threshold = gr.Slider(
                label="Merging threshold",
                info="Frames more alike than this become one; 1 merges none.",
                step=0.01,
                elem_id="threshold",
            )
        result = gr.HTML(elem_id="result")

        chosen = [codec, tokenizer]
        sliders = [num_codebooks, threshold]
        show: dict[str, Any] = {
            "fn": page.show,
            "inputs": [audio, *chosen, *sliders],
            "outputs": [returned, result],
            "concurrency_id": "codec",  # one clip at a time
            "show_progress": "minimal",
        }
        bundled.click(lambda: str(demo_clip()), outputs=audio)
        audio.change(**show)
        codec.input(choices.tokenizer_for, codec, tokenizer).then(
            page.sliders, chosen, sliders
        ).then(**show)
        tokenizer.input(page.sliders, chosen, sliders).then(**show)
        for slider in sliders:
            slider.input(**show, trigger_mode="always_last")
        blocks.load(page.sliders, chosen, sliders)
    return blocks


def launch(choices: Choices, **options: Any) -> Any:
    """Opens the page; returns what Gradio's `launch` does.

    Nothing is loaded from elsewhere: fonts are the system's, and no statistics are sent.

    Args:
        choices: See `build_page`, which also lists the errors.
        options: Passed on to Gradio's `launch`: `server_port`, `prevent_thread_lock`...
    """
    gr = _gradio()
    theme = gr.themes.Soft(
        primary_hue="sky",
        neutral_hue="zinc",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return build_page(choices).launch(
        theme=theme,
        css_paths=_STYLE,
        footer_links=[],
        allowed_paths=[str(demo_clip())],
        max_file_size=_LARGEST_FILE,
        **options,
    )


class _Page:
    """What happens when a visitor does something."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices

    def sliders(self, codec_name: str, tokenizer: str) -> tuple[Any, Any]:
        """The sliders for a codec, with the tokenizer's number of codebooks."""
        gr = _gradio()
        try:
            codec = self.choices.codecs[codec_name].load()
            vocabulary = self.choices.vocabulary(codec_name, tokenizer)
        except CodecBPEError:  # shown when the clip is
            return gr.skip(), gr.skip()
        own = codec.num_codebooks
        fewest = 2 if codec.dynamic_frame_rate else 1
        value = vocabulary.alphabet.num_codebooks if vocabulary else own
        threshold = codec.settings.get("merging_threshold")
        return (
            gr.update(minimum=fewest, maximum=own, value=value, visible=own > fewest),
            gr.update(
                minimum=min(_LOWEST_THRESHOLD, threshold or 1),
                maximum=1,
                value=threshold,
                visible=threshold is not None,
            ),
        )

    def show(
        self,
        audio: str | None,
        codec: str,
        tokenizer: str,
        num_codebooks: int,
        threshold: float | None,
    ) -> tuple[Any, str]:
        """The clip that came back, and what there is to say about it, or what went wrong."""
        if audio is None:
            return None, ""
        try:
            vocabulary = self.choices.vocabulary(codec, tokenizer)
            trip = round_trip(
                audio,
                self.choices.codecs[codec],
                vocabulary,
                num_codebooks=int(num_codebooks),
                merging_threshold=threshold,
            )
        except CodecBPEError as error:
            return None, error_message(error)
        reads = vocabulary.alphabet.num_codebooks if vocabulary else None
        parts = [
            key_figures(trip),
            note(trip, reads),
            draw_clip(trip.clip),
            legend(trip),
            token_chips(trip),
        ]
        return _playable(trip), "".join(parts)


def _playable(trip: Trip) -> str:
    """The round trip as a file that Gradio serves, and deletes later.

    Not as an array: Gradio would turn every clip up to full scale.
    """
    from gradio.processing_utils import save_bytes_to_cache
    from gradio.utils import get_upload_folder

    with TemporaryDirectory() as folder:
        file = save_audio(trip.returned, Path(folder, "round_trip.wav"), trip.returned_rate)
        return save_bytes_to_cache(file.read_bytes(), file.name, get_upload_folder())


def _gradio() -> Any:
    # Before Gradio is imported: it asks for its own newest version at once.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio
    except ImportError as error:
        raise MissingDependencyError(
            "The demo page needs Gradio: pip install 'hf-codec-bpe[demo]'."
        ) from error
    return gradio
