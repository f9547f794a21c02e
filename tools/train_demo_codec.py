"""Train the tiny codec that ships with hf_codec_bpe and export it as a Transformers DacModel.

    python tools/train_demo_codec.py corpus codec --minutes 68 --codes codes
    python tools/train_demo_codec.py corpus better --minutes 87 --start codec

Three stages. An autoencoder comes first, with noise in place of codebooks: codebooks put in
before the encoder has learnt anything collapse, and noise of the strength of their errors makes
it spread what it knows evenly over all latent dimensions. Then k-means fits residual codebooks
to its latents, and encoder and decoder learn to live with them; codebooks that moved along, or an
encoder that was not held near them, ran away from each other. Last, the decoder alone gets used to
DAC's own quantizer in half precision, as the codec will ship, and to clear envelopes above all.
`--minutes` is a number of steps in disguise, so that the result depends on the seed alone;
`--start` goes on from an earlier codec. (The weights that ship were made so, in several sittings: a
codec of 6,100 steps, a third of them without `EnvelopeLoss` and on crops as they are, the others
with less of it, and from its weights 6,300, 500 and 1,000 steps of the three stages.)
"""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from demo_codebooks import EXTRA_DIMS, ResidualCodebooks, export
from demo_corpus import Corpus
from demo_losses import EnvelopeLoss, SpectralLoss, waveform_loss
from demo_optimizer import MuonAndAdam
from torch import Tensor, nn
from transformers import DacConfig, DacFeatureExtractor, DacModel

SAMPLE_RATE = 16_000
LATENT_DIM = 32  # few, for 64 bits per frame to describe them well
NOISE = 0.3  # relative to each latent dimension; 2 bits for each would leave 0.25
STEPS_PER_MINUTE = 90  # of one CPU core (OMP_NUM_THREADS=1), once torch has compiled the model
SHARES = (0.763, 0.074)  # of all steps, for the first two stages
COMMITMENT = 6.0  # weight of the distance from the latents to their code words
SPECTRAL_WEIGHT = 1.5
ENVELOPE_WEIGHT = 5.0
LAST_ENVELOPE_WEIGHT = 12.0  # of the decoder's own stage
RATES = (1e-3, 6e-5)  # of learning, at the autoencoder's first step and at its last
RATES_AGAIN = (6e-4, 2e-5)  # where its weights were trained before
WARM_UP = 100  # steps
REPORT_EVERY = 100  # steps


def build_model(num_codebooks: int, codebook_size: int) -> DacModel:
    """Return the untrained codec: 62.5 frames per second, about 1.5 million weights."""
    config = DacConfig(
        encoder_hidden_size=16,
        decoder_hidden_size=192,
        # All even: DAC's transposed convolutions lose samples with odd ones. The largest comes
        # first, because most of the time goes to what is behind the fewest.
        downsampling_ratios=[8, 4, 2, 4],
        hidden_size=LATENT_DIM,
        n_codebooks=num_codebooks,
        codebook_size=codebook_size,
        codebook_dim=LATENT_DIM + EXTRA_DIMS,
        sampling_rate=SAMPLE_RATE,
    )
    model = DacModel(config)
    keep_loudness(model.encoder)
    keep_loudness(model.decoder)
    return model


def keep_loudness(network: nn.Module) -> None:
    """Start every convolution of the trunk so that its output is as loud as its input.

    With DAC's own start the signal shrinks a thousandfold on its way, and training
    spends its first minutes on silence. Residual branches keep their small start.
    """
    for name, layer in network.named_modules():
        if "res_unit" in name or not isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d)):
            continue
        # A transposed convolution of kernel 2 x stride sums two taps per channel.
        taps = 2 if isinstance(layer, nn.ConvTranspose1d) else layer.kernel_size[0]
        nn.init.normal_(layer.weight, std=(layer.in_channels * taps) ** -0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@dataclass
class Trainer:
    """Runs the stages of training on crops of one corpus."""

    model: DacModel
    books: ResidualCodebooks
    corpus: Corpus
    batch: int = 6
    crop: int = 8192  # samples: whole frames, about half a second
    rates: tuple[float, float] = RATES

    def __post_init__(self) -> None:
        self.spectral_loss = SpectralLoss(SAMPLE_RATE)
        self.envelope_loss = EnvelopeLoss(SAMPLE_RATE)
        self.model.encoder.compile()
        self.model.decoder.compile()

    def run(
        self,
        name: str,
        parameters: Iterable[nn.Parameter],
        loss_of: Callable[[Tensor], Tensor],
        steps: int,
        rates: tuple[float, float],
    ) -> None:
        """Minimise `loss_of(audio)` over crops, the learning rate falling as a cosine."""
        parameters = list(parameters)
        optimizer = MuonAndAdam(parameters)
        for step in range(steps):
            fall = (1 + math.cos(math.pi * step / steps)) / 2
            rate = rates[1] + (rates[0] - rates[1]) * fall
            loss = loss_of(self.corpus.varied_crops(self.batch, self.crop))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step(rate * min(1.0, (step + 1) / WARM_UP))
            if (step + 1) % REPORT_EVERY == 0:
                print(f"{name} {step + 1}/{steps} loss {loss.item():.3f}", flush=True)

    def distance(
        self,
        latents: Tensor,
        audio: Tensor,
        waveform_weight: float,
        envelope_weight: float = ENVELOPE_WEIGHT,
    ) -> Tensor:
        """Return how far the decoded `latents` [B, D, T] are from `audio` [B, N], a scalar."""
        decoded = self.model.decoder(latents)[:, 0]
        return (
            waveform_weight * waveform_loss(decoded, audio)
            + SPECTRAL_WEIGHT * self.spectral_loss(decoded, audio)
            + envelope_weight * self.envelope_loss(decoded, audio)
        )

    def autoencoder_loss(self, audio: Tensor) -> Tensor:
        """Return the loss of encoder and decoder with noise between them."""
        latents = self.model.encoder(audio[:, None])
        spread = latents.std(dim=(0, 2), keepdim=True)
        noisy = latents + NOISE * spread * torch.randn_like(latents)
        return self.distance(noisy, audio, waveform_weight=4.0)

    def codebook_loss(self, audio: Tensor) -> Tensor:
        """Return the loss of encoder and decoder with codebooks between them."""
        latents = self.model.encoder(audio[:, None])
        vectors = latents.detach().transpose(1, 2).reshape(-1, latents.shape[1])
        quantized = self.books.quantize(vectors)
        quantized = quantized.view(len(audio), -1, latents.shape[1]).transpose(1, 2)
        commitment = (latents - quantized).square().mean() / vectors.square().mean()
        passed = latents + (quantized - latents).detach()  # gradients go straight through
        return self.distance(passed, audio, waveform_weight=2.5) + COMMITMENT * commitment

    def decoder_loss(self, audio: Tensor) -> Tensor:
        """Return the loss of the decoder behind the fixed encoder and DAC's own quantizer."""
        with torch.no_grad():
            latents = self.model.encode(audio[:, None]).quantized_representation
        return self.distance(latents, audio, 2.0, LAST_ENVELOPE_WEIGHT)

    @torch.no_grad()
    def fit_codebooks(self, clips: int = 300, seconds: int = 4) -> None:
        """Fit the codebooks to the encoder's latents of random pieces of the corpus."""
        pieces = self.corpus.crops(clips, seconds * SAMPLE_RATE)
        latents = torch.cat(
            [self.model.encoder.forward(piece[None, None])[0].T for piece in pieces]
        )
        self.books.fit(latents)

    def train_autoencoder(self, steps: int) -> None:
        """Train encoder and decoder without codebooks."""
        both = [*self.model.encoder.parameters(), *self.model.decoder.parameters()]
        self.run("autoencoder", both, self.autoencoder_loss, steps, self.rates)

    def train_codebooks(self, steps: int) -> None:
        """Fit codebooks to the encoder's latents, and train it and the decoder around them."""
        self.fit_codebooks()
        both = [*self.model.encoder.parameters(), *self.model.decoder.parameters()]
        self.run("codebooks", both, self.codebook_loss, steps, (1e-4, 1e-5))

    def put_codebooks_in(self) -> None:
        """Hand the codebooks to DAC, and fix everything that decides about codes."""
        export(self.books, self.model.quantizer)
        round_to_half(self.model.encoder)
        round_to_half(self.model.quantizer)

    def train_decoder(self, steps: int) -> None:
        """Train the decoder alone, on codes that no longer change."""
        self.model.eval()
        parameters = self.model.decoder.parameters()
        self.run("decoder", parameters, self.decoder_loss, steps, (2.5e-4, 1e-5))


@torch.no_grad()
def round_to_half(module: nn.Module) -> None:
    """Round every weight to what half precision can store."""
    for parameter in module.parameters():
        parameter.copy_(parameter.half())


def save(model: DacModel, folder: Path) -> None:
    """Write the codec in half precision to `folder`, replacing what is there at the very end."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    half = DacModel(model.config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(unfinished)
    model.config.dtype = torch.float32  # small on disk, but meant to run in single precision
    model.config.save_pretrained(unfinished)
    DacFeatureExtractor(
        sampling_rate=SAMPLE_RATE, hop_length=model.config.hop_length
    ).save_pretrained(unfinished)
    (unfinished / "model.safetensors").chmod(0o644)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


@torch.no_grad()
def write_codes(model: DacModel, corpus: Corpus, folder: Path) -> None:
    """Write each utterance's codes as a .npy file, [K, T] uint16."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, samples in corpus.utterances():
        whole = samples[: len(samples) // model.config.hop_length * model.config.hop_length]
        codes = model.encode(whole[None, None]).audio_codes[0]
        np.save(folder / f"{path.stem}.npy", codes.numpy().astype(np.uint16))


def train(trainer: Trainer, out_dir: Path, minutes: float) -> None:
    """Run all stages, saving the codec before the decoder's and after it."""
    steps = round(minutes * STEPS_PER_MINUTE)
    first, second = (round(share * steps) for share in SHARES)
    trainer.train_autoencoder(first)
    trainer.train_codebooks(second)
    trainer.put_codebooks_in()
    save(trainer.model, out_dir)
    trainer.train_decoder(steps - first - second)
    save(trainer.model, out_dir)


def main() -> None:
    """Parse the command line, train, and write the codec."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus_dir", type=Path, help="FLAC files, 16 kHz mono")
    parser.add_argument("out_dir", type=Path, help="where the codec goes")
    parser.add_argument("--minutes", type=float, default=68, help="about how long (default: 68)")
    parser.add_argument("--codebooks", type=int, default=8, help="default: 8")
    parser.add_argument("--codebook-size", type=int, default=256, help="default: 256")
    parser.add_argument("--start", type=Path, help="a codec of this script to go on from")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--codes", type=Path, help="also write the corpus as codes to this folder")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    corpus = Corpus.load(args.corpus_dir)
    if args.start:
        model = DacModel.from_pretrained(args.start, dtype=torch.float32).train()
    else:
        model = build_model(args.codebooks, args.codebook_size)
    books = ResidualCodebooks(model.config.n_codebooks, model.config.codebook_size, LATENT_DIM)
    trainer = Trainer(model, books, corpus, rates=RATES_AGAIN if args.start else RATES)
    train(trainer, args.out_dir, args.minutes)
    if args.codes:
        codec = DacModel.from_pretrained(args.out_dir, dtype=torch.float32)
        write_codes(codec, corpus, args.codes)


if __name__ == "__main__":
    main()
