"""Reports and cards: figures that hold, and files that people and programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_codec_bpe import CodecBPEProcessor, demo_repo, extend_tokenizer, train_tokenizer
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.cli.app import app
from hf_codec_bpe.codecs import MimiCodec, registry
from hf_codec_bpe.errors import MissingDependencyError, ReportError
from hf_codec_bpe.evaluation import CompressionReport, audio_report, compression_report, plots
from hf_codec_bpe.evaluation.clip_tokens import ClipTokens
from hf_codec_bpe.evaluation.pages import write_report
from hf_codec_bpe.hub.cards import BEGIN, END, make_card, update_card
from hf_codec_bpe.hub.pushing import card_for, draw

from . import bases, tiny

SIZES = [4, 4]
TRAINING = [np.array([[0, 1, 0, 1, 0, 1], [2, 3, 2, 3, 2, 3]])]
TOKENIZER = train_tokenizer(TRAINING, codebook_sizes=SIZES, vocab_size=12)


def test_figures_by_hand() -> None:
    # Two frames that were merged (0 2), (1 3) and one that was not: 3 3.
    assert [len(token) for token in TOKENIZER.get_vocab() if token != "<pad>"].count(2) >= 2
    codes = np.array([[0, 1, 3], [2, 3, 3]])
    ids = TOKENIZER.codes_to_ids(codes)
    report = compression_report(TOKENIZER, [codes], frame_rate=2.0, name="by hand")
    assert (report.num_clips, report.num_codes, report.num_tokens) == (1, 6, len(ids))
    assert report.seconds == 1.5
    assert report.tokens_per_second == len(ids) / 1.5
    assert report.codes_per_second == 4.0
    assert report.flat_bits_per_second == 8.0  # two codes of two bits, twice a second
    assert report.num_tokens_used == len(set(ids))
    assert report.coverage == len(set(ids)) / report.vocabulary_size


@settings(deadline=None)
@given(
    st.lists(
        st.integers(1, 30).flatmap(
            lambda n: st.lists(
                st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=2, max_size=2
            )
        ),
        min_size=1,
        max_size=4,
    )
)
def test_figures_agree_with_each_other(clips: list[list[list[int]]]) -> None:
    codes = [np.array(clip) for clip in clips]
    report = compression_report(TOKENIZER, codes, frame_rate=12.5, name="random")
    assert report.num_codes == sum(clip.size for clip in codes)
    assert report.num_tokens == sum(len(TOKENIZER.codes_to_ids(clip)) for clip in codes)
    assert report.compression == pytest.approx(report.num_codes / report.num_tokens)
    assert sum(report.token_lengths.values()) == report.num_tokens
    assert sum(n * count for n, count in report.token_lengths.items()) == report.num_codes
    assert sum(report.vocabulary_lengths.values()) == report.vocabulary_size
    assert 0 < report.coverage <= 1
    assert CompressionReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_tokenizer_that_loses_audio_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_codec_bpe import CodecVocabulary

    monkeypatch.setattr(CodecVocabulary, "codes_to_ids", lambda *_: [1])
    with pytest.raises(ReportError, match="Clip 0 did not come back"):
        compression_report(TOKENIZER, TRAINING, frame_rate=50.0, name="broken")


@pytest.fixture
def report(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> CompressionReport:
    audio = [{"array": clip, "sampling_rate": 24_000} for clip in clips]
    return audio_report(processor, audio, name="three clips")


def test_audio_is_measured_as_the_processor_encodes_it(
    report: CompressionReport, processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    ids = processor(audio=clips, sampling_rate=24_000)["input_ids"]
    assert report.num_tokens == sum(map(len, ids))
    assert report.seconds == pytest.approx(sum(map(len, clips)) / 24_000)


def test_a_clip_without_tokens_has_no_picture(
    report: CompressionReport, processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    none = np.zeros((4, 0), dtype=np.int64)
    clip = ClipTokens.of(processor.codec, clips[0][:9], none, none[0])
    page = write_report(tmp_path, report, clip)
    assert page.exists()
    assert not (tmp_path / "clip.png").exists()


# Cards.


def parts(card: str) -> tuple[str, str, str]:
    before, rest = card.split(BEGIN)
    ours, after = rest.split(END)
    return before, ours, after


def test_a_card_says_what_was_measured(
    report: CompressionReport, processor: CodecBPEProcessor
) -> None:
    text = card_for(processor, "user/codec-bpe-mimi", report=report, tags=["mine"])
    data = ModelCard(text).data.to_dict()
    assert data["library_name"] == "hf-codec-bpe"
    assert data["pipeline_tag"] == "audio-to-audio"
    assert {"codec-bpe", "mimi", "mine"} <= set(data["tags"])
    for figure in (
        f"{report.tokens_per_second:.2f}",
        f"{report.compression:.3f} codes per token",
        "three clips: 3 clips",
        "exact for all 3 clips",
    ):
        assert figure in text
    assert all(picture in text for picture in draw(report))
    assert "license" not in data  # a codec in memory: nobody knows


@pytest.mark.parametrize(
    ("ngrams", "chunk_frames", "row"),
    [
        (2, 25, "tokens of at most 2 frames' worth of codes, minimum frequency 2, chunks of 25 "),
        (None, None, "tokens of any number of frames' worth of codes, minimum frequency 2, clips "),
        (0, None, "one token for every code, and no merges"),
    ],
)
def test_a_card_says_how_a_tokenizer_was_trained(
    ngrams: int | None, chunk_frames: int | None, row: str
) -> None:
    tokenizer = train_tokenizer(
        TRAINING,
        codebook_sizes=TOKENIZER.alphabet.codebook_sizes,
        max_token_codebook_ngrams=ngrams,
        chunk_frames=chunk_frames,
    )
    assert row in card_for(tokenizer, "user/name")


@pytest.mark.parametrize("merges", [False, True])
def test_a_card_says_hours_where_frames_have_a_length(
    merges: bool, processor: CodecBPEProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class MyCodec(MimiCodec):
        family = "mine"
        dynamic_frame_rate = merges
        default_settings: ClassVar[Mapping[str, Any]] = {} if merges else {"speed": 1}

    monkeypatch.setattr(registry, "_CLASSES", {"mine": MyCodec})
    codec = MyCodec(tiny.mimi(), num_codebooks=4)
    mine = CodecBPEProcessor.from_codec(codec, processor.tokenizer)
    assert ("hours)" in card_for(mine, "user/name")) is not merges


@pytest.mark.parametrize("frame_rate", [0.0, -1.0, float("nan"), float("inf")])
def test_frame_rates_that_are_none(frame_rate: float) -> None:
    with pytest.raises(ReportError, match=f"frame_rate={frame_rate} is not a rate"):
        compression_report(TOKENIZER, TRAINING, frame_rate=frame_rate, name="no rate")


def test_a_card_without_a_report_claims_nothing(processor: CodecBPEProcessor) -> None:
    text = card_for(processor, "user/name")
    assert "Nothing yet" in text
    assert "codes per token" not in text
    assert not draw(None)


def test_a_published_codec_has_a_licence_and_a_base_model() -> None:
    codec = MimiCodec(tiny.mimi(), num_codebooks=4, name_or_path="kyutai/mimi", revision="a" * 40)
    tokenizer = train_tokenizer(
        codec.encode([tiny.speech_like(9_000)]), codebook_sizes=codec.codebook_sizes, vocab_size=90
    )
    card = make_card(CodecBPEProcessor.from_codec(codec, tokenizer), "user/name")
    assert card.data.license == "cc-by-4.0"
    assert card.data.base_model == "kyutai/mimi"
    assert f"`kyutai/mimi` at `{'a' * 40}`" in card.text


def test_cards_of_tokenizers(processor: CodecBPEProcessor) -> None:
    alone = str(make_card(processor.tokenizer, "user/name"))
    assert "AutoTokenizer" in alone
    extended = extend_tokenizer(bases.gpt2_like(), processor.tokenizer)
    assert "every text keeps its" in str(make_card(extended, "user/name"))


def test_the_snippet_runs(processor: CodecBPEProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path / "repository")
    save_audio(tiny.speech_like(9_000), "speech.flac", 24_000)
    text = str(make_card(processor, str(tmp_path / "repository")))
    snippet = text.split("```python\n")[1].split("```")[0]
    assert len(snippet.splitlines()) <= 6
    namespace: dict[str, Any] = {}
    exec(snippet, namespace)
    assert len(namespace["waveforms"]) == 1


@pytest.mark.parametrize("newline", ["", "\n"])
def test_what_others_wrote_stays(processor: CodecBPEProcessor, newline: str) -> None:
    theirs = f"---\nlicense: mit\ntags:\n- mine\n---\n# Mine\n\nWords | with | bars\n{newline}"
    ours = str(make_card(processor, "user/name"))
    once = update_card(theirs, ours)
    before, inside, _ = parts(once)
    assert "# Mine\n\nWords | with | bars" in before
    assert inside == parts(ours)[1]
    data = ModelCard(once).data.to_dict()
    assert data["license"] == "mit"
    assert data["tags"][0] == "mine"
    assert "codec-bpe" in data["tags"]
    assert update_card(once, ours) == once
    edited = once.replace("# Mine", "# Still mine") + "\nMore of mine.\n"
    again = update_card(edited, ours.replace("Nothing yet", "Something"))
    assert "# Still mine" in again
    assert again.rstrip().endswith("More of mine.")
    assert "Something" in again
    assert "Nothing yet" not in again


# The command.


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_audio(tiny.speech_like(16_000), tmp_path / "clip.wav", 16_000)
    (tmp_path / "list.csv").write_text("path\nbad.wav\nclip.wav\n")
    (tmp_path / "bad.wav").write_text("no audio")
    out = tmp_path / "report"
    app(
        ["report", "demo", str(tmp_path / "list.csv"), "--out", str(out), "--json"],
        standalone_mode=False,
    )
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((out / "report.json").read_text())
    assert found["num_clips"] == 1
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    for name in ("clip", "token_lengths", "frequencies"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib(
    report: CompressionReport, processor: CodecBPEProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    text = card_for(processor, "user/name", report=report)
    assert "token_lengths.png" not in text
    assert "Share of tokens" in text
    with pytest.raises(MissingDependencyError, match="report"):
        app(["report", "demo", str(demo_repo()), "--out", "out"], standalone_mode=False)
