"""Splits that are clean until a test plants a fault: six speakers, whose sounds are all different."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

SPEAKERS = {"ada": "train", "bob": "train", "cyd": "train", "dan": "validation", "eve": "test", "fay": "test"}
TEXTS = ("go", "stop")
Rows = list[dict[str, str]]


@dataclass
class Plot:
    """A split's rows and the folder of its sounds, to be changed at will."""

    folder: Path
    rows: Rows = field(default_factory=list)

    def of(self, speaker: str) -> Rows:
        """The rows of a speaker."""
        return [row for row in self.rows if row["speaker"] == speaker]

    def add(self, name: str, sound: np.ndarray, rate_hz: int, **cells: str) -> None:
        """Write a recording, and its row."""
        soundfile.write(self.folder / name, sound, rate_hz)
        self.rows.append({**self.rows[0], "path": name, "text": "", **cells})

    def by_fold(self) -> None:
        """Make it a split that leaves each speaker out in turn."""
        for row in self.rows:
            row.pop("split", None)
            row["fold"] = row["speaker"]

    def write(self) -> Path:
        """The table."""
        table = self.folder / "split.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        return table


def babble(seed: int) -> np.ndarray:
    """Half a second that no other seed makes: a chirp in noise, shape (8000,), 16 kHz."""
    rng = np.random.default_rng(seed)
    pitch_hz = np.interp(np.arange(8000), [0, 3000, 8000], rng.uniform(100, 900, 3))
    return 0.3 * np.sin(2 * np.pi * np.cumsum(pitch_hz) / 16_000) + rng.normal(0, 0.02, 8000)


@pytest.fixture
def plot(tmp_path: Path) -> Plot:
    """Three speakers train, one validates, two are tested; each speaks two texts in both emotions."""
    plot = Plot(tmp_path)
    for speaker, side in SPEAKERS.items():
        for emotion in ("anger", "joy"):
            for text in TEXTS:
                name = f"{speaker}_{emotion}_{text}.wav"
                soundfile.write(tmp_path / name, babble(len(plot.rows)), 16_000)
                plot.rows.append({"path": name, "speaker": speaker, "emotion": emotion, "split": side, "text": text})
    return plot
