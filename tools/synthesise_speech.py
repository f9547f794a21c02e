"""Make a corpus of varied synthetic speech, the same every time for one seed.

    python tools/synthesise_speech.py corpus --hours 1 --seed 0
    python tools/synthesise_speech.py corpus --recordings LJ001-0001.flac LJ001-0003.flac

espeak-ng speaks many languages in many voices, out of formants; flite speaks English, out of
recordings of real people, whose spectra a codec has to know too. Every utterance gets its own
voice, speed, pitch and room. Recordings, when given, join the corpus as several copies at different
speeds, which also shifts their pitch and formants. The files are 16 kHz mono FLAC. Needs the
programs `espeak-ng` and `flite` on the PATH; downloads nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from sentences import SENTENCES

SAMPLE_RATE = 16_000
BATCH = 32  # utterances made between two looks at the total duration
NON_SPEECH_SHARE = 0.04
FLITE_SHARE = 0.45  # of the speech
FLITE_VOICES = {"kal16": 105, "awb": 130, "rms": 100, "slt": 180}  # and their pitch in hertz
RECORDING_SPEEDS = (0.72, 0.8, 0.88, 0.96, 1.0, 1.06, 1.14, 1.22)
VARIANTS = (
    *(f"m{i}" for i in range(1, 9)),
    *(f"f{i}" for i in range(1, 6)),
    *("klatt", "klatt2", "klatt3", "klatt4", "adam", "Andy", "Annie", "belinda", "david", "Denis"),
    *("ed", "linda", "michael", "paul", "shelby", "steph", "steph2", "travis", "whisper"),
)


def speak(text: str, voice: str, speed: int, pitch: int, gap: int) -> np.ndarray:
    """Return espeak-ng's rendering of `text` as float samples at 16 kHz, [N]."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-g", str(gap)]
    wav = subprocess.run(
        [*command, "--stdin", "--stdout"], input=text.encode(), stdout=subprocess.PIPE, check=True
    ).stdout
    # The streamed WAV header leaves the length open, so read the samples behind it as they are.
    rate = int.from_bytes(wav[24:28], "little")
    samples = np.frombuffer(wav[44 : len(wav) - len(wav) % 2], dtype="<i2") / 32768.0
    return soxr.resample(samples.astype(np.float32), rate, SAMPLE_RATE)


def speak_english(text: str, voice: str, pitch: float, stretch: float) -> np.ndarray:
    """Return flite's rendering of `text` as float samples at 16 kHz, [N]; `pitch` in hertz."""
    command = ["flite", "-voice", voice, "--setf", f"int_f0_target_mean={pitch:.0f}"]
    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        command += ["--setf", f"duration_stretch={stretch:.2f}", "-t", text, "-o", wav.name]
        subprocess.run(command, check=True)
        samples, rate = sf.read(wav.name, dtype="float32")
    return soxr.resample(samples, rate, SAMPLE_RATE)


def random_text(language: str, rng: np.random.Generator) -> str:
    """Join two sentences of `language`, at times with a number between them."""
    first, second = rng.choice(SENTENCES[language], size=2, replace=False)
    number = f" {rng.integers(2, 10_000)}. " if rng.random() < 0.35 else " "
    return f"{first}{number}{second}"


def random_speech(rng: np.random.Generator) -> np.ndarray:
    """Return one synthetic utterance in a random voice, [N]."""
    return random_english(rng) if rng.random() < FLITE_SHARE else random_language(rng)


def random_language(rng: np.random.Generator) -> np.ndarray:
    """Return an utterance in a random language of espeak-ng's, [N]."""
    language = rng.choice(list(SENTENCES))
    voice = f"{language}+{rng.choice(VARIANTS)}"
    return speak(
        random_text(language, rng),
        voice,
        speed=int(rng.integers(115, 215)),
        pitch=int(rng.integers(15, 85)),
        gap=int(rng.integers(0, 6)),
    )


def random_english(rng: np.random.Generator) -> np.ndarray:
    """Return an utterance of a flite voice, made larger or smaller than it is, [N]."""
    voice = rng.choice(list(FLITE_VOICES))
    pitch = FLITE_VOICES[voice] * rng.uniform(0.75, 1.35)
    sound = speak_english(random_text("en-us", rng), voice, pitch, rng.uniform(0.8, 1.3))
    return soxr.resample(sound, SAMPLE_RATE * rng.uniform(0.82, 1.22), SAMPLE_RATE)


def random_tones(rng: np.random.Generator) -> np.ndarray:
    """Return five seconds of a made-up melody over filtered noise, [N]: sound that isn't speech."""
    time = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    sound = coloured_noise(len(time), rng) * rng.uniform(0, 0.1)
    for start in np.arange(0, 5, rng.uniform(0.2, 0.6)):
        envelope = np.exp(-(time - start) * rng.uniform(2, 9)) * (time >= start)
        pitch = 55 * 2 ** (rng.integers(0, 48) / 12)
        for harmonic in range(1, int(rng.integers(3, 12))):
            loudness = rng.uniform(0, 1) / harmonic
            sound += loudness * envelope * np.sin(2 * np.pi * pitch * harmonic * time)
    return sound


def coloured_noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise of unit power whose spectrum falls by 0 to 9 dB per octave, [N]."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** rng.uniform(0, 1.5)
    noise = np.fft.irfft(spectrum, length)
    return noise / (np.std(noise) + 1e-9)


def add_room(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a decaying noise tail to `sound`, as a small room would, [N] to [N]."""
    tail = rng.standard_normal(int(rng.uniform(0.05, 0.3) * SAMPLE_RATE))
    tail *= np.exp(-5 * np.arange(len(tail)) / len(tail)) * rng.uniform(0.01, 0.06)
    tail[0] = 1.0
    size = len(sound) + len(tail)
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)
    return wet[: len(sound)]


def tilt(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tilt the spectrum by up to 4 dB per octave either way around 1 kHz, [N] to [N]."""
    spectrum = np.fft.rfft(sound)
    frequency = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    spectrum *= (np.maximum(frequency, 60) / 1000) ** rng.uniform(-0.66, 0.66)
    return np.fft.irfft(spectrum, len(sound))


def vary(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give `sound` a random colour, room, background noise and level, [N] to [N]."""
    if rng.random() < 0.6:
        sound = tilt(sound, rng)
    if rng.random() < 0.3:
        sound = add_room(sound, rng)
    sound = sound / (np.abs(sound).max() + 1e-9)
    if rng.random() < 0.5:
        loudness = np.std(sound) * 10 ** (-rng.uniform(20, 45) / 20)
        sound = sound + loudness * coloured_noise(len(sound), rng)
    return sound / np.abs(sound).max() * 10 ** (-rng.uniform(0.5, 14) / 20)


def write_utterance(folder: Path, seed: int, index: int) -> float:
    """Write utterance number `index` of the corpus and return its seconds."""
    rng = np.random.default_rng((seed, index))
    make = random_tones if rng.random() < NON_SPEECH_SHARE else random_speech
    sound = vary(make(rng), rng)
    sf.write(folder / f"synthetic-{index:05d}.flac", sound, SAMPLE_RATE, subtype="PCM_16")
    return len(sound) / SAMPLE_RATE


def write_recording(folder: Path, seed: int, path: Path) -> None:
    """Write a copy of the recording at `path` for each of RECORDING_SPEEDS."""
    sound, rate = sf.read(path, always_2d=True)
    for number, speed in enumerate(RECORDING_SPEEDS):
        rng = np.random.default_rng((seed, number, *path.name.encode()))
        copy = vary(soxr.resample(sound.mean(axis=1), rate * speed, SAMPLE_RATE), rng)
        name = f"recording-{path.stem}-{number}.flac"
        sf.write(folder / name, copy, SAMPLE_RATE, subtype="PCM_16")


def synthesise(folder: Path, hours: float, seed: int, recordings: list[Path]) -> float:
    """Fill `folder` with at least `hours` of synthetic sound and return the seconds made."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = 0.0
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_recording, folder, seed), recordings))
        for start in count(step=BATCH):
            if seconds >= hours * 3600:
                return seconds
            batch = range(start, start + BATCH)
            seconds += sum(pool.map(partial(write_utterance, folder, seed), batch))
    raise AssertionError("unreachable")


def main() -> None:
    """Parse the command line and make the corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out_dir", type=Path, help="folder for the FLAC files")
    parser.add_argument("--hours", type=float, default=1.0, help="least duration (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same corpus (default: 0)")
    parser.add_argument(
        "--recordings",
        type=Path,
        nargs="*",
        default=[],
        help="audio files to add, sped up and down",
    )
    args = parser.parse_args()
    seconds = synthesise(args.out_dir, args.hours, args.seed, args.recordings)
    print(f"{seconds / 3600:.2f} hours of synthetic sound in {args.out_dir}")


if __name__ == "__main__":
    main()
