"""Baselines without sound: scores of targets that are predicted from the spoken words, or from the speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..corpora import Utterance
from ..folds import Fold
from ..metrics import Metric, Ranking
from ..resampling import Interval, score
from ..tasks import Targets, Task

__all__ = ["SoundlessScore", "speaker_baseline", "text_baseline"]

PRIOR = 1e-3
"""Weight, in utterances, of the mean of all training utterances in that of a text; between classes that are equally
frequent in a text it decides alone."""

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class SoundlessScore:
    """The score of predictions that need no sound."""

    metric: Metric
    """The task's first."""
    value: float
    """Pooled, of the test utterances."""
    interval: Interval
    """95 %, by bootstrap over speakers."""
    chance: float
    """The score of guessing, such as 1 / number of emotions that occur; of a metric without one, that of the mean of
    the training utterances as prediction of every utterance."""

    @property
    def above_chance(self) -> bool:
        """Whether the interval, or where that is unknown the score, is better than chance."""
        ranking = Ranking(self.metric)
        worse_end = getattr(self.interval, ranking.worse_end)
        return ranking.is_better(worse_end if self.interval.known else self.value, self.chance)

    @property
    def facts(self) -> dict[str, str]:
        """The protocol's fact where the words alone score above chance; else none."""
        score = f"{self.metric.title} {self.value:.3f}, chance {self.chance:.3f}"
        return {"text_baseline": score} if self.above_chance else {}

    def __str__(self) -> str:
        """In words, with the interval where it is known."""
        interval = f" {self.interval}" if self.interval.known else ""
        return f"{self.metric.title} {self.value:.3f}{interval}, chance {self.chance:.3f}"


def text_baseline(
    utterances: Sequence[Utterance], folds: Sequence[Fold], targets: Targets, *, task: Task
) -> SoundlessScore | None:
    """Score the prediction of every test utterance from its text.

    The prediction is the mean target of the text's utterances on the fold's training side; of classes, the most
    frequent class, and of equals the class that is more frequent on the whole training side. Texts that are not known,
    or that training lacks, get the mean or most frequent target of the training side.

    Args:
        utterances: The corpus's.
        folds: Their training and test sides.
        targets: The utterances' targets.
        task: The task that has these targets.

    Returns:
        None where no utterance has a text, none is tested, or whole corpora are tested, whose texts no other has.
    """
    texts, text_of = np.unique([utterance.text for utterance in utterances], return_inverse=True)
    if texts.tolist() == [""] or not _tested(folds) or folds[0].held_out:
        return None
    encoded = _encoded(targets, task)

    def predict(fold: Fold) -> np.ndarray:
        sums, counts = _sums(encoded[fold.train], text_of[fold.train], len(texts))
        sums[texts == ""], counts[texts == ""] = 0.0, 0.0
        means = (sums + PRIOR * encoded[fold.train].mean(axis=0)) / (counts + PRIOR)[:, np.newaxis]
        of_test: np.ndarray = means[text_of[fold.test]]
        return of_test

    return _scored(utterances, [(fold, predict(fold)) for fold in folds], targets, encoded, task)


def speaker_baseline(
    utterances: Sequence[Utterance], folds: Sequence[Fold], targets: Targets, *, task: Task
) -> SoundlessScore | None:
    """Score the prediction of every test utterance by the mean target of its speaker's test utterances.

    It is the score that the speaker's identity alone can give. No model can predict like that, because the means are
    those of the test utterances themselves, the predicted utterance included. Of classes it is the speaker's most
    frequent class. Arguments are those of `text_baseline`.

    Returns:
        None where no utterance is tested.
    """
    if not _tested(folds):
        return None
    encoded, speakers = _encoded(targets, task), _numbered_speakers(utterances)
    tested = np.concatenate([fold.test for fold in folds])
    sums, counts = _sums(encoded[tested], speakers[tested], int(speakers.max()) + 1)
    means = (sums + PRIOR * encoded[tested].mean(axis=0)) / (counts + PRIOR)[:, np.newaxis]
    return _scored(utterances, [(fold, means[speakers[fold.test]]) for fold in folds], targets, encoded, task)


def _scored(
    utterances: Sequence[Utterance],
    predicted: Sequence[tuple[Fold, np.ndarray]],
    targets: Targets,
    encoded: np.ndarray,
    task: Task,
) -> SoundlessScore:
    """The score of folds' predicted means (N, K), beside chance."""
    metric, outputs = task.metric(task.metrics[0]), len(targets.names)
    speakers = _numbered_speakers(utterances)

    def judged(means: np.ndarray, fold: Fold) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = task.unshow(means)
        if task.thresholds is not None:  # decided where the mean is not below that of the training side
            found = found - task.unshow(encoded[fold.train].mean(axis=0)) + ROUNDING
        return targets.values[fold.test], task.decide(found), speakers[fold.test]

    found = score([judged(means, fold) for fold, means in predicted], [metric], outputs)[metric.name]
    if metric.chance is not None:
        chance = metric.chance(len(found.parts) or outputs)
    else:
        constant = [
            judged(np.broadcast_to(encoded[fold.train].mean(axis=0), means.shape), fold) for fold, means in predicted
        ]
        chance = score(constant, [metric], outputs)[metric.name].value
    return SoundlessScore(metric=metric, value=found.value, interval=found.interval, chance=chance)


def _tested(folds: Sequence[Fold]) -> bool:
    """Whether any utterance is tested; official splits may have no test set."""
    return any(len(fold.test) for fold in folds)


def _encoded(targets: Targets, task: Task) -> np.ndarray:
    """Targets as numbers that can be averaged, shape (N, K), float64."""
    return task.encoded(targets.values, len(targets.names))


def _sums(encoded: np.ndarray, groups: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The sum (G, K) and the number (G,) of each group's encoded targets (N, K)."""
    sums = np.stack([np.bincount(groups, weights=output, minlength=n_groups) for output in encoded.T], axis=1)
    return sums, np.bincount(groups, minlength=n_groups).astype(np.float64)


def _numbered_speakers(utterances: Sequence[Utterance]) -> np.ndarray:
    """A number for each utterance's speaker, shape (N,)."""
    numbers: np.ndarray = np.unique([utterance.speaker for utterance in utterances], return_inverse=True)[1]
    return numbers
