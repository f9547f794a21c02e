"""What comes with the package works with no network, and is what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from transformers import AutoProcessor

from hf_codec_bpe import CodecBPEProcessor, demo_repo
from hf_codec_bpe.audio import load_audio
from hf_codec_bpe.bundled import demo_clip, place_of


def test_the_repository_is_small_and_holds_no_pickle() -> None:
    files = [path for path in demo_repo().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_500_000
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".py"}
    assert demo_clip().stat().st_size < 200_000


def test_a_name_stands_for_it_unless_something_was_saved_under_it() -> None:
    assert place_of("demo") == place_of("Demo") == str(demo_repo())
    assert place_of("demo", "codec") == str(demo_repo() / "codec")
    assert place_of("user/demo") == "user/demo"
    assert place_of(Path("here/demo")) == "here/demo"
    Path("demo").mkdir()  # such as one of audio
    assert place_of("demo") == str(demo_repo())
    CodecBPEProcessor.from_pretrained(demo_repo()).save_pretrained("demo")
    assert place_of("demo") == "demo"


def test_there_and_back() -> None:
    processor = AutoProcessor.from_pretrained(demo_repo())
    assert type(processor) is CodecBPEProcessor
    (ids,) = processor(audio=demo_clip())["input_ids"]
    codec = processor.codec
    clip = load_audio(demo_clip(), codec.sampling_rate)
    codes = processor.tokenizer.ids_to_codes(ids)
    assert np.array_equal(codes, codec.encode([clip])[0])
    (waveform,) = processor.decode_audio(ids)
    assert len(waveform) == codec.num_samples(codec.num_frames(len(clip)))
    assert codes.size / len(ids) > 1.3
    # What comes back is the clip's own sound: its loudness over time goes along.
    envelopes = [
        np.abs(w[: len(clip) // 800 * 800]).reshape(-1, 800).mean(axis=1)
        for w in (clip, np.pad(waveform, (0, 800)))
    ]
    assert np.corrcoef(*envelopes)[0, 1] > 0.8


def test_many_codes_of_every_codebook_occur_in_one_clip() -> None:
    processor = AutoProcessor.from_pretrained(demo_repo())
    codes = processor.tokenizer.ids_to_codes(processor(audio=demo_clip())["input_ids"][0])
    for stream, size in zip(codes, processor.codec.codebook_sizes, strict=True):
        assert len(np.unique(stream)) > 0.1 * size


def test_a_fresh_process_gives_equal_results(tmp_path: Path) -> None:
    code = (
        "import sys, hf_codec_bpe\n"
        "from transformers import AutoProcessor\n"
        "from hf_codec_bpe.bundled import demo_clip\n"
        "processor = AutoProcessor.from_pretrained(hf_codec_bpe.demo_repo())\n"
        "print(processor(audio=demo_clip())['input_ids'][0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    processor = CodecBPEProcessor.from_pretrained(demo_repo())
    assert done.stdout.strip() == str(processor(audio=demo_clip())["input_ids"][0])
