"""A processor's repository: how it is loaded and saved, and the codec that it pins."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers.processing_utils import ProcessorMixin
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from .codecs.lazy import LazyCodec
from .codecs.pin import CODEC_FOLDER, CodecPin
from .errors import (
    CodecBPEError,
    ProcessorError,
    ProcessorNotFoundError,
    RepositoryError,
    first_line,
)
from .portable import STUB, copy_module
from .untrusted import MAX_TOKENIZER_BYTES, checked_object, read_json
from .vocabulary.files import make_portable

if TYPE_CHECKING:
    import torch
    from huggingface_hub import CommitInfo
    from typing_extensions import Self

    from .codecs import AudioCodec
    from .evaluation.codec_figures import CodecReport
    from .evaluation.compression_figures import CompressionReport

__all__ = ["CodecProcessorMixin"]

_OF_THE_CODEC = {"bandwidth", "device", "dtype", "num_codebooks", "torch_dtype"}
"""What `load_codec` takes, and a processor would ignore."""
_CONFIGS = ("processor_config.json", "tokenizer_config.json", "config.json")
_AUTO_MAP = {"AutoProcessor": f"{STUB.stem}.CodecBPEProcessor"}
"""For those who pass `trust_remote_code=True` instead of importing the package."""


class CodecProcessorMixin(ProcessorMixin):
    """A processor with a codec, which waits for its first use and is pinned when saved."""

    _codec: LazyCodec

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> Self:
        """Loads a processor from the Hub or a folder; its codec waits for its first use.

        Raises:
            ProcessorNotFoundError: Nothing there, no way to reach it, or files are missing.
            ProcessorError: What is there does not fit together, or was not made by this package.
            RepositoryError: A file there is damaged.
        """
        name = os.fspath(pretrained_model_name_or_path)
        if misplaced := _OF_THE_CODEC & kwargs.keys():
            raise ProcessorError(
                f"{', '.join(sorted(misplaced))} cannot be given here: a processor's codec is "
                "pinned, and .to(device) moves it. For another codec, make another processor: "
                "CodecBPEProcessor.from_codec(load_codec(...), tokenizer)."
            )
        # Transformers takes whatever JSON it finds for an object. A language model's config may
        # list each of its many added tokens.
        for file in _CONFIGS:
            path = Path(name, kwargs.get("subfolder") or "", file)
            if path.is_file():
                checked_object(read_json(path, MAX_TOKENIZER_BYTES), str(path))
        try:
            processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        except CodecBPEError:
            raise
        except RecursionError as error:
            raise RepositoryError(
                f"A file of {name} is nested too deeply: do not use it."
            ) from error
        except (OSError, ValueError) as error:
            raise ProcessorNotFoundError(
                f"There is no whole processor at {name}: it must be a folder that save_pretrained "
                f"wrote, or a Hub repository. ({first_line(error)})"
            ) from error
        access = ("revision", "token", "cache_dir", "local_files_only", "subfolder")
        processor._codec.source = {
            "name_or_path": os.path.abspath(name) if os.path.isdir(name) else name,
            **{key: kwargs[key] for key in access if kwargs.get(key) is not None},
        }
        return processor

    @classmethod
    def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
        # What is meant for the processor would otherwise become a setting, or even a special
        # token, of the tokenizer.
        own = inspect.signature(cls.__init__).parameters
        shared = {key: value for key, value in kwargs.items() if key not in own}
        return super()._get_arguments_from_pretrained(*args, **shared)

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        """Transformers' check; but not for tokenizers, for which it imports mistral_common."""
        if argument_name == "tokenizer" and isinstance(argument, PreTrainedTokenizerBase):
            return PreTrainedTokenizerBase
        return super().check_argument_for_proper_class(argument_name, argument)

    @property
    def codec(self) -> AudioCodec:
        """The codec, loaded on first use.

        Raises:
            ProcessorError: The processor was made without one.
            CodecNotFoundError: The codec is not where the processor says.
            CodecMismatchError: The codec is not the one that the processor was made for.
        """
        return self._codec.load()

    @property
    def codec_pin(self) -> CodecPin | None:
        """What the codec must be, known without loading it; `None` if there is none."""
        return self._codec.pin

    def to(self, device: str | torch.device) -> Self:
        """Puts the codec on a device, now or when it is loaded; returns the processor."""
        self._codec.to(device)
        return self

    def to_dict(self) -> dict[str, Any]:
        """What `processor_config.json` holds; the codec as its pin."""
        pin = self.codec_pin.to_dict() if self.codec_pin else None
        return {**super().to_dict(), "codec": pin, "auto_map": _AUTO_MAP}

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> list[str]:
        """Saves the processor and its tokenizer.

        A codec from the Hub is pinned to its commit; any other one is saved beside, in `codec/`.

        Args:
            save_directory: The folder.
            push_to_hub: Push it too, to `repo_id`, by default the folder's name.
            kwargs: Passed on to `push_to_hub`.

        Raises:
            ProcessorError: The processor has no codec, so that nobody could load it; or there is no
                such folder, but a file.
            CodecMismatchError: The codec's weights, or their type, are no longer those that the
                processor was made for.
        """
        if os.fspath(save_directory) == "" or os.path.isfile(save_directory):
            raise ProcessorError(
                f"save_directory={os.fspath(save_directory)!r} is a file or has no name: save to a "
                "folder."
            )
        if self.codec_pin is None:
            raise ProcessorError(
                "A processor without a codec cannot be saved: it would not decode. Make one with "
                "CodecBPEProcessor.from_codec(codec, tokenizer)."
            )
        if self.codec_pin.is_beside:
            self.codec_pin.check(self.codec)  # or nobody could load what is saved
            self.codec.save_pretrained(Path(save_directory, CODEC_FOLDER))
        files = super().save_pretrained(save_directory)
        files += make_portable(save_directory)
        stub = copy_module(STUB, save_directory)
        if push_to_hub:
            self.push_to_hub(kwargs.pop("repo_id", Path(save_directory).absolute().name), **kwargs)
        return [*files, stub]

    def push_to_hub(
        self,
        repo_id: str,
        *,
        report: CompressionReport | CodecReport | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        tags: Sequence[str] | None = None,
        datasets: Sequence[str] = (),
    ) -> CommitInfo:
        """Publishes the processor, with its codec where no other repository has it, and a card.

        Args:
            repo_id: `user/name`; created if it does not exist.
            report: What `compression_report` or `codec_report` measured on a held-out set, for the
                card.
            commit_message: The commit's title.
            commit_description: The rest of its message.
            private: Whether a new repository is private.
            token: A Hub token; by default that of `hf auth login`.
            revision: The branch, created if it does not exist; by default `main`.
            create_pr: Open a pull request instead of committing.
            tags: More tags for the card.
            datasets: Hub ids of the datasets that the tokenizer was trained on, for the card.

        Returns:
            The commit, with its `oid`, to load this `revision` by, and its `pr_url`.

        Raises:
            ProcessorError: The processor has no codec, so that nobody could load it.
            PushError: The Hub refused, or cannot be reached.
        """
        from .hub.pushing import push

        return push(
            self,
            repo_id,
            report=report,
            commit_message=commit_message,
            commit_description=commit_description,
            private=private,
            token=token,
            revision=revision,
            create_pr=create_pr,
            tags=tags,
            datasets=datasets,
        )

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoProcessor") -> None:
        """Does nothing: repositories carry no copy of this package's source."""
