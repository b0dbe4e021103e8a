"""Score the networks of folds on speakers whom they were not trained on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..architectures.networks import set_threshold
from ..config import adaptation_of
from ..corpora import Corpus
from ..errors import StudyError
from ..features import FEATURE_SETS, Condition, RememberedMoments, corpus_features
from ..folds import Fold, never_seen
from ..prediction import Committee, Draw, Predictor, SpeakerSets, UtteranceFeatures, features_in
from ..project import Project
from ..protocol import Prepared
from ..resampling import Scores, score
from ..row_groups import rows_by
from ..tasks import TASKS
from ..training import AnyTrial, fold_seed, recipe_of
from .trainer import Trainer

__all__ = [
    "HeldOut",
    "judge_together",
    "refit",
    "score_holdout_speakers",
    "score_test_speakers",
    "score_validation_speakers",
]


ROWS = 512
"""About as many utterances are judged at a time where each has statistics of its own."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Outputs of networks for the utterances that were held out from them, and their scores."""

    scores: Scores
    utterances: tuple[str, ...]
    fold: np.ndarray
    """The fold that held each utterance out, shape (N,)."""
    truth: np.ndarray
    """Targets, shape (N, ...)."""
    predicted: np.ndarray
    """Predictions, shape (N, ...)."""
    outputs: np.ndarray
    """Outputs of the task, shape (N, K)."""


@dataclass(frozen=True, slots=True)
class SingleScores:
    """Scores of single networks by the study's objective, mean over the networks."""

    value: float
    """Score of all held-out utterances."""
    by_speaker: Mapping[str, float]
    """Score of each held-out speaker, over the targets that the speaker has."""


def refit(
    prepared: Prepared,
    config: AnyTrial,
    epochs: int,
    project: Project,
    *,
    errors: Sequence[float] = (),
    thresholds: np.ndarray | None = None,
) -> Predictor:
    """Train a network on all speakers except held-out speakers of the study and test speakers of an official split.

    Args:
        prepared: The study that the configuration won.
        config: Concrete.
        epochs: As many as the folds settled on; the schedule is fitted to them.
        project: Its cache folder holds the features.
        errors: Of the folds' networks, as of `Recipe`.
        thresholds: Of decisions, shape (K,), for want of validation speakers; None where the task has none.
    """
    trainer = Trainer(prepared, project.cache, precision=config.training.precision)
    # The device of this machine, which need not be that of the study
    training = config.training.model_copy(update={"epochs": epochs, "device": trainer.device.type})
    whole = config.model_copy(update={"training": training})
    seed = fold_seed(config.seed, len(prepared.folds))
    fitted = trainer.train(trainer.job_of(whole, prepared.trainable, np.arange(0), seed=seed))
    if thresholds is not None:
        set_threshold(fitted.network, thresholds)
    recipe = recipe_of(whole, prepared.targets.names, prepared.definition.goal)
    known = replace(recipe, scales=prepared.targets.scales, errors=tuple(errors))
    return Predictor(known, [fitted.network], [fitted.scaling], prototypes=[fitted.prototypes])


def score_test_speakers(
    prepared: Prepared,
    predictor: Predictor | Committee,
    cache: Path,
    *,
    condition: Condition | None = None,
    draw: Draw | None = None,
) -> HeldOut:
    """Score every fold's network on the fold's test speakers, only once and only for a promoted trial.

    Args:
        prepared: The study that the networks were trained in.
        predictor: One network for each fold, or members with one for each fold; networks are found by the fold's key.
        cache: The project's cache folder.
        condition: Disturbs the corpus's recordings; None leaves them clean.
        draw: Utterances that adapt networks to each; None is as the model has it.

    Raises:
        StudyError: The predictor has not one network of every fold.
    """
    return _FoldNetworks(prepared, predictor, cache, condition, draw).score([fold.test for fold in prepared.folds])


def score_validation_speakers(
    prepared: Prepared, predictor: Predictor | Committee, cache: Path, *, condition: Condition | None = None
) -> HeldOut:
    """Score every fold's network on the fold's validation speakers; else as `score_test_speakers`."""
    return _FoldNetworks(prepared, predictor, cache, condition).score([fold.validation for fold in prepared.folds])


def score_holdout_speakers(
    prepared: Prepared,
    predictor: Predictor | Committee,
    cache: Path,
    *,
    condition: Condition | None = None,
    draw: Draw | None = None,
) -> tuple[HeldOut, SingleScores]:
    """Score all networks on the speakers that the study never saw; arguments are those of `score_test_speakers`.

    Returns:
        The networks together, averaged as it is shown, such as by probabilities; and the scores of the single
        networks, which are comparable with validation, where single networks are scored too.
    """
    task, networks = prepared.definition.task, _FoldNetworks(prepared, predictor, cache, condition, draw)
    numbers = never_seen(prepared.corpus, prepared.definition.config.protocol.holdout)
    single = [networks.outputs(fold, numbers) for fold in prepared.folds]
    # As `task.average` to all that is shown, not to the bit
    mean = np.mean([task.show(outputs) for outputs in single], axis=0)
    together = networks.held_out([numbers], [task.unshow(mean)], [0])
    speakers = [prepared.corpus.utterances[number].speaker for number in numbers]
    predicted = [task.decide(outputs) for outputs in single]

    def mean_score(chosen: np.ndarray) -> float:
        """Mean score of some utterances, by their numbers."""
        objective, width = prepared.definition.objective, len(prepared.targets.names)
        return float(np.mean([objective.score(together.truth[chosen], made[chosen], width) for made in predicted]))

    by_speaker = {speaker: mean_score(own) for speaker, own in rows_by(speakers).items()}
    return together, SingleScores(mean_score(np.arange(len(speakers))), by_speaker)


def judge_together(
    corpus: Corpus, predictor: Predictor | Committee, cache: Path, utterances: np.ndarray, draw: Draw
) -> np.ndarray:
    """Judge utterances of any corpus by all networks of a model that adapts, from cached features.

    Returns:
        Shown numbers, such as probabilities, of the networks together, shape (N, K).
    """
    shown, speakers = [], corpus.speaker_numbers
    for member in getattr(predictor, "members", [predictor]):
        features, task = _features(corpus, member, cache), TASKS.get(member.recipe.task)
        found: np.ndarray = np.zeros((len(utterances), len(member.labels)))
        for rows in _by_speakers(speakers[utterances]):
            sets = SpeakerSets.of(speakers, utterances[rows], draw)
            # A set's statistics are those of all networks
            known = replace(features, moments=RememberedMoments.like(features.moments))
            of_networks = []
            for number in range(len(member.networks)):
                outputs, reader = member.outputs(number, known, utterances[rows], speakers, sets=sets)
                of_networks.append(task.show(task.aggregate(outputs, reader.plan.utterance, member.recipe.aggregation)))
            found[rows] = np.mean(of_networks, axis=0)
        shown.append(found)
    together: np.ndarray = np.mean(shown, axis=0)
    return together


def _by_speakers(speakers: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of some speakers at a time, ascending: about `ROWS`, so that statistics of sets fit into memory."""
    rows: list[np.ndarray] = []
    for own in rows_by(speakers).values():
        rows.append(own)
        if sum(map(len, rows)) >= ROWS:
            yield np.sort(np.concatenate(rows))
            rows = []
    if rows:
        yield np.sort(np.concatenate(rows))


class _FoldNetworks:
    """Networks of a study's folds, and features of the corpus for them."""

    def __init__(
        self,
        prepared: Prepared,
        predictor: Predictor | Committee,
        cache: Path,
        condition: Condition | None,
        draw: Draw | None = None,
    ) -> None:
        # Not by isinstance: a registered model runs its own copy of this package, with classes of its own
        self._members: list[Predictor] = getattr(predictor, "members", [predictor])
        self._features = [
            _features(prepared.corpus, member, cache)
            if condition is None
            else features_in(condition, prepared.corpus, member, cache)
            for member in self._members
        ]
        self._draw = draw
        self._prepared, self._task = prepared, prepared.definition.task
        self._speakers, self._corpora = prepared.corpus.speaker_numbers, prepared.corpus.part_numbers
        wanted = sorted(fold.key for fold in prepared.folds)
        for member in self._members:
            if sorted(member.folds) != wanted or len(member.networks) != len(wanted):
                held = " ".join(member.folds) or "unknown"
                raise StudyError(
                    f"the model holds {len(member.networks)} networks of the folds {held}; "
                    f"the study has the folds {' '.join(wanted)} (validation/test)"
                )

    def score(self, numbers: Sequence[np.ndarray]) -> HeldOut:
        """Score the network of each fold on the fold's utterances, by their numbers."""
        folds = self._prepared.folds
        outputs = [self.outputs(fold, held_out) for fold, held_out in zip(folds, numbers, strict=True)]
        return self.held_out(numbers, outputs, [fold.number for fold in folds])

    def outputs(self, fold: Fold, utterances: np.ndarray) -> np.ndarray:
        """Outputs of one fold's network, or of the members' networks of that fold together, shape (N, K)."""
        found = []
        for member, features in zip(self._members, self._features, strict=True):
            network = member.folds.index(fold.key)
            recipe = member.recipe
            # Copies of this package in models of before have no such scope and no adaptation, and no such arguments
            further: dict[str, Any] = {"corpora": self._corpora} if recipe.normalisation.scope == "corpus" else {}
            draw = self._draw or Draw(adaptation_of(recipe).heard)
            if draw.heard is not None:
                further["sets"] = SpeakerSets.of(self._speakers, utterances, draw)
            outputs, reader = member.outputs(network, features, utterances, self._speakers, **further)
            found.append(self._task.aggregate(outputs, reader.plan.utterance, member.recipe.aggregation))
        return self._task.average(found)

    def held_out(self, numbers: Sequence[np.ndarray], outputs: Sequence[np.ndarray], folds: Sequence[int]) -> HeldOut:
        """Score outputs, fold by fold; `folds` are their numbers."""
        targets, utterances = self._prepared.targets, self._prepared.corpus.utterances
        tested = np.concatenate(numbers)
        folded = [
            (targets.values[held_out], self._task.decide(made), self._speakers[held_out])
            for held_out, made in zip(numbers, outputs, strict=True)
        ]
        return HeldOut(
            scores=score(folded, self._prepared.definition.metrics, len(targets.names)),
            utterances=tuple(utterances[number].id for number in tested),
            fold=np.repeat(folds, [len(held_out) for held_out in numbers]),
            truth=targets.values[tested],
            predicted=np.concatenate([predicted for _, predicted, _ in folded]),
            outputs=np.concatenate(outputs),
        )


def _features(corpus: Corpus, predictor: Predictor, cache: Path) -> UtteranceFeatures:
    settings = predictor.recipe.features
    store = corpus_features(corpus, FEATURE_SETS.get(settings.name), settings, cache / "features")
    return UtteranceFeatures.of(store, torch.device("cpu"))
