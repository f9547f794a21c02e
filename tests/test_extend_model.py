"""Extended models: new rows where they belong, old ones untouched; and the command for both."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)
from typer.testing import CliRunner

from hf_codec_bpe import alphabets_of, extend_model, extend_tokenizer, train_tokenizer
from hf_codec_bpe.cli.app import app
from hf_codec_bpe.errors import CodecBPEError, TokenizerError

from . import bases
from .corpus import TEXTS, skewed_codes
from .test_extend_tokenizer import AUDIO, CODEC, SIZES, codec_bpe_tokenizer, decoded, segments

BASE = bases.llama3_like()
TOKENIZER = extend_tokenizer(BASE, CODEC)
FIRST = len(BASE)
WIDTH = 32
WAYS = ["composition", "mean", "normal"]


def llama(rows: int = FIRST, **options: Any) -> LlamaForCausalLM:
    """A tiny model whose embeddings have a mean and a spread to recognise."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        **options,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for i, weight in enumerate((model.lm_head.weight, model.model.embed_tokens.weight)):
            weight.copy_(torch.randn(rows, WIDTH) * torch.linspace(0.1, 1, WIDTH) + 3 + i)
    return model


def rows_of(model: Any) -> torch.Tensor:
    return model.get_input_embeddings().weight.detach()


def head_of(model: Any) -> torch.Tensor:
    return model.get_output_embeddings().weight.detach()


def new_ids() -> range:
    return range(FIRST, len(TOKENIZER))


@pytest.mark.parametrize("initialisation", WAYS)
@pytest.mark.parametrize("tied", [True, False])
def test_old_rows_stay_and_new_ones_are_finite_and_all_distinct(
    initialisation: str, tied: bool
) -> None:
    model = llama(tie_word_embeddings=tied)
    before = rows_of(model).clone(), head_of(model).clone()
    assert extend_model(model, TOKENIZER, initialisation=initialisation) is model
    assert (head_of(model).data_ptr() == rows_of(model).data_ptr()) == tied
    assert model.config.vocab_size == len(rows_of(model)) == -(-len(TOKENIZER) // 64) * 64
    for weight, old in zip((rows_of(model), head_of(model)), before, strict=True):
        assert torch.equal(weight[:FIRST], old)
        new = weight[FIRST:]
        assert torch.isfinite(new).all()
        assert torch.pdist(new).min() > 0.1
        assert torch.allclose(new.mean(0), old.mean(0), atol=0.3)
    assert tied or not torch.allclose(rows_of(model)[FIRST:], head_of(model)[FIRST:], atol=0.5)


@pytest.mark.parametrize("tied", [True, False])
def test_composition_starts_from_the_mean_of_the_codes(tied: bool) -> None:
    model = extend_model(llama(tie_word_embeddings=tied), TOKENIZER)
    texts = dict(zip(new_ids(), decoded(TOKENIZER, list(new_ids())), strict=True))
    audio = {i: text for i, text in texts.items() if set(text) <= set(CODEC.alphabet.characters)}
    id_of = {text: i for i, text in audio.items()}
    assert len(audio) > sum(SIZES) + 100
    for weight in (rows_of(model), head_of(model)):
        exact = 0
        for i, text in audio.items():
            mean = weight[[id_of[char] for char in text]].mean(0)
            distance = (weight[i] - mean).abs().max()
            assert distance < 0.6  # a nudge of a tenth of a deviation, which is at most 1
            exact += bool(distance < 1e-5)
        assert exact > 0.8 * len(audio)


def test_tokens_of_the_same_codes_in_another_order_or_repeated_differ() -> None:
    codes = [torch.randint(3, (1, 500), generator=torch.Generator().manual_seed(0))]
    codec = train_tokenizer(codes, codebook_sizes=[3], vocab_size=60, max_token_codebook_ngrams=4)
    tokenizer = extend_tokenizer(bases.gpt2_like(), codec)
    texts = [t for t in decoded(tokenizer, list(range(len(tokenizer)))) if t[:1] in codec.alphabet]
    codes_alone = Counter("".join(sorted(text)) for text in texts)
    assert max(codes_alone.values()) > 1  # else the test shows nothing
    assert any(len(text) > 1 and len(set(text)) == 1 for text in texts)
    model = extend_model(llama(1501), tokenizer)
    assert torch.pdist(rows_of(model)[1501:]).min() > 0.05


@pytest.mark.parametrize("initialisation", WAYS)
def test_seeds_decide(initialisation: str) -> None:
    one, same, other = (
        extend_model(llama(), TOKENIZER, initialisation=initialisation, seed=seed)
        for seed in (1, 1, 2)
    )
    torch.manual_seed(5)  # which must not matter
    assert torch.equal(rows_of(one), rows_of(same))
    assert torch.equal(head_of(one), head_of(same))
    assert not torch.equal(rows_of(one), rows_of(other))


def test_defaults_of_the_caller_change_no_row() -> None:
    expected = rows_of(extend_model(llama(), TOKENIZER))
    model = llama()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):  # as cuda is for those who train there
            extend_model(model, TOKENIZER)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(rows_of(model), expected)


def test_codes_have_the_bases_statistics_without_its_padding() -> None:
    model = llama(FIRST + 9)
    with torch.no_grad():
        rows_of(model)[FIRST:] = 1e6
    old = rows_of(model)[:FIRST].clone()
    extend_model(model, TOKENIZER, initialisation="normal")
    new = rows_of(model)[FIRST : len(TOKENIZER)]
    assert torch.allclose(new.mean(0), old.mean(0), atol=0.2)
    assert torch.allclose(new.std(0), old.std(0), rtol=0.2)


@pytest.mark.parametrize(
    ("rows", "multiple", "expected"),
    [
        (FIRST, 64, -(-len(TOKENIZER) // 64) * 64),
        (FIRST, None, len(TOKENIZER)),
        (FIRST, 1000, 2000),
        (4096, 64, 4096),  # padded beyond what is needed: it never shrinks
        (4097, None, 4097),
        (4097, 64, 4160),
    ],
)
def test_sizes(rows: int, multiple: int | None, expected: int) -> None:
    model = extend_model(llama(rows), TOKENIZER, pad_to_multiple_of=multiple)
    assert len(rows_of(model)) == len(head_of(model)) == model.config.vocab_size == expected
    ids = torch.tensor([TOKENIZER(f"hi {AUDIO}")["input_ids"]])
    assert model(ids).logits.shape[-1] == expected


def test_half_precision_and_a_bias() -> None:
    model = PhiForCausalLM(
        PhiConfig(
            vocab_size=FIRST,
            hidden_size=WIDTH,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    ).to(torch.bfloat16)
    with torch.no_grad():
        model.lm_head.bias.copy_(torch.linspace(1, 3, FIRST))
    extend_model(model, TOKENIZER)
    assert rows_of(model).dtype == head_of(model).dtype == torch.bfloat16
    assert torch.pdist(head_of(model)[FIRST:].float()).min() > 0
    bias = model.lm_head.bias.detach().float()
    assert bias[FIRST:].tolist() == pytest.approx([2.0] * (len(bias) - FIRST), abs=0.01)


def test_a_second_codec_leaves_the_first_ones_rows_alone(tmp_path: Path) -> None:
    extend_model(llama(), TOKENIZER).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    trained = rows_of(model).clone()
    codec = train_tokenizer([skewed_codes(3, [50, 20])], codebook_sizes=[50, 20])
    tokenizer = extend_tokenizer(TOKENIZER, codec)
    extend_model(model, tokenizer)
    assert torch.equal(rows_of(model)[: len(TOKENIZER)], trained[: len(TOKENIZER)])
    assert torch.pdist(rows_of(model)[FIRST : len(tokenizer)]).min() > 0.1
    again = rows_of(model).clone()
    extend_model(model, tokenizer, seed=7)  # nothing is new
    assert torch.equal(rows_of(model), again)
    with pytest.raises(TokenizerError, match="The model was extended for"):
        extend_model(model, TOKENIZER)


def test_rows_of_a_codec_that_the_config_forgot_are_never_lost_silently() -> None:
    codec = train_tokenizer([skewed_codes(3, [50, 20])], codebook_sizes=[50, 20])
    tokenizer = extend_tokenizer(TOKENIZER, codec)
    model = llama(len(TOKENIZER))  # trained on the first codec by whatever means
    before = rows_of(model).clone()
    with pytest.raises(TokenizerError, match="num_known_codecs=1"):
        extend_model(model, tokenizer)
    with pytest.raises(TokenizerError, match="num_known_codecs=3 cannot be"):
        extend_model(model, tokenizer, num_known_codecs=3)
    assert torch.equal(rows_of(model), before)
    extend_model(model, tokenizer, num_known_codecs=1)
    assert torch.equal(rows_of(model)[: len(before)], before)
    anew = extend_model(llama(len(TOKENIZER)), tokenizer, num_known_codecs=0)
    assert torch.equal(rows_of(anew)[:FIRST], before[:FIRST])
    assert not torch.equal(rows_of(anew)[: len(before)], before)


def test_tokens_added_to_the_base_need_rows_first() -> None:
    base = bases.llama3_like()
    base.add_special_tokens({"pad_token": "<|my_pad|>"})
    tokenizer, model = extend_tokenizer(base, CODEC), llama()
    advice = rf"model\.resize_token_embeddings\({FIRST + 1}\) first"
    with pytest.raises(TokenizerError, match=advice):
        extend_model(model, tokenizer)
    model.resize_token_embeddings(FIRST + 1)
    before = rows_of(model).clone()
    extend_model(model, tokenizer)
    assert torch.equal(rows_of(model)[: FIRST + 1], before)


@pytest.mark.parametrize(
    ("rows", "tokenizer", "options", "message"),
    [
        (FIRST - 1, TOKENIZER, {}, f"has {FIRST - 1} embeddings, fewer than the {FIRST} tokens"),
        (FIRST, BASE, {}, "no codec's vocabulary.*extend_tokenizer"),
        (FIRST, CODEC, {}, "CodecBPETokenizer has no codec's vocabulary"),
        (FIRST, TOKENIZER, {"initialisation": "zeros"}, "'zeros' is not known"),
        (FIRST, TOKENIZER, {"pad_to_multiple_of": 0}, "is not a multiple"),
        (FIRST, TOKENIZER, {"pad_to_multiple_of": 1.5}, "is not a multiple"),
        (FIRST, TOKENIZER, {"pad_to_multiple_of": "64"}, "'64' is not a multiple"),
        (FIRST, TOKENIZER, {"seed": 0.5}, "is not a seed"),
        (FIRST, TOKENIZER, {"seed": None}, "is not a seed"),
        (FIRST, TOKENIZER, {"seed": 2**64}, "is not a seed"),
    ],
)
def test_what_cannot_be_leaves_the_model_alone(
    rows: int, tokenizer: Any, options: dict[str, Any], message: str
) -> None:
    model = llama(rows)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(TokenizerError, match=message):
        extend_model(model, tokenizer, **options)
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert model.config.vocab_size == rows


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["extend", *map(str, arguments)])


def saved_base(folder: Path, rows: int = FIRST) -> Path:
    BASE.save_pretrained(folder)
    llama(rows).save_pretrained(folder)
    return folder


def test_the_command_extends_both(tmp_path: Path) -> None:
    base = saved_base(tmp_path / "base")
    CODEC.save_pretrained(tmp_path / "codec")
    result = run(base, tmp_path / "codec", tmp_path / "deep" / "out", "--model", "--seed", 3)
    assert result.exit_code == 0, result.output
    assert f"{len(TOKENIZER)} tokens, new ones from id {FIRST}" in result.output
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "deep" / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "deep" / "out")
    assert torch.equal(rows_of(model), rows_of(extend_model(llama(), TOKENIZER, seed=3)))
    assert [tokenizer(text)["input_ids"] for text in TEXTS] == [
        BASE(text)["input_ids"] for text in TEXTS
    ]
    ids = tokenizer(AUDIO, add_special_tokens=False)["input_ids"]
    assert decoded(tokenizer, ids) == segments(CODEC, AUDIO)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_the_command_without_the_model_and_with_a_tokenizer_of_codec_bpe(tmp_path: Path) -> None:
    base = saved_base(tmp_path / "base")
    codec_bpe_tokenizer(0x4E00, tmp_path)
    out = tmp_path / "out"
    out.mkdir()  # an empty folder will do
    result = run(base, tmp_path / "tokenizer", out, "--codebook-sizes", "24,24")
    assert result.exit_code == 0, result.output
    assert not (out / "config.json").exists()
    (alphabet,) = alphabets_of(AutoTokenizer.from_pretrained(out))
    assert alphabet.codebook_sizes == (24, 24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "codec", "out"], "nowhere could not be loaded"),
        (["base", "nowhere", "out"], "nowhere could not be loaded"),
        (["base", "codec", "codec"], "exists already: choose a new folder"),
        (["base", "codec", "out", "--codebook-sizes", "x"], "are not numbers"),
        (
            ["base", "codec", "out", "--codebook-sizes", "9", "--unicode-offset", "x"],
            "is not a number",
        ),
        (["small", "codec", "out", "--model"], "fewer than the"),
        (["base", "base", "out"], "does not say how large its codebooks are"),
        (["codec", "codec", "out"], "The base is a"),
    ],
)
def test_the_command_fails_with_a_sentence_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    saved_base(tmp_path / "base")
    saved_base(tmp_path / "small", FIRST - 1)
    CODEC.save_pretrained(tmp_path / "codec")
    before = sorted(tmp_path.rglob("*"))
    result = run(*arguments)
    assert isinstance(result.exception, CodecBPEError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_config_remembers_the_codecs(tmp_path: Path) -> None:
    extend_model(llama(), TOKENIZER).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["codec_vocabularies"] == [
        {
            "codebook_sizes": SIZES,
            "unicode_offset": 0xF0000,
            "skip_noncharacters": True,
            "audio_token": "<|audio|>",
            "audio_start_token": "<|audio_start|>",
            "audio_end_token": "<|audio_end|>",
            "first_id": FIRST,
            "training": CODEC.init_kwargs["training"],
        }
    ]
