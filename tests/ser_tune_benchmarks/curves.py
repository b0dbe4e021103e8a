"""Records learning curves for the benchmark `search`: random configurations of one study, all folds, two seeds.

Usage, from the root: python -m tests.ser_tune_benchmarks.curves --data EMODB --out FILE.npz [--configurations N]

`FILE.jsonl` beside it gets a line for each finished configuration; the same command again continues there. The network
is `light_cnn`, made small enough to train 2400 folds in an hour of one core: half the width, 16 bands every 50 ms,
8 epochs, batches of 32. Its default search space varies; segments last 1.6 to 4 s, as at its usual hop.
"""

import json
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import optuna
import torch
import typer

import ser_tune
from ser_tune.config import IntRange, Value
from ser_tune.definition.study_definition import StudyDefinition
from ser_tune.protocol import prepare
from ser_tune.search import Trainer
from ser_tune.search.place_sampler import sample
from ser_tune.training import fit, fold_seed

from .rows import definition, project
from .scores import epoch_scores

SETTINGS: dict[str, object] = {
    "model.name": "light_cnn",
    "model.width": 0.5,
    "features.n_mels": 16,
    "features.hop_s": 0.05,
    "training.batch_size": 32,
    "training.epochs": 8,
    "training.device": "cpu",
    "training.precision": "float32",
}
FRAMES = IntRange(low=32, high=80, step=16)
SEEDS = 2
SAMPLER_SEED = 14


def main(
    data: Annotated[Path, typer.Option(help="EmoDB's folder.")],
    out: Annotated[Path, typer.Option(help="The compressed file to write.")],
    configurations: Annotated[int, typer.Option(help="How many configurations to record.")] = 120,
) -> None:
    """Record learning curves, one configuration after another."""
    torch.set_num_threads(1)
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    lines = out.with_suffix(".jsonl")
    with tempfile.TemporaryDirectory(prefix="ser-tune-curves-") as scratch:
        here = project(Path(scratch))
        study = definition({**SETTINGS, "corpus.name": "emodb", "corpus.data": data.resolve()})
        study = StudyDefinition(study.config, {**study.search, "segments.frames": FRAMES})
        prepared = prepare(study, here)
        trainer = Trainer(prepared, here.cache, precision="float32")
        drawn = _drawn(study, configurations)
        done = len(lines.read_text(encoding="utf-8").splitlines()) if lines.exists() else 0
        for number in range(done, configurations):
            curves = [[_curve(trainer, drawn[number], seed, fold) for fold in prepared.folds] for seed in range(SEEDS)]
            with lines.open("a", encoding="utf-8") as file:
                line = {"commit": git.stdout.strip(), "values": drawn[number], "correct": curves}
                file.write(json.dumps(line) + "\n")
        labels, classes = prepared.corpus.labels, len(prepared.corpus.emotions)
        counts = np.stack([np.bincount(labels[fold.validation], minlength=classes) for fold in prepared.folds])
        _write(out, lines, counts, study, configurations)


def _drawn(study: StudyDefinition, configurations: int) -> list[dict[str, Value]]:
    """Random configurations, the same ones however many were recorded before."""
    sampler = optuna.samplers.RandomSampler(seed=SAMPLER_SEED)
    draws = optuna.create_study(sampler=sampler, direction="maximize")
    return [sample(draws.ask(), study.search) for _ in range(configurations)]


def _curve(trainer: Trainer, values: dict[str, Value], seed: int, fold: Any) -> list[list[int]]:
    """Correct validation utterances of each class after each epoch, shape (E, K)."""
    definition = trainer.prepared.definition
    config = definition.trial(values, seed=seed)
    data = trainer.data(config)
    with epoch_scores() as scores:
        fit(config, data, fold.train, fold.validation, seed=fold_seed(seed, fold.number), goal=definition.goal)
    truth, classes = data.targets.values[fold.validation], len(data.targets.names)
    right = [truth[one.argmax(axis=1) == truth] for one in scores]
    return [np.bincount(one, minlength=classes).tolist() for one in right]


def _write(out: Path, lines: Path, counts: np.ndarray, study: StudyDefinition, configurations: int) -> None:
    """Compress what was recorded, and say how it came to be."""
    recorded = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()][:configurations]
    settings = json.loads(study.as_json())
    settings["config"]["corpus"]["data"] = None
    about = {
        "command": "python -m tests.ser_tune_benchmarks.curves --data EMODB"
        f" --out {out.name} --configurations {configurations}",
        "commits": sorted({one["commit"] for one in recorded}),
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "ser-tune": ser_tune.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "optuna": optuna.__version__,
            "numpy": np.__version__,
        },
        "study": settings,
        "configurations": [one["values"] for one in recorded],
    }
    correct = np.array([one["correct"] for one in recorded], dtype=np.uint8)
    np.savez_compressed(out, correct=correct, counts=counts.astype(np.uint8), about=np.array(json.dumps(about)))


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    typer.run(main)
