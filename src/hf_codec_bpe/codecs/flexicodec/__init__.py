"""FlexiCodec (Li et al. 2025), whose frames are merged where speech is alike.

Read in the order of the signal: `features.py` and `sensevoice.py` (what is said), `merging.py`
(which frames belong together), `aggregator.py` over `transformer.py` (one vector per group),
`convnext.py` and `fsq.py` (the semantic code), and `modeling_flexicodec.py`, which puts them
together with DAC's encoder, quantizer and decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .cmvn import read_cmvn
    from .configuration_flexicodec import FlexiCodecConfig
    from .conversion import convert_flexicodec_checkpoint
    from .modeling_flexicodec import FlexiCodecModel

__all__ = ["FlexiCodecConfig", "FlexiCodecModel", "convert_flexicodec_checkpoint", "read_cmvn"]

# Transformers' AutoConfig imports the configuration while it is itself half imported.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FlexiCodecConfig": "configuration_flexicodec",
        "FlexiCodecModel": "modeling_flexicodec",
        "convert_flexicodec_checkpoint": "conversion",
        "read_cmvn": "cmvn",
    },
)
