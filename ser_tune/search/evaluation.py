"""Score the networks of folds on speakers whom they were not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from ..config import Project
from ..corpora import Corpus
from ..errors import StudyError
from ..features import FEATURE_SETS, FeatureStore, corpus_features
from ..folds import Fold, may_train
from ..prediction import Committee, Heard, Predictor, UtteranceFeatures
from ..protocol import Prepared
from ..resampling import Scores, score
from ..training import AnyTrial, fold_seed, recipe_of
from .trainer import Trainer

__all__ = [
    "HeldOut",
    "SingleScores",
    "Speech",
    "refit",
    "score_holdout_speakers",
    "score_test_speakers",
    "score_validation_speakers",
]

Speech: TypeAlias = Mapping[int, np.ndarray]
"""From an utterance's number to what is judged in place of its recording, shape (N,), float32, 16 kHz; of all
utterances of every speaker that is judged."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What networks said of the utterances that were held out from them."""

    scores: Scores
    utterances: tuple[str, ...]
    fold: np.ndarray
    """Which fold held each utterance out, shape (N,)."""
    truth: np.ndarray
    """Targets, shape (N, ...)."""
    predicted: np.ndarray
    """Predictions, shape (N, ...)."""
    outputs: np.ndarray
    """Of the task's form, shape (N, K)."""


def refit(prepared: Prepared, config: AnyTrial, epochs: int, project: Project) -> Predictor:
    """Train one network on all speakers, but for those that the study holds out.

    Args:
        prepared: The study that the configuration won.
        config: Concrete.
        epochs: As many as the folds settled on; the schedule is fitted to them.
        project: Where the feature cache is.
    """
    trainer = Trainer(prepared, project.cache, precision=config.training.precision)
    # The device of this machine, which need not be that of the study
    training = config.training.model_copy(update={"epochs": epochs, "device": trainer.device.type})
    whole = config.model_copy(update={"training": training})
    held_out = prepared.definition.config.protocol.holdout
    trained = np.flatnonzero(may_train(prepared.corpus, held_out))
    seed = fold_seed(config.seed, len(prepared.folds))
    fitted = trainer.train(trainer.job_of(whole, trained, np.arange(0), seed=seed))
    recipe = recipe_of(whole, prepared.targets.names, prepared.definition.goal)
    return Predictor(recipe, [fitted.network], [fitted.scaling])


def score_test_speakers(
    prepared: Prepared,
    predictor: Predictor | Committee,
    cache: Path,
    *,
    speech: Speech | None = None,
) -> HeldOut:
    """Let every fold's network judge the fold's test speakers: the one look at them, for what is promoted.

    Args:
        prepared: The study that the networks were trained in.
        predictor: One network for each fold, or members with one for each fold; networks are found by the fold's key.
        cache: The project's cache folder.
        speech: What to judge in place of the corpus's recordings.

    Raises:
        StudyError: The predictor has not one network of every fold.
    """
    return _by_folds(prepared, predictor, cache, [fold.test for fold in prepared.folds], speech)


def score_validation_speakers(
    prepared: Prepared,
    predictor: Predictor | Committee,
    cache: Path,
    *,
    speech: Speech | None = None,
) -> HeldOut:
    """Let every fold's network judge the fold's validation speakers; else as `score_test_speakers`."""
    return _by_folds(prepared, predictor, cache, [fold.validation for fold in prepared.folds], speech)


def _by_folds(
    prepared: Prepared,
    predictor: Predictor | Committee,
    cache: Path,
    numbers: Sequence[np.ndarray],
    speech: Speech | None = None,
) -> HeldOut:
    judge = _Judge(prepared, predictor, cache, speech)
    judged = [judge(fold, one) for fold, one in zip(prepared.folds, numbers, strict=True)]
    return judge.held_out(numbers, judged, [fold.number for fold in prepared.folds])


@dataclass(frozen=True, slots=True)
class SingleScores:
    """Scores of single networks by the study's objective, mean over the networks."""

    value: float
    """Of all held-out utterances."""
    by_speaker: Mapping[str, float]
    """Of each held-out speaker, over the targets that the speaker has."""


def score_holdout_speakers(
    prepared: Prepared, predictor: Predictor | Committee, cache: Path, *, speech: Speech | None = None
) -> tuple[HeldOut, SingleScores]:
    """Let all networks judge the speakers that the study never saw.

    Args:
        prepared: A study with `protocol.holdout`.
        predictor: Trained in it.
        cache: The project's cache folder.
        speech: What to judge in place of the corpus's recordings.

    Returns:
        What all networks say together, averaged as it is shown, such as by probabilities; and the scores of the single
        networks, which are what compares with validation, where single networks judged too.
    """
    task, judge = prepared.definition.task, _Judge(prepared, predictor, cache, speech)
    held_out = prepared.definition.config.protocol.holdout
    numbers = np.flatnonzero([one.speaker in held_out for one in prepared.corpus.utterances])
    single = [judge(fold, numbers) for fold in prepared.folds]
    # As `task.average` to all that is shown, not to the bit
    mean = np.mean([task.show(one) for one in single], axis=0)
    together = judge.held_out([numbers], [task.unshow(mean)], [0])
    speakers = np.array([prepared.corpus.utterances[one].speaker for one in numbers])
    predicted = [task.decide(one) for one in single]

    def mean_score(chosen: np.ndarray) -> float:
        """Of the utterances of a mask, shape (N,)."""
        objective, outputs = prepared.definition.objective, len(prepared.targets.names)
        return float(np.mean([objective.score(together.truth[chosen], one[chosen], outputs) for one in predicted]))

    by_speaker = {str(speaker): mean_score(speakers == speaker) for speaker in np.unique(speakers)}
    return together, SingleScores(mean_score(np.full(len(speakers), True)), by_speaker)


class _Judge:
    """Networks and the corpus that they judge."""

    def __init__(
        self,
        prepared: Prepared,
        predictor: Predictor | Committee,
        cache: Path,
        speech: Speech | None = None,
    ) -> None:
        # Not by isinstance: a registered model runs its own copy of this package, with classes of its own
        self._members: list[Predictor] = getattr(predictor, "members", [predictor])
        self._features = [
            _features(prepared.corpus, one, cache) if speech is None else _features_of_speech(one, speech)
            for one in self._members
        ]
        self._prepared, self._task = prepared, prepared.definition.task
        self._speakers = prepared.corpus.speaker_numbers
        self._known = np.arange(len(self._speakers)) if speech is None else np.array(sorted(speech))
        wanted = {fold.key for fold in prepared.folds}
        for member in self._members:
            folds = getattr(member, "folds", ())  # a model brings the code that wrote it
            if len(folds) != len(member.networks) or set(folds) != wanted or len(folds) != len(wanted):
                held = " ".join(folds) or "unknown (an earlier ser-tune trained it: train it again)"
                raise StudyError(
                    f"the model holds {len(member.networks)} networks of the folds {held}; "
                    f"the study has the folds {' '.join(sorted(wanted))} (validation/test)"
                )

    def __call__(self, fold: Fold, utterances: np.ndarray) -> np.ndarray:
        """Judge utterances by the network of one fold, or by the members' networks of that fold together.

        Returns:
            Outputs, shape (N, K).
        """
        said, rows = [], np.searchsorted(self._known, utterances)
        for member, features in zip(self._members, self._features, strict=True):
            network = member.folds.index(fold.key)
            # A registered model runs the code that it carries: of version 0.1 the method has another name
            judge: Any = getattr(member, "outputs", None) or getattr(member, "log_probabilities", None)
            outputs, reader = judge(network, features, rows, self._speakers[self._known])
            said.append(self._task.aggregate(outputs, reader.plan.utterance, member.recipe.aggregation))
        return self._task.average(said)

    def held_out(self, numbers: Sequence[np.ndarray], judged: Sequence[np.ndarray], folds: Sequence[int]) -> HeldOut:
        """Score what was said, fold by fold; `folds` are their numbers."""
        targets, utterances = self._prepared.targets, self._prepared.corpus.utterances
        tested, outputs = np.concatenate(numbers), np.concatenate(judged)
        folded = [
            (targets.values[one], self._task.decide(said), self._speakers[one])
            for one, said in zip(numbers, judged, strict=True)
        ]
        return HeldOut(
            scores=score(folded, self._prepared.definition.metrics, len(targets.names)),
            utterances=tuple(utterances[one].id for one in tested),
            fold=np.repeat(folds, [len(one) for one in numbers]),
            truth=targets.values[tested],
            predicted=np.concatenate([predicted for _, predicted, _ in folded]),
            outputs=outputs,
        )


def _features(corpus: Corpus, predictor: Predictor, cache: Path) -> UtteranceFeatures:
    settings = predictor.recipe.features
    store = corpus_features(corpus, FEATURE_SETS.get(settings.name), settings, cache / "features")
    return UtteranceFeatures.of(store, torch.device("cpu"))


def _features_of_speech(predictor: Predictor, speech: Speech) -> UtteranceFeatures:
    """Of these utterances alone, in the order of their numbers."""
    extracted = predictor.extract([Heard(f"utterance {number}", one) for number, one in sorted(speech.items())])
    settings = predictor.recipe.features
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in extracted])]).astype(np.int64)
    store = FeatureStore.of(np.concatenate(extracted), offsets)
    return UtteranceFeatures.of(store.channels(FEATURE_SETS.get(settings.name).channels(settings)), torch.device("cpu"))
