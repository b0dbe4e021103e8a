"""A manifest of many short recordings: 0.75 s each, no two alike, of speakers with a pitch and emotions with a colour.

Usage, from the repository's root: python -m tests.ser_tune_benchmarks.scale_corpus FOLDER N [--rate 16000]
"""

import csv
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer

__all__ = ["EMOTIONS", "LENGTH_S", "write_corpus"]

LENGTH_S = 0.75
EACH = 25
"""Utterances of a speaker."""
EMOTIONS = ("anger", "joy", "neutral", "sadness")
BANDS, MOMENTS = 24, 10
"""Of the random colour that makes every recording a sound of its own."""


def write_corpus(folder: Path, utterances: int, *, rate_hz: int = 16_000, each: int = EACH) -> Path:
    """Write recordings and their table, which is returned; the same numbers give the same bytes."""
    rows = []
    for number in range(utterances):
        speaker, place = divmod(number, each)
        rng = np.random.default_rng(number)
        emotion = int(rng.integers(len(EMOTIONS)))
        name = f"s{speaker:05d}/{place:04d}.wav"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, _sound(rng, speaker, emotion, rate_hz), rate_hz, subtype="PCM_16")
        rows.append((name, f"s{speaker:05d}", EMOTIONS[emotion]))
    table = folder / "manifest.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "emotion"), *rows])
    return table


def _sound(rng: np.random.Generator, speaker: int, emotion: int, rate_hz: int) -> np.ndarray:
    """Harmonics and noise of a random colour, shape (N,); emotions differ in pitch and in the upper bands."""
    size = int(LENGTH_S * rate_hz)
    base = np.random.default_rng([1, speaker]).uniform(90, 220) * (1 + 0.08 * emotion) * (1 + 0.05 * rng.normal())
    time = np.arange(size) / rate_hz
    phase = 2 * np.pi * base * (time + 0.02 * np.sin(2 * np.pi * rng.uniform(2, 5) * time))
    sound = np.sign(np.sin(phase)) * 0.3 + rng.normal(size=size)
    window, hop = 256, 128
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, window), window)[::hop] * np.hanning(window)
    spectrum = np.fft.rfft(frames, axis=1)
    colour = rng.normal(0, 1.4, size=(MOMENTS, BANDS)) + 0.25 * emotion * np.linspace(-1, 1, BANDS)
    rows = np.arange(len(spectrum)) * MOMENTS // len(spectrum)
    columns = np.minimum(np.arange(spectrum.shape[1]) * 8000 // (rate_hz // 2) * BANDS // spectrum.shape[1], BANDS - 1)
    frames = np.fft.irfft(spectrum * np.exp(colour)[rows][:, columns], axis=1)
    whole = np.zeros(len(frames) * hop + window)
    for number, frame in enumerate(frames):
        whole[number * hop : number * hop + window] += frame
    whole = whole[window : window + size]
    return whole / np.abs(whole).max() * 0.5


def main(
    folder: Path,
    utterances: Annotated[int, typer.Argument(metavar="N")],
    rate: Annotated[int, typer.Option(help="Samples a second.")] = 16_000,
) -> None:
    """Write a corpus for a benchmark of scale."""
    print(write_corpus(folder, utterances, rate_hz=rate))


if __name__ == "__main__":
    typer.run(main)
