"""What a study's winner is worth without the choice among its trials.

Complete trials keep the confusion matrices of their validation speakers. The choice is repeated on resampled speakers
as the study made it, among complete searched trials and then on fresh seeds (`correct_selection`). Pruned trials could
not win, nor could those that failed: they are no candidates.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from ..corpora import Corpus
from ..resampling import Corrected, with_interval
from ..resampling.old import correct_selection, speaker_confusions
from .confirmation import Plan, confirms, entrants_of, gain_of, plan_of
from .definition import StudyDefinition
from .observer import FoldOutcome
from .places import SEED

__all__ = ["Selection", "candidates_of", "corrected_choice", "note_confusions", "selection_of", "stored_confusions"]

CONFUSIONS = "speaker_confusions"
"""The user attribute of a complete trial: speakers, classes, and counts (S, K, K), int32, compressed, as base64."""
LONGEST = 65_000
"""Characters; Optuna's text column in MySQL holds 65 535 bytes. What is longer is read from MLflow."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The winner of a study, without the choice."""

    winner: int
    """The number of the searched trial."""
    first: int
    """The first complete trial."""
    trials: int
    """Complete searched trials, among which it was chosen."""
    corrected: Corrected

    @property
    def sentence(self) -> str:
        """The corrected score and gains in words."""
        found = self.corrected
        gains = [
            f"{with_interval(one.value, one.interval, '+')} over {name}"
            for name, one in (
                (f"trial {self.first}", found.over_first),
                ("the median trial", found.over_median),
            )
        ]
        return (
            f"without the choice among {self.trials} trials the winner's UAR is "
            f"{with_interval(found.score.value, found.score.interval)}, {' and '.join(gains)}"
        )

    @property
    def metrics(self) -> dict[str, float]:
        """By MLflow's names, without ends of intervals that are not known; a single trial has no gains."""
        named = {"corrected_uar": self.corrected.score}
        if self.trials > 1:
            named |= {"gain_over_first": self.corrected.over_first, "gain_over_median": self.corrected.over_median}
        found = {}
        for name, one in named.items():
            found[name] = one.value
            if one.interval.known:
                found |= {f"{name}_low": one.interval.low, f"{name}_high": one.interval.high}
        return found


def note_confusions(trial: optuna.Trial, corpus: Corpus, folds: Sequence[FoldOutcome]) -> None:
    """Store the confusion matrices of a complete trial's validation speakers with the trial."""
    counts = speaker_confusions(
        np.concatenate([one.truth for one in folds]),
        np.concatenate([one.fitted.validation.argmax(axis=1) for one in folds]),
        np.concatenate([corpus.speaker_numbers[one.fold.validation] for one in folds]),
        len(corpus.emotions),
    )
    packed = base64.b64encode(zlib.compress(counts.astype("<i4").tobytes())).decode()
    if len(packed) <= LONGEST:
        trial.set_user_attr(CONFUSIONS, [*counts.shape[:2], packed])


def stored_confusions(trial: FrozenTrial) -> np.ndarray | None:
    """The confusion matrices stored with a trial, shape (S, K, K), speakers sorted; None where there are none."""
    if CONFUSIONS not in trial.user_attrs:
        return None
    speakers, classes, packed = trial.user_attrs[CONFUSIONS]
    counts: np.ndarray = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype="<i4")
    return counts.reshape(speakers, classes, classes)


def candidates_of(study: optuna.Study) -> list[FrozenTrial]:
    """The complete trials that a study chose among, and those that confirm them; none of a rerun.

    The trials of a rerun are one configuration, or those of another study, on seeds of their own.
    """
    complete = [one for one in study.get_trials(deepcopy=False) if one.state == TrialState.COMPLETE]
    rerun = any(confirms(one) is None and SEED in one.user_attrs for one in complete)
    return [] if rerun else complete


def selection_of(study: optuna.Study, confusions: Mapping[int, np.ndarray] | None = None) -> Selection | None:
    """Correct a study's choice.

    Args:
        study: As Optuna's storage has it.
        confusions: The number of every candidate to its confusion matrices, shape (S, K, K); None takes those that are
            stored with the trials.

    Returns:
        None where there is no candidate, a candidate's confusions are not known, or there is one speaker.
    """
    trials = candidates_of(study)
    if confusions is None:
        read = {one.number: stored_confusions(one) for one in trials}
        confusions = {number: counts for number, counts in read.items() if counts is not None}
    searched = [one for one in trials if confirms(one) is None]
    if not searched or any(one.number not in confusions for one in trials):
        return None
    plan = plan_of(StudyDefinition.from_json(study.user_attrs["definition"]).config)
    gain = gain_of(trials, plan)
    best = max(searched, key=lambda one: (one.value or 0.0, -one.number)).number
    return corrected_choice(
        {one.number: confusions[one.number] for one in searched},
        winner=best if gain is None else gain.winner.trial,
        fresh={} if gain is None else _fresh(trials, plan, confusions),
        entrants=0 if gain is None else entrants_of(plan),
    )


def corrected_choice(
    searched: Mapping[int, np.ndarray],
    *,
    winner: int,
    fresh: Mapping[int, np.ndarray],
    entrants: int,
) -> Selection | None:
    """Correct the choice among some trials.

    Args:
        searched: Number of each complete searched trial to its confusion matrices, shape (S, K, K).
        winner: The trial that was chosen.
        fresh: Number of each confirmed trial to the mean of its confusion matrices over fresh seeds.
        entrants: How many of the best searched trials the fresh seeds chose among; 0 where there were none.

    Returns:
        None with one speaker.
    """
    numbers = sorted(searched)
    corrected = correct_selection(
        np.stack([searched[one] for one in numbers]),
        fresh={numbers.index(number): counts for number, counts in fresh.items()},
        entrants=entrants,
    )
    return None if corrected is None else Selection(winner, numbers[0], len(numbers), corrected)


def _fresh(trials: Sequence[FrozenTrial], plan: Plan, confusions: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Confirmed trials with all of their fresh seeds: the mean of their confusion matrices over the seeds."""
    seeds: dict[int, dict[int, np.ndarray]] = {}
    for one in trials:
        if (number := confirms(one)) is not None:
            seeds.setdefault(number, {})[one.user_attrs[SEED]] = confusions[one.number]
    return {
        number: np.mean(list(found.values()), axis=0) for number, found in seeds.items() if len(found) >= plan.seeds
    }
