"""`stressed_METRIC`: the validation score in worse recordings, mean over conditions.

The conditions are those of promotion rule `robust`: the middle severity of noise, babble, room, telephone, codecs,
clipping, low level and trimmed silence. Each fold's network judges its validation speakers in each. Features of worse
recordings are kept in the project's cache, so that later trials with the same features do not extract them again.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..corpora import Corpus
from ..errors import AudioError, StorageError
from ..features import TYPICAL_CONDITIONS, Alter, Condition, Disturbance
from ..metrics import Metric
from ..tasks import TASKS
from .base import CompleteTrial, FindMetric, ObjectiveKind, StudyObjective
from .utterances import utterance_features

if TYPE_CHECKING:
    from ..prediction import Predictor, UtteranceFeatures

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
    from ..prediction import Predictor

    networks, disturbance, scores = trial.networks, Disturbance(trial.corpus), []
    predictor = Predictor(
        trial.recipe,
        [fitted.network for fitted in networks],
        [fitted.scaling for fitted in networks],
        prototypes=[fitted.prototypes for fitted in networks],
    )
    for condition in _extracted(trial, predictor, disturbance):
        features = _read(trial, predictor, condition)
        predicted = np.concatenate([_predicted(trial, predictor, fold, features) for fold in range(len(networks))])
        scores.append(metric.score(trial.pooled[1], predicted, len(trial.targets.names)))
    return float(np.mean(scores)) if scores else float("nan")


def _extracted(trial: CompleteTrial, predictor: "Predictor", disturbance: Disturbance) -> list[Condition]:
    """The conditions whose features are in the cache, after those that were not are extracted.

    Raises:
        StorageError: The cache cannot be written.
    """
    possible = list(filter(disturbance.possible, TYPICAL_CONDITIONS))
    missing = [condition for condition in possible if not _folder(trial, predictor, condition).exists()]
    each, left_out = len(trial.corpus.utterances), set[str]()
    for place, condition in enumerate(missing):

        def progressed(done: int, begun: int = place * each) -> None:
            trial.progressed(begun + done, len(missing) * each)

        try:
            extracted = _extract(predictor, trial.corpus, disturbance.of(condition), progressed)
            _write(_folder(trial, predictor, condition), extracted)
        except AudioError:
            left_out.add(condition.name)
            progressed(each)
        except OSError as error:
            raise StorageError(f"features of worse recordings cannot be stored: {error.strerror or error}") from None
    return [condition for condition in possible if condition.name not in left_out]


def _predicted(trial: CompleteTrial, predictor: "Predictor", fold: int, features: "UtteranceFeatures") -> np.ndarray:
    """Predictions of a fold's network for its validation utterances, shape (V, ...)."""
    from ..prediction import SpeakerSets

    task = TASKS.get(trial.recipe.task)
    speakers = trial.corpus.speaker_numbers
    judged, heard = trial.validation[fold], trial.recipe.adaptation.heard
    sets = SpeakerSets.of(speakers, judged, heard)
    outputs, reader = predictor.outputs(fold, features, judged, speakers, trial.corpus.part_numbers, sets)
    predicted: np.ndarray = task.decide(task.aggregate(outputs, reader.plan.utterance, trial.recipe.aggregation))
    return predicted


def _folder(trial: CompleteTrial, predictor: "Predictor", condition: Condition) -> Path:
    """The cache entry of the corpus's features in a condition."""
    corpus = trial.corpus
    about = [trial.recipe.features.name, predictor.front_end, condition.name, corpus.digest, _utterances(corpus)]
    return trial.cache / "stressed" / hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


def _read(trial: CompleteTrial, predictor: "Predictor", condition: Condition) -> "UtteranceFeatures":
    """Features of the whole corpus in a condition, from the cache.

    Raises:
        StorageError: They are damaged.
    """
    folder = _folder(trial, predictor, condition)
    try:
        frames, offsets = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("frames", "offsets"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"the features of worse recordings in '{folder}' cannot be read ({error}); delete that folder to extract "
            "them again"
        ) from None
    return utterance_features(trial.recipe, frames, np.asarray(offsets))


def _extract(
    predictor: "Predictor", corpus: Corpus, alter: Alter, progressed: Callable[[int], None]
) -> list[np.ndarray]:
    """Features of every disturbed utterance, each (frames, C, F).

    Raises:
        AudioError: An utterance is too short for the front end.
    """
    from ..prediction import Heard

    extracted, utterances = list[np.ndarray](), list(enumerate(corpus.utterances))
    for begin in range(0, len(utterances), AT_ONCE):
        some = utterances[begin : begin + AT_ONCE]
        extracted += predictor.extract([Heard(own.id, alter(number, own.speech())) for number, own in some])
        progressed(len(extracted))
    return extracted


def _write(folder: Path, extracted: list[np.ndarray]) -> None:
    """Write features into a new folder; another process may have just put them there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        partial = Path(temporary, "features")
        partial.mkdir()
        np.save(partial / "frames.npy", np.concatenate(extracted))
        np.save(partial / "offsets.npy", np.cumsum([0, *map(len, extracted)]))
        with suppress(OSError):
            partial.rename(folder)


def _utterances(corpus: Corpus) -> str:
    """A hash of the utterances' identifiers, in their order."""
    return hashlib.sha256("\n".join(utterance.id for utterance in corpus.utterances).encode()).hexdigest()


OBJECTIVE = ObjectiveKind("stressed_METRIC", find)
