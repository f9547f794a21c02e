"""Encoding to a folder of codes in codec-bpe's layout, one .npy file per clip and channel.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..appearing import is_left_behind
from ..audio_sources import printable
from ..code_shards import info_of
from ..codecs.encoding import window_samples
from ..codes_folder import INFO_FILE, CodecInfo, check_length, file_name, save_codes
from ..errors import CodecError, CodesError
from ..shard_files import SETTINGS_FILE, errors_path, read_errors
from .encoding_progress import Progress
from .origins import ORIGINS_FOLDER, note_origins, origins_path
from .output_folder import begin_folder, sweep, writing
from .shard_encoding import ENDLESS, ShardPlan
from .shard_writing import write_errors
from .source_encoding import EncodedSource, EncodingOptions, encode_groups
from .sources import Source, SourceList

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["codec_info", "encode_to_files"]

_FILE = re.compile(r"(?P<clip>.+)_c(?P<place>\d+(_t\d+_\d{3,4})?)")
"""The name of a clip's file, or of a chunk's."""


def encode_to_files(
    plan: ShardPlan,
    out: Path,
    codec: AudioCodec,
    options: EncodingOptions,
    *,
    file_per_chunk: bool,
    overwrite: bool,
    show_progress: bool,
) -> tuple[Progress, int]:
    """Makes the files that are not there; for the arguments and errors see `encode_dataset`.

    The folder also gets codec-bpe's `codec_info.json`, and `encoding.json`, which says all that
    the codes depend on; `origins/` says which file each clip is of, so that another one of its name
    is not taken for it. No file is ever half written.

    Returns:
        What was encoded, and how many clips were there already.
    """
    info = codec_info(codec)
    chunk, _ = window_samples(codec, options.chunk_seconds, options.context_seconds)
    files = _Files(out, Fraction(chunk or 0, codec.sampling_rate) if file_per_chunk else None)
    todo: Iterable[Source] = files.of_job(plan)
    total = None
    if isinstance(plan.sources, SourceList):  # what is only names can be looked through at once
        todo = list(todo)
        total = len(todo)
    shape: dict[str, Any] = {"file_per_chunk": True} if file_per_chunk else {}
    if not isinstance(plan.sources, SourceList):  # its clips may have no names but numbers
        shape["sources"] = plan.sources.identity
    begin_folder(out, {**codec.pin.to_dict(), **options.settings, **shape})
    if isinstance(plan.sources, SourceList):
        note_origins(out, plan.shard_index, todo, overwrite=overwrite)
    with writing(out):
        info.save(out)
    files.look_through()
    num_there = 0
    own: set[str] = set()

    def missing() -> Iterator[Source]:
        nonlocal num_there
        for source in todo:
            own.add(printable(source.id))
            if overwrite or not files.are_there(source):
                yield source
            else:
                num_there += 1

    failed: list[dict[str, Any]] = []
    groups = encode_groups(codec, [(0, missing())], options)
    with Progress(show_progress, total) as progress, closing(groups):
        for _, results in groups:
            for result in progress.counting(results):
                if result.error:
                    failed.append(result.as_error())
                files.save(result)
    errors = errors_path(out, plan.shard_index)
    write_errors(errors, failed)
    _forget_errors(errors, own)
    files.sweep()
    sweep(out, {SETTINGS_FILE, INFO_FILE})
    sweep(errors.parent, {errors.name})
    sweep(out / ORIGINS_FOLDER, {origins_path(out, plan.shard_index).name})
    return progress, num_there


def _forget_errors(newest: Path, ids: Container[str]) -> None:
    """Removes what other files note of clips that this job had; with as many jobs, none does."""
    for file in newest.parent.glob("train-*.jsonl"):
        noted = [] if file == newest else read_errors(file)
        still = [error for error in noted if error["id"] not in ids]
        if len(still) < len(noted):
            write_errors(file, still)


def codec_info(codec: AudioCodec) -> CodecInfo:
    """A codec as codec-bpe describes it.

    Raises:
        CodecError: Its codebooks differ in size, which codec-bpe's format cannot say.
    """
    if len(set(codec.codebook_sizes)) != 1:
        raise CodecError(
            f"codec-bpe's folders hold codebooks of one size, but this codec's are "
            f"{list(codec.codebook_sizes)}: encode to Parquet shards (format='parquet')."
        )
    return info_of(codec.pin.to_dict())


class _Files:
    """The files of a folder, by the clips that become them.

    Args:
        out: The folder.
        chunk_seconds: How far apart chunks start, if each is a file; `None` for whole clips.
    """

    def __init__(self, out: Path, chunk_seconds: Fraction | None) -> None:
        self.out = out
        self.chunk_seconds = chunk_seconds
        self._further: dict[Path, list[Path]] = defaultdict(list)

    def of_job(self, plan: ShardPlan) -> Iterator[Source]:
        """The clips of a job.

        Raises:
            CodesError: Two clips would become one file, or one a file outside of the folder, or of
                too long a name.
        """
        names: dict[str, str] = {}
        for number, source in enumerate(plan.sources.read(0, plan.sources.num_sources or ENDLESS)):
            name = file_name(source.id)
            if name in names:
                raise CodesError(
                    f"{source.id} and {names[name]} would both become {name}_c0.npy: encode them "
                    "to different folders, or rename one."
                )
            names[name] = source.id
            check_length(self._path(source, channel=0, window=0))
            if number % plan.num_shards == plan.shard_index:
                yield source

    def are_there(self, source: Source) -> bool:
        """Whether a clip is encoded already: its very first file is written last."""
        return self._path(source, channel=0, window=0).exists()

    def look_through(self) -> None:
        """Notes which files there are of clips besides their very first ones."""
        for file in self.out.rglob("*.npy"):
            name = _FILE.fullmatch(file.stem)
            if name and name["place"].strip("0_t"):
                self._further[file.with_name(name["clip"])].append(file)

    def sweep(self) -> None:
        """Removes what runs that were killed left of files."""
        for left in self.out.rglob(".*.npy*.partial"):
            if is_left_behind(left):
                left.unlink(missing_ok=True)

    def save(self, result: EncodedSource) -> None:
        """Writes what became of a clip, in place of all that was there of it.

        Raises:
            CodesFileError: A file cannot be written.
        """
        if self.chunk_seconds is None:
            codes = {(channel, 0): whole for channel, whole in enumerate(result.channels)}
        else:
            codes = {
                (channel, window): part
                for channel, parts in enumerate(result.windows)
                for window, part in enumerate(parts)
            }
        self._remove(result.source)
        for place in reversed(codes):
            path = self._path(result.source, *place)
            with writing(path):
                save_codes(path, codes[place])

    def _remove(self, source: Source) -> None:
        """Removes the files of a clip: it may have had more chunks or channels than now.

        The first one goes first, so that a clip that lacks others never counts as encoded.
        """
        further = self._further.pop(self.out / file_name(source.id), [])
        for file in (self._path(source, channel=0, window=0), *further):
            with writing(file):
                file.unlink(missing_ok=True)

    def _path(self, source: Source, channel: int, window: int) -> Path:
        at = ""
        if self.chunk_seconds is not None:
            seconds, milliseconds = divmod(round(window * self.chunk_seconds * 1000), 1000)
            at = f"_t{seconds:06d}_{milliseconds:03d}"
        return self.out / f"{file_name(source.id)}_c{channel}{at}.npy"
