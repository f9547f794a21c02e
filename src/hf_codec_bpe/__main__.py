"""`python -m hf_codec_bpe` is the command `hf-codec-bpe`."""

from .cli import main

main()
