"""Golden data of the originals, and how an original would have saved one of our models."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from hf_codec_bpe.codecs.vocos.modeling_vocos import VocosCodecModel

ROOT = Path(__file__).parent / "golden"
LATENTS, AUDIO = 2e-5, 5e-6
"""How far our encoder and backbone, and our audio, may be from the originals'."""


class Golden:
    """What an original computed: weights, inputs, outputs."""

    def __init__(self, folder: str) -> None:
        self.folder = ROOT / folder

    @cached_property
    def config(self) -> dict[str, Any]:
        return json.loads((self.folder / "config.json").read_text())

    @cached_property
    def expected(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "expected.safetensors")

    @cached_property
    def inputs(self) -> dict[str, torch.Tensor]:
        """Samples `[B, 1, S]` of each case."""
        inputs = load_file(ROOT / "wavtokenizer" / "input.safetensors")
        inputs["batch2_row1_unpadded"] = inputs["batch2"][1:2, :3321]
        cases = {name.split(".")[0] for name in self.expected if "." in name}
        return {case: inputs[case][:, None] for case in sorted(cases)}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """A new one each time."""
        return load_file(self.folder / "state_dict.safetensors")

    @torch.inference_mode()
    def check(self, model: VocosCodecModel) -> None:
        """Every case, every output."""
        for case, input_values in self.inputs.items():
            codes = model.encode(input_values).audio_codes
            assert codes.shape[:2] == (len(input_values), 1)
            self._close(f"{case}.codes", codes, 0)
            features = model.quantizer.codebook.decode(codes[:, 0])
            audio = model.decode(codes).audio_values
            assert audio.shape == (len(codes), 1, codes.shape[2] * model.config.hop_length)
            self._close(f"{case}.encoder_output", model.encoder(input_values), LATENTS)
            self._close(f"{case}.quantized", features, LATENTS)
            self._close(f"{case}.codebook_lookup", features, 0)
            self._close(f"{case}.backbone_output", model.backbone(features), LATENTS)
            self._close(f"{case}.audio", audio, AUDIO)
            self._close(f"{case}.audio_from_codes", audio, AUDIO)

    @torch.inference_mode()
    def check_ragged_batch(self, model: VocosCodecModel) -> None:
        """The batch of two lengths, with the mask that the original does not have."""
        batch = load_file(ROOT / "wavtokenizer" / "input.safetensors")["batch2"][:, None]
        mask = torch.ones(2, 5000, dtype=torch.int64)
        mask[1, 3321:] = 0
        encoded = model.encode(batch, mask)
        decoded = model.decode(encoded.audio_codes, encoded.audio_codes_mask).audio_values
        frames = encoded.audio_codes_mask.sum(dim=1).tolist()
        assert torch.equal(encoded.audio_codes[:1], model.encode(batch[:1]).audio_codes)
        second = encoded.audio_codes[1:, :, : frames[1]]
        self._close("batch2_row1_unpadded.codes", second, 0)
        assert (encoded.audio_codes[1, :, frames[1] :] == -1).all()
        samples = frames[1] * model.config.hop_length
        self._close("batch2_row1_unpadded.audio", decoded[1:, :, :samples], AUDIO)
        assert not decoded[1, :, samples:].any()

    def _close(self, name: str, found: torch.Tensor, tolerance: float) -> None:
        """Compares, where the original's output is known. Axes of length 1 differ in place."""
        if name not in self.expected:
            return
        expected = self.expected[name]
        assert found.numel() == expected.numel(), name
        difference = (found.reshape(expected.shape) - expected).abs().max().item()
        assert difference <= tolerance, f"{name} differs by {difference}"


def outputs_of_a_fresh_process(folder: Path, inputs: dict[str, torch.Tensor], out: Path) -> None:
    """Loads a saved model with nothing but the Auto classes, and writes its codes and audio."""
    save_file({case: samples.clone() for case, samples in inputs.items()}, out / "in.safetensors")
    code = f"""
import hf_codec_bpe, torch
from safetensors.torch import load_file, save_file
from transformers import AutoFeatureExtractor, AutoModel
torch.set_num_threads(1)
model = AutoModel.from_pretrained({str(folder)!r}).eval()
extractor = AutoFeatureExtractor.from_pretrained({str(folder)!r})
assert extractor.sampling_rate == model.config.sampling_rate
found = {{}}
with torch.inference_mode():
    for case, input_values in load_file({str(out / "in.safetensors")!r}).items():
        codes = model.encode(input_values).audio_codes
        found[case + ".codes"] = codes
        found[case + ".audio"] = model.decode(codes).audio_values
save_file(found, {str(out / "out.safetensors")!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def as_original(model: VocosCodecModel, encoder: str = "encoder.model.") -> dict[str, torch.Tensor]:
    """A model's weights, save the codebook, under the names of its original.

    Weight norm is taken apart again, with lengths g that are not those of v.
    """
    tensors = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("head.linear.", "head.out.")
        if name.startswith("encoder.layers."):
            name = encoder + name.removeprefix("encoder.layers.").replace(".conv.", ".conv.conv.")
            if name.endswith("conv.weight"):
                norm = tensor.flatten(1).norm(dim=1)[:, None, None]
                tensors[f"{name}_g"], tensors[f"{name}_v"] = norm, tensor * 1.5
                continue
        if not name.startswith("quantizer."):
            tensors[name] = tensor
    return tensors
