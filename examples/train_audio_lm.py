"""Teaches a small language model to speak, in minutes on a CPU.

    pip install hf-codec-bpe accelerate
    python examples/train_audio_lm.py RECORDINGS OUT --minutes 5

A base model learns a codec's vocabulary (`extend_tokenizer`, `extend_model`), is trained on the
recordings like on any text, and continues a clip that it never heard. The measure is bits per
second of audio: how many bits the model needs to guess the codec's codes. It does not depend on the
vocabulary, so runs with different ones compare; without a model, flat codes cost their bandwidth.

By default all of it is tiny: the demo codec, and a Llama of a few million random weights. For real
work pass `--processor` (of Mimi, say) and `--base` (any causal language model of the Hub).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from hf_codec_bpe import (
    AudioGrammarLogitsProcessor,
    CodecBPEProcessor,
    demo_repo,
    extend_model,
    extend_tokenizer,
)
from hf_codec_bpe.audio import load_audio
from hf_codec_bpe.data.audio_files import find_audio
from hf_codec_bpe.data.packing import pack_codes


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the whole example; returns what it measured."""
    options = read_options(arguments)
    set_seed(options.seed)

    # A language model that knows the codec's tokens.
    codec_processor = AutoProcessor.from_pretrained(options.processor)
    base_tokenizer, model = load_base(options.base)
    tokenizer = extend_tokenizer(base_tokenizer, codec_processor.tokenizer)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    extend_model(model, tokenizer, seed=options.seed)
    processor = CodecBPEProcessor.from_codec(codec_processor.codec, tokenizer)

    # Recordings as sequences of ids. Every fifth recording is held out.
    codes = encode(processor, options.recordings)
    if len(codes) < 2:
        raise SystemExit(
            f"{options.recordings} holds one recording alone, and every fifth is held out to "
            "measure on: pass at least two, better five or more."
        )
    held_out, training = codes[::5], [clip for at, clip in enumerate(codes) if at % 5]
    sequences, held_out_sequences = (
        Dataset.from_list(list(pack_codes(clips, processor.vocabulary, options.sequence_length)))
        for clips in (training, held_out)
    )
    seconds = sum(clip.shape[1] for clip in held_out) / processor.codec.frame_rate
    result: dict[str, Any] = {
        "hours": round(sum(clip.shape[1] for clip in codes) / processor.codec.frame_rate / 3600, 4),
        "bits_per_second_flat": processor.codec.bandwidth,
        "bits_per_second_before": bits(model, held_out_sequences) / seconds,
    }

    # Training, as with any text.
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(options.out / "checkpoints"),
            max_steps=options.steps,
            learning_rate=options.learning_rate,
            warmup_steps=min(50, options.steps // 10),
            lr_scheduler_type="constant_with_warmup",
            per_device_train_batch_size=options.batch_size,
            logging_steps=50,
            save_strategy="no",
            dataloader_pin_memory=torch.cuda.is_available(),
            report_to="none",
            seed=options.seed,
        ),
        train_dataset=sequences,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        callbacks=[StopAfter(options.minutes)],
    )
    trainer.train()
    result["steps"] = trainer.state.global_step
    result["bits_per_second_after"] = bits(model, held_out_sequences) / seconds

    processor.save_pretrained(options.out)
    model.save_pretrained(options.out)

    # The model goes on where a held-out clip breaks off, inside the grammar of audio.
    result["seconds_generated"] = speak(model, processor, held_out[0], options)
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return result


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path, help="a folder of audio files")
    parser.add_argument("out", type=Path, help="where model, processor and sound go")
    parser.add_argument("--processor", default=demo_repo(), help="of the codec; the demo's")
    parser.add_argument("--base", help="a causal language model; by default a tiny random Llama")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, at most")
    parser.add_argument("--steps", type=int, default=100_000, help="of training, at most")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--sequence-length", type=int, default=512, help="in tokens")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--prompt-seconds", type=float, default=2.0, help="of a clip, to continue")
    parser.add_argument("--new-seconds", type=float, default=3.0, help="of sound to generate")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if not options.new_seconds > 0:  # said now: generation comes when all training is done
        parser.error(f"--new-seconds {options.new_seconds:g} is no sound: ask for more than 0.")
    return options


def load_base(name: str | None) -> tuple[PreTrainedTokenizerFast, PreTrainedModel]:
    """A language model and its tokenizer; without a name, one that knows bytes and nothing else."""
    if name is not None:
        model = AutoModelForCausalLM.from_pretrained(name)
        return AutoTokenizer.from_pretrained(name), model
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    return tokenizer, LlamaForCausalLM(config)


def encode(processor: CodecBPEProcessor, recordings: Path) -> list[np.ndarray]:
    """Codes `[K, T]` of every audio file, in the order of their names."""
    rate = processor.codec.sampling_rate
    clips = (load_audio(file.path, rate) for file in find_audio([recordings]))
    return [processor.codec.encode([clip])[0] for clip in clips]


class StopAfter(TrainerCallback):
    """Ends training after so many minutes."""

    def __init__(self, minutes: float) -> None:
        self.seconds = minutes * 60

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts the clock."""
        self.started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Looks at the clock."""
        control.should_training_stop |= time.monotonic() - self.started > self.seconds


@torch.inference_mode()
def bits(model: PreTrainedModel, sequences: Dataset) -> float:
    """How many bits a model needs for every token of the sequences, given those before it."""
    model.eval()
    total = 0.0
    for sequence in sequences:
        ids = torch.tensor([sequence["input_ids"]], device=model.device)
        mean_nats = model(input_ids=ids, labels=ids).loss.item()
        total += mean_nats * (ids.shape[1] - 1) / math.log(2)
    return total


def speak(
    model: PreTrainedModel,
    processor: CodecBPEProcessor,
    clip: np.ndarray,
    options: argparse.Namespace,
) -> float:
    """Continues the beginning of a clip, at most half of it, and writes all to `continued.wav`.

    Returns:
        How many seconds are new.
    """
    rate = processor.codec.frame_rate
    num_given = min(round(options.prompt_seconds * rate), clip.shape[1] // 2)
    start_id = processor.tokenizer.convert_tokens_to_ids(processor.audio_start_token)
    beginning = processor.vocabulary.codes_to_ids(clip[:, :num_given])
    ids = torch.tensor([[start_id, *beginning]])
    num_codes = math.ceil(options.new_seconds * rate) * processor.codec.num_codebooks
    length = ids.shape[1] + num_codes  # as if nothing merged
    grammar = AudioGrammarLogitsProcessor.of(processor, max_length=length)
    output = model.generate(
        input_ids=ids.to(model.device),
        min_length=(ids.shape[1] + length) // 2,
        max_length=length,
        do_sample=True,
        logits_processor=[grammar],
        eos_token_id=grammar.audio_end_token_id,
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    (waveform,) = processor.decode_audio(output)
    path = processor.save_audio(waveform, options.out / "continued.wav")
    seconds = len(waveform) / processor.codec.output_sampling_rate
    print(f"{path}: {seconds:.1f} s, of which {num_given / rate:.1f} s were given.")
    return seconds - num_given / rate


if __name__ == "__main__":
    main()
