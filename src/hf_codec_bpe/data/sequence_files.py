"""Sequences of ids in files: Parquet, or text with one sequence a line as codec-bpe has it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..appearing import appearing_file
from ..codec_vocabulary import CodecVocabulary
from ..errors import PackingError, first_line
from .surroundings import own_tokens

__all__ = ["is_text", "read_sequences", "write_sequences"]

_SCHEMA = pa.schema([("input_ids", pa.list_(pa.int32())), ("attention_mask", pa.list_(pa.int8()))])
_BATCH = 1000
_MADE_BY = b"hf_codec_bpe.vocabulary"
"""The key of the fingerprint of the tokenizer's audio tokens in the metadata of a Parquet file."""


def is_text(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds text, which its ending says.

    Raises:
        PackingError: The path ends in neither `.txt` nor `.parquet`.
    """
    suffix = Path(path).suffix
    if suffix not in (".txt", ".parquet"):
        raise PackingError(f"{path} must end in .parquet or .txt, which says how it is written.")
    return suffix == ".txt"


def write_sequences(
    sequences: Iterable[Mapping[str, Any]], path: str | os.PathLike[str], tokenizer: Any
) -> int:
    """Writes what `pack_codes` makes, one by one; the file appears when it is whole.

    Args:
        sequences: `{"input_ids": [...]}`, all with an `attention_mask` or none.
        path: Ends in `.parquet`, which `datasets` reads, or in `.txt`: one sequence a line, its
            tokens as text, without the BOS and EOS tokens that the tokenizer itself puts around a
            text. So `tokenizer(line)` gives the ids back.
        tokenizer: As for `pack_codes`.

    Returns:
        How many sequences there were.

    Raises:
        PackingError: There are no sequences, some have another column than the first, the path has
            another ending, or a sequence cannot be a line of text: it is padded, holds text, or
            lacks the tokens that the tokenizer puts around one.
    """
    write = _write_text if is_text(path) else _write_parquet
    rest = iter(sequences)
    first = list(islice(rest, 1))
    if not first:
        raise PackingError(
            f"There is nothing to write to {path}: the codes are empty, or all was left out."
        )
    with appearing_file(Path(path)) as partial:
        return write(chain(first, rest), partial, tokenizer)


def read_sequences(path: str | os.PathLike[str], tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Reads what `write_sequences` or codec-bpe's `prep_lm_dataset` wrote, one by one.

    Args:
        path: Ends in `.parquet` or `.txt`.
        tokenizer: As for `pack_codes`; reads the lines of text as `tokenizer(line)`.

    Raises:
        PackingError: Another ending, no file there, not such a file, or one that another tokenizer
            made. (A .txt file does not say which one made it.)
    """
    read_text = is_text(path)
    if not Path(path).is_file():
        raise PackingError(
            f"There is no file {path}: check the path, or make one with hf-codec-bpe pack."
        )
    return _read_text(Path(path), tokenizer) if read_text else _read_parquet(Path(path), tokenizer)


def _write_parquet(sequences: Iterable[Mapping[str, Any]], path: Path, tokenizer: Any) -> int:
    # Not with datasets: its IterableDataset.to_parquet first collects all in memory.
    rows = iter(sequences)
    batch = list(islice(rows, _BATCH))
    made_by = {_MADE_BY: CodecVocabulary.of(tokenizer).fingerprint}
    names = [name for name in _SCHEMA.names if name in batch[0]]
    schema = pa.schema([_SCHEMA.field(name) for name in names], made_by)
    count = 0
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        while batch:
            _check_columns(batch, names)
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
            batch = list(islice(rows, _BATCH))
    return count


def _check_columns(sequences: Iterable[Mapping[str, Any]], names: list[str]) -> None:
    for sequence in sequences:
        found = [name for name in _SCHEMA.names if name in sequence]
        if found != names or "input_ids" not in found:
            raise PackingError(
                f"A sequence has {', '.join(found) or 'no ids'}, and the first one has "
                f"{', '.join(names) or 'none'}: give all of them input_ids, and all of them an "
                "attention_mask or none."
            )


def _read_parquet(path: Path, tokenizer: Any) -> Iterator[dict[str, Any]]:
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise PackingError(f"{path} is not a Parquet file: {first_line(error)}") from error
    with file:
        columns = [name for name in _SCHEMA.names if name in file.schema_arrow.names]
        if "input_ids" not in columns:
            raise PackingError(
                f"{path} has no column input_ids, but {', '.join(file.schema_arrow.names)}: pass "
                "what pack_codes made."
            )
        made_by = (file.schema_arrow.metadata or {}).get(_MADE_BY)
        if made_by and made_by != CodecVocabulary.of(tokenizer).fingerprint.encode():
            raise PackingError(
                f"{path} was made with another tokenizer, or with another of its codecs, whose "
                "ids stand for other audio: pass the one that packed it."
            )
        try:
            for batch in file.iter_batches(_BATCH, columns=columns):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise PackingError(
                f"{path} is damaged ({first_line(error)}): make it again with hf-codec-bpe pack."
            ) from error


def _write_text(sequences: Iterable[Mapping[str, Any]], path: Path, tokenizer: Any) -> int:
    vocabulary = CodecVocabulary.of(tokenizer)
    around = own_tokens(vocabulary)
    added = {i: token for token, i in vocabulary.tokenizer.get_added_vocab().items()}
    texts = {**vocabulary.texts, **added}
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for sequence in sequences:
            _check_unpadded(sequence)
            ids = _without(around, list(sequence["input_ids"]))
            foreign = [i for i in ids if i not in texts]
            if foreign:
                raise PackingError(
                    f"Id {foreign[0]} is neither audio nor a special token, and text is written "
                    "only of those: write to a .parquet file."
                )
            file.write("".join(map(texts.__getitem__, ids)) + "\n")
            count += 1
    return count


def _check_unpadded(sequence: Mapping[str, Any]) -> None:
    mask = sequence.get("attention_mask")
    if mask is not None and 0 in mask:
        raise PackingError(
            "A sequence is padded, and a line of text has no place for its attention_mask: leave "
            "padding to a data collator, or write to a .parquet file."
        )


def _without(around: tuple[list[int], list[int]], ids: list[int]) -> list[int]:
    """A sequence without those ids at its beginning and its end.

    Raises:
        PackingError: It lacks them, but its line would be read with them.
    """
    before, after = around
    end = len(ids) - len(after)
    if end < len(before) or ids[: len(before)] != before or ids[end:] != after:
        raise PackingError(
            f"A sequence lacks {before} at its beginning or {after} at its end, which the "
            "tokenizer itself puts around a text, so that its line would be read with them: pack "
            "with the tokenizer's own BOS and EOS tokens, or write to a .parquet file."
        )
    return ids[len(before) : end]


def _read_text(path: Path, tokenizer: Any) -> Iterator[dict[str, Any]]:
    tokenizer = CodecVocabulary.of(tokenizer).tokenizer
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                text = line.removesuffix("\n").removesuffix("\r")  # as Windows ends lines
                yield {"input_ids": tokenizer(text, verbose=False)["input_ids"]}
    except UnicodeDecodeError as error:
        raise PackingError(
            f"{path} is not text in UTF-8 ({error.reason}): pass a file that pack made, whole."
        ) from error
