"""The command `hf-codec-bpe`: one small file for each command, each a thin room over a function."""

from .app import main

__all__ = ["main"]
