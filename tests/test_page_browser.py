"""The demo page as visitors meet it: in a real browser, which sees no other machine."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from huggingface_hub import snapshot_download
from playwright.sync_api import Browser, Page, expect

from hf_codec_bpe import CodecBPEProcessor, train_tokenizer
from hf_codec_bpe.audio import load_audio, save_audio
from hf_codec_bpe.bundled import demo_clip
from hf_codec_bpe.codecs import FlexiCodecCodec
from hf_codec_bpe.hub.space import push_space

from . import tiny
from .browser import Seen, open_browser, open_page
from .hub import LocalHub, isolation
from .page_process import RunningPage, running_page

SECONDS = 2.0
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MERGING = "user/merging"
expect.set_options(timeout=120_000)  # ms: a busy machine with one core


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of speech."""
    rate = 16_000
    speech = load_audio(demo_clip(), rate)[rate // 2 :][: round(SECONDS * rate)]
    return save_audio(speech, tmp_path_factory.mktemp("clips") / "speech.wav", rate)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A Space, pushed to a Hub and pulled from there: the page of `hf-codec-bpe ui`.

    It offers the bundled processor, and one whose codec merges frames.
    """
    folder = tmp_path_factory.mktemp("served")
    codec = FlexiCodecCodec(tiny.flexicodec(), num_codebooks=4, merging_threshold=0.5)
    tokenizer = train_tokenizer(
        codec.encode([tiny.speech_like(50_000)]),
        codebook_sizes=codec.codebook_sizes,
        max_token_codebook_ngrams=0,
    )
    with pytest.MonkeyPatch.context() as patch, LocalHub(isolation.PORT) as hub:
        patch.setenv("HF_TOKEN", hub.token)
        isolation.set_offline(patch, False)
        CodecBPEProcessor.from_codec(codec, tokenizer).push_to_hub(MERGING)
        push_space("user/page", ["demo", MERGING])
        space = snapshot_download("user/page", repo_type="space", local_dir=folder / "space")
        port = isolation.free_port()
        environment = hub.environment(folder / "home") | {"GRADIO_SERVER_PORT": str(port)}
        with running_page([Path(space, "app.py")], folder, port, environment) as page:
            yield page
    assert page.hosts_asked == []


@pytest.fixture(scope="module")
def browser(clip: Path) -> Iterator[Browser]:
    with open_browser(microphone=clip) as browser:
        yield browser


@pytest.fixture
def seen() -> Iterator[Seen]:
    seen = Seen()
    yield seen
    assert seen.requests_elsewhere == []
    assert seen.console_errors == []


def upload(page: Page, file: Path) -> None:
    """Chooses a file, in place of what is there."""
    clear = page.locator("#original").get_by_label("Clear")
    if clear.count():
        clear.click()
        expect(page.locator("#result .empty")).to_be_visible()
    page.locator("#original input[type=file]").set_input_files(file)


def number(page: Page, name: str) -> float:
    return float(re.sub("[^0-9.]", "", page.locator(f"#{name}").inner_text()))


def move(page: Page, slider: str, value: float) -> None:
    """Moves a slider, and waits for what follows."""
    before = page.locator("#headline").inner_text()
    page.locator(f"#{slider} input[type=range]").fill(str(value))
    expect(page.locator("#headline")).not_to_have_text(before)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_file_goes_there_and_back(
    served: RunningPage, browser: Browser, seen: Seen, clip: Path, tmp_path: Path
) -> None:
    with open_page(browser, served.url, seen) as page:
        expect(page.locator("#result")).to_contain_text("Its tokens will be here")
        upload(page, clip)
        expect(page.locator("#result svg[role=img]")).to_have_attribute(
            "aria-label", re.compile(f"Spectrogram of {SECONDS} s of sound, with [0-9,]+ tokens")
        )
        assert number(page, "seconds") == SECONDS
        assert number(page, "headline") == pytest.approx(number(page, "tokens") / SECONDS, abs=0.1)
        assert number(page, "compression") > 1
        assert page.locator("#result .tokens li").count() > 10

        # What came back can be played, and is as long.
        player = page.locator("#round-trip")
        expect(player.locator("#duration")).to_have_text("0:02")
        player.get_by_role("button", name="Play", exact=True).click()
        expect(player.locator("#time")).to_have_text("0:01")
        address = player.locator("a[download]").get_attribute("href")
        samples, rate = soundfile.read(io.BytesIO(page.request.get(address).body()))
        assert len(samples) / rate == pytest.approx(SECONDS, abs=0.05)
        assert np.abs(samples).max() > 0.05

        # Fewer codebooks: fewer codes, which the tokenizer cannot merge.
        all_codes = number(page, "codes-per-second")
        most = int(page.locator("#codebooks input[type=range]").get_attribute("max"))
        move(page, "codebooks", most - 1)
        assert number(page, "headline") == pytest.approx(all_codes * (most - 1) / most, abs=0.2)
        expect(page.locator("#result .note")).to_contain_text(f"With {most - 1} codebook")

        # A broken file is a sentence, and makes room for a good one.
        broken = tmp_path / "<img src=x>.wav"
        broken.write_text("This is no sound.")
        upload(page, broken)
        error = page.get_by_role("alert")
        expect(error).to_contain_text(".wav cannot be decoded (Format not recognised)")
        assert error.locator("img").count() == 0
        expect(player.locator("a[download]")).to_have_count(0)
        upload(page, clip)
        expect(page.locator("#headline")).to_be_visible()
        assert page.get_by_role("alert").count() == 0
    # Gradio's player may have tried the broken file too.
    seen.console_errors = [error for error in seen.console_errors if "MediaError" not in error]


def test_a_voice_on_a_phone(served: RunningPage, browser: Browser, seen: Seen) -> None:
    with open_page(browser, served.url, seen, color_scheme="dark", **PHONE) as page:
        recorder = page.locator("#original")
        recorder.get_by_label("Record audio").click()
        recorder.get_by_role("button", name="Record", exact=True).click()
        page.wait_for_timeout(1000 * SECONDS)
        recorder.get_by_role("button", name="Stop", exact=True).click()
        expect(page.locator("#headline")).to_be_visible()
        assert number(page, "seconds") > SECONDS / 2
        assert len(set(page.locator("#result .tokens li").all_inner_texts())) > 10
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]

        # The same voice in another codec, which merges frames that are alike.
        expect(page.locator("#threshold")).to_be_hidden()
        choose(page, "Tokenizer", MERGING)
        expect(page.get_by_role("alert")).to_contain_text("choose the tokenizer that was made for")
        choose(page, "Codec", MERGING)
        expect(page.locator("#threshold")).to_be_visible()
        expect(page.locator("#headline")).to_be_visible()
        merged = number(page, "headline")
        move(page, "threshold", 1)
        assert number(page, "headline") > merged
