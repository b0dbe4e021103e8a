"""Correction of a study's best score for the choice among its trials.

Complete trials keep their objective's sums of each validation speaker, such as confusion matrices. The choice is
repeated on resampled speakers as the study made it, among complete searched trials and then on fresh seeds
(`correct_selection`). Pruned trials could not win, nor could those that failed: they are no candidates.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from ..coordination import (
    SEED,
    best_trials,
    complete_trials,
    confirms,
    searched_trials,
    shown_trials,
    stored_definition,
)
from ..definition import Plan
from ..metrics import Metric
from ..protocol import Prepared
from ..resampling import Corrected, correct_selection, sums_of, with_interval
from .confirmation import entrants_of, gain_of
from .observer import FoldOutcome

__all__ = ["Selection", "candidates_of", "corrected_choice", "note_sums", "selection_of", "stored_sums"]

SUMS = "speaker_confusions"
"""The user attribute of a complete trial with its sums of each speaker, compressed, as base64: of confusion matrices,
(S, K, K), after S and K, as int32; of other sums after their shape and their type."""
COUNTS = "<i4"
LONGEST = 65_000
"""Characters; Optuna's text column in MySQL holds 65 535 bytes. What is longer is read from MLflow."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The winner of a study, corrected for the choice."""

    winner: int
    """The number of the searched trial."""
    first: int
    """The first complete trial."""
    trials: int
    """Complete searched trials, among which it was chosen."""
    corrected: Corrected
    objective: Metric
    """The metric of the scores."""

    @property
    def sentence(self) -> str:
        """The corrected score and gains in words."""
        found = self.corrected
        gains = [
            f"{with_interval(gain.value, gain.interval, '+')} over {name}"
            for name, gain in (
                (f"trial {self.first}", found.over_first),
                ("the median trial", found.over_median),
            )
        ]
        return (
            f"without the choice among {self.trials} trials the winner's {self.objective.title} is "
            f"{with_interval(found.score.value, found.score.interval)}, {' and '.join(gains)}"
        )

    @property
    def metrics(self) -> dict[str, float]:
        """By MLflow's names, without ends of intervals that are not known; a single trial has no gains."""
        named = {f"corrected_{self.objective.name}": self.corrected.score}
        if self.trials > 1:
            named |= {"gain_over_first": self.corrected.over_first, "gain_over_median": self.corrected.over_median}
        found = {}
        for name, estimate in named.items():
            found[name] = estimate.value
            if estimate.interval.known:
                found |= {f"{name}_low": estimate.interval.low, f"{name}_high": estimate.interval.high}
        return found


def note_sums(trial: optuna.Trial, prepared: Prepared, folds: Sequence[FoldOutcome]) -> None:
    """Store a complete trial's sums of each validation speaker with the trial."""
    sums = sums_of(
        prepared.definition.objective,
        np.concatenate([trained.truth for trained in folds]),
        np.concatenate([trained.predicted for trained in folds]),
        np.concatenate([prepared.corpus.speaker_numbers[trained.fold.validation] for trained in folds]),
        len(prepared.targets.names),
    )
    packed = packed_sums(sums)
    if len(packed[-1]) <= LONGEST:
        trial.set_user_attr(SUMS, packed)


def packed_sums(sums: np.ndarray) -> list[Any]:
    """The sums of each speaker, shape (S, ...), as values for JSON.

    >>> packed_sums(np.zeros((2, 3, 3), dtype=np.int64))[:2], packed_sums(np.zeros((2, 3)))[:2]
    ([2, 3], [[2, 3], '<f8'])
    """
    are_counts = sums.dtype.kind == "i" and sums.ndim == 3 and sums.shape[1] == sums.shape[2]
    are_counts = are_counts and np.array_equal(sums, sums.astype(COUNTS))
    stored = sums.astype(COUNTS if are_counts else sums.dtype.newbyteorder("<"))
    packed = base64.b64encode(zlib.compress(stored.tobytes())).decode()
    return [*sums.shape[:2], packed] if are_counts else [list(sums.shape), stored.dtype.str, packed]


def stored_sums(trial: FrozenTrial) -> np.ndarray | None:
    """The sums stored with a trial, shape (S, ...), speakers sorted; None where there are none."""
    if SUMS not in trial.user_attrs:
        return None
    first, second, packed = trial.user_attrs[SUMS]
    shape, kind = (first, second) if isinstance(first, list) else ((first, second, second), COUNTS)
    sums: np.ndarray = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=kind)
    return sums.reshape(shape)


def candidates_of(study: optuna.Study) -> list[FrozenTrial]:
    """The complete trials that a study chose among, and those that confirm them; none of a rerun.

    The trials of a rerun are one configuration, or those of another study, on seeds of their own.
    """
    complete = complete_trials(shown_trials(study))
    rerun = any(SEED in trial.user_attrs for trial in searched_trials(complete))
    return [] if rerun else complete


def selection_of(study: optuna.Study, sums: Mapping[int, np.ndarray] | None = None) -> Selection | None:
    """Correct a study's choice.

    Args:
        study: As Optuna's storage has it.
        sums: The number of every candidate to the objective's sums of each speaker, shape (S, ...); None takes those
            that are stored with the trials.

    Returns:
        None where there is no candidate, a candidate's sums are not known, or there is one speaker; and where another
        objective than the first chooses.
    """
    trials = candidates_of(study)
    if sums is None:
        read = {trial.number: stored_sums(trial) for trial in trials}
        sums = {number: known for number, known in read.items() if known is not None}
    searched = searched_trials(trials)
    if not searched or any(trial.number not in sums for trial in trials):
        return None
    definition = stored_definition(study)
    plan, objective = definition.plan, definition.objective
    if definition.preferred != objective.name:
        return None
    gain = gain_of(trials, plan, definition.measures)
    return corrected_choice(
        objective,
        {trial.number: sums[trial.number] for trial in searched},
        winner=best_trials(searched, objective)[0].number if gain is None else gain.winner.trial,
        fresh={} if gain is None else _fresh(trials, plan, sums),
        entrants=0 if gain is None else entrants_of(plan),
    )


def corrected_choice(
    objective: Metric,
    searched: Mapping[int, np.ndarray],
    *,
    winner: int,
    fresh: Mapping[int, np.ndarray],
    entrants: int,
) -> Selection | None:
    """Correct the choice among some trials.

    Args:
        objective: By which they are ranked.
        searched: Number of each complete searched trial to its sums of each speaker, shape (S, ...).
        winner: The trial that was chosen.
        fresh: Number of each confirmed trial to the mean of its sums over fresh seeds.
        entrants: How many of the best searched trials the fresh seeds chose among; 0 where there were none.

    Returns:
        None with one speaker.
    """
    numbers = sorted(searched)
    corrected = correct_selection(
        objective,
        np.stack([searched[number] for number in numbers]),
        fresh={numbers.index(number): sums for number, sums in fresh.items()},
        entrants=entrants,
    )
    return None if corrected is None else Selection(winner, numbers[0], len(numbers), corrected, objective)


def _fresh(trials: Sequence[FrozenTrial], plan: Plan, sums: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Confirmed trials with all of their fresh seeds: the mean of their sums over the seeds."""
    seeds: dict[int, dict[int, np.ndarray]] = {}
    for trial in trials:
        if (number := confirms(trial)) is not None:
            seeds.setdefault(number, {})[trial.user_attrs[SEED]] = sums[trial.number]
    return {
        number: np.mean(list(found.values()), axis=0) for number, found in seeds.items() if len(found) >= plan.seeds
    }
