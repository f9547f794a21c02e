"""The examples run, and show what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile
from transformers import AutoModelForCausalLM, AutoProcessor

from hf_codec_bpe.audio import save_audio

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


def test_a_language_model_learns_audio_and_speaks(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    for seed in range(6):
        save_audio(melody(seed), tmp_path / "recordings" / f"{seed}.flac", 16_000)
    out = tmp_path / "out"
    short = ["--steps", "40", "--batch-size", "2", "--sequence-length", "128"]
    result = load_example("train_audio_lm").main(
        [str(tmp_path / "recordings"), str(out), *short, "--new-seconds", "0.5"]
    )
    assert result["bits_per_second_after"] < 0.95 * result["bits_per_second_before"]
    assert result["bits_per_second_after"] < result["bits_per_second_flat"]
    assert result["seconds_generated"] > 0

    sound = soundfile.info(out / "continued.wav")
    processor = AutoProcessor.from_pretrained(out)
    model = AutoModelForCausalLM.from_pretrained(out)
    assert sound.samplerate == processor.codec.output_sampling_rate
    assert model.get_input_embeddings().weight.shape[0] >= len(processor.tokenizer)
