"""`stressed_METRIC`: the validation score in worse recordings, mean over conditions.

The conditions are those of promotion rule `robust`: the middle severity of noise, babble, room, telephone, codecs,
clipping, low level and trimmed silence. Each fold's network judges its validation speakers in each. Features of worse
recordings are kept in the project's cache, so that later trials with the same features do not extract them again.
"""

import hashlib
import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..corpora import Corpus
from ..errors import AudioError, StorageError
from ..features import TYPICAL_CONDITIONS, Condition, Disturbance
from ..metrics import Metric
from ..prediction import Heard, Predictor, UtteranceFeatures
from ..tasks import TASKS
from .base import CompleteTrial, FindMetric, ObjectiveKind, StudyObjective
from .utterances import utterance_features

__all__ = ["OBJECTIVE"]

PREFIX = "stressed_"
AT_ONCE = 32
"""Utterances that are extracted at once."""


def find(name: str, find_metric: FindMetric) -> StudyObjective | None:
    """The objective of a metric."""
    if not name.startswith(PREFIX) or (metric := find_metric(name.removeprefix(PREFIX))) is None:
        return None

    def value(trial: CompleteTrial) -> float:
        return stressed_score(trial, metric)

    measure = replace(metric, name=name, title=f"{metric.title} in worse recordings", part="", parts=None)
    return StudyObjective(measure, of_trial=value)


def stressed_score(trial: CompleteTrial, metric: Metric) -> float:
    """The mean score over conditions, without those that leave too little of an utterance; NaN without any."""
    networks = trial.networks
    predictor = Predictor(
        trial.recipe, [fitted.network for fitted in networks], [fitted.scaling for fitted in networks]
    )
    disturbance, scores = Disturbance(trial.corpus), []
    for condition in filter(disturbance.possible, TYPICAL_CONDITIONS):
        with suppress(AudioError):
            features = _disturbed(trial, predictor, disturbance, condition)
            predicted = np.concatenate([_predicted(trial, predictor, fold, features) for fold in range(len(networks))])
            scores.append(metric.score(trial.pooled[1], predicted, len(trial.targets.names)))
    return float(np.mean(scores)) if scores else float("nan")


def _predicted(trial: CompleteTrial, predictor: Predictor, fold: int, features: UtteranceFeatures) -> np.ndarray:
    """Predictions of a fold's network for its validation utterances, shape (V, ...)."""
    task = TASKS.get(trial.recipe.task)
    speakers = trial.corpus.speaker_numbers
    outputs, reader = predictor.outputs(fold, features, trial.validation[fold], speakers)
    predicted: np.ndarray = task.decide(task.aggregate(outputs, reader.plan.utterance, trial.recipe.aggregation))
    return predicted


def _disturbed(
    trial: CompleteTrial, predictor: Predictor, disturbance: Disturbance, condition: Condition
) -> UtteranceFeatures:
    """Features of the whole corpus in a condition, from the cache where it has them.

    Raises:
        AudioError: The condition leaves too little of an utterance.
        StorageError: The cache cannot be written.
    """
    corpus, recipe = trial.corpus, trial.recipe
    about = [recipe.features.name, predictor.front_end, condition.name, corpus.digest, _utterances(corpus)]
    folder = trial.cache / "stressed" / hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
    try:
        if not folder.exists():
            _extract(folder, predictor, corpus, disturbance, condition)
        frames, offsets = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("frames", "offsets"))
    except (OSError, ValueError) as error:
        raise StorageError(f"the features of worse recordings in '{folder}' cannot be kept: {error}") from None
    return utterance_features(recipe, frames, np.asarray(offsets))


def _extract(
    folder: Path, predictor: Predictor, corpus: Corpus, disturbance: Disturbance, condition: Condition
) -> None:
    """Extract the features of a corpus in a condition into a new folder."""
    alter, extracted = disturbance.of(condition), list[np.ndarray]()
    for begin in range(0, len(corpus.utterances), AT_ONCE):
        some = list(enumerate(corpus.utterances))[begin : begin + AT_ONCE]
        extracted += predictor.extract([Heard(own.id, alter(number, own.speech())) for number, own in some])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        partial = Path(temporary, "features")
        partial.mkdir()
        np.save(partial / "frames.npy", np.concatenate(extracted))
        np.save(partial / "offsets.npy", np.cumsum([0, *map(len, extracted)]))
        with suppress(OSError):  # another process has just put them there
            partial.rename(folder)


def _utterances(corpus: Corpus) -> str:
    """A hash of the utterances' identifiers, in their order."""
    return hashlib.sha256("\n".join(utterance.id for utterance in corpus.utterances).encode()).hexdigest()


OBJECTIVE = ObjectiveKind("stressed_METRIC", find)
