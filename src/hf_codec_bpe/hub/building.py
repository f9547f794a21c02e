"""`build`: from a codec's name and a folder of audio to a published processor, step by step.

    OUT/build.json    what is being built, and of what
    OUT/codes/        the corpus as codes, see `encode_dataset`
    OUT/processor/    the repository: tokenizer, processor, codec or its pin
    OUT/report/       what was measured on held-out audio: of the tokenizer
    OUT/evaluation/   and of the codec, if the extra `evaluate` is installed

Every finished step is left as it is, so that an interrupted build continues.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..appearing import appearing_folder, write_json
from ..code_shards import CodeShards
from ..codecs.encoding import window_samples
from ..data.encode_dataset import encode_dataset
from ..data.sources import SourceList, read_clips
from ..errors import BuildError, first_line
from ..evaluation.codec_figures import CodecReport
from ..evaluation.compression import audio_report
from ..evaluation.compression_figures import CompressionReport
from ..evaluation.metrics import are_metrics_available
from ..evaluation.pages import write_codec_report
from ..evaluation.plots import is_matplotlib_available
from ..evaluation.readable import readable
from ..evaluation.reconstruction import codec_report
from ..processing_codec_bpe import CodecBPEProcessor
from ..shard_files import encoding_errors
from ..training import train_tokenizer
from ..training.trainer import check_vocab_size, frames_of_chunk
from ..untrusted import checked_object

if TYPE_CHECKING:
    from ..codecs import AudioCodec
    from ..presets import Recipe

__all__ = ["Build"]

logger = logging.getLogger(__name__)

_HELD_OUT_EVERY = 20
"""Every 20th file of the corpus is held out, unless other audio is given."""


class Build:
    """A processor in the making.

    Args:
        codec: The codec, with the codebooks to use.
        recipe: The tokenizer to train.
        audio: Files and folders, or one manifest of files, see `encode_dataset`.
        out: The folder that all of it goes to.
        held_out: Audio to measure with; by default every 20th file, at least one, which is then not
            trained on.
        chunk_seconds: Encode in chunks of this length, in the corpus and later on.

    Raises:
        BuildError: The folder holds another build, or there is nothing to hold out.
        CodecError: Chunks that this codec cannot have.
        AudioNotFoundError: No audio.
    """

    def __init__(
        self,
        codec: AudioCodec,
        recipe: Recipe,
        audio: Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        *,
        held_out: Sequence[str | os.PathLike[str]] = (),
        chunk_seconds: float | None = 30.0,
    ) -> None:
        self.codec = codec
        self.recipe = recipe
        self.out = Path(out)
        self.chunk_seconds = chunk_seconds
        clips = read_clips(audio)
        self.held_out = read_clips(held_out) if held_out else clips[::_HELD_OUT_EVERY]
        apart = {_place(clip.audio) for clip in self.held_out}
        self.training = SourceList(clip for clip in clips if _place(clip.audio) not in apart)
        if not self.training.sources:
            raise BuildError(
                f"{len(clips)} file(s) of audio are not enough to train on some and measure with "
                "others: add more, or pass other audio as held_out."
            )
        check_vocab_size(recipe.vocab_size, sum(codec.codebook_sizes))
        window_samples(codec, chunk_seconds, 0.0)
        self._begin()

    def run(self) -> tuple[CodecBPEProcessor, CompressionReport]:
        """Does what is not done yet.

        Raises:
            CodesError: See `encode_dataset`; other steps have errors of their own.
        """
        if self.folder.exists():
            self._tell_what_failed()
        else:
            self._encode()
            self._assemble()
        processor = CodecBPEProcessor.from_pretrained(self.folder)
        return processor, self._report(processor)

    def evaluate(self, processor: CodecBPEProcessor) -> CodecReport | None:
        """Measures what comes back of held-out audio, if that is not done yet.

        Returns:
            The report, which holds that of the tokenizer too; `None` where the extra `evaluate` is
            not installed.
        """
        folder = self.out / "evaluation"
        if (folder / "report.json").exists():
            return CodecReport.from_dict(_read(folder / "report.json"))
        if not (are_metrics_available() and is_matplotlib_available()):
            return None
        report = codec_report(processor, self._measured, name=_name(self._measured))
        write_codec_report(folder, report)
        return report

    @property
    def folder(self) -> Path:
        """The repository that is made."""
        return self.out / "processor"

    def _begin(self) -> None:
        path = self.out / "build.json"
        plan = {
            "codec": self.codec.pin.to_dict(),
            "recipe": vars(self.recipe),
            "chunk_seconds": self.chunk_seconds,
            "training": [_place(source.audio) for source in self.training.sources],
            "held_out": [_place(clip.audio) for clip in self.held_out],
        }
        if not path.exists():
            write_json(path, plan)
        there = _read(path)
        different = [key for key in plan if there.get(key) != plan[key]]
        if different == ["recipe"] and not self.folder.exists():  # no tokenizer is trained yet
            write_json(path, plan)
        elif different:
            raise BuildError(
                f"{self.out} holds a build with another {' and '.join(different)}: choose another "
                "folder, or delete this one."
            )

    def _encode(self) -> None:
        summary = encode_dataset(
            self.training,
            self.out / "codes",
            self.codec,
            chunk_seconds=self.chunk_seconds,
            retry_errors=True,
        )
        for failed in summary.errors:
            logger.warning("Not trained on: %s", failed["reason"])

    def _tell_what_failed(self) -> None:
        """Of a build whose processor is there: clips that failed are not tried again."""
        failures = encoding_errors(self.out / "codes")
        for failed in failures:
            logger.warning("Not trained on: %s", failed["reason"])
        if failures:
            logger.warning(
                "If these clips can be read by now, delete %s and run the same again: they are "
                "then tried again, and the tokenizer is trained and measured anew.",
                self.folder,
            )

    def _assemble(self) -> None:
        for measured in ("report", "evaluation"):  # of a processor that was deleted
            shutil.rmtree(self.out / measured, ignore_errors=True)
        codes = CodeShards(self.out / "codes")
        tokenizer = train_tokenizer(
            codes,
            codebook_sizes=self.codec.codebook_sizes,
            vocab_size=self.recipe.vocab_size,
            max_token_codebook_ngrams=self.recipe.max_token_codebook_ngrams,
            chunk_frames=frames_of_chunk(self.chunk_seconds, self.codec.frame_rate),
            show_progress=True,
        )
        processor = CodecBPEProcessor.from_codec(
            self.codec, tokenizer, chunk_seconds=self.chunk_seconds
        )
        with appearing_folder(self.folder) as part:
            processor.save_pretrained(part)

    @cached_property
    def _measured(self) -> list[str]:
        """The files that are held out and can be read."""
        found = readable(self.held_out, self.codec.sampling_rate, logger.warning)
        return [clip.audio for clip in found]

    def _report(self, processor: CodecBPEProcessor) -> CompressionReport:
        path = self.out / "report" / "report.json"
        if path.exists():
            return CompressionReport.from_dict(_read(path))
        report = audio_report(processor, self._measured, name=_name(self._measured))
        if is_matplotlib_available():
            from ..evaluation.clip_tokens import clip_tokens
            from ..evaluation.pages import write_report

            write_report(path.parent, report, clip_tokens(processor, self._measured[0]))
        else:
            write_json(path, report.to_dict())
        return report


def _place(audio: str) -> str:
    """Where a file is, the same by whatever path, or a URL."""
    return audio if "://" in audio else str(Path(audio).resolve())


def _name(files: Sequence[str]) -> str:
    """What readers of a card may know of the held-out set: no paths of this machine."""
    names = ", ".join(Path(file).name for file in files[:3])
    return names if len(files) <= 3 else f"{names} and {len(files) - 3} more files"


def _read(path: Path) -> Any:
    try:
        return checked_object(json.loads(path.read_text(encoding="utf-8")), path.name)
    except ValueError as error:
        raise BuildError(
            f"{path} is damaged ({first_line(error)}): remove it, and run the same again."
        ) from error
