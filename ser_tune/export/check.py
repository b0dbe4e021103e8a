"""Comparing what an exported folder says of recordings with what the registered model says."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SerTuneError
from ..prediction import Committee, Predictor
from ..tasks import TASKS
from ..tracking import LoadedModel
from .formats import Written

__all__ = ["LARGEST_DIFFERENCE", "Agreement", "compare"]

LARGEST_DIFFERENCE = 1e-4
"""Between probabilities of one label; more is not the same model."""
LONGEST_RUN_S = 600.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an exported model and the registered one are apart."""

    recordings: int
    corpus: str
    """Of the recordings."""
    difference: float
    """The largest absolute difference of probabilities, both in float32."""
    rounding: float | None
    """The largest difference from the registered model where that runs its encoder in bfloat16; else None."""


def compare(
    folder: Path,
    model: LoadedModel,
    recordings: Sequence[Path],
    corpus: str,
    written: Written,
) -> Agreement:
    """Run an exported folder's predict.py in a process of its own, and compare all probabilities and answers.

    Raises:
        SerTuneError: It does not run, its probabilities are not those of `predict`, or an answer is not what the task
            decides of them.
    """
    registered, in_float32 = _said(model, recordings), written.in_float32
    expected = registered if in_float32 is None else _said(in_float32, recordings)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-B", "-W", "ignore", str(folder / "predict.py"), *map(str, recordings)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=LONGEST_RUN_S
        )
    except subprocess.TimeoutExpired:
        raise SerTuneError(f"the exported predict.py did not end within {LONGEST_RUN_S:.0f} s") from None
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"])[-1]
        raise SerTuneError(f"the exported predict.py does not run: {last}")
    rows = json.loads(ended.stdout)
    found = np.array([[row[label] for label in model.labels] for row in rows])
    difference = float(np.abs(found - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise SerTuneError(
            f"the exported model's probabilities differ from predict's by up to {difference:.1e} on {len(recordings)} "
            f"recordings; expected at most {LARGEST_DIFFERENCE:.0e}"
        )
    task = TASKS.get(written.recipe.task)
    for path, row, label in zip(recordings, rows, task.labels(found, written.recipe.labels), strict=True):
        if row[task.answer] != label:
            raise SerTuneError(
                f"the exported model calls the {task.answer} of {path} '{row[task.answer]}'; expected '{label}'"
            )
    return Agreement(
        recordings=len(recordings),
        corpus=corpus,
        difference=difference,
        rounding=None if in_float32 is None else float(np.abs(found - registered).max()),
    )


def _said(model: LoadedModel | Predictor | Committee, recordings: Sequence[Path]) -> np.ndarray:
    """Probabilities of recordings, each judged by itself: shape (recordings, K)."""
    found = [model.predict([one])[0].probabilities for one in recordings]
    return np.array([[one[label] for label in model.labels] for one in found])
