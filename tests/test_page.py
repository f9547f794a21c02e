"""What is behind the demo page: choices, the trip of a clip, its picture, its figures."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen
from xml.etree import ElementTree

import numpy as np
import pytest

from hf_codec_bpe import CodecBPEProcessor, CodecVocabulary, train_tokenizer
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.cli import main, ui
from hf_codec_bpe.codecs import FlexiCodecCodec, MimiCodec, NeuCodecCodec
from hf_codec_bpe.demo.page import Choices, visitors_clip
from hf_codec_bpe.demo.page.answers import Answers
from hf_codec_bpe.demo.page.choices import NO_TOKENIZER, CodecChoice
from hf_codec_bpe.demo.page.drawing import draw_clip, length_style
from hf_codec_bpe.demo.page.figures import error_message, key_figures, legend, note, token_chips
from hf_codec_bpe.demo.trip import Trip, round_trip
from hf_codec_bpe.errors import AudioError, AudioFileError, CodecError, CodecMismatchError

from . import tiny
from .hub import isolation

RATE = 24_000


@pytest.fixture
def choices(processor: CodecBPEProcessor) -> Choices:
    """A tiny Mimi with its tokenizer, and a codec of fewer codes with none."""
    other = MimiCodec(tiny.mimi(codebook_size=8), num_codebooks=4)
    return Choices(
        {"mimi": CodecChoice(lambda: processor.codec), "other": CodecChoice(lambda: other)},
        {"mimi": processor.vocabulary},
    )


@pytest.fixture
def trip(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> Trip:
    return round_trip(clips[0], processor.codec, processor.vocabulary)


@pytest.fixture(scope="module")
def merging() -> FlexiCodecCodec:
    """It merges frames, and its last codebook holds how many."""
    return FlexiCodecCodec(tiny.flexicodec(), num_codebooks=4, merging_threshold=0.8)


# What can be chosen.


def test_choices_of_processors(processor: CodecBPEProcessor, tmp_path: Path) -> None:
    for folder in ("mine", "other/mine"):
        processor.save_pretrained(tmp_path / folder)
    choices = Choices.of(["demo", "mine", "other/mine"])
    assert list(choices.codecs) == list(choices.tokenizers) == ["demo", "mine", "other/mine"]
    assert choices.tokenizer_for("mine") == "mine"
    assert choices.codecs["mine"].load().codebook_sizes == processor.codec.codebook_sizes
    assert Choices.of([tmp_path / "other" / "mine"]).tokenizers.keys() == {"mine"}


def test_a_tokenizer_must_fit(choices: Choices) -> None:
    assert choices.vocabulary("other", NO_TOKENIZER) is None
    assert choices.tokenizer_for("other") == NO_TOKENIZER
    with pytest.raises(CodecMismatchError, match=r"codebooks of 4 x 16 codes.*other has 4 x 8"):
        choices.vocabulary("other", "mimi")


# There and back.


def test_a_trip(trip: Trip, processor: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    (ids,) = processor(audio=clips[0], sampling_rate=RATE)["input_ids"]
    assert trip.ids == ids
    assert trip.num_codes == trip.clip.frame_borders[1:].size * 4
    assert trip.num_tokens == len(ids) < trip.num_codes
    assert trip.most_codes_per_second == 12.5 * 4
    assert len(trip.returned) / trip.returned_rate == pytest.approx(trip.seconds, abs=0.1)
    assert trip.token_bits_per_second is not None


def test_fewer_codebooks_do_without_the_tokenizer(
    processor: CodecBPEProcessor, clips: list[np.ndarray], trip: Trip
) -> None:
    fewer = round_trip(clips[0], processor.codec, processor.vocabulary, num_codebooks=3)
    assert fewer.codebook_sizes == (16, 16, 16)
    assert fewer.num_tokens == fewer.num_codes == trip.num_codes * 3 // 4
    assert fewer.ids is fewer.token_bits_per_second is None
    assert "reads the codes of 4 codebooks in turn. With 3 codebooks" in note(fewer, 4)
    assert note(trip, 4) == note(fewer, None) == token_chips(fewer) == ""


def test_a_clip_shorter_than_a_frame_is_an_error(clips: list[np.ndarray]) -> None:
    codec = NeuCodecCodec(tiny.neucodec())
    with pytest.raises(AudioError, match="shorter than a frame"):
        round_trip(clips[0][:100], codec)


def test_a_higher_threshold_merges_fewer_frames(
    merging: FlexiCodecCodec, clips: list[np.ndarray]
) -> None:
    vocabulary = CodecVocabulary.of(
        train_tokenizer([], codebook_sizes=merging.codebook_sizes, max_token_codebook_ngrams=0)
    )
    merged, none = (
        round_trip(clips[0], merging, vocabulary, merging_threshold=value) for value in (0.5, 1)
    )
    assert merged.num_tokens < none.num_tokens
    assert merged.ids is not None
    assert merged.clip.frame_borders[-1] == none.clip.frame_borders[-1]
    with pytest.raises(CodecError, match="merging_threshold"):
        round_trip(clips[0], merging, merging_threshold=1.5)


# What a visitor sends.


def test_clips_have_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert visitors_clip.LONGEST_SECONDS == 60
    monkeypatch.setattr(visitors_clip, "LONGEST_SECONDS", 2)
    for name, num_samples in (("whole.wav", 2 * RATE), ("longer.wav", 2 * RATE + 1)):
        save_audio(np.zeros(num_samples, np.float32), tmp_path / name, RATE)
    assert len(visitors_clip.visitors_clip("whole.wav", RATE)) == 2 * RATE
    with pytest.raises(AudioError, match=r"^longer\.wav is longer than 2 seconds"):
        visitors_clip.visitors_clip("longer.wav", RATE)


def test_a_clip_that_was_deleted_meanwhile_is_to_be_sent_again(
    choices: Choices, tmp_path: Path
) -> None:
    shown = Answers(choices).show(str(tmp_path / "speech.wav"), "mimi", "mimi", 4, 1.0)
    assert shown[:2] == (None, None)
    assert "speech.wav is no longer here" in shown[2]
    assert "send it again" in shown[2]


def test_files_that_are_no_audio(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("This is no sound.")
    with pytest.raises(AudioFileError, match=r"^text\.wav cannot be decoded \(Format not rec"):
        visitors_clip.visitors_clip(tmp_path / "text.wav", RATE)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"^empty\.wav"):
        visitors_clip.visitors_clip(tmp_path / "empty.wav", RATE)


# What is shown.


def test_the_picture_holds_every_code_and_border(trip: Trip) -> None:
    drawing = ElementTree.fromstring(draw_clip(trip.clip))
    (picture,) = drawing.findall(".//div/svg")
    cells = [path.get("d") for path in picture.findall("path[@class='cell']")]
    heights = [float(value) for cell in cells for value in re.findall(r"v([\d.]+)", cell)]
    assert sum(heights) / min(heights) == pytest.approx(trip.num_codes)
    tokens = trip.clip.token_of_code
    (border,) = picture.findall("path[@class='border']")
    below = int((tokens[1:] != tokens[:-1]).sum())
    assert border.get("d").count("H") == below
    (through,) = picture.findall("path[@class='through']")
    assert through.get("d").count("V") == (tokens[:, 1:] != tokens[:, :-1]).all(axis=0).sum()


def test_silence_and_merged_frames_can_be_drawn(merging: FlexiCodecCodec) -> None:
    trip = round_trip(np.zeros(RATE, np.float32), merging)
    assert "with" in ElementTree.fromstring(draw_clip(trip.clip)).findall(".//svg")[1].get(
        "aria-label", ""
    )


def test_lengths_have_colours_of_their_own() -> None:
    assert length_style(1, 12) == ""
    assert len({length_style(length, 12) for length in range(2, 13)}) == 11


def test_figures(trip: Trip) -> None:
    text = key_figures(trip)
    assert f'<b id="headline">{trip.num_tokens / trip.seconds:,.1f}</b>' in text
    assert 'class="codes-bar" style="width:' in text
    assert "tokens-bar" in text
    assert "tokens-bar" not in key_figures(replace(trip, ids=None, vocabulary_size=None))
    shares = [int(share) for share in re.findall(r"<small>(\d+)%</small>", legend(trip))]
    assert sum(shares) == pytest.approx(100, abs=5)
    assert f">{trip.ids[0]}</li>" in token_chips(trip)


def test_rare_lengths_are_not_said_to_be_absent(trip: Trip) -> None:
    lengths = np.array([1] * 500 + [4])
    assert "&lt;1%" in legend(replace(trip, clip=replace(trip.clip, lengths=lengths)))


def test_names_of_files_are_text() -> None:
    assert "<img" not in error_message(AudioError("<img src=x onerror=alert(1)>.wav"))


# What happens when a visitor does something.


def test_sliders_follow_the_codec(choices: Choices, merging: FlexiCodecCodec) -> None:
    choices.codecs["merging"] = CodecChoice(lambda: merging)
    num_codebooks, threshold = Answers(choices).sliders("mimi", "mimi")
    assert num_codebooks == {"minimum": 1, "maximum": 4, "value": 4, "visible": True}
    assert not threshold["visible"]
    num_codebooks, threshold = Answers(choices).sliders("merging", NO_TOKENIZER)
    assert num_codebooks["minimum"] == 2  # the lengths are one of them
    assert threshold == {"minimum": 0.5, "maximum": 1, "value": 0.8, "visible": True}


class Visitor:
    """Looks at the page in place of the wait for Ctrl+C, which it presses then."""

    url = ""
    seen = ""

    def wait(self) -> None:
        type(self).seen = urlopen(self.url, timeout=60).read().decode()
        raise KeyboardInterrupt


@contextmanager
def occupied() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", "ui", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    port = isolation.free_port()
    Visitor.url = f"http://127.0.0.1:{port}/"
    monkeypatch.setattr(ui, "Event", Visitor)
    code, out, _ = run(monkeypatch, capsys, "--port", port)
    assert code == 0
    assert out == f"The page is at {Visitor.url} until you press Ctrl+C.\n"
    assert "Sound to tokens, and back" in Visitor.seen
    for word in ("googleapis", "cdnjs", "huggingface.co"):
        assert word not in Visitor.seen


def test_a_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with occupied() as port:
        code, _, err = run(monkeypatch, capsys, "--port", port)
    assert code == 1
    assert "Error: The page cannot be opened" in err
    assert "Choose another port" in err.splitlines()[-1]


def test_without_gradio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    code, _, err = run(monkeypatch, capsys)
    assert code == 1
    assert err.splitlines()[-1] == (
        "Error: The demo page needs Gradio: pip install 'hf-codec-bpe[demo]'."
    )


def test_a_processor_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(monkeypatch, capsys, "user/nothing")
    assert code == 1
    assert "user/nothing" in err.splitlines()[-1]
