"""Places: which trial of a study is which, however often it is run, and which of them are left to run."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import Value
from ..errors import StudyError

if TYPE_CHECKING:
    from ..definition import StudyDefinition

__all__ = [
    "CONFIRMS",
    "CONVERGED",
    "DIED",
    "FAILURE",
    "FOLDS_ENDED",
    "OVERRIDES",
    "PLACE",
    "RETRIES",
    "SEED",
    "Rerun",
    "count_failure",
    "deaths_without_progress",
    "enqueue",
    "enqueue_rerun",
    "enqueue_unfinished",
    "folds_ended",
    "is_counted",
    "left_of_rerun",
    "next_place",
    "place_of",
    "take_place",
    "values_of",
]

PLACE, FAILURE, SEED, CONFIRMS, OVERRIDES = "place", "failure", "seed", "confirms", "overrides"
"""User attributes of a trial: its place; why it failed, where its own values made it fail; what is added to the study's
seed, 0 in a search; the number of the searched trial that it trains again; and values that the search cannot propose,
which replace proposed ones."""
FOLDS_ENDED = "folds_ended"
"""The user attribute of a trial with the number of its folds that have ended, which is its progress."""
DIED = "died"
"""The user attribute of a trial whose process died."""
CONVERGED = "converged"
"""The user attribute of a study whose search has converged."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
RETRIES = 4
"""How often a trial is run again that was the end of a process, without a new fold in between, before it fails: its
values may be to blame, as where they need more memory than there is."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """Configurations to be trained, each on a seed of its own, where nothing is to be searched for.

    The place in the queue gives the seed: what was interrupted or failed is trained on the same by the next call.
    """

    queue: Sequence[Mapping[str, Value]]
    """The sampled values of every trial, in order."""
    study_id: str = ""
    """The earlier study's that found them; empty where none did."""


def place_of(trial: optuna.Trial | FrozenTrial) -> int:
    """Which trial this is, counted from 0: one that is run again has another number, but the same place."""
    return int(trial.user_attrs.get(PLACE, trial.number))


def values_of(trial: FrozenTrial) -> dict[str, Value]:
    """What a trial has otherwise than its study's configuration, or will have: dotted path to value.

    The only way from a stored trial to its configuration: `trial.params` lacks what the search could not propose.
    """
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params, **trial.user_attrs.get(OVERRIDES, {})}


def next_place(trials: Sequence[FrozenTrial]) -> int:
    """The first place after those of all trials, waiting ones included."""
    return 1 + max(map(place_of, trials), default=-1)


def take_place(trial: optuna.Trial) -> None:
    """Give a trial that starts the next place, unless it has one; for trials that earlier versions put in line.

    Places decide what the sampler draws, and trials that are run again leave none out: with or without interruptions,
    they are 0, 1, 2.
    """
    if PLACE not in trial.user_attrs:
        earlier = [one for one in trial.study.get_trials(deepcopy=False) if one.number < trial.number]
        trial.set_user_attr(PLACE, next_place(earlier))


def count_failure(trial: optuna.Trial, error: Exception) -> None:
    """Note that a trial's own values made it fail: it counts, and is not tried again."""
    trial.set_user_attr(FAILURE, f"{type(error).__name__}: {error}")


def is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the total: all that ended, unless an interruption or a crash ended them."""
    if trial.state == TrialState.FAIL:
        return FAILURE in trial.user_attrs
    return trial.state in DONE


def left_of_rerun(known: Sequence[FrozenTrial], trials: int) -> int:
    """How many places of a rerun of so many trials nothing came of."""
    return len(set(range(trials)) - {place_of(one) for one in known if one.state in DONE})


def enqueue(study: optuna.Study, definition: "StudyDefinition", values: Mapping[str, Value], **attributes: int) -> None:
    """Put a trial in line.

    Args:
        study: That trains it.
        definition: Of the study.
        values: What it has otherwise than the study's configuration, inside the search or not: dotted path to value.
        attributes: User attributes of the trial.
    """
    proposed, overrides = definition.within(values)
    study.enqueue_trial(proposed, user_attrs=attributes | ({OVERRIDES: overrides} if overrides else {}))


def enqueue_rerun(study: optuna.Study, rerun: Rerun, definition: "StudyDefinition") -> None:
    """Put all trials of a rerun in line that are not there yet, or failed.

    Args:
        study: That trains them.
        rerun: What to train.
        definition: Of the study.

    Raises:
        StudyError: The study was made for other configurations.
    """
    queue = [dict(one) for one in rerun.queue]
    before = json.loads(study.user_attrs.get("queue", "[]"))
    shared = min(len(before), len(queue))
    if before[:shared] != queue[:shared]:
        raise StudyError(
            f"study '{study.study_name}' trains other configurations than those asked for: the earlier study's best "
            "have changed, or there are more or fewer of them"
        )
    there = {place_of(one) for one in study.get_trials(deepcopy=False) if one.state != TrialState.FAIL}
    for place, values in enumerate(queue):
        if place not in there:
            enqueue(study, definition, values, **{PLACE: place, SEED: place})
    if rerun.study_id:
        study.set_user_attr("queue", json.dumps(max(before, queue, key=len)))


def folds_ended(trial: FrozenTrial) -> int:
    """How many of a trial's folds have ended; a trial of version 0.1 has an intermediate value for each instead."""
    return int(trial.user_attrs.get(FOLDS_ENDED, len(trial.intermediate_values)))


def deaths_without_progress(attempts: Sequence[FrozenTrial]) -> int:
    """How many processes a trial was the end of since it was the first time as far as it is.

    Args:
        attempts: All of one place, in order.
    """
    folds = [folds_ended(one) for one in attempts]
    return sum(DIED in one.user_attrs for one in attempts[folds.index(max(folds)) :])


def enqueue_unfinished(study: optuna.Study, *, known: Sequence[FrozenTrial] | None = None) -> int:
    """Put every trial in line again that an interruption or a crash ended: no proposal is lost, trial 0 least.

    Those still waiting in line, as all of a rerun's are, come before it. This is the only way to run a trial again;
    the caller holds the study's lock.

    Args:
        study: Whose trials.
        known: All trials; None reads them.

    Returns:
        How many were put in line.
    """
    of_place, enqueued = defaultdict(list), 0
    for trial in study.get_trials(deepcopy=False) if known is None else known:
        of_place[place_of(trial)].append(trial)
    for _, trials in sorted(of_place.items()):
        if all(trial.state == TrialState.FAIL and not is_counted(trial) for trial in trials):
            _enqueue_again(study, trials[-1])
            enqueued += 1
    return enqueued


def _enqueue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    # The values that were to be drawn, and those that were drawn before it was ended
    values = trial.system_attrs.get("fixed_params", {}) | trial.params
    kept = {key: trial.user_attrs[key] for key in (SEED, CONFIRMS, OVERRIDES) if key in trial.user_attrs}
    study.enqueue_trial(values, user_attrs={PLACE: place_of(trial), **kept})
