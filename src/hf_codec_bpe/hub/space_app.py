"""A page to try codecs on: record or drop a clip, see its tokens, hear it come back.

`hf-codec-bpe ui` opens the same page on a machine of your own.
"""

from hf_codec_bpe.demo.page import Choices, launch

PROCESSORS = ["demo"]

if __name__ == "__main__":
    launch(Choices.of(PROCESSORS))
