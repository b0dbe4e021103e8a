"""The one look at the test speakers: for a promoted trial, with the networks that its folds trained."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..config import Project
from ..corpora import Corpus
from ..errors import StudyError
from ..features import FEATURE_SETS, corpus_features
from ..metrics import Scores, score
from ..prediction import Predictor, UtteranceFeatures, aggregate
from ..training import AnyTrial, fit, fold_seed, recipe_of
from .objective import Objective, speaker_numbers
from .observer import StudyObserver
from .runner import Prepared

__all__ = ["HeldOut", "refit", "score_test_speakers"]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What networks said of the utterances that were held out from them."""

    scores: Scores
    utterances: tuple[str, ...]
    fold: np.ndarray
    """Which fold held each utterance out, shape (N,)."""
    truth: np.ndarray
    """Class numbers, shape (N,)."""
    log_probabilities: np.ndarray
    """Shape (N, K)."""


def refit(prepared: Prepared, config: AnyTrial, epochs: int, project: Project) -> Predictor:
    """Train one network on all speakers.

    Args:
        prepared: The study that the configuration won.
        config: Concrete.
        epochs: As many as the folds settled on; the schedule is fitted to them.
        project: Where the feature cache is.
    """
    objective = Objective(
        definition=prepared.definition,
        corpus=prepared.corpus,
        folds=prepared.folds,
        cache=project.cache,
        observer=StudyObserver(),
        precision=config.training.precision,
    )
    # The device of this machine, which need not be that of the study
    training = config.training.model_copy(update={"epochs": epochs, "device": objective.device.type})
    whole = config.model_copy(update={"training": training})
    aggregation = prepared.definition.config.protocol.aggregation
    fitted = fit(
        whole,
        objective.data(config.features),
        np.arange(len(prepared.corpus.utterances)),
        np.arange(0),
        seed=fold_seed(config.seed, len(prepared.folds)),
        aggregation=aggregation,
    )
    return Predictor(recipe_of(whole, prepared.corpus.emotions, aggregation), [fitted.network], [fitted.scaling])


def score_test_speakers(prepared: Prepared, predictor: Predictor, cache: Path) -> HeldOut:
    """Let every fold's network judge the fold's test speakers.

    Args:
        prepared: The study that the networks were trained in.
        predictor: One network a fold, in the folds' order.
        cache: The project's cache folder.

    Raises:
        StudyError: The predictor has another number of networks than the study has folds.
    """
    corpus: Corpus = prepared.corpus
    if len(predictor.networks) != len(prepared.folds):
        raise StudyError(
            f"the model holds {len(predictor.networks)} networks; the study has {len(prepared.folds)} folds"
        )
    settings = predictor.recipe.features
    store = corpus_features(corpus, FEATURE_SETS.get(settings.name), settings, cache / "features")
    features = UtteranceFeatures.of(store, torch.device("cpu"))
    labels = np.array([corpus.emotions.index(one.emotion) for one in corpus.utterances])
    speakers = speaker_numbers(corpus)
    judged = []
    for fold in prepared.folds:
        scores, reader = predictor.log_probabilities(fold.number, features, fold.test, speakers)
        judged.append(aggregate(scores, reader.plan.utterance, predictor.recipe.aggregation))
    tested = np.concatenate([fold.test for fold in prepared.folds])
    return HeldOut(
        scores=score(
            [(labels[fold.test], one.argmax(axis=1)) for fold, one in zip(prepared.folds, judged, strict=True)]
        ),
        utterances=tuple(corpus.utterances[one].id for one in tested),
        fold=np.concatenate([np.full(len(fold.test), fold.number) for fold in prepared.folds]),
        truth=labels[tested],
        log_probabilities=np.concatenate(judged),
    )
