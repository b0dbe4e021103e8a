"""The first trials of a study: the published configuration, the default, and the best of other studies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna

from ..config import Value, flatten
from ..coordination import best_trials, complete_trials, load_study, place_of, searched_trials, shown_trials, values_of
from ..definition import Plan, StudyDefinition, differences_of, worded
from ..errors import StudyError
from ..project import Project
from ..protocol import Prepared, stored_protocol

__all__ = ["FirstTrial", "first_trials", "missing_in"]

BEST = 5
"""Trials that are taken from each other study."""


@dataclass(frozen=True, slots=True)
class FirstTrial:
    """A trial that the sampler does not propose."""

    values: Mapping[str, Value]
    """Dotted path to value."""
    note: str = ""
    """A sentence for the user; empty where there is nothing to explain."""


def first_trials(prepared: Prepared, project: Project) -> Sequence[FirstTrial]:
    """The trials that a study begins with, in order.

    Args:
        prepared: The study.
        project: Holds the studies of `study.warm_start`.

    Raises:
        StudyError: There is no study of a name in `study.warm_start`, or it ran under another protocol.
    """
    return [*_own(prepared.definition), *_of_others(prepared, project)]


def missing_in(study: optuna.Study | None, first: Sequence[FirstTrial], plan: Plan) -> list[FirstTrial]:
    """The first trials that a study does not have yet, as many as its search has room for; None has no trial."""
    searched = [] if study is None else searched_trials(shown_trials(study))
    there = [values_of(trial) for trial in searched]
    room = plan.searched - len(set(map(place_of, searched)))
    missing: list[FirstTrial] = []
    for trial in first:
        if trial.values not in there and len(missing) < room:
            there.append(dict(trial.values))
            missing.append(trial)
    return missing


def _own(definition: StudyDefinition) -> list[FirstTrial]:
    """The published configuration, where there is one, and the default."""
    *published, default = definition.first_trials()
    flat = flatten(definition.config.model_dump())
    trials = []
    for values in published:
        unlike = worded(differences_of(values, {path: flat[path] for path in values}))
        trials.append(FirstTrial(values, f"trial 0 is the published configuration: {unlike}; trial 1 is the default"))
    if unlike := worded(definition.out_of_range()):
        note = f"trial {len(trials)} takes the nearest values in the search ranges: {unlike}"
        return [*trials, FirstTrial(default, note)]
    return [*trials, FirstTrial(default)]


def _of_others(prepared: Prepared, project: Project) -> list[FirstTrial]:
    """The best trials of the studies to start from, as far as this search can propose them."""
    definition = prepared.definition
    own, trials = flatten(definition.config.model_dump()), []
    for name in definition.config.study.warm_start:
        study, other = load_study(name, project)
        if unlike := prepared.protocol.differences(stored_protocol(study)):
            raise StudyError(
                f"study '{name}' ran under another protocol, so '{definition.name}' cannot start from its trials: "
                f"{worded(unlike)}"
            )
        flat = flatten(other.config.model_dump())
        fixed = {path: flat[path] for path in definition.search if path in flat}
        searched = searched_trials(complete_trials(shown_trials(study)))
        for trial in best_trials(searched, definition.objective)[:BEST]:
            values, wanted = definition.within(fixed | values_of(trial))
            taken = own | values
            lost = worded(differences_of({path: taken.get(path) for path in wanted}, wanted))
            note = f"trial {trial.number} of {name} cannot be taken as it was: {lost}"
            trials.append(FirstTrial(values, note if lost else ""))
    return trials
