"""A study's first trials: the published configuration, the default one, and the best of other studies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from ..config import Project, Value, flatten
from ..coordination import best_trials, load_study, place_of, values_of
from ..definition import Difference, StudyDefinition, differences_of, worded
from ..errors import StudyError
from ..protocol import Prepared, stored_protocol
from .confirmation import confirms, plan_of
from .convergence import convergence_of, shortened

__all__ = ["Opening", "opening_of"]

BEST = 5
"""Trials that are taken from each other study."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Trials that are not proposed by the sampler."""

    trials: Sequence[Mapping[str, Value]] = ()
    """The values of each, in order: dotted path to value."""
    notes: Sequence[str] = ()
    """Sentences on what they are."""


def opening_of(prepared: Prepared, stored: optuna.Study | None, project: Project) -> Opening:
    """The first trials that a study does not have yet, as many as its search has room for.

    Args:
        prepared: The study.
        stored: As an earlier session left it; None where there was none.
        project: Where other studies are.

    Raises:
        StudyError: There is no study of a name in `study.warm_start`, or it ran under another protocol.
    """
    known = [] if stored is None else stored.get_trials(deepcopy=False)
    searched = [trial for trial in known if confirms(trial) is None]
    definition = prepared.definition
    if stored is not None and searched:  # of a study of version 0.1, trial 0 is the default
        definition = StudyDefinition.from_json(stored.user_attrs["definition"])
    there = [values_of(trial) for trial in searched]
    config = prepared.definition.config
    converged = convergence_of(stored) if stored is not None and config.study.stop_when_converged else None
    room = shortened(plan_of(config), converged).searched - len(set(map(place_of, searched)))
    taken: list[dict[str, Value]] = []
    notes: list[str] = []
    for values, note in [*_own(definition), *_of_others(prepared, project)]:
        if values not in there and len(taken) < room:
            there.append(values)
            taken.append(values)
            notes += [note] if note else []
    return Opening(taken, notes)


def _own(definition: StudyDefinition) -> list[tuple[dict[str, Value], str]]:
    """The published configuration, where there is one, and the default, each with what is to be told of it."""
    *published, default = definition.first_trials()
    flat = flatten(definition.config.model_dump())
    opening = []
    for values in published:
        unlike = differences_of(values, {path: flat[path] for path in values})
        opening.append((values, f"trial 0 is the published configuration: {worded(unlike)}; trial 1 is the default"))
    unlike = definition.out_of_range()
    note = f"trial {len(opening)} takes the nearest values in the search ranges: {worded(unlike)}"
    return [*opening, (default, note if unlike else "")]


def _of_others(prepared: Prepared, project: Project) -> list[tuple[dict[str, Value], str]]:
    """The best trials of the studies to start from, as far as this search can propose them, likewise."""
    definition = prepared.definition
    opening = []
    for name in definition.config.study.warm_start:
        study, other = load_study(name, project)
        if unlike := prepared.protocol.differences(stored_protocol(study)):
            raise StudyError(
                f"study '{name}' ran under another protocol, so '{definition.name}' cannot start from its trials: "
                f"{worded(unlike)}"
            )
        flat = flatten(other.config.model_dump())
        fixed = {path: flat[path] for path in definition.search if path in flat}
        complete = [one for one in study.get_trials(deepcopy=False) if one.state == TrialState.COMPLETE]
        searched = [one for one in complete if confirms(one) is None]
        for trial in best_trials(searched, definition.objective)[:BEST]:
            values, rest = definition.within(fixed | values_of(trial))
            lost = _lost(definition, values, rest)
            note = f"trial {trial.number} of {name} cannot be taken as it was: {worded(lost)}"
            opening.append((values, note if lost else ""))
    return opening


def _lost(
    definition: StudyDefinition, values: Mapping[str, Value], wanted: Mapping[str, Value]
) -> Sequence[Difference]:
    """Where a trial with some values is another than wanted."""
    flat = flatten(definition.config.model_dump()) | dict(values)
    return differences_of({path: flat.get(path) for path in wanted}, wanted)
