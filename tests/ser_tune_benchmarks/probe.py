"""A search over ridge's penalty on cached features of EmoDB's size, beside scikit-learn's classes for it.

The product fits and calibrates a network for each penalty and fold, and judges it on the fold's validation speaker. The
plain program does so with a `RidgeClassifier` each; the good engineer's `RidgeClassifierCV` finds the penalty of a fold
by leaving utterances out, which is a single fit, but leaves speakers on both sides.
"""

from functools import partial

import numpy as np

from .rows import Options, Row, definition
from .ways import Work, compared

__all__ = ["measure"]

UTTERANCES, SPEAKERS, CLASSES, FEATURES = 535, 10, 7, 6373
"""Those of EmoDB with openSMILE's ComParE."""
PENALTIES = np.logspace(-3, 1, 20)


def measure(options: Options) -> list[Row]:
    """All folds of all penalties."""
    count, folds = (2, 2) if options.quick else (len(PENALTIES), SPEAKERS)
    penalties = PENALTIES[:count].tolist()
    ways = {name: partial(way, penalties, folds) for name, way in WAYS.items()}
    what = f"linear_probe, ridge, {UTTERANCES} × {FEATURES}, {count} penalties, {folds} folds"
    return [compared(what, ways, options)]


def _corpus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (U, F) of noise with a signal of each class, classes (U,), and speakers (U,)."""
    rng = np.random.default_rng(0)
    labels, speakers = rng.integers(CLASSES, size=UTTERANCES), np.arange(UTTERANCES) % SPEAKERS
    signal = 0.05 * rng.standard_normal((CLASSES, FEATURES))
    noise = rng.standard_normal((UTTERANCES, FEATURES))
    return (noise + signal[labels]).astype(np.float32), labels, speakers


def _sides(speakers: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the training and the validation utterances: a further speaker is left out for the test."""
    validation, test = fold, (fold + 1) % SPEAKERS
    return np.flatnonzero((speakers != validation) & (speakers != test)), np.flatnonzero(speakers == validation)


def _product(penalties: list[float], folds: int) -> Work:
    import torch

    from ser_tune.architectures import Shared
    from ser_tune.features import FeatureStore
    from ser_tune.prediction import UtteranceFeatures
    from ser_tune.training import TrainingData, fit
    from ser_tune.training.job import SHARED
    from tests.goals import GOAL, classes

    features, labels, speakers = _corpus()
    flags = {"corpus.name": "emodb", "model.name": "linear_probe", "features.name": "opensmile"}
    flags["features.set"] = "ComParE_2016"
    study = definition({**flags, "model.objective": "ridge", "training.device": "cpu", "training.precision": "float32"})
    store = FeatureStore.of(features[:, None], np.arange(UTTERANCES + 1))
    turns = iter(range(100))

    def work() -> None:
        own = UtteranceFeatures.of(store, torch.device("cpu"))
        # Another source each turn: nothing is left from the turn before
        data = TrainingData(
            own, classes(labels, "abcdefg"), speakers, source=f"turn {next(turns)}", shared=Shared(SHARED)
        )
        for penalty in penalties:
            trial = study.trial({"model.penalty": penalty})
            for fold in range(folds):
                fit(trial, data, *_sides(speakers, fold), seed=0, goal=GOAL)

    return work


def _a_fit_each(penalties: list[float], folds: int) -> Work:
    """Scale and fit for each penalty and fold."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import recall_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, speakers = _corpus()

    def work() -> None:
        for penalty in penalties:
            for fold in range(folds):
                train, held_out = _sides(speakers, fold)
                ridge = RidgeClassifier(alpha=penalty * FEATURES, class_weight="balanced")
                model = make_pipeline(StandardScaler(), ridge).fit(features[train], labels[train])
                recall_score(labels[held_out], model.predict(features[held_out]), average="macro", zero_division=0)

    return work


def _all_penalties_at_once(penalties: list[float], folds: int) -> Work:
    """Scale a fold once, and let scikit-learn choose among the penalties."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.metrics import recall_score
    from sklearn.preprocessing import StandardScaler

    features, labels, speakers = _corpus()

    def work() -> None:
        for fold in range(folds):
            train, held_out = _sides(speakers, fold)
            scaler = StandardScaler().fit(features[train])
            model = RidgeClassifierCV([penalty * FEATURES for penalty in penalties], class_weight="balanced")
            model.fit(scaler.transform(features[train]), labels[train])
            predicted = model.predict(scaler.transform(features[held_out]))
            recall_score(labels[held_out], predicted, average="macro", zero_division=0)

    return work


WAYS = {"product": _product, "plain": _a_fit_each, "skilled": _all_penalties_at_once}
