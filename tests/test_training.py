"""Training, against codec-bpe's own trainer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_bpe.core.trainer import Trainer
from datasets import Dataset, DatasetDict

from hf_codec_bpe import CodecBPETokenizer, CodesFolder, train_tokenizer
from hf_codec_bpe.codes_folder import CodecInfo, save_codes
from hf_codec_bpe.errors import CodesError, TrainingError

K, SIZE = 3, 12


@pytest.fixture
def codes() -> list[np.ndarray]:
    """Clips in which runs repeat: slowly moving codes."""
    rng = np.random.default_rng(0)
    walks = [rng.integers(-1, 2, (K, 150)).cumsum(axis=1) % SIZE for _ in range(12)]
    return [np.repeat(walk, 2, axis=1) for walk in walks]


@pytest.fixture
def folder(codes: list[np.ndarray], tmp_path: Path) -> Path:
    """The same clips as codec-bpe saves them, in two folders."""
    for i, clip in enumerate(codes):
        path = tmp_path / "codes" / f"part{i % 2}" / f"clip{i}_c0.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, clip[None] if i % 3 else clip[None, None])
    return tmp_path / "codes"


def merges(tokenizer: object) -> list[list[str]]:
    state = json.loads(tokenizer.backend_tokenizer.to_str())  # type: ignore[attr-defined]
    return state["model"]["merges"]


@pytest.mark.parametrize("ngrams", [None, 0, 1, 2, 5])
@pytest.mark.parametrize("chunk_seconds", [None, 2])
@pytest.mark.parametrize(("min_frequency", "vocab_size"), [(2, 400), (5, 400), (2, 60)])
def test_merges_are_codec_bpes(
    folder: Path, ngrams: int | None, chunk_seconds: int | None, min_frequency: int, vocab_size: int
) -> None:
    theirs = Trainer(
        K,
        SIZE,
        codec_framerate=12.5,
        chunk_size_secs=chunk_seconds,
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=["<x>"],
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        max_token_codebook_ngrams=ngrams,
    ).train(str(folder))
    ours = train_tokenizer(
        folder,
        codebook_sizes=[SIZE] * K,
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        chunk_frames=chunk_seconds and int(chunk_seconds * 12.5),
        unicode_offset=0x4E00,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=["<x>"],
        max_token_codebook_ngrams=ngrams,
    )
    assert merges(ours) == merges(theirs)
    assert ours.get_vocab() == theirs.get_vocab()
    assert bool(merges(ours)) == (ngrams != 0)


@pytest.mark.parametrize(
    ("listed", "named"),
    [
        (["<x>", "<pad>"], {"pad_token": "<pad>"}),
        (["<x>", "</s>", "<y>"], {"eos_token": "</s>", "pad_token": "<pad>"}),
        (["<x>"], {"bos_token": "<s>", "eos_token": "<s>", "pad_token": "<pad>"}),
    ],
)
def test_special_tokens_have_codec_bpes_ids(
    folder: Path, listed: list[str], named: dict[str, str]
) -> None:
    theirs = Trainer(K, SIZE, vocab_size=50, special_tokens=list(listed), **named)
    ours = train_tokenizer(
        folder,
        codebook_sizes=[SIZE] * K,
        vocab_size=50,
        unicode_offset=0x4E00,
        max_token_codebook_ngrams=None,
        additional_special_tokens=listed,
        **named,
    )
    assert ours.get_vocab() == theirs.train(str(folder)).get_vocab()


def test_offset_changes_characters_not_merges(codes: list[np.ndarray]) -> None:
    options = {"codebook_sizes": [SIZE] * K, "vocab_size": 200}
    ours = train_tokenizer(codes, **options)
    theirs = train_tokenizer(codes, unicode_offset=0x4E00, **options)
    assert ours.codes_to_ids(codes[0]) == theirs.codes_to_ids(codes[0])


def test_every_source_of_codes_gives_the_same(codes: list[np.ndarray], folder: Path) -> None:
    options = {"codebook_sizes": [SIZE] * K, "vocab_size": 150}
    expected = train_tokenizer(codes, **options).get_vocab()
    dataset = Dataset.from_dict({"codes": [clip.tolist() for clip in codes]})
    sources = [
        folder,
        str(folder),
        CodesFolder(folder),
        [torch.from_numpy(clip) for clip in codes],
        (clip.astype(np.uint16) for clip in codes),
        dataset["codes"],
    ]
    for source in sources:
        assert train_tokenizer(source, **options).get_vocab() == expected


@pytest.mark.parametrize(
    ("codes_filter", "num_files"), [("part1", None), (["part0", "clip1"], 4), (None, 3)]
)
def test_choosing_files_is_codec_bpes(
    folder: Path, codes_filter: str | list[str] | None, num_files: int | None
) -> None:
    theirs = Trainer(K, SIZE, vocab_size=100, pad_token="<pad>").train(
        str(folder), codes_filter, num_files
    )
    chosen = CodesFolder(folder, codes_filter=codes_filter, num_files=num_files)
    ours = train_tokenizer(
        chosen,
        codebook_sizes=[SIZE] * K,
        vocab_size=100,
        unicode_offset=0x4E00,
        max_token_codebook_ngrams=None,
    )
    assert merges(ours) == merges(theirs)


@pytest.mark.parametrize(("ngrams", "longest"), [(0, 1), (1, K), (2, 2 * K), (None, 2 * K + 1)])
def test_tokens_span_at_most_so_many_frames(
    codes: list[np.ndarray], ngrams: int | None, longest: int
) -> None:
    tokenizer = train_tokenizer(
        codes, codebook_sizes=[SIZE] * K, vocab_size=600, max_token_codebook_ngrams=ngrams
    )
    assert max(len(token) for token in tokenizer.get_vocab() if token != "<pad>") == longest


def test_fewer_codebooks_than_encoded(codes: list[np.ndarray], folder: Path) -> None:
    options = {"codebook_sizes": [SIZE] * 2, "vocab_size": 100}
    expected = train_tokenizer([clip[:2] for clip in codes], **options).get_vocab()
    assert train_tokenizer(CodesFolder(folder, num_codebooks=2), **options).get_vocab() == expected
    with pytest.raises(CodesError, match="do not fit 2 codebook"):
        train_tokenizer(codes, **options)


def test_no_pad_token() -> None:
    tokenizer = train_tokenizer([], codebook_sizes=[4], vocab_size=4, pad_token=None)
    assert isinstance(tokenizer, CodecBPETokenizer)
    assert (len(tokenizer), tokenizer.pad_token) == (4, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 36}, "vocab_size=36 is too small: 36 codes and 1 special"),
        ({"max_token_codebook_ngrams": -1}, "is negative"),
        ({"chunk_frames": 0}, "cuts nothing"),
        ({"min_frequency": -1}, "min_frequency=-1 is negative"),
        ({"vocab_size": 2**31}, "is too large: ids have 31 bits"),
        ({"vocab_size": "100"}, "vocab_size='100' is not a count: pass an integer"),
        ({"vocab_size": 100.0}, "vocab_size=100.0 is not a count"),
        ({"min_frequency": 2.5}, "min_frequency=2.5 is not a count"),
        ({"max_token_codebook_ngrams": 1.5}, "max_token_codebook_ngrams=1.5 is not a count"),
        ({"chunk_frames": 2.5}, "chunk_frames=2.5 is not a count"),
        ({"pad_token": "\U000f0000"}, "holds characters that stand for codes"),
        ({"additional_special_tokens": "<x>"}, "is one string: pass a list"),
        ({"additional_special_tokens": [""]}, "A special token is empty"),
        ({"pad_token": ""}, "A special token is empty"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train_tokenizer([], codebook_sizes=[SIZE] * K, **{"vocab_size": 100, **options})


def test_options_of_numpy_are_saved_like_pythons(codes: list[np.ndarray], tmp_path: Path) -> None:
    options = {
        "vocab_size": 100,
        "min_frequency": 2,
        "max_token_codebook_ngrams": 2,
        "chunk_frames": 9,
    }
    numpys = {name: np.int64(value) for name, value in options.items()}
    tokenizer = train_tokenizer(codes, codebook_sizes=np.array([SIZE] * K), **numpys)
    tokenizer.save_pretrained(tmp_path)
    assert CodecBPETokenizer.from_pretrained(tmp_path).init_kwargs["training"].items() >= (
        options.items()
    )


def test_an_iterator_that_has_given_its_clips_already(caplog: pytest.LogCaptureFixture) -> None:
    train_tokenizer(iter(()), codebook_sizes=[SIZE] * K, vocab_size=100)
    assert "There were no codes to train on" in caplog.text


def test_a_dataset_is_not_its_column_of_codes(codes: list[np.ndarray]) -> None:
    dataset = Dataset.from_dict({"id": ["a"], "codes": [codes[0].tolist()]})
    splits = DatasetDict(train=dataset)
    for whole, names in ((dataset, "id, codes"), (splits, "train"), (dataset[:], "id, codes")):
        with pytest.raises(CodesError, match=rf"\({names}\) is not clips of codes: pass the col"):
            train_tokenizer(whole, codebook_sizes=[SIZE] * K, vocab_size=100)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(CodesError, match="There are no codes"):
        CodesFolder(tmp_path)
    save_codes(tmp_path / "a.npy", np.array([[1, 2]], dtype=np.uint16))
    assert CodesFolder(tmp_path).info is None
    info = CodecInfo("dac", "x/y", 16_000, 16_000, 1, 1024, 50.0)
    info.save(tmp_path)
    folder = CodesFolder(tmp_path)
    assert folder.info == info
    assert len(folder) == 1
    assert [clip.tolist() for clip in folder] == [[[1, 2]]] == [clip.tolist() for clip in folder]
    (tmp_path / "codec_info.json").write_text("{}")
    with pytest.raises(CodesError, match="is not what codec-bpe writes"):
        _ = folder.info


def test_files_that_hold_no_codes(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(CodesError, match=r"objects\.npy is not a whole"):
        list(CodesFolder(tmp_path))
    np.save(tmp_path / "objects.npy", np.zeros((2, 3, 4), dtype=int))
    with pytest.raises(CodesError, match=r"shape \[2, 3, 4\]"):
        list(CodesFolder(tmp_path))
    np.save(tmp_path / "objects.npy", np.zeros((2, 3), dtype=int))
    with pytest.raises(CodesError, match="at least 4 codebook"):
        list(CodesFolder(tmp_path, num_codebooks=4))
    (tmp_path / "objects.npy").write_bytes(b"")
    with pytest.raises(CodesError, match="is not a whole"):
        list(CodesFolder(tmp_path))
