"""The queue of a study: trials with known values, and trials that are run again in their place."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import Value
from ..errors import StudyError
from .optuna_internals import enqueued_values
from .stored_trials import CONFIRMS, DONE, OVERRIDES, PLACE, SEED, is_counted, place_of

if TYPE_CHECKING:
    from ..definition import StudyDefinition

__all__ = ["Rerun", "enqueue", "enqueue_rerun", "enqueue_unfinished", "left_of_rerun", "next_place", "take_place"]


@dataclass(frozen=True, slots=True)
class Rerun:
    """Configurations to be trained, each on a seed of its own, where nothing is to be searched for.

    The place in the queue gives the seed: what was interrupted or failed is trained on the same by the next call.
    """

    queue: Sequence[Mapping[str, Value]]
    """The sampled values of every trial, in order."""
    study_id: str = ""
    """The earlier study's that found them; empty where none did."""


def next_place(trials: Sequence[FrozenTrial]) -> int:
    """The first place after those of all trials, waiting ones included."""
    return 1 + max(map(place_of, trials), default=-1)


def take_place(trial: optuna.Trial) -> None:
    """Give a trial that begins the next place, unless it has one; trials of a confirmation have none in line.

    Places decide what the sampler draws, and trials that are run again leave none out: with or without interruptions,
    they are 0, 1, 2.
    """
    if PLACE not in trial.user_attrs:
        earlier = [other for other in trial.study.get_trials(deepcopy=False) if other.number < trial.number]
        trial.set_user_attr(PLACE, next_place(earlier))


def left_of_rerun(known: Sequence[FrozenTrial], trials: int) -> int:
    """Number of a rerun's places without a complete or pruned trial."""
    return len(set(range(trials)) - {place_of(trial) for trial in known if trial.state in DONE})


def enqueue(study: optuna.Study, definition: "StudyDefinition", values: Mapping[str, Value], **attributes: int) -> None:
    """Put a trial in line.

    Args:
        study: That trains it.
        definition: Of the study.
        values: The trial's, where they differ from the study's configuration, inside the search or not.
        attributes: User attributes of the trial.
    """
    proposed, overrides = definition.within(values)
    study.enqueue_trial(proposed, user_attrs=attributes | ({OVERRIDES: overrides} if overrides else {}))


def enqueue_rerun(study: optuna.Study, rerun: Rerun, definition: "StudyDefinition") -> None:
    """Put all trials of a rerun in line that are not there yet, or failed.

    Raises:
        StudyError: The study was made for other configurations.
    """
    queue = [dict(values) for values in rerun.queue]
    before = json.loads(study.user_attrs.get("queue", "[]"))
    shared = min(len(before), len(queue))
    if before[:shared] != queue[:shared]:
        raise StudyError(
            f"study '{study.study_name}' trains other configurations than those asked for: the earlier study's best "
            "have changed, or there are more or fewer of them"
        )
    there = {place_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.FAIL}
    for place, values in enumerate(queue):
        if place not in there:
            enqueue(study, definition, values, **{PLACE: place, SEED: place})
    if rerun.study_id:
        study.set_user_attr("queue", json.dumps(max(before, queue, key=len)))


def enqueue_unfinished(study: optuna.Study, *, known: Sequence[FrozenTrial] | None = None) -> int:
    """Put every trial in line again that an interruption or a crash ended: no proposal is lost, trial 0 least.

    Those still waiting in line, as all of a rerun's are, come before it. This is the only way to run a trial again;
    the caller holds the study's lock.

    Returns:
        How many were put in line; `known` are all trials, None reads them.
    """
    attempts, enqueued = defaultdict(list), 0
    for trial in study.get_trials(deepcopy=False) if known is None else known:
        attempts[place_of(trial)].append(trial)
    for place, trials in sorted(attempts.items()):
        if all(trial.state == TrialState.FAIL and not is_counted(trial) for trial in trials):
            last = trials[-1]
            kept = {key: last.user_attrs[key] for key in (SEED, CONFIRMS, OVERRIDES) if key in last.user_attrs}
            # The values that were to be drawn, and those that were drawn before it was ended
            study.enqueue_trial({**enqueued_values(last), **last.params}, user_attrs={PLACE: place, **kept})
            enqueued += 1
    return enqueued
