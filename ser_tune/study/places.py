"""Places: which trial of a study is which, however often it is run, and which of them are left to run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import Value
from ..errors import StudyError

__all__ = [
    "Rerun",
    "count_failure",
    "enqueue_again",
    "enqueue_rerun",
    "enqueue_unfinished",
    "is_counted",
    "left_to_run",
    "place_of",
]

PLACE, FAILURE = "place", "failure"
"""User attributes of a trial: its place, where that is not its number; and why it failed, where its own values did."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


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


def enqueue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put a trial in line to be run again, in its place."""
    values = trial.params or trial.system_attrs.get("fixed_params", {})
    study.enqueue_trial(values, user_attrs={PLACE: place_of(trial)})


def count_failure(trial: optuna.Trial, error: Exception) -> None:
    """Note that a trial's own values made it fail: it counts, and is not tried again."""
    trial.set_user_attr(FAILURE, f"{type(error).__name__}: {error}")


def is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the total: all that ended, unless an interruption or a crash ended them."""
    if trial.state == TrialState.FAIL:
        return FAILURE in trial.user_attrs
    return trial.state in DONE


def left_to_run(known: Sequence[FrozenTrial], trials: int, rerun: Rerun | None) -> int:
    """How many of so many trials are left to run; of a rerun, those places that nothing came of."""
    if rerun is None:
        return max(0, trials - sum(map(is_counted, known)))
    return len(set(range(trials)) - {place_of(one) for one in known if one.state in DONE})


def enqueue_rerun(study: optuna.Study, rerun: Rerun) -> None:
    """Put all trials of a rerun in line that are not there yet, or failed.

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
            study.enqueue_trial(values, user_attrs={PLACE: place})
    if rerun.study_id:
        study.set_user_attr("queue", json.dumps(max(before, queue, key=len)))


def enqueue_unfinished(study: optuna.Study) -> None:
    """Have the study go on with the trial that it was ended in: no proposal is lost, the published one least."""
    # Those still waiting in line, as all of a rerun's are, come after it
    last = [one for one in study.get_trials(deepcopy=False) if one.state != TrialState.WAITING][-1]
    if last.state == TrialState.FAIL and not is_counted(last):
        enqueue_again(study, last)
