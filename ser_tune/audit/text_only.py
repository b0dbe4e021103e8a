"""The text-only baseline: the score of predicting emotions from the spoken words, without any sound."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..corpora import Utterance
from ..folds import Fold, Strata
from ..metrics import METRICS, Metric
from ..resampling import Interval, score

__all__ = ["TextBaseline", "text_baseline"]


@dataclass(frozen=True, slots=True)
class TextBaseline:
    """The score of the words alone."""

    metric: Metric
    """UAR."""
    value: float
    """Pooled, of the test utterances."""
    interval: Interval
    """95 %, by bootstrap over speakers."""
    chance: float
    """1 / number of emotions that occur."""

    @property
    def above_chance(self) -> bool:
        """Whether the interval, or where that is unknown the score, lies above chance."""
        return (self.interval.low if self.interval.known else self.value) > self.chance

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
    utterances: Sequence[Utterance], folds: Sequence[Fold], *, strata: Strata | None = None
) -> TextBaseline | None:
    """Predict every test utterance's emotion from its text.

    The prediction is the most frequent emotion of the text among the fold's training utterances; of equals, the
    emotion that is more frequent in the whole training side. Texts that are not known, or that training lacks, get the
    most frequent emotion of the training side.

    Args:
        utterances: Of the corpus.
        folds: Their training and test sides.
        strata: The classes of a study's task; None are the emotions.

    Returns:
        None where no utterance has a text or none is tested, or the task has other classes than the emotions.
    """
    texts, text_of = np.unique([utterance.text for utterance in utterances], return_inverse=True)
    spoken = [utterance.emotion for utterance in utterances]
    if (
        texts.tolist() == [""]
        or not any(len(fold.test) for fold in folds)
        or (strata is not None and list(strata.of_utterance) != spoken)
    ):
        return None
    emotions, labels = np.unique(spoken, return_inverse=True)
    speakers = np.unique([utterance.speaker for utterance in utterances], return_inverse=True)[1]
    judged = []
    for fold in folds:
        counts = np.zeros((len(texts), len(emotions)), dtype=np.int64)
        np.add.at(counts, (text_of[fold.train], labels[fold.train]), 1)
        by_frequency = np.argsort(-counts.sum(axis=0), kind="stable")
        counts[texts == ""] = 0
        # The first of equals wins: the more frequent emotion, and where training lacks a text, the most frequent of all
        predicted = by_frequency[counts[:, by_frequency].argmax(axis=1)]
        judged.append((labels[fold.test], predicted[text_of[fold.test]], speakers[fold.test]))
    uar = METRICS.get("uar")
    found = score(judged, [uar], len(emotions))[uar.name]
    return TextBaseline(metric=uar, value=found.value, interval=found.interval, chance=1 / len(found.parts))
