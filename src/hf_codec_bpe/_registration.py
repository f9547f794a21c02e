"""Makes Transformers' Auto classes know ours, without importing either before it is needed.

`from transformers import AutoProcessor` takes seconds, so `import hf_codec_bpe` must not cause it.
Instead, our classes are registered right after the module that holds an Auto class has been
imported: at once if it has been already, else by a finder that waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["register_with_transformers"]


def _register_config(module: ModuleType) -> None:
    from .configuration_codec_bpe import CodecBPEConfig

    module.AutoConfig.register(CodecBPEConfig.model_type, CodecBPEConfig, exist_ok=True)


def _register_tokenizer(module: ModuleType) -> None:
    from .configuration_codec_bpe import CodecBPEConfig
    from .tokenization_codec_bpe import CodecBPETokenizer

    module.AutoTokenizer.register(CodecBPEConfig, CodecBPETokenizer, exist_ok=True)


def _register_processor(module: ModuleType) -> None:
    from .configuration_codec_bpe import CodecBPEConfig
    from .processing_codec_bpe import CodecBPEProcessor

    module.AutoProcessor.register(CodecBPEConfig, CodecBPEProcessor, exist_ok=True)


REGISTRARS: dict[str, Callable[[ModuleType], None]] = {
    "transformers.models.auto.configuration_auto": _register_config,
    "transformers.models.auto.tokenization_auto": _register_tokenizer,
    "transformers.models.auto.processing_auto": _register_processor,
}


def register_with_transformers() -> None:
    """Registers with the Auto classes that are imported, and waits for the others."""
    if any(isinstance(finder, _AutoModuleFinder) for finder in sys.meta_path):
        return
    for name, register in REGISTRARS.items():
        if name in sys.modules:
            register(sys.modules[name])
    sys.meta_path.insert(0, _AutoModuleFinder())


class _AutoModuleFinder(MetaPathFinder):
    """Finds the modules of `REGISTRARS` where Python would, with a loader that registers."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in REGISTRARS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader, REGISTRARS[fullname])
        return spec


class _RegisteringLoader(Loader):
    """Another loader's work, then a registration."""

    def __init__(self, loader: Loader, register: Callable[[ModuleType], None]) -> None:
        self.loader = loader
        self.register = register

    def __getattr__(self, name: str) -> object:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.register(module)
