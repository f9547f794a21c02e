"""Codecs under test: metrics that mean what they say, and reports that hide nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pesq as pesq_package
import pystoi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from hf_codec_bpe import CodecBPEProcessor
from hf_codec_bpe.audio import load_audio, save_audio
from hf_codec_bpe.bundled import demo_clip
from hf_codec_bpe.cli.app import app
from hf_codec_bpe.codecs import FlexiCodecCodec, MimiCodec
from hf_codec_bpe.errors import MissingDependencyError, ReportError
from hf_codec_bpe.evaluation import CodecReport, codec_report, compression_report, metrics
from hf_codec_bpe.evaluation.bench import Bench
from hf_codec_bpe.evaluation.codec_table import codec_table
from hf_codec_bpe.evaluation.metrics import measure, mel_distance, pesq, si_sdr, stoi
from hf_codec_bpe.evaluation.recognition import word_errors, words
from hf_codec_bpe.hub.building import Build
from hf_codec_bpe.hub.cards import make_card
from hf_codec_bpe.hub.pushing import draw
from hf_codec_bpe.presets import Recipe

from . import tiny

RATE = 16_000
SPEECH = load_audio(demo_clip(), RATE)
NOISE = tiny.speech_like(len(SPEECH), 1)
BEST = {"pesq": 4.64, "stoi": 1.0, "si_sdr": 100.0, "mel_distance": 0.0}


# Metrics.


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_identical_audio_has_the_best_figures(rate: int) -> None:
    clip = load_audio(demo_clip(), rate)
    scores, reasons = measure(clip, clip, rate)
    assert scores == pytest.approx(BEST, abs=0.005)
    assert reasons == {}


def test_every_metric_falls_with_noise() -> None:
    figures = [measure(SPEECH, SPEECH + level * NOISE, RATE)[0] for level in (0.003, 0.03, 0.3)]
    for name in ("pesq", "stoi", "si_sdr"):
        values = [scores[name] for scores in figures]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 3
    distances = [scores["mel_distance"] for scores in figures]
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_speech_metrics_are_those_of_their_packages() -> None:
    decoded = SPEECH + 0.03 * NOISE
    assert pesq(SPEECH, decoded, RATE) == pesq_package.pesq(RATE, SPEECH, decoded, "wb")
    assert stoi(SPEECH, decoded, RATE) == pystoi.stoi(SPEECH, decoded, RATE)


def test_long_audio_does_not_crash_pesq() -> None:
    # The package writes beyond its memory at 50 utterances: these are 80.
    original = tiny.speech_like(40 * RATE) * (np.arange(40 * RATE) % (RATE // 2) < RATE // 4)
    assert pesq(original, original, RATE) == pytest.approx(4.64, abs=0.005)
    decoded = original + 0.1 * tiny.speech_like(len(original), 1)
    parts = zip(np.array_split(original, 3), np.array_split(decoded, 3), strict=True)
    expected = np.mean([pesq_package.pesq(RATE, *pair, "wb") for pair in parts])
    assert pesq(original, decoded, RATE) == pytest.approx(expected)


@given(st.floats(0.01, 100), st.floats(0.001, 10), st.booleans())
def test_si_sdr_is_the_ratio_of_target_and_distortion(
    scale: float, level: float, flipped: bool
) -> None:
    signal = SPEECH.astype(np.float64)
    distortion = NOISE - signal * (NOISE @ signal) / (signal @ signal)  # at right angles to it
    decoded = scale * ((-1 if flipped else 1) * signal + level * distortion)
    expected = 10 * np.log10((signal @ signal) / (level**2 * (distortion @ distortion)))
    found = si_sdr(SPEECH, decoded.astype(np.float32), RATE)
    assert found == pytest.approx(expected, abs=0.01)


def test_mel_distance_is_in_powers_of_ten() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    assert mel_distance(noise, 2 * noise, RATE) == pytest.approx(np.log10(2), abs=1e-4)
    # Levels below 1e-5 count as 1e-5: silence is not infinitely far away.
    assert mel_distance(noise, 0 * noise, RATE) < 5


@pytest.mark.parametrize(
    ("original", "decoded", "missing"),
    [
        (0 * SPEECH, SPEECH, {"pesq", "stoi", "si_sdr", "mel_distance"}),
        (0 * SPEECH + 5e-5, SPEECH, {"pesq", "stoi", "si_sdr", "mel_distance"}),
        (SPEECH, SPEECH[:0], {"pesq", "stoi", "si_sdr", "mel_distance"}),
        (SPEECH, SPEECH * np.nan, {"pesq", "stoi", "si_sdr", "mel_distance"}),
        (SPEECH, 0 * SPEECH, {"pesq", "si_sdr"}),
        (SPEECH, 0 * SPEECH + 0.1, set()),
        (SPEECH[RATE : RATE + 1600], SPEECH[RATE : RATE + 1600], {"pesq", "stoi"}),
        (SPEECH[RATE : RATE + 4800], SPEECH[RATE : RATE + 4800], {"stoi"}),
        (np.pad(SPEECH[RATE : RATE + 4800], 9000), np.pad(SPEECH[:4800], 9000), {"stoi"}),
    ],
    ids=[
        "silent",
        "dither",
        "nothing",
        "nan",
        "lost",
        "constant",
        "0.1 s",
        "0.3 s",
        "0.3 s and pauses",
    ],
)
def test_what_cannot_be_measured_is_no_number(
    original: np.ndarray, decoded: np.ndarray, missing: set[str]
) -> None:
    scores, reasons = measure(original, decoded, RATE)
    assert {name for name, value in scores.items() if value is None} == missing == set(reasons)
    assert all(np.isfinite(value) for value in scores.values() if value is not None)
    assert all(reason.endswith(".") for reason in reasons.values())


# Reports.


class Echo(MimiCodec):
    """Gives back what it heard last, and some noise."""

    level = 0.0

    def encode(self, waveforms: Any, **options: Any) -> list[np.ndarray]:
        (self.heard,) = waveforms
        return super().encode(waveforms, **options)

    def decode(self, codes: Any) -> list[np.ndarray]:
        noise = tiny.speech_like(len(self.heard), 7)
        return [self.heard + self.level * noise.astype(np.float32)]


@pytest.fixture(scope="module")
def echo() -> Echo:
    return Echo(tiny.mimi(), num_codebooks=1)


@pytest.fixture(scope="module")
def report(processor: CodecBPEProcessor) -> CodecReport:
    return codec_report(processor, [demo_clip()], name="one clip", label="tiny")


def test_an_echo_is_perfect(echo: Echo) -> None:
    found = codec_report(echo, [demo_clip()], name="one clip")
    assert {name: found.mean(name) for name in found.metrics} == pytest.approx(BEST, abs=0.005)
    assert found.codec == "mimi"
    assert found.bpe is None
    assert "BPE tokens" not in codec_table([found])


def test_means_are_over_what_was_measured_and_the_rest_is_told(echo: Echo, tmp_path: Path) -> None:
    save_audio(SPEECH[RATE : RATE + 1600], tmp_path / "short.wav", RATE)
    save_audio(np.zeros(RATE, np.float32), tmp_path / "silent.wav", RATE)
    clips = [tmp_path / "short.wav", demo_clip(), tmp_path / "silent.wav"]
    found = codec_report(echo, clips, name="three clips")
    assert found.mean("pesq") == pytest.approx(4.64, abs=0.005)
    assert found.not_measured("pesq") == {
        "PESQ needs at least 0.25 s of audio.": 1,
        "The original is silent.": 1,
    }
    assert found.not_measured("mel_distance") == {"The original is silent.": 1}
    assert [clip.scores["pesq"] is None for clip in found.clips] == [True, False, True]
    assert "PESQ, wide band: 1 clip of 3 not measured. The original is silent." in codec_table(
        [found]
    )
    only = codec_report(echo, clips[2:], name="silence")
    assert only.mean("stoi") is None
    assert "not measured" in codec_table([only])


def test_rates_are_the_codecs_and_its_tokenizers(
    report: CodecReport, processor: CodecBPEProcessor
) -> None:
    codec = processor.codec
    assert report.codes_per_second == codec.frame_rate * codec.num_codebooks
    assert report.bits_per_second == pytest.approx(codec.bandwidth)
    codes = codec.encode([load_audio(demo_clip(), codec.sampling_rate)])
    expected = compression_report(processor, codes, name="one clip", seconds=[len(SPEECH) / RATE])
    assert report.bpe == replace(expected, seconds=report.bpe.seconds)
    assert report.codebook_usage == [len(set(row)) / 16 for row in codes[0].tolist()]
    assert min(report.encode_rtf, report.decode_rtf) > 0
    assert report.seconds == pytest.approx(len(SPEECH) / RATE, abs=1e-4)


def test_fewer_codebooks_are_measured_as_the_codec_with_fewer(
    report: CodecReport, processor: CodecBPEProcessor
) -> None:
    counts = [each.num_codebooks for each in report.by_codebooks]
    assert counts == list(range(1, processor.codec.num_codebooks + 1))
    whole = report.by_codebooks[-1]
    assert (whole.pesq, whole.stoi) == (report.mean("pesq"), report.mean("stoi"))
    two = codec_report(MimiCodec(tiny.mimi(), num_codebooks=2), [demo_clip()], name="one clip")
    assert two.by_codebooks == report.by_codebooks[:2]
    assert two.by_codebooks[1].bits_per_second == two.bits_per_second


def test_merged_frames_are_counted() -> None:
    codec = FlexiCodecCodec(tiny.flexicodec(), num_codebooks=4, merging_threshold=0.8)
    found = codec_report(codec, [demo_clip()], name="one clip")
    groups = codec.encode([SPEECH])[0].shape[1]
    per_second = groups / found.seconds
    assert per_second < codec.frame_rate
    assert found.codes_per_second == pytest.approx(4 * per_second)
    bits = np.log2(codec.codebook_sizes).sum()
    assert found.bits_per_second == pytest.approx(per_second * bits)
    assert [each.num_codebooks for each in found.by_codebooks] == [2, 3, 4]


def test_a_report_is_json(report: CodecReport, echo: Echo) -> None:
    for each in (report, codec_report(echo, [demo_clip()], name="one clip")):
        text = json.dumps(each.to_dict(), allow_nan=False)
        assert CodecReport.from_dict(json.loads(text)) == each
    with pytest.raises(ReportError, match="hf-codec-bpe evaluate"):
        CodecReport.from_dict({"name": "something else"})
    with pytest.raises(ReportError, match="no clips"):
        codec_report(echo, [], name="nothing")


# Word errors.


def test_words() -> None:
    text = "\u201cDon\u2019t,\u201d she said - it\u2019s $5; CAF\u00c9!"
    assert words(text) == ["dont", "she", "said", "its", "5", "caf\u00e9"]


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_word_errors_are_the_fewest_edits(reference: list[str], hypothesis: list[str]) -> None:
    @cache
    def fewest(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        substituted = fewest(i - 1, j - 1) + (reference[i - 1] != hypothesis[j - 1])
        return min(fewest(i - 1, j) + 1, fewest(i, j - 1) + 1, substituted)

    assert word_errors(reference, hypothesis) == fewest(len(reference), len(hypothesis))


def recogniser(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Says a word per second, and mishears what is loud."""
    assert inputs["sampling_rate"] == RATE
    seconds = round(len(inputs["raw"]) / RATE)
    return {"text": "One. " * (seconds - 1) + ("Two" if np.abs(inputs["raw"]).max() > 2 else "one")}


def test_word_errors_count_per_word(echo: Echo, tmp_path: Path) -> None:
    for name, seconds in (("a", 1), ("b", 3)):
        save_audio(SPEECH[: seconds * RATE], tmp_path / f"{name}.wav", RATE)
    rows = [
        {"audio": str(tmp_path / "a.wav"), "text": "Something else!"},
        {"audio": str(tmp_path / "b.wav"), "text": "one, one one"},
    ]
    found = codec_report(echo, rows, name="clips", asr=recogniser)
    assert [clip.scores["wer"] for clip in found.clips] == [1.0, 0.0]
    assert found.mean("wer") == 2 / 5
    assert found.has_transcripts
    assert "errors count against the transcripts." in codec_table([found])
    assert "40.0%" in codec_table([found])
    with pytest.raises(ReportError, match=r"b\.wav has no transcript"):
        codec_report(echo, [rows[0], rows[1]["audio"]], name="clips", asr=recogniser)
    silent = [{"audio": rows[1]["audio"], "text": "..."}]
    found = codec_report(echo, silent, name="no words", asr=recogniser)
    assert found.not_measured("wer") == {"The reference of word errors has no words.": 1}


def test_without_transcripts_the_original_is_the_reference() -> None:
    loud = Echo(tiny.mimi(), num_codebooks=1)
    loud.level = 20.0
    found = codec_report(loud, [demo_clip()], name="one clip", asr=recogniser)
    assert found.mean("wer") == 1 / 5
    assert not found.has_transcripts
    assert "its own transcripts of the originals" in codec_table([found])


# Cards and builds.


def test_a_card_shows_what_comes_back(report: CodecReport, processor: CodecBPEProcessor) -> None:
    text = str(make_card(processor, "user/name", report=report))
    for figure in (
        f"{report.bpe.compression:.3f} codes per token",
        f"| PESQ, wide band \u2191 | {report.mean('pesq'):.2f} |",
        f"| STOI \u2191 | {report.mean('stoi'):.3f} |",
        "tiny ran on: cpu",
    ):
        assert figure in text
    assert draw(report) == draw(report.bpe) != {}
    alone = str(make_card(processor, "user/name", report=replace(report, bpe=None)))
    assert "PESQ" in alone
    assert "codes per token" not in alone


def test_a_build_evaluates_once(
    processor: CodecBPEProcessor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("held_out", "training"):
        save_audio(SPEECH[: 2 * RATE], tmp_path / "audio" / f"{name}.wav", RATE)
    recipe = Recipe(4, 200, 2, "a test")
    making = Build(processor.codec, recipe, [tmp_path / "audio"], tmp_path / "out")
    found = making.evaluate(processor)
    assert found.name == "held_out.wav"
    assert found.bpe.num_clips == 1
    with monkeypatch.context() as patch:
        patch.setattr("hf_codec_bpe.hub.building.codec_report", None)
        assert making.evaluate(processor) == found
    monkeypatch.setattr(metrics, "find_spec", lambda name: None)
    other = Build(processor.codec, recipe, [tmp_path / "audio"], tmp_path / "other")
    assert other.evaluate(processor) is None


# The command.


def command(*arguments: object) -> int:
    return app(["evaluate", *map(str, arguments)], standalone_mode=False) or 0


def test_the_command_on_the_demo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command("demo", demo_clip(), "--name", "a clip", "--out", tmp_path / "demo", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "demo" / "report.json").read_text())
    assert found["means"]["stoi"] > 0.6
    assert (tmp_path / "demo" / "plot.png").read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / "demo" / "table.md").read_text()
    for row in ("PESQ", "STOI", "SI-SDR", "Mel distance", "Real-time factor", "with BPE"):
        assert row in table
    with pytest.raises(ReportError, match="leave out --num-codebooks"):
        command("demo", demo_clip(), "-k", 2)
    with pytest.raises(ReportError, match="--revision v1 is for the Hub, but demo"):
        command("demo", demo_clip(), "--revision", "v1")


def test_codecs_side_by_side_and_a_recogniser(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    report: CodecReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    MimiCodec(tiny.mimi()).save_pretrained(tmp_path / "mimi")
    save_recogniser(tmp_path / "asr")
    (tmp_path / "report.json").write_text(json.dumps(report.to_dict()))
    row = {"path": str(demo_clip()), "text": "abba"}
    (tmp_path / "clips.jsonl").write_text(json.dumps(row))
    options = ["--asr", tmp_path / "asr", "--beside", tmp_path / "report.json"]
    command(tmp_path / "mimi", tmp_path / "clips.jsonl", "-k", 2, *options)
    table = capsys.readouterr().out
    head = next(line for line in table.splitlines() if line.startswith("| "))
    assert [cell.strip() for cell in head.split("|")] == ["", "", "mimi, 2 codebooks", "tiny", ""]
    assert "Word error rate" in table
    assert "Words were recognised by asr; errors count against the transcripts." in table
    other = replace(report, clips=[replace(report.clips[0], name="another.wav")])
    (tmp_path / "report.json").write_text(json.dumps(other.to_dict()))
    with monkeypatch.context() as patch:
        patch.setattr(Bench, "measure", None)  # told before anything is measured
        with pytest.raises(ReportError, match="on other clips"):
            command(tmp_path / "mimi", demo_clip(), "-k", 1, *options[2:])
    with pytest.raises(ReportError, match="cannot be loaded as a speech recogniser"):
        command(tmp_path / "mimi", demo_clip(), "--asr", tmp_path / "mimi")


def test_a_bad_clip_is_left_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no audio")
    save_audio(SPEECH[: 2 * RATE], tmp_path / "b.wav", RATE)
    with pytest.raises(ReportError, match="None of the clips"):
        command("demo", tmp_path / "a.wav")
    options = ["--out", tmp_path / "out"]
    assert command("demo", tmp_path, *options, "--json") == 1
    printed = capsys.readouterr()
    assert f"Not measured: {tmp_path / 'a.wav'}" in printed.err
    assert [clip["name"] for clip in json.loads(printed.out)["clips"]] == ["b.wav"]
    assert command("demo", tmp_path / "b.wav", "--beside", tmp_path / "out/report.json") == 0


def save_recogniser(folder: Path) -> None:
    """A random CTC model that hears a's and b's."""
    folder.mkdir()
    vocabulary = {"<pad>": 0, "|": 1, "a": 2, "b": 3, "<unk>": 4, "<s>": 5, "</s>": 6}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    sizes = {key: value for key, value in tiny.HUBERT.items() if key != "model_type"}
    Wav2Vec2ForCTC(Wav2Vec2Config(**sizes, vocab_size=7)).save_pretrained(folder)


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch, echo: Echo) -> None:
    monkeypatch.setattr(metrics, "find_spec", lambda name: None if name == "pystoi" else name)
    with pytest.raises(MissingDependencyError, match=r"hf-codec-bpe\[evaluate\]"):
        codec_report(echo, [demo_clip()], name="one clip")
    with pytest.raises(MissingDependencyError, match=r"hf-codec-bpe\[evaluate\]"):
        command("nothing", "nowhere")
