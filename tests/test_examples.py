"""The examples run, and show what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from transformers import AutoModelForCausalLM, AutoProcessor

from hf_codec_bpe import CodecBPEProcessor, demo_repo, load_codec, train_tokenizer
from hf_codec_bpe.audio import load_audio, save_audio

EXAMPLES = Path(__file__).parents[1] / "examples"


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def melody(seed: int) -> np.ndarray:
    """Three seconds of the same four notes in different orders: little to learn."""
    notes = np.random.default_rng(seed).permutation([220, 330, 440, 550] * 3)
    time = np.arange(4_000) / 16_000
    return 0.5 * np.concatenate([np.sin(2 * np.pi * note * time) for note in notes])


def save_recordings(folder: Path, number: int, seconds: float = 3.0) -> Path:
    folder.mkdir()
    for seed in range(number):
        save_audio(melody(seed)[: int(16_000 * seconds)], folder / f"{seed}.flac", 16_000)
    return folder


def save_small_processor(recordings: Path, folder: Path) -> None:
    """A few hundred tokens are learnt in as few steps, unlike the bundled tokenizer's 30,000."""
    codec = load_codec(demo_repo() / "codec", num_codebooks=2)
    clips = [load_audio(path, codec.sampling_rate) for path in sorted(recordings.iterdir())]
    tokenizer = train_tokenizer(
        codec.encode(clips),
        codebook_sizes=codec.codebook_sizes,
        vocab_size=sum(codec.codebook_sizes) + 100,
        additional_special_tokens=["<|audio_start|>", "<|audio_end|>"],
    )
    CodecBPEProcessor.from_codec(codec, tokenizer).save_pretrained(folder)


def test_a_language_model_learns_audio_and_speaks(tmp_path: Path) -> None:
    save_recordings(tmp_path / "recordings", 6)
    save_small_processor(tmp_path / "recordings", tmp_path / "small")
    out = tmp_path / "out"
    short = ["--steps", "40", "--batch-size", "2", "--sequence-length", "128"]
    result = load_example("train_audio_lm").main(
        [
            *(str(tmp_path / "recordings"), str(out), "--processor", str(tmp_path / "small")),
            *(*short, "--new-seconds", "0.5"),
        ]
    )
    assert result["bits_per_second_after"] < 0.8 * result["bits_per_second_before"]
    assert result["bits_per_second_after"] < result["bits_per_second_flat"]
    assert result["seconds_generated"] > 0

    sound = soundfile.info(out / "continued.wav")
    processor = AutoProcessor.from_pretrained(out)
    model = AutoModelForCausalLM.from_pretrained(out)
    assert sound.samplerate == processor.codec.output_sampling_rate
    assert model.get_input_embeddings().weight.shape[0] >= len(processor.tokenizer)


def test_a_language_model_of_short_recordings(tmp_path: Path) -> None:
    """Half a clip is given at most, whatever was asked for."""
    recordings = save_recordings(tmp_path / "recordings", 2, seconds=0.4)
    options = ["--steps", "1", "--new-seconds", "0.5", "--prompt-seconds", "2"]
    result = load_example("train_audio_lm").main([str(recordings), str(tmp_path / "out"), *options])
    seconds = soundfile.info(tmp_path / "out" / "continued.wav").duration
    assert 0.15 < seconds - result["seconds_generated"] <= 0.2
    assert result["seconds_generated"] > 0


def test_a_language_model_is_saved_before_it_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = save_recordings(tmp_path / "recordings", 2, seconds=0.4)
    example = load_example("train_audio_lm")

    def break_off(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(example, "speak", break_off)
    with pytest.raises(KeyboardInterrupt):
        example.main([str(recordings), str(tmp_path / "out"), "--steps", "1"])
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").config.vocab_size > 30_000


def test_a_language_model_of_a_single_recording(tmp_path: Path) -> None:
    recordings = save_recordings(tmp_path / "recordings", 1)
    with pytest.raises(SystemExit, match="pass at least two, better five or more"):
        load_example("train_audio_lm").main([str(recordings), str(tmp_path / "out")])


def test_a_language_model_asked_for_no_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = save_recordings(tmp_path / "recordings", 2, seconds=0.4)
    with pytest.raises(SystemExit):
        load_example("train_audio_lm").main(
            [str(recordings), str(tmp_path / "out"), "--steps", "1", "--new-seconds", "0"]
        )
    assert "--new-seconds 0 is no sound: ask for more than 0" in capsys.readouterr().err
