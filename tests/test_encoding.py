"""Encoding a folder, against codec-bpe's own encoder around the same model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_bpe.core.utils import get_codec_info
from codec_bpe.tools.audio_encoder import AudioEncoder
from codec_bpe.tools.codec_utils import CodecTypes
from transformers import BatchFeature

from hf_codec_bpe import CodesFolder, encode_dataset
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.codecs import DacCodec, EncodecCodec
from hf_codec_bpe.data.recordings import Recordings

from . import tiny

CODECS = {
    "encodec": EncodecCodec(tiny.encodec(), bandwidth=1.2),
    "dac": DacCodec(tiny.dac(), num_codebooks=3),
}


@pytest.fixture(params=sorted(CODECS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def corpus(tmp_path: Path, family: str) -> Path:
    """Stereo clips at the codec's own rate: of whole frames, and of others."""
    codec = CODECS[family]
    for i, (folder, num_samples) in enumerate(
        [("whole", frames * codec.hop_length) for frames in (1, 22, 125)]
        + [("other", num_samples) for num_samples in (1, 7_000, 16_123)]
    ):
        clip = np.stack([tiny.speech_like(num_samples, i), tiny.speech_like(num_samples, i + 9)])
        save_audio(clip, tmp_path / "in" / folder / f"clip{i}.wav", codec.sampling_rate)
    return tmp_path / "in"


def codec_bpes(
    family: str,
    corpus: Path,
    out: Path,
    chunk: float,
    context: float,
    stereo: bool,
    file_per_chunk: bool = False,
) -> AudioEncoder:
    """codec-bpe, one clip at a time, around a model that is here already."""
    codec = CODECS[family]
    encoder = AudioEncoder.__new__(AudioEncoder)
    encoder.codec_model, encoder.codec_type = "tiny", CodecTypes(family)
    encoder.device, encoder.batch_size = torch.device("cpu"), 1
    encoder.chunk_size_secs, encoder.context_secs = chunk, context
    encoder.bandwidth, encoder.n_quantizers = 1.2, codec.num_codebooks
    encoder.stereo, encoder.file_per_chunk = stereo, file_per_chunk
    encoder.model = codec.model

    def processor(**call: object) -> BatchFeature:
        # Without the mask: alone there is none to need, and today's DacModel takes none.
        features = codec.feature_extractor(**call)
        return BatchFeature({"input_values": features["input_values"]})

    encoder.processor = processor
    encoder.sr_enc = encoder.sr_dec = codec.sampling_rate
    encoder.chunk_size_samples = int(chunk * codec.sampling_rate)
    encoder.context_samples = int(max(0.0, context - chunk) * codec.sampling_rate)
    result = encoder.encode_audio(str(corpus), str(out))
    assert result.errored_audio_files == []
    return encoder


@pytest.mark.parametrize(
    ("chunk", "context"), [(30.0, 0.0), (0.5, 0.0), (0.08, 0.4), (0.24, 0.48), (0.333, 0.0)]
)
@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("file_per_chunk", [False, True])
def test_the_codes_are_codec_bpes(
    family: str,
    corpus: Path,
    tmp_path: Path,
    chunk: float,
    context: float,
    stereo: bool,
    file_per_chunk: bool,
) -> None:
    if context:
        # codec-bpe guesses the samples per frame from the window, and so loses the last frame of
        # an EnCodec window that is not of whole frames.
        corpus = corpus / "whole"
    codec_bpes(family, corpus, tmp_path / "theirs", chunk, context, stereo, file_per_chunk)
    summary = encode_dataset(
        corpus,
        tmp_path / "ours",
        CODECS[family],
        format="npy",
        per_channel=stereo,
        chunk_seconds=chunk,
        context_seconds=context,
        file_per_chunk=file_per_chunk,
    )
    assert not summary.errors
    theirs, ours = CodesFolder(tmp_path / "theirs"), CodesFolder(tmp_path / "ours")
    names = [file.relative_to(ours.path) for file in ours.files]
    assert names == [file.relative_to(theirs.path) for file in theirs.files]
    if not file_per_chunk:
        assert len(names) == (3 if context else 6) * (2 if stereo else 1)
    for name, a, b in zip(names, ours, theirs, strict=True):
        assert np.array_equal(a, b), name


@pytest.mark.parametrize("chunk", [0.29, 1 / 3])
def test_no_chunk_starts_after_1000_milliseconds(chunk: float, tmp_path: Path) -> None:
    codec = CODECS["dac"]
    save_audio(tiny.speech_like(30 * codec.sampling_rate), tmp_path / "x.wav", codec.sampling_rate)
    encode_dataset(
        tmp_path / "x.wav",
        tmp_path / "codes",
        codec,
        format="npy",
        chunk_seconds=chunk,
        file_per_chunk=True,
    )
    folder = CodesFolder(tmp_path / "codes")
    assert all(re.fullmatch(r"x_c0_t\d{6}_\d{3}", name) for name in folder.names)
    assert len(Recordings(folder)) == 1


def test_the_info_is_codec_bpes(family: str, corpus: Path, tmp_path: Path) -> None:
    encoder = codec_bpes(family, corpus, tmp_path / "theirs", 30.0, 0.0, False)
    encode_dataset(corpus, tmp_path / "ours", CODECS[family], format="npy")
    ours = get_codec_info(str(tmp_path / "ours"))
    assert ours == {**encoder.get_codec_info(), "codec_model": family}
