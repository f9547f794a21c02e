"""Makes Transformers' Auto classes know ours, without importing either before it is needed.

`from transformers import AutoProcessor` takes seconds, so `import hf_codec_bpe` must not cause it.
Instead, our classes are registered right after the module that holds an Auto class has been
imported: at once if it has been already, else by a finder that waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from .codecs.registry import OWN_FAMILIES

__all__ = ["register_models", "register_with_transformers"]


def _codec_classes(kind: str, suffix: str) -> Iterator[Any]:
    for folder, name in OWN_FAMILIES.items():
        module = import_module(f".codecs.{folder}.{kind}_{folder}", __package__)
        yield getattr(module, f"{name}{suffix}")


def _register_config(module: ModuleType) -> None:
    from .configuration_codec_bpe import CodecBPEConfig

    for config in (CodecBPEConfig, *_codec_classes("configuration", "Config")):
        module.AutoConfig.register(config.model_type, config, exist_ok=True)


@cache
def register_models() -> None:
    """Makes AutoModel know our models; called by their configurations, when there is one.

    Models need `transformers.modeling_utils`, which takes two seconds: a hook would cost them
    whoever imports AutoTokenizer, which imports the module of AutoModel too.
    """
    from transformers import AutoModel

    for model in _codec_classes("modeling", "Model"):
        AutoModel.register(model.config_class, model, exist_ok=True)


def _register_feature_extractors(module: ModuleType) -> None:
    from transformers import EncodecFeatureExtractor

    for config in _codec_classes("configuration", "Config"):
        module.AutoFeatureExtractor.register(config, EncodecFeatureExtractor, exist_ok=True)


def _register_tokenizer(module: Any) -> None:
    from .configuration_codec_bpe import CodecBPEConfig
    from .tokenization_codec_bpe import CodecBPETokenizer

    module.AutoTokenizer.register(CodecBPEConfig, CodecBPETokenizer, exist_ok=True)
    module.get_tokenizer_config = _naming_our_class(module.get_tokenizer_config)


def _naming_our_class(read_config: Callable[..., Any]) -> Callable[..., Any]:
    """What reads `tokenizer_config.json`, made to name our tokenizer's class.

    The file names a class of Transformers', for those who do not have this package: see `portable`.
    """
    from .portable import is_codec_config
    from .untrusted import checked_object

    @wraps(read_config)
    def read(pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        config = checked_object(
            read_config(pretrained_model_name_or_path, *args, **kwargs),
            f"{pretrained_model_name_or_path}/tokenizer_config.json",
        )
        return (
            {**config, "tokenizer_class": "CodecBPETokenizer"}
            if is_codec_config(config)
            else config
        )

    return read


def _register_processor(module: ModuleType) -> None:
    from .configuration_codec_bpe import CodecBPEConfig
    from .processing_codec_bpe import CodecBPEProcessor

    module.AutoProcessor.register(CodecBPEConfig, CodecBPEProcessor, exist_ok=True)


REGISTRARS: dict[str, Callable[[ModuleType], None]] = {
    "transformers.models.auto.configuration_auto": _register_config,
    "transformers.models.auto.feature_extraction_auto": _register_feature_extractors,
    "transformers.models.auto.tokenization_auto": _register_tokenizer,
    "transformers.models.auto.processing_auto": _register_processor,
}


def register_with_transformers() -> None:
    """Registers with the Auto classes that are imported, and waits for the others."""
    if any(isinstance(finder, _AutoModuleFinder) for finder in sys.meta_path):
        return
    for name in reversed(REGISTRARS):  # the last one imports the others
        if name in sys.modules:
            import_module(name)  # waits for another thread that is at it
    imported = [sys.modules[name] for name in REGISTRARS if name in sys.modules]
    sys.meta_path.insert(0, _AutoModuleFinder())  # before registering, which imports more of them
    for module in imported:
        if _is_initializing(module):
            module.__class__ = _HalfImportedModule
        else:
            REGISTRARS[module.__name__](module)


def _is_initializing(module: ModuleType) -> bool:
    return getattr(object.__getattribute__(module, "__spec__"), "_initializing", False)


class _HalfImportedModule(ModuleType):
    """A module whose own import is what imported us: registers when it is whole and first used."""

    def __getattribute__(self, name: str) -> Any:
        if not _is_initializing(self):
            object.__setattr__(self, "__class__", ModuleType)
            REGISTRARS[self.__name__](self)
        return object.__getattribute__(self, name)


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
        return getattr(self.__dict__["loader"], name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.register(module)
