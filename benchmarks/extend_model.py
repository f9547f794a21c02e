"""How long new embeddings take: `extend_model` beside Transformers' own resizing.

    python benchmarks/extend_model.py

A model of Qwen 2.5's smallest size in embeddings alone (151,936 x 896, one thin layer), and a
tokenizer with 30,000 more tokens. For each way: seconds, and how far apart the closest new rows
are (of a sample of 4,000).
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from hf_codec_bpe import extend_model, extend_tokenizer, train_tokenizer


def base_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges and with names for tokens enough."""
    vocabulary = {letter: i for i, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    vocabulary.update({f"<|{i}|>": i for i in range(len(vocabulary), vocab_size)})
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def codec_tokenizer(vocab_size: int) -> Any:
    """Four codebooks of 1,024 and merges learnt from skewed noise, for want of a codec."""
    rng = np.random.default_rng(0)
    clips = [rng.geometric(0.02, (4, 4_000)).clip(1, 1024) - 1 for _ in range(40)]
    return train_tokenizer(clips, codebook_sizes=[1024] * 4, vocab_size=vocab_size)


def closest(rows: torch.Tensor) -> float:
    """The least distance between two of the rows."""
    sample = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:4_000]]
    return torch.pdist(sample.float()).min().item()


def main() -> None:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=151_936)
    parser.add_argument("--width", type=int, default=896)
    parser.add_argument("--new", type=int, default=30_000)
    parser.add_argument("--without-transformers", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=options.rows,
        hidden_size=options.width,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(config)
    tokenizer = extend_tokenizer(base_tokenizer(options.rows), codec_tokenizer(options.new))
    new_rows = len(tokenizer) - options.rows
    print(
        f"{options.rows:,} x {options.width} + {new_rows:,} tokens, "
        f"{torch.get_num_threads()} thread(s)"
    )

    def timed(name: str, extend: Callable[[Any], Any]) -> None:
        extended = copy.deepcopy(model)
        start = time.perf_counter()
        extend(extended)
        seconds = time.perf_counter() - start
        rows = extended.get_input_embeddings().weight.detach()
        apart = closest(rows[options.rows : len(tokenizer)])
        print(f"{name:40} {seconds:6.2f} s, closest new rows {apart:.1e} apart")

    for initialisation in ("composition", "mean", "normal"):
        timed(
            f"extend_model, {initialisation}",
            lambda m, i=initialisation: extend_model(m, tokenizer, initialisation=i),
        )
    if not options.without_transformers:
        timed(
            "Transformers, mean_resizing=True",
            lambda m: m.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=64),
        )


if __name__ == "__main__":
    main()
