"""What a study does with 100,000 utterances of half a second, beside decoding sound and training. Opt-in:

SER_TUNE_SCALE=1 python -m pytest -n 0 --log-cli-level=info tests/search/test_scale.py
"""

import csv
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.features import Moments
from ser_tune.folds import Fold
from ser_tune.prediction import SegmentReader, UtteranceFeatures
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.protocol.leaks import refuse_fitted_leaks, refuse_leaks, refuse_misplaced_copies
from ser_tune.resampling import score
from ser_tune.search import HeldOut
from ser_tune.tracking.prediction_tables import write_predictions
from ser_tune.training import AnyTrial, TrainingData, fold_statistics
from tests.folding import text_independent_folds
from tests.goals import classes

pytestmark = pytest.mark.skipif("SER_TUNE_SCALE" not in os.environ, reason="opt-in: set SER_TUNE_SCALE=1")

LOG = logging.getLogger(__name__)
EMOTIONS = ("anger", "joy", "neutral", "sadness")
EACH = 100
"""Utterances of a speaker, which are stretches of one file."""
FRAMES, BANDS = 48, 8
"""Half a second, and few bands: their number is not what is measured."""


def _manifest(folder: Path, utterances: int) -> Path:
    """A table whose files hold no sound: nobody decodes them here."""
    folder.mkdir()
    for speaker in range(utterances // EACH):
        (folder / f"{speaker}.wav").write_text(str(speaker), encoding="utf-8")
    table = folder / "corpus.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "emotion", "start", "end", "text"])
        for number in range(utterances):
            speaker, place = divmod(number, EACH)
            row = (f"{speaker}.wav", speaker, EMOTIONS[number % 4], place / 2, place / 2 + 0.5, f"text {number % 997}")
            writer.writerow(row)
    return table


def _reader(config: AnyTrial, data: TrainingData, fold: Fold) -> SegmentReader:
    """What a fold's training reads its segments by."""
    fitted = fold_statistics(config, data, fold.train)
    scaling = (fitted.scalings, fitted.scaling_number)
    return SegmentReader([data.features], fold.train, config.segments, scaling, overlap=True)


def _seconds(utterances: int, tiny: Callable[..., Any], project: Project) -> dict[str, float]:
    """Processor seconds of each part."""
    took: dict[str, float] = {}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        started = time.process_time()
        done = work()
        took[what] = time.process_time() - started
        return done

    def define(scope: str) -> Any:
        settings = {"corpus.data": table, "segments.frames": 32, "protocol.folds": 10, "normalisation.scope": scope}
        return tiny(**settings)

    table = _manifest(project.cache / str(utterances), utterances)
    prepared = timed("manifest, folds, protocol", lambda: prepare(define("train"), project))
    corpus, folds = prepared.corpus, prepared.folds
    timed("notes", lambda: prepared.notes)
    timed("text-independent folds", lambda: text_independent_folds(corpus, folds))
    sounds = [str(number) for number in range(utterances)]
    timed("leaks", lambda: refuse_leaks(corpus, folds, sounds))
    timed("copies", lambda: refuse_misplaced_copies(corpus, sounds, list(sounds)))

    offsets = np.arange(utterances + 1) * FRAMES
    frames = np.random.default_rng(0).normal(size=(utterances * FRAMES, 1, BANDS)).astype(np.float32)
    features = UtteranceFeatures(
        torch.from_numpy(frames), offsets, timed("moments", lambda: Moments.of(frames, offsets))
    )
    data = TrainingData(features, classes(corpus.labels, corpus.emotions), corpus.speaker_numbers)
    for scope in ("train", "speaker", "utterance"):
        config = define(scope).trial({})
        timed(f"fitted leaks, {scope}", lambda config=config: refuse_fitted_leaks(config, data, folds))
        timed(f"readers, {scope}", lambda config=config: [_reader(config, data, fold) for fold in folds])

    rows = np.concatenate([fold.test for fold in folds])
    said = np.random.default_rng(1).normal(size=(utterances, len(EMOTIONS)))
    sides = [(corpus.labels[rows], said[rows].argmax(axis=1), corpus.speaker_numbers[rows])]
    held_out = HeldOut(
        scores=timed("scores", lambda: score(sides, prepared.definition.metrics, len(EMOTIONS))),
        utterances=tuple(corpus.utterances[row].id for row in rows),
        fold=np.concatenate([np.full(len(fold.test), fold.number) for fold in folds]),
        truth=corpus.labels[rows],
        predicted=said[rows].argmax(axis=1),
        outputs=said[rows],
    )
    task, names = prepared.definition.task, prepared.targets.names
    timed("predictions", lambda: write_predictions(project.cache / "predictions.csv", held_out, corpus, task, names))
    return took


def test_100_000_utterances_take_linear_time_and_less_than_2_ms_each(
    tiny: Callable[..., Any], project: Project
) -> None:
    _seconds(1_000, tiny, project)  # imports, and what is drawn once
    few, many = (_seconds(number, tiny, project) for number in (25_000, 100_000))
    for what in many:
        LOG.info("%-28s %7.2f s %7.2f s", what, few[what], many[what])
    assert sum(many.values()) / 100_000 < 0.002
    assert sum(many.values()) < 1.5 * 4 * sum(few.values())
    assert not {what for what in many if many[what] > 1.0 and many[what] > 2 * 4 * few[what]}
