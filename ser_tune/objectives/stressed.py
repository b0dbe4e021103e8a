"""`stressed_METRIC`: the validation score in worse recordings, mean over conditions.

The conditions are those of promotion rule `robust`: the middle severity of noise, babble, room, telephone, codecs,
clipping, low level and trimmed silence. Each fold's network judges its validation speakers in each. Features of worse
recordings are kept in the project's cache, so that later trials with the same features do not extract them again.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import AudioError
from ..features import TYPICAL_CONDITIONS, Disturbance
from ..metrics import Metric
from ..tasks import TASKS
from .base import CompleteTrial, FindMetric, ObjectiveKind, StudyObjective

if TYPE_CHECKING:
    from ..prediction import Predictor, UtteranceFeatures

__all__ = ["OBJECTIVE", "condition_scores"]

PREFIX = "stressed_"


def find(name: str, find_metric: FindMetric) -> StudyObjective | None:
    """The objective of a metric."""
    if not name.startswith(PREFIX) or (metric := find_metric(name.removeprefix(PREFIX))) is None:
        return None

    def value(trial: CompleteTrial) -> float:
        scores = condition_scores(trial, metric)
        return float(np.mean(scores)) if scores else float("nan")

    measure = replace(metric, name=name, title=f"{metric.title} in worse recordings", part="", parts=None)
    return StudyObjective(measure, of_trial=value)


def condition_scores(trial: CompleteTrial, metric: Metric) -> list[float]:
    """The score in each condition, without conditions that leave too little of an utterance.

    Raises:
        StorageError: The cache cannot be written, or is damaged.
    """
    from ..prediction import Predictor, features_in, has_features_in

    networks, scores = trial.networks, list[float]()
    predictor = Predictor(
        trial.recipe,
        [fitted.network for fitted in networks],
        [fitted.scaling for fitted in networks],
        prototypes=[fitted.prototypes for fitted in networks],
    )
    possible = list(filter(Disturbance(trial.corpus).possible, TYPICAL_CONDITIONS))
    about = (trial.corpus, predictor, trial.cache)
    missing = [condition for condition in possible if not has_features_in(condition, *about)]
    each = len(trial.corpus.utterances)
    for condition in possible:
        begun = missing.index(condition) * each if condition in missing else 0

        def progressed(done: int, begun: int = begun) -> None:
            trial.progressed(begun + done, len(missing) * each)

        try:
            features = features_in(condition, *about, progressed=progressed)
        except AudioError:
            progressed(each)
            continue
        predicted = np.concatenate([_predicted(trial, predictor, fold, features) for fold in range(len(networks))])
        scores.append(metric.score(trial.pooled[1], predicted, len(trial.targets.names)))
    return scores


def _predicted(trial: CompleteTrial, predictor: "Predictor", fold: int, features: "UtteranceFeatures") -> np.ndarray:
    """Predictions of a fold's network for its validation utterances, shape (V, ...)."""
    from ..prediction import Draw, SpeakerSets

    task = TASKS.get(trial.recipe.task)
    speakers = trial.corpus.speaker_numbers
    judged = trial.validation[fold]
    sets = SpeakerSets.of(speakers, judged, Draw(trial.recipe.adaptation.heard))
    outputs, reader = predictor.outputs(fold, features, judged, speakers, trial.corpus.part_numbers, sets)
    predicted: np.ndarray = task.decide(task.aggregate(outputs, reader.plan.utterance, trial.recipe.aggregation))
    return predicted


OBJECTIVE = ObjectiveKind("stressed_METRIC", find)
