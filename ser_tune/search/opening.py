"""Opening of a study: created in Optuna's storage, or continued where it exists and is the same."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import optuna
from optuna.storages import BaseStorage

from ..config import Role
from ..coordination import (
    CONVERGED,
    DEFINITION,
    FOLDS,
    PLACE,
    RETRIES,
    Rerun,
    Watch,
    enqueue,
    enqueue_rerun,
    next_place,
    number_by_place,
    requeue_dead,
    stored_definition,
)
from ..definition import Difference, Plan, StudyDefinition, worded
from ..errors import StudyError
from ..execution import code_digest
from ..metrics import Ranking
from ..protocol import Prepared, stored_protocol
from .first_trials import FirstTrial, missing_in
from .place_sampler import PlaceSampler
from .several_objectives import refuse_other_machine
from .trainer import Trainer

__all__ = ["ProcessRole", "open_study", "refuse_differences", "with_stored_ranges"]

ProcessRole: TypeAlias = Literal["starts", "joins", "led"]
"""A process starts or continues a study, joins one that others have started, or is a worker of one that does."""


def with_stored_ranges(prepared: Prepared, stored: optuna.Study | None) -> Prepared:
    """The study with its stored ranges, except ranges that the user writes, because default ranges can change."""
    if stored is None or DEFINITION not in stored.user_attrs:
        return prepared
    definition, before = prepared.definition, stored_definition(stored)
    search = {
        path: span if path in (definition.config.search or ()) else before.search.get(path, span)
        for path, span in definition.search.items()
    }
    return replace(prepared, definition=replace(definition, search=search))


def refuse_differences(study: optuna.Study, prepared: Prepared) -> None:
    """Raise where a stored study is not the one described; one without trials and definition is empty.

    Raises:
        StudyError: They differ, or another program made it.
    """
    if DEFINITION not in study.user_attrs:
        if study.get_trials(deepcopy=False):
            raise StudyError(f"study '{study.study_name}' was not made by ser-tune; give the new study another --name")
        return
    differences = prepared.protocol.differences(stored_protocol(study))
    if not differences:
        before = stored_definition(study)
        differences = prepared.definition.differences(before, but=Role.RESUMABLE)
        if prepared.definition.objectives != before.objectives:  # costs are no part of the protocol
            names = (", ".join(objectives) for objectives in (prepared.definition.objectives, before.objectives))
            differences.append(Difference("study.objectives", *names))
    if differences:
        raise StudyError(
            f"study '{study.study_name}' exists and differs: {worded(differences)}; give the new study another --name"
        )


def open_study(
    prepared: Prepared,
    storage: BaseStorage,
    trainer: Trainer | None,
    *,
    rerun: Rerun | None = None,
    role: ProcessRole = "starts",
    first: Sequence[FirstTrial] = (),
    plan: Plan | None = None,
) -> optuna.Study:
    """Create the study, or load it where it exists and is the same; the caller holds its lock.

    It gives the study an identifier, fixes its precision, and enqueues its first trials.

    Args:
        prepared: The study.
        storage: Optuna's.
        trainer: Takes over the arithmetic that another process has measured; None where no trial is left to run.
        rerun: The trials of the study, where they are not searched for.
        role: This process's.
        first: The first trials of the search.
        plan: Limits the first trials; None is the definition's.

    Raises:
        StudyError: A study of this name differs, or another version of the program runs it.
    """
    definition = prepared.definition
    directions = [Ranking(measure).direction for measure in definition.measures]
    study = optuna.create_study(
        study_name=definition.name,
        storage=storage,
        directions=directions,
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),  # the objective calls the study's pruner
        sampler=PlaceSampler(definition.config.study),
    )
    refuse_differences(study, prepared)
    if (stored := [direction.name.lower() for direction in study.directions]) != directions:
        needing = ", ".join(measure.title for measure in definition.measures)
        raise StudyError(
            f"study '{study.study_name}' exists, and its direction is {', '.join(stored)}; "
            f"{needing} needs {', '.join(directions)}; give the new study another --name"
        )
    _describe(study, prepared, role)
    number_by_place(study)
    requeue_dead(study, Watch(definition.config.study.grace_s), limit=None if role == "starts" else RETRIES)
    if rerun is not None:
        enqueue_rerun(study, rerun, definition)
    if trainer is None:
        return study
    trainer.agree(study.user_attrs.get("precision"), study.user_attrs.get("threads"))
    study.set_user_attr("precision", trainer.precision)
    study.set_user_attr("threads", trainer.threads)
    study.set_user_attr(FOLDS, len(prepared.folds))
    refuse_other_machine(study, definition, trainer.threads)
    if rerun is None and role == "starts":
        _enqueue_first(study, definition, missing_in(study, first, plan or definition.plan))
    return study


def _describe(study: optuna.Study, prepared: Prepared, role: ProcessRole) -> None:
    """Store what the study is where this process starts it; else check that the same program does."""
    definition = prepared.definition
    if role == "starts":
        study.set_user_attr("code", code_digest())
        study.set_user_attr("protocol", json.dumps(prepared.protocol.stored))
        study.set_user_attr(DEFINITION, definition.as_json())
        if not definition.config.study.stop_when_converged and study.user_attrs.get(CONVERGED) is not None:
            study.set_user_attr(CONVERGED, None)  # the search goes on
    elif study.user_attrs.get("code") != code_digest():
        raise StudyError(
            f"study '{study.study_name}' runs with another version of ser-tune, numpy, torch or torchvision than this "
            "process; install the same versions here"
        )
    if "study_id" not in study.user_attrs:
        study.set_user_attr("study_id", uuid.uuid4().hex)


def _enqueue_first(study: optuna.Study, definition: StudyDefinition, missing: Sequence[FirstTrial]) -> None:
    for trial in missing:
        enqueue(study, definition, trial.values, **{PLACE: next_place(study.get_trials(deepcopy=False))})
