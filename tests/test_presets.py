"""The table of published codecs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from hf_codec_bpe import load_codec
from hf_codec_bpe import presets as module
from hf_codec_bpe.codecs import families
from hf_codec_bpe.errors import CodecError, PresetError
from hf_codec_bpe.presets import find_preset, presets

PUBLISHED = {
    # codec-bpe's table of codecs: kHz, frames a second, most codebooks, codebook size, kbps, domain
    "encodec_24khz": (24, 75, 32, 1024, 24, "General"),
    "dac_44khz": (44.1, 86.1328125, 9, 1024, 7.8, "General"),
    "dac_24khz": (24, 75, 32, 1024, 24, "General"),
    "dac_16khz": (16, 50, 12, 1024, 6, "General"),
    "mimi": (24, 12.5, 32, 2048, 4.4, "Speech"),
    "xcodec2": (16, 50, 1, 65536, 0.8, "Speech"),
    "funcodec-zh_en-general-16k-nq32ds640": (16, 25, 32, 1024, 8, "General"),
    "funcodec-zh_en-general-16k-nq32ds320": (16, 50, 32, 1024, 16, "General"),
    "funcodec-en-libritts-16k-nq32ds640": (16, 25, 32, 1024, 8, "Audiobooks"),
    "funcodec-en-libritts-16k-nq32ds320": (16, 50, 32, 1024, 16, "Audiobooks"),
    "wavtokenizer-small-600-24k-4096": (24, 40, 1, 4096, 0.48, "Speech"),
    "wavtokenizer-small-320-24k-4096": (24, 75, 1, 4096, 0.9, "Speech"),
    "wavtokenizer-medium-speech-320-24k-4096": (24, 75, 1, 4096, 0.9, "Speech"),
    "wavtokenizer-medium-music-audio-320-24k-4096": (24, 75, 1, 4096, 0.9, "General"),
    "wavtokenizer-large-600-24k-4096": (24, 40, 1, 4096, 0.48, "General"),
    "wavtokenizer-large-320-24k-4096": (24, 75, 1, 4096, 0.9, "General"),
    "simvq_4k": (24, 75, 1, 4096, 0.9, "Speech"),
    "simvq_8k": (24, 75, 1, 8192, 0.975, "Speech"),
    "simvq_65k": (24, 75, 1, 65536, 1.2, "Speech"),
    "simvq_262k": (24, 75, 1, 262144, 1.35, "Speech"),
    # and from the models' own cards
    "neucodec": (16, 50, 1, 65536, 0.8, "Speech"),
    "xcodec-hubert-librispeech": (16, 50, 8, 1024, 4, "Speech"),
    "higgs_audio_v2_tokenizer": (24, 25, 8, 1024, 2, "General"),
}


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_complete(name: str) -> None:
    preset = presets()[name]
    assert preset.family in families()
    assert preset.hub_id.count("/") == 1
    recipe = preset.tokenizer
    assert 1 <= recipe.num_codebooks <= len(preset.codebook_sizes)
    assert recipe.vocab_size > sum(preset.codebook_sizes[: recipe.num_codebooks]) + 10_000
    assert recipe.reason.endswith(".")
    assert preset.repository.startswith("codec-bpe-")
    assert preset.license
    assert preset.domain


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name: str) -> None:
    preset = presets()[name]
    khz, frame_rate, num_codebooks, size, kbps, domain = PUBLISHED[name]
    assert preset.sampling_rate == khz * 1000
    assert preset.frame_rate == frame_rate
    assert preset.codebook_sizes == (size,) * num_codebooks
    assert math.isclose(preset.bandwidth, kbps * 1000, rel_tol=0.01)
    assert preset.domain == domain


def test_repositories_are_distinct() -> None:
    repositories = [preset.repository for preset in presets().values()]
    assert len(set(repositories)) == len(repositories)


def test_names_and_hub_ids_are_found_in_any_case() -> None:
    assert find_preset("EnCodec_24kHz") is presets()["encodec_24khz"]
    assert find_preset("facebook/EnCodec_24khz") is presets()["encodec_24khz"]
    assert find_preset("youngsheen/SimVQ") is None  # holds four
    assert find_preset("nowhere") is None


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("distill-neucodec", "Load the preset neucodec instead"),
        ("neuphonic/distill-neucodec", "DistilHuBERT"),
        ("HKUSTAudio/xcodec2", "HKUSTAudio/xcodec2-hf"),
        ("encodec_48khz", "a loudness"),
    ],
)
def test_what_cannot_be_loaded_says_why(name: str, advice: str) -> None:
    with pytest.raises(CodecError, match=advice):
        load_codec(name)


@pytest.mark.parametrize("change", [{"colour": "blue"}, {"license": ...}])
def test_malformed_presets(
    change: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**yaml.safe_load((module.FOLDER / "mimi.yaml").read_text()), **change}
    values = {key: value for key, value in values.items() if value is not ...}
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(PresetError, match=next(iter(change))):
        module.presets.__wrapped__()
