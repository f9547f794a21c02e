"""SimVQ for audio (Zhu et al. 2024): configuration, model and converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .configuration_simvq import SimVQConfig
    from .conversion import convert_simvq_checkpoint
    from .modeling_simvq import SimVQModel

__all__ = ["SimVQConfig", "SimVQModel", "convert_simvq_checkpoint"]

# Transformers' AutoConfig imports the configuration while it is itself half imported.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "SimVQConfig": "configuration_simvq",
        "SimVQModel": "modeling_simvq",
        "convert_simvq_checkpoint": "conversion",
    },
)
