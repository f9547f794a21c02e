"""Encoders in tiles: the bits of the plain model, for every length, and an untouched model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from multiprocessing import get_context
from unittest.mock import Mock, patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from hf_codec_bpe.codecs import tiling
from hf_codec_bpe.codecs.registry import codec_class
from hf_codec_bpe.codecs.tiling import backend
from hf_codec_bpe.codecs.tiling import encoder as tiled_encoder
from hf_codec_bpe.codecs.tiling.layers import Convolution
from hf_codec_bpe.codecs.tiling.plan import Geometry, plan

from . import tiny

TILE = backend.TILE
WIDE = {"num_filters": 8}  # as many as give each of two threads enough to do
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "encodec": lambda: tiny.encodec(**WIDE),
    "encodec, seeing ahead": lambda: tiny.encodec(
        **WIDE, use_causal_conv=False, pad_mode="constant"
    ),
    "encodec, no shortcut": lambda: tiny.encodec(
        **WIDE, use_conv_shortcut=False, num_residual_layers=2
    ),
    "encodec, no residual": lambda: tiny.encodec(**WIDE, num_residual_layers=0),
    "dac": lambda: tiny.dac(encoder_hidden_size=8),
    "simvq": lambda: tiny.simvq(**WIDE),
    "wavtokenizer": lambda: tiny.wavtokenizer(**WIDE),
}
LENGTHS = [320, 2 * TILE - 1, 2 * TILE, 2 * TILE + 1, 3 * TILE - 1, 3 * TILE + 321, 5 * TILE + 1]

CAPABILITY = torch.backends.cpu.get_cpu_capability()
HAS_TILES = CAPABILITY in backend.CAPABILITIES
AS_AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}


@cache
def model_of(name: str) -> PreTrainedModel:
    return MODELS[name]()


def samples(length: int, seed: int = 0) -> torch.Tensor:
    """`[1, 1, length]`."""
    return torch.from_numpy(tiny.speech_like(length, seed))[None, None]


def encoded(encoder: torch.nn.Module, input_values: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """What `run_encoder` gives, and whether it is made of tiles: trying them out is not enough."""
    with patch.object(tiled_encoder, "_tiled", wraps=tiled_encoder._tiled) as spy:
        embeddings = tiling.run_encoder(encoder, input_values)
    return embeddings, any(call.args[-1] is input_values for call in spy.call_args_list)


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_embeddings_are_the_plain_models(name: str) -> None:
    encoder = model_of(name).encoder
    rng = np.random.default_rng(torch.get_num_threads())
    for length in LENGTHS + rng.integers(2 * TILE, 5 * TILE, 2).tolist():
        if name == "dac":  # as `DacCodec` pads it
            length = -(-length // 320) * 320
        input_values = samples(length, length)
        kept = input_values.clone()
        found, _ = encoded(encoder, input_values)
        assert torch.equal(found, encoder(input_values)), length
        assert torch.equal(input_values, kept)


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_long_clips_are_tiled(name: str) -> None:
    encoder = model_of(name).encoder
    is_exact = (CAPABILITY, name) != ("AVX2", "dac")  # whose wide padding takes another algorithm
    assert encoded(encoder, samples(3 * TILE))[1] == (HAS_TILES and is_exact)
    assert not encoded(encoder, samples(TILE))[1]


@torch.inference_mode()
def pointwise_sums_are_those_of_longer_clips() -> None:
    """Of the lengths where oneDNN may cut sums in two, some differ: the rule must know those."""
    states, weight = torch.randn(1, 128, 9_000), torch.randn(128, 128, 1)
    longest = torch.nn.functional.conv1d(states, weight)
    for length in [*range(3_000, 3_100), *range(8_080, 8_200)]:
        found = torch.nn.functional.conv1d(states[..., :length].contiguous(), weight)
        same = torch.equal(found, longest[..., :length])
        assert same or backend._is_split(128, length) or not HAS_TILES, length


@torch.inference_mode()
def paddings_are_those_of_tiles() -> None:
    """Of the convolutions that pad themselves, some have other sums: the rule must know those."""
    for stride in (1, 2, 4, 5, 6, 7, 8):
        for num_outputs in (28 * 40, 28 * 40 + 1):
            states = torch.randn(1, 32, stride * num_outputs)
            weight = torch.randn(16, 32, 2 * stride)
            conv1d = partial(torch.nn.functional.conv1d, weight=weight, stride=stride)
            padding = (stride + 1) // 2
            convolution = Convolution(weight, None, stride, 1, padding, "constant", completes=False)
            around = torch.nn.functional.pad(states, (padding, padding))
            same = torch.equal(conv1d(states, padding=padding), conv1d(around))
            assert same or backend._pads_otherwise(convolution) or not HAS_TILES, stride


def test_paddings() -> None:
    paddings_are_those_of_tiles()


def test_two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    # Busy waiting would take minutes where tests run side by side; OpenMP asks once, at its start.
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    with get_context("spawn").Pool(1, torch.set_num_threads, (2,)) as pool:
        assert pool.apply(torch.get_num_threads) == 2
        pool.apply(pointwise_sums_are_those_of_longer_clips)
        pool.apply(paddings_are_those_of_tiles)
        for name in ("encodec", "dac"):
            pool.apply(test_embeddings_are_the_plain_models, (name,))
            pool.apply(test_long_clips_are_tiled, (name,))


def test_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AS_AVX2.items():  # a greater processor then does as a lesser one would
        monkeypatch.setenv(name, value)
    with get_context("spawn").Pool(1) as pool:
        assert not HAS_TILES or pool.apply(torch.backends.cpu.get_cpu_capability) == "AVX2"
        pool.apply(paddings_are_those_of_tiles)
        for name in ("encodec", "dac"):
            pool.apply(test_embeddings_are_the_plain_models, (name,))
            pool.apply(test_long_clips_are_tiled, (name,))


@pytest.mark.parametrize("family", ["dac", "encodec", "simvq", "wavtokenizer"])
@torch.inference_mode()
def test_codes_are_the_plain_models(family: str) -> None:
    model = model_of(family)
    codec = codec_class(family)(model)
    clips = [samples(length, length)[0, 0] for length in (4 * TILE, 3 * TILE + 640, 3 * TILE)]
    options = {"bandwidth": max(model.config.target_bandwidths)} if family == "encodec" else {}
    expected = [model.encode(clip[None, None], **options).audio_codes for clip in clips]
    found = codec.encode([*clips, clips[0]])
    for codes, theirs in zip(found, [*expected, expected[0]], strict=True):
        assert np.array_equal(codes, theirs.reshape(codes.shape).numpy())


@torch.inference_mode()
def test_weights_without_norm() -> None:
    encoder = tiny.encodec().encoder
    before = encoder(samples(3 * TILE))
    for module in encoder.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    assert torch.equal(tiling.run_encoder(encoder, samples(3 * TILE)), before)


def test_the_model_is_left_as_it_was() -> None:
    model = tiny.encodec().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.inference_mode():
        tiling.run_encoder(model.encoder, samples(3 * TILE))
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    tiling.run_encoder(model.encoder, samples(3 * TILE)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.encoder.parameters())


def test_new_weights_count_at_once() -> None:
    encoder = tiny.encodec().encoder
    for _ in range(2):
        with torch.no_grad():
            found = tiling.run_encoder(encoder, samples(3 * TILE))
            assert torch.equal(found, encoder(samples(3 * TILE)))
            for parameter in encoder.parameters():
                parameter.mul_(1.1)


def _hooked() -> torch.nn.Module:
    encoder = tiny.encodec().encoder
    encoder.layers[1].block[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return encoder


def _replaced() -> torch.nn.Module:
    encoder = tiny.encodec().encoder
    conv = encoder.layers[3].conv
    conv.forward = lambda states: -type(conv).forward(conv, states)
    return encoder


class _Louder(torch.nn.Conv1d):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(states)


def _another_convolution() -> torch.nn.Module:
    encoder = tiny.encodec().encoder
    encoder.layers[0].conv = _Louder(1, 4, 7)
    return encoder


def _another_shortcut() -> torch.nn.Module:
    encoder = tiny.encodec().encoder
    encoder.layers[1].shortcut.conv = _Louder(4, 4, 1)
    return encoder


def _random_batch() -> torch.Tensor:
    return torch.cat([samples(3 * TILE, 1), samples(3 * TILE, 2)])


ONE = samples(3 * TILE)
PLAIN = tiny.encodec().encoder


@pytest.mark.parametrize(
    ("encoder", "input_values", "context"),
    [
        (tiny.encodec().encoder.to(torch.bfloat16), ONE.bfloat16(), nullcontext()),
        (tiny.encodec().encoder.double(), ONE.double(), nullcontext()),
        (PLAIN, _random_batch(), nullcontext()),
        (PLAIN, ONE, torch.autocast("cpu", torch.bfloat16)),
        (PLAIN, ONE, torch.backends.mkldnn.flags(enabled=False)),
        (PLAIN, ONE, patch("torch.backends.cpu.get_cpu_capability", lambda: "DEFAULT")),
        (tiny.funcodec().encoder, ONE, nullcontext()),
        (_hooked(), ONE, nullcontext()),
        (_replaced(), ONE, nullcontext()),
        (_another_convolution(), ONE, nullcontext()),
        (_another_shortcut(), ONE, nullcontext()),
    ],
    ids=[
        *("half", "double", "batch", "autocast", "no oneDNN", "old processor", "norm over time"),
        *("hook", "replaced", "subclass", "subclass beside"),
    ],
)
@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # switching oneDNN off speaks of GPUs
@torch.inference_mode()
def test_what_is_not_known_is_left_alone(
    encoder: torch.nn.Module, input_values: torch.Tensor, context: AbstractContextManager[None]
) -> None:
    with context:
        found, has_tiles = encoded(encoder, input_values)
        assert not has_tiles
        assert torch.equal(found, encoder(input_values))


def test_gradients_are_computed_by_the_model() -> None:
    assert not encoded(PLAIN, ONE)[1]
    with torch.no_grad():
        assert encoded(PLAIN, ONE)[1] == HAS_TILES


@torch.inference_mode()
def test_tiles_too_small_for_onednn_are_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "TILE", 12_000)
    with patch.object(tiled_encoder, "_tiled") as spy:
        tiling.run_encoder(tiny.encodec().encoder, ONE)
    assert not spy.called


@torch.inference_mode()
def test_dac_clips_of_broken_frames_are_left_alone() -> None:
    encoder = model_of("dac").encoder
    input_values = samples(3 * TILE + 1)
    found, has_tiles = encoded(encoder, input_values)
    assert not has_tiles
    assert torch.equal(found, encoder(input_values))


@torch.inference_mode()
def test_an_encoder_whose_tiles_differ_here_is_left_alone() -> None:
    encoder = tiny.encodec().encoder
    exact = tiled_encoder._tiled
    wrong = Mock(side_effect=lambda *arguments: exact(*arguments).nextafter(torch.tensor(9e9)))
    with patch.object(tiled_encoder, "_tiled", wrong):
        for length in (3 * TILE, 4 * TILE):
            found = tiling.run_encoder(encoder, samples(length))
            assert torch.equal(found, encoder(samples(length)))
    assert wrong.call_count == HAS_TILES
    assert not encoded(encoder, samples(3 * TILE))[1]


@given(
    hop=st.sampled_from([2, 8, 40, 320]),
    left=st.integers(0, 3_000),
    right=st.integers(0, 3_000),
    length=st.integers(1, 200_000),
    tile=st.integers(1_000, 30_000),
)
@settings(max_examples=200)
def test_tiles_make_every_output_once_and_see_all_it_sees(
    hop: int, left: int, right: int, length: int, tile: int
) -> None:
    tiles = plan(Geometry(hop, left, right, 2), length, tile)
    if not tiles:
        assert length < 2 * (tile + hop) or tile < max(left, right + 17 * hop)
        return
    borders = [each.start for each in tiles] + [-(-length // hop)]
    assert borders[0] == 0
    assert [each.stop for each in tiles] == borders[1:]
    for each in tiles:
        assert each.first <= max(0, each.start * hop - left)
        assert each.ends == (each is tiles[-1])
        assert each.ends or each.stop * hop + right <= each.last <= length
        assert not each.ends or each.last == length
        assert each.starts or each.first == each.start * hop - left
