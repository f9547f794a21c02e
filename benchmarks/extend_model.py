"""How long new embeddings take: `extend_model` beside Transformers' own resizing.

    python benchmarks/extend_model.py

A model of Qwen 2.5's smallest size in embeddings alone (151,936 x 896, one thin layer), and a
tokenizer with 30,000 more tokens. For each way: seconds of the processor, and how far apart the
closest new rows are (of a sample of 4,000).
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from functools import partial
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
    options = parser.parse_args()
    for name, found in compare(options.rows, options.width, options.new).items():
        print(f"{name:40} {found['seconds']:6.2f} s, closest new rows {found['closest']:.1e} apart")


def compare(rows: int, width: int, new: int) -> dict[str, dict[str, float]]:
    """Seconds of the processor and the least distance between new rows, for each way."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=rows,
        hidden_size=width,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(config)
    tokenizer = extend_tokenizer(base_tokenizer(rows), codec_tokenizer(new))
    ways: dict[str, Callable[[Any], Any]] = {
        f"extend_model, {name}": partial(extend_model, tokenizer=tokenizer, initialisation=name)
        for name in ("composition", "mean", "normal")
    }
    ways["Transformers, mean_resizing=True"] = lambda extended: extended.resize_token_embeddings(
        len(tokenizer), pad_to_multiple_of=64
    )
    found = {}
    for name, extend in ways.items():
        extended = copy.deepcopy(model)
        start = time.process_time()
        extend(extended)
        seconds = time.process_time() - start
        weights = extended.get_input_embeddings().weight.detach()
        found[name] = {"seconds": seconds, "closest": closest(weights[rows : len(tokenizer)])}
    return found


if __name__ == "__main__":
    main()
