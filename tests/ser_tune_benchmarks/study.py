"""A study of `linear_probe` from a pretrained encoder to a champion: cold, on cached features, and its answer."""

import sys
import time
from pathlib import Path

import numpy as np

from .rows import Options, Row
from .ways import run_command, timed

__all__ = ["champion_rows", "measure"]

COMMAND = "from ser_tune.cli import main; main()"


def measure(options: Options) -> list[Row]:
    """50 trials from cold, again on features that are there, and one utterance by the champion."""
    if options.checkpoint is None:
        return []
    root, corpus = options.scratch / "study", "demo" if options.data is None else "emodb"
    rows = champion_rows(options, root, {"cold": 80.0, "on cached features": 45.0})
    return [*rows, _answer(root, f"ser-{corpus}-linear_probe", options)]


def champion_rows(options: Options, root: Path, goals: dict[str, float], *more: str) -> list[Row]:
    """Seconds of a command for each name of a goal, one after another in a project; `more` are its further arguments.

    They include the command's start and imports. Processor seconds are those of all its processes.
    """
    root.mkdir()
    corpus = ["--corpus", "demo"] if options.data is None else ["--corpus", "emodb", "--data", str(options.data)]
    trials = 2 if options.quick else 50
    command = [sys.executable, "-c", COMMAND, "study", "--model", "linear_probe", *corpus, "--trials", str(trials)]
    command += ["--set", f"features.checkpoint={options.checkpoint}", *more]
    rows = []
    for name, goal in goals.items():
        named = [*command, "--name", name.replace(" ", "-")]
        cost = timed(lambda named=named: run_command(named, root))  # type: ignore[misc]
        what = " ".join([f"linear_probe, {trials} trials to a champion, {name}", *more])
        rows.append(Row(what, cost.wall_s, "s", processor_s={"product": cost.processor_s}, below=goal))
    return rows


def _answer(root: Path, name: str, options: Options) -> Row:
    from ser_tune.registry import load_model

    model = load_model(name, tracking_uri=f"sqlite:///{root}/mlruns/mlflow.db")
    speech = 0.1 * np.random.default_rng(0).standard_normal(48_000)
    model.predict([speech], sample_rate_hz=16_000)  # opens the encoder
    answering = []
    for _ in range(options.turns):
        started = time.perf_counter()
        model.predict([speech], sample_rate_hz=16_000)
        answering.append(time.perf_counter() - started)
    return Row("one utterance of 3 s, ten classifiers", 1000 * min(answering), "ms", below=150.0)
