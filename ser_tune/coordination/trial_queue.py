"""The queue of a study: enqueue trials with given values, and repeat interrupted trials at the same place."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import Value
from ..errors import StudyError
from .optuna_internals import ask_first, enqueued_values
from .stored_trials import CONFIRMS, DONE, OVERRIDES, PLACE, SEED, is_counted, place_of

if TYPE_CHECKING:
    from ..definition import StudyDefinition

__all__ = [
    "Rerun",
    "begin_next",
    "enqueue",
    "enqueue_rerun",
    "enqueue_unfinished",
    "left_of_rerun",
    "next_place",
    "take_place",
]


@dataclass(frozen=True, slots=True)
class Rerun:
    """Configurations to train without a search, each with its own seed.

    The place is added to the study's seed, so the next call repeats an interrupted or failed trial on the same seed.
    """

    queue: Sequence[Mapping[str, Value]]
    """The sampled values of every trial, in order of places."""
    study_id: str = ""
    """Identifier of the study that found the values; empty if they are not from a study."""


def next_place(trials: Sequence[FrozenTrial]) -> int:
    """The first free place: one more than the highest place of all trials, including waiting trials."""
    return 1 + max(map(place_of, trials), default=-1)


def begin_next(study: optuna.Study) -> optuna.Trial:
    """Begin the waiting trial with the lowest place, so that interrupted trials come in their turn; else a new one."""
    return ask_first(study, place_of)


def take_place(trial: optuna.Trial) -> None:
    """Give a starting trial the next place if it has none; trials of a confirmation are enqueued without a place.

    The sampler's draw depends on the place. Repeated trials keep their place, so the places are 0, 1, 2, … with or
    without interruptions.
    """
    if PLACE not in trial.user_attrs:
        earlier = [other for other in trial.study.get_trials(deepcopy=False) if other.number < trial.number]
        trial.set_user_attr(PLACE, next_place(earlier))


def left_of_rerun(known: Sequence[FrozenTrial], trials: int) -> int:
    """Number of a rerun's places that have no complete or pruned trial yet."""
    return len(set(range(trials)) - {place_of(trial) for trial in known if trial.state in DONE})


def enqueue(study: optuna.Study, definition: "StudyDefinition", values: Mapping[str, Value], **attributes: int) -> None:
    """Enqueue a trial with given values.

    Args:
        study: The study that runs the trial.
        definition: The definition of the study.
        values: Values that differ from the study's configuration, by path; searched settings or others.
        attributes: User attributes of the trial.
    """
    proposed, overrides = definition.within(values)
    study.enqueue_trial(proposed, user_attrs=attributes | ({OVERRIDES: overrides} if overrides else {}))


def enqueue_rerun(study: optuna.Study, rerun: Rerun, definition: "StudyDefinition") -> None:
    """Enqueue all trials of a rerun that are missing in the study or have failed.

    Raises:
        StudyError: The study was created for other configurations.
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
    """Enqueue again every trial that an interruption or a crash ended, so that no proposed configuration is lost.

    Trials that already wait run first. Only this function repeats trials; the caller holds the study's lock.

    Args:
        study: The study.
        known: All trials of the study; None reads them.

    Returns:
        The number of enqueued trials.
    """
    attempts, enqueued = defaultdict(list), 0
    for trial in study.get_trials(deepcopy=False) if known is None else known:
        attempts[place_of(trial)].append(trial)
    for place, trials in sorted(attempts.items()):
        if all(trial.state == TrialState.FAIL and not is_counted(trial) for trial in trials):
            last = trials[-1]
            kept = {key: last.user_attrs[key] for key in (SEED, CONFIRMS, OVERRIDES) if key in last.user_attrs}
            # Values that were fixed in the queue, and values that the sampler drew before the interruption
            study.enqueue_trial({**enqueued_values(last), **last.params}, user_attrs={PLACE: place, **kept})
            enqueued += 1
    return enqueued
