"""The table of published codecs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from hf_codec_bpe import presets as module
from hf_codec_bpe.codecs import families
from hf_codec_bpe.errors import PresetError
from hf_codec_bpe.presets import find_preset, presets


@pytest.mark.parametrize("name", presets())
def test_a_preset_adds_up(name: str) -> None:
    preset = presets()[name]
    assert preset.family in families()
    assert preset.hub_id.count("/") == 1
    assert preset.frame_rate == preset.sampling_rate / preset.hop_length
    bits = sum(math.log2(size) for size in preset.codebook_sizes)
    assert preset.bandwidth == preset.frame_rate * bits
    recipe = preset.tokenizer
    assert 1 <= recipe.num_codebooks <= len(preset.codebook_sizes)
    assert recipe.vocab_size > sum(preset.codebook_sizes[: recipe.num_codebooks])
    assert recipe.reason.endswith(".")
    assert preset.repository.startswith("codec-bpe-")


@pytest.mark.parametrize(
    ("name", "frame_rate", "num_codebooks", "kbps"),
    [
        ("encodec_24khz", 75, 32, 24),
        ("dac_16khz", 50, 12, 6),
        ("dac_24khz", 75, 32, 24),
        ("dac_44khz", 86.1328125, 9, 7.751953125),
        ("mimi", 12.5, 32, 4.4),
    ],
)
def test_published_figures(name: str, frame_rate: float, num_codebooks: int, kbps: float) -> None:
    preset = presets()[name]
    assert preset.frame_rate == frame_rate
    assert len(preset.codebook_sizes) == num_codebooks
    assert preset.bandwidth == kbps * 1000


def test_names_are_found_in_any_case() -> None:
    assert find_preset("EnCodec_24kHz") is presets()["encodec_24khz"]
    assert find_preset("facebook/encodec_24khz") is None


def test_a_malformed_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = yaml.safe_load((module.FOLDER / "mimi.yaml").read_text())
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump({**values, "colour": "blue"}))
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(PresetError, match="colour"):
        module.presets.__wrapped__()
