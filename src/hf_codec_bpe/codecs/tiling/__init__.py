"""Encoders of convolutions, computed on a CPU in tiles that fit its cache, to the same bits."""

from .encoder import run_encoder

__all__ = ["run_encoder"]
