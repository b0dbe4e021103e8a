"""Tests of a version on the validation speakers, for promotion rules that need them."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mlflow.entities import Run

from ..config import read_model_tests
from ..errors import RegistryError
from ..features import CONDITIONS, Condition, Disturbance
from ..protocol import Prepared
from ..search import score_validation_speakers
from ..tracking import (
    CONTENT,
    ENCODERS_FILE,
    MODEL_TAG,
    LoadedModel,
    Workspace,
    download,
    metrics_of,
    model_errors,
    open_predictor,
    read_predictions,
)
from .checked_model import CheckedNumber, JudgedUtterances, check_numbers, refuse_unknown_tests, size_of

__all__ = ["check_on_validation", "digest_of_tests"]

_log = logging.getLogger(__name__)
NOTED_S = 20.0
"""Seconds between notes on the conditions."""


def check_on_validation(workspace: Workspace, run: Run, prepared: Prepared, tests: Path) -> list[CheckedNumber]:
    """Measure the networks of a run on the validation speakers of their folds, for the thresholds of a file.

    Args:
        workspace: The project's stores.
        run: Of a trial or a combination whose model was kept.
        prepared: Its study.
        tests: The file.

    Raises:
        ConfigError: The file cannot be read, or has unknown tests.
        RegistryError: The run's validation predictions are gone.
    """
    thresholds = read_model_tests(tests)
    refuse_unknown_tests(thresholds, tests)
    found = read_predictions(workspace, run, "validation")
    if found is None:
        raise RegistryError(f"the validation predictions of run {run.info.run_id} are gone, which tests are of")
    uri = f"models:/{run.data.tags[MODEL_TAG]}"
    predictor, disturbance = open_predictor(uri), Disturbance(prepared.corpus)
    utterance_of = {utterance.id: utterance for utterance in prepared.corpus.utterances}

    def in_condition(condition: Condition) -> np.ndarray | None:
        if not disturbance.possible(condition):
            return None
        with model_errors():
            judged = score_validation_speakers(prepared, predictor, workspace.project.cache, condition=condition)
        row_of = {name: row for row, name in enumerate(judged.utterances)}
        predicted: np.ndarray = judged.predicted[[row_of[name] for name in found.utterances]]
        return predicted

    folder = download(uri)
    encoders = json.loads((folder / CONTENT / ENCODERS_FILE).read_text(encoding="utf-8"))
    size = size_of(folder) + sum(size_of(download(encoder)) for encoder in encoders.values())
    judged = JudgedUtterances(
        task=found.task,
        metrics=metrics_of(run),
        names=found.names,
        truth=found.truth,
        shown=found.shown,
        predicted=found.predicted,
        utterances=[utterance_of[name] for name in found.utterances],
        in_condition=in_condition,
        model=LoadedModel(predictor),
        size_bytes=size,
    )
    return list(check_numbers(thresholds, judged, _noted()))


def _noted() -> Callable[[str], None]:
    """A function that receives the name of each condition, and notes the present one from time to time."""
    noted = time.monotonic()

    def note(name: str) -> None:
        nonlocal noted
        if time.monotonic() - noted > NOTED_S:
            noted = time.monotonic()
            _log.warning("note: worse recordings are judged, of %d conditions now %s", len(CONDITIONS), name)

    return note


def digest_of_tests(tests: Path) -> str:
    """Twelve hexadecimal digits of the content of a file of tests; empty where it cannot be read."""
    try:
        return hashlib.sha256(tests.read_bytes()).hexdigest()[:12]
    except OSError:
        return ""
