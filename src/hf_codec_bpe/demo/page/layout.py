"""The page itself, in Gradio: what is where, and what happens when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundled import demo_clip
from ...errors import PageError, first_line
from .answers import Answers
from .choices import NO_TOKENIZER, Choices
from .figures import NOTHING_YET
from .gradio_import import require_gradio
from .theme import make_theme
from .visitors_clip import LONGEST_SECONDS

if TYPE_CHECKING:
    from gradio import Blocks

__all__ = ["build_page", "launch"]

_HEADING = """<div class="heading"><h1>Sound to tokens, and back</h1><p>A neural audio codec turns
sound into codes. <b>Codec BPE</b> merges frequent runs of codes into tokens that a language model
can read and write.</p></div>"""
_STYLE = Path(__file__).parent / "style.css"
_LARGEST_FILE = "50mb"


def build_page(choices: Choices) -> Blocks:
    """The page, to be opened by `launch`.

    Args:
        choices: The codecs and tokenizers to choose from; at least one codec.

    Raises:
        MissingDependencyError: Gradio is not installed.
        CodecError: The first codec cannot be loaded.
    """
    gr = require_gradio()
    answers = Answers(choices)
    first = next(iter(choices.codecs))
    its_tokenizer = choices.tokenizer_for(first)
    codebooks_at_first, threshold_at_first = answers.sliders(first, its_tokenizer)
    with gr.Blocks(title="Codec BPE", analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
        gr.HTML(_HEADING, padding=False)
        with gr.Row(equal_height=True):
            audio = gr.Audio(
                label=f"Your clip, up to {LONGEST_SECONDS} s",
                sources=["upload", "microphone"],
                type="filepath",
                editable=False,
                buttons=[],
                elem_id="original",
            )
            returned = gr.Audio(
                label="Back from its tokens",
                interactive=False,
                buttons=["download"],
                elem_id="round-trip",
            )
        bundled = gr.Button("Try the bundled clip", size="sm", elem_id="bundled")
        with gr.Row(elem_id="choices"):
            codec = gr.Dropdown(list(choices.codecs), value=first, label="Codec", scale=2)
            tokenizer = gr.Dropdown(
                [*choices.tokenizers, NO_TOKENIZER],
                value=its_tokenizer,
                label="Tokenizer",
                scale=2,
            )
            num_codebooks = gr.Slider(
                label="Codebooks",
                step=1,
                scale=3,
                min_width=260,
                elem_id="codebooks",
                **codebooks_at_first,
            )
            threshold = gr.Slider(
                label="Merging threshold",
                step=0.01,
                scale=3,
                min_width=260,
                elem_id="threshold",
                **threshold_at_first,
            )
        result = gr.HTML(NOTHING_YET, padding=False, elem_id="result")

        chosen = [codec, tokenizer]
        sliders = [num_codebooks, threshold]
        show: dict[str, Any] = {
            "fn": answers.show,
            "inputs": [audio, *chosen, *sliders],
            "outputs": [audio, returned, result],
            "concurrency_id": "codec",  # one clip at a time
            "show_progress": "minimal",
            "show_progress_on": result,
        }
        move_sliders: dict[str, Any] = {
            "fn": answers.move_sliders,
            "inputs": chosen,
            "outputs": sliders,
            "show_progress": "hidden",
        }
        audio.input(**show)
        bundled.click(lambda: str(demo_clip()), outputs=audio, show_progress="hidden").then(**show)
        codec.input(choices.tokenizer_for, codec, tokenizer, show_progress="hidden").then(
            **move_sliders
        ).then(**show)
        tokenizer.input(**move_sliders).then(**show)
        for slider in sliders:
            slider.input(**show, trigger_mode="always_last")
    return blocks


def launch(choices: Choices, **options: Any) -> Any:
    """Opens the page; returns what Gradio's `launch` does: the app, its address, and `None`.

    Nothing is loaded from elsewhere: fonts are the system's, and no statistics are sent.

    Args:
        choices: See `build_page`, which also lists more errors.
        options: Passed on to Gradio's `launch`: `server_port`, `prevent_thread_lock`...

    Raises:
        PageError: Nothing can listen at that address, something does already, or the page cannot be
            reached there.
    """
    page = build_page(choices)
    try:
        return page.launch(
            theme=make_theme(),
            css_paths=_STYLE,
            footer_links=[],
            allowed_paths=[str(demo_clip())],
            max_file_size=_LARGEST_FILE,
            ssr_mode=False,
            **options,
        )
    except ValueError as error:  # Gradio asked its own page, and got no answer for three seconds
        raise PageError(
            "The page does not answer itself: see that no proxy is asked for this machine "
            "(NO_PROXY=127.0.0.1,localhost), or try again when it is less busy."
        ) from error
    except OSError as error:
        raise PageError(
            f"The page cannot be opened: {first_line(error)} Choose another port or address, or "
            "close what listens there."
        ) from error
