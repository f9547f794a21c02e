"""FlexiCodec behind the contract of every codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from ..own import OwnCodec
from ..selection import select_codebooks
from .checks import check_merging
from .modeling_flexicodec import MERGING_THRESHOLD, FlexiCodecModel

__all__ = ["FlexiCodecCodec"]


class FlexiCodecCodec(OwnCodec):
    """FlexiCodec models: groups of 1 to 8 frames, of which there are 12.5 a second.

    The streams of codes are the semantic one, the acoustic ones, and last the groups' lengths (0
    for one frame). `num_codebooks` counts them all: 9 are the authors' 8 quantizers and the
    lengths, 2 are the semantic codes and the lengths. The lengths are always in use.

    Clips of less than 1,360 samples, which have no frame, are padded with silence to that length.
    Longer ones are never padded, and every clip is encoded by itself.

    `merging_threshold` and `dither` can be set, see `FlexiCodecModel.encode`:
    `load_codec("flexicodec", merging_threshold=1.0)` never merges.
    """

    family = "flexicodec"
    model_class = FlexiCodecModel
    dynamic_frame_rate = True
    default_settings: ClassVar[Mapping[str, float]] = {
        "merging_threshold": MERGING_THRESHOLD,
        "dither": 0.0,
    }

    def padded_length(self, num_samples: int) -> int:
        return max(num_samples, self.model.fewest_samples)

    def num_frames(self, num_samples: int) -> int:
        return self.model.num_frames(self.padded_length(num_samples))

    def num_samples(self, num_frames: int) -> int:
        """How many samples `decode` makes of groups that last so many frames in all."""
        return self.model.num_samples(num_frames)

    def max_batch_size(self, batch_size: int) -> int:
        return 1

    def _all_codebook_sizes(self) -> tuple[int, ...]:
        return self.config.codebook_sizes

    def _select_codebooks(
        self, num_codebooks: int | None, bandwidth: float | None
    ) -> tuple[int, ...]:
        *quantizers, lengths = self._all_codebook_sizes()
        # First, because the lengths are in use however many others are.
        chosen = select_codebooks(
            [lengths, *quantizers],
            self.frame_rate,
            num_codebooks=num_codebooks,
            bandwidth=bandwidth,
            fewest=2,
        )
        return (*chosen[1:], lengths)

    def _checked_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked_settings(settings)
        check_merging(**checked)
        return {name: float(value) for name, value in checked.items()}

    def _as_input(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.to(self.device)  # the front end computes in float32

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model.encode(
            input_values, num_quantizers=self.num_codebooks - 1, **self.settings
        ).audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes).audio_values[:, 0]
