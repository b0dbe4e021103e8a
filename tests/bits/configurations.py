"""What is run: studies of a few trials, the corpora that they read, and what is asked of their results."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from ..tiny_checkpoints import write_checkpoint

__all__ = ["Configuration", "of_corpora", "of_tiny_corpus"]

SPEAKERS = ("ada", "bob", "cyd", "dan", "eva", "fay")
EMOTIONS = {"anger": 900.0, "joy": 650.0, "sadness": 450.0}
"""Pitches in Hz."""
CPU = {"training.device": "cpu", "training.threads": 1}
SHORT = CPU | {"training.precision": "float32", "training.epochs": 2, "training.batch_size": 4}
FOLDS = {"protocol.folds": 3}
NESTED = {"protocol.folds": 4}
LIGHT = SHORT | FOLDS | {"model.width": 0.25, "features.n_mels": 32, "segments.frames": 16}
RIVAL = "rival"
RACED = {"study.startup_trials": 3, "study.race_after": 2, "study.race_error": 0.9, "study.complete_share": 0.1}
"""The race begins early, so that a few trials show it."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A study, and what is asked of what it registered."""

    name: str
    study: Sequence[str]
    """Arguments of `ser-tune`; the same command resumes."""
    model: str | None
    """The registered model; None of a nested study, which registers nothing."""
    sounds: Sequence[Path]
    """What the model predicts."""
    replayed: str
    """The run that is trained again."""
    then: Sequence[Sequence[str]] = ()
    """Further commands, after the study."""

    @property
    def predictions(self) -> list[Sequence[str]]:
        """The command that predicts with the registered model, if there is any."""
        return [] if self.model is None else [("predict", self.model, *map(str, self.sounds), "--json")]

    @property
    def commands(self) -> list[Sequence[str]]:
        """All commands, the study first."""
        return [self.study, *self.then, *self.predictions]


def of_tiny_corpus(folder: Path) -> list[Configuration]:
    """Write a few short sounds and an encoder of random weights, and return studies of them."""
    table, checkpoint = _write_corpus(folder / "corpus"), folder / "checkpoint"
    write_checkpoint(checkpoint, "wav2vec2")
    corpus, sounds = ("--corpus", "manifest", "--data", str(table)), sorted(table.parent.glob("*.wav"))[:4]

    def tiny(name: str, model: str, *more: str, settings: Mapping[str, object]) -> Configuration:
        study = _study(name, model, *corpus, *more, settings=settings)
        return Configuration(name, study, f"ser-manifest-{model}", sounds, f"{name}:0")

    solved, functionals = CPU | FOLDS, ("--features", "opensmile")
    return [
        _judged(corpus, tiny("opensmile", "linear_probe", *functionals, "--trials", "4", settings=solved)),
        tiny(
            *("encoder", "linear_probe", "--features", "encoder", "--trials", "3"),
            settings=solved | {"features.checkpoint": checkpoint},
        ),
        tiny("light_cnn", "light_cnn", "--trials", "2", settings=LIGHT),
        tiny(
            *("3d_acrnn", "3d_acrnn", "--trials", "2"),
            settings=LIGHT | {"model.width": 0.0625, "features.n_mels": 16, "segments.frames": 32},
        ),
        replace(
            tiny("nested", "linear_probe", *functionals, "--trials", "2", "--nested", settings=solved | NESTED),
            model=None,
            replayed="nested-outer00:1",
            then=(("evaluate", "nested", *corpus, "--json"),),
        ),
        tiny("confirmed", "light_cnn", "--trials", "12", settings=LIGHT | RACED | {"study.confirm": 0.5}),
    ]


def of_corpora(emodb: Path) -> list[Configuration]:
    """Studies of EmoDB and of the demo corpus.

    Args:
        emodb: EmoDB's folder, or its `wav/`.
    """
    solved = ("linear_probe", "--features", "opensmile", "--trials", "3")
    sounds = sorted(emodb.rglob("*.wav"))[:4]
    return [
        Configuration(
            name,
            _study(name, *solved, "--corpus", name, *data, settings=CPU),
            *(f"ser-{name}-linear_probe", sounds, f"{name}:0"),
        )
        for name, data in (("emodb", ("--data", str(emodb))), ("demo", ()))
    ]


def _write_corpus(folder: Path) -> Path:
    """Two tones in noise of each emotion by every speaker, which overlap, so that models err; return the table."""
    rng, rows = np.random.default_rng(0), []
    folder.mkdir(parents=True)
    for speaker in SPEAKERS:
        voice = rng.uniform(0.75, 1.35)
        for emotion, pitch_hz in EMOTIONS.items():
            for number in range(2):
                time_s = np.arange(rng.integers(5600, 8000)) / 16_000
                sound = 0.2 * np.sin(2 * np.pi * pitch_hz * voice * rng.uniform(0.9, 1.1) * time_s)
                name = f"{speaker}_{emotion}_{number}.wav"
                soundfile.write(folder / name, sound + rng.normal(0.0, 0.1, len(time_s)), 16_000)
                rows.append((name, speaker, emotion))
    table = folder / "manifest.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "emotion"), *rows])
    return table


def _study(name: str, model: str, *more: str, settings: Mapping[str, object]) -> tuple[str, ...]:
    fixed = [part for path, value in settings.items() for part in ("--set", f"{path}={value}")]
    return ("study", "--name", name, "--model", model, *more, *fixed, "--json")


def _judged(corpus: Sequence[str], configuration: Configuration) -> Configuration:
    """Also a second study that wants to become champion, and commands that compare the two."""
    arguments = configuration.study
    rival = [
        RIVAL if before == "--name" else "logmelspec" if before == "--features" else one
        for before, one in zip(("", *arguments), arguments, strict=False)
    ]
    model = f"{configuration.model}"
    then = (
        (*rival, "--rule", "confident"),
        ("compare", f"{model}/1", f"{RIVAL}:1", "--json"),
        *(("leaderboard", "--json"), ("models", "--json"), ("evaluate", model, *corpus, "--json")),
    )
    return replace(configuration, then=then)
