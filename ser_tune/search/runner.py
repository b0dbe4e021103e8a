"""Running a study: open or resume it, search, end cleanly."""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Literal, TypeAlias, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ..config import Project, Role
from ..coordination import (
    FOLDS,
    PLACE,
    RETRIES,
    FoldStore,
    Rerun,
    StorageLock,
    Watch,
    best_trials,
    enqueue,
    enqueue_rerun,
    is_counted,
    is_gone,
    left_of_rerun,
    next_place,
    open_storage,
    requeue_dead,
    storage_errors,
    value_of,
)
from ..definition import StudyDefinition, largest_network_bytes, worded
from ..errors import StudyError, Terminated
from ..execution import code_digest
from ..metrics import Ranking
from ..protocol import Prepared, stored_protocol
from .confirmation import confirms, gain_of, left_of_plan, plan_of
from .convergence import convergence_of, forget_convergence, shortened
from .objective import Objective
from .observer import StudyObserver, StudyStart, StudySummary
from .observer import TrialState as State
from .opening import opening_of
from .sampling import PlaceSampler
from .trainer import Trainer
from .worker import OpenStudy, work_on

__all__ = ["Workers", "run_study", "summarise"]

ProcessRole: TypeAlias = Literal["starts", "joins", "led"]
"""A process starts a study or goes on with it, joins one that others have started, or is led by one that does."""
Workers: TypeAlias = Callable[[float | None], tuple[bool, Sequence[str]]]
"""Has processes work on an open study until a deadline; returns whether the user interrupted, and why the last trials
failed of a process that gave up."""


def run_study(
    prepared: Prepared,
    project: Project,
    observer: StudyObserver,
    *,
    rerun: Rerun | None = None,
    role: ProcessRole = "starts",
    deadline: float | None = None,
    workers: Workers | None = None,
) -> StudySummary:
    """Run a study until it has as many trials as asked for.

    Args:
        prepared: What to run.
        project: Where things are.
        observer: Receives every event.
        rerun: What its trials are, where they are not to be searched for.
        role: This process's.
        deadline: When no trial is started any more, by `time.monotonic()`; None is `study.timeout_s` from the opening.
        workers: Other processes work on the study once it is open, instead of this one.

    Returns:
        How it ended; `interrupted` after Ctrl-C, which leaves every finished trial as it is.

    Raises:
        StudyError: A study of this name exists and differs.
        SerTuneError: Input, disk or database fail.
        Terminated: The system ends the process; the trial is in line again, and goes on with its next fold.
    """
    storage, lock = open_storage(project), StorageLock(project.storage_url, f"study {prepared.definition.name}")
    with storage_errors(project.storage_url, "be read"):
        prepared = _with_stored_ranges(prepared, storage)
    definition = prepared.definition
    largest = largest_network_bytes(definition, prepared.targets.names) * len(prepared.folds)
    with storage_errors(project.storage_url, "be written"):
        stored = _stored(prepared, storage)
        known = [] if stored is None else stored.get_trials(deepcopy=False)
        settings, plan = definition.config.study, plan_of(definition.config)
        if stored is not None and settings.stop_when_converged:
            plan = shortened(plan, convergence_of(stored))
        objective = definition.objective
        to_run = left_of_plan(known, plan, objective) if rerun is None else left_of_rerun(known, settings.trials)
        notes = () if rerun is not None else opening_of(prepared, stored, project).notes
        trainer = None
        if to_run > 0:
            # Reads every recording: one that cannot be used ends the study here, before anything of it is stored
            picked = {} if stored is None else {key: stored.user_attrs.get(key) for key in ("precision", "threads")}
            trainer = Trainer(
                prepared,
                project.cache,
                **picked,
                progress=observer.extraction_progressed,
                listened=observer.listening_progressed,
            )
        study = lock.run(lambda: _open(prepared, project, storage, rerun, trainer, role))
        if deadline is None and settings.timeout_s is not None:
            deadline = time.monotonic() + settings.timeout_s
        opened = OpenStudy(study, lock, rerun, deadline)
        # Of processes that start at once, the first opens the parent run; one that is led finds it
        with nullcontext() if role == "led" else lock.held():
            observer.study_started(
                StudyStart(
                    definition=definition,
                    study_id=study.user_attrs["study_id"],
                    corpus=prepared.corpus,
                    targets=prepared.targets,
                    folds=prepared.folds,
                    protocol=prepared.protocol,
                    trials_to_run=to_run,
                    largest_trial_bytes=largest,
                    confirms="" if rerun is None else rerun.study_id,
                    finished=_finished(study),
                    device="" if trainer is None else trainer.describe_device(),
                    notes=[*prepared.notes, *prepared.remarks, *notes],
                    pretraining="" if prepared.pretraining is None else prepared.pretraining.state,
                    before=summarise(study),
                )
            )
        interrupted = False
        try:
            if trainer is not None and workers is not None:
                interrupted, opened.failures[:] = workers(deadline)
                lock.run(lambda: requeue_dead(study, Watch(settings.grace_s), limit=None))
            elif trainer is not None:
                store = FoldStore(project.cache / "folds", study.user_attrs["study_id"])
                interrupted = work_on(opened, Objective(trainer, store, observer))
        except (Exception, Terminated):
            observer.study_finished(_ended(summarise(study, interrupted=True), role))
            raise
        given_up = len(opened.failures) == settings.max_failures
        summary = lock.run(
            lambda: summarise(study, interrupted=interrupted, failures=opened.failures if given_up else ())
        )
        observer.study_finished(_ended(summary, role))
    return summary


def _ended(summary: StudySummary, role: ProcessRole) -> StudySummary:
    """What is told of a process's end: that of a led one does not end the study."""
    return replace(summary, running=max(1, summary.running)) if role == "led" else summary


def _stored(prepared: Prepared, storage: BaseStorage) -> optuna.Study | None:
    """The study as an earlier session left it.

    Raises:
        StudyError: It is another one.
    """
    name = prepared.definition.name
    if name not in optuna.get_all_study_names(storage):
        return None
    study = optuna.load_study(study_name=name, storage=storage)
    if study.get_trials(deepcopy=False) or "definition" in study.user_attrs:
        _refuse_differences(study, prepared)
    return study


def _with_stored_ranges(prepared: Prepared, storage: BaseStorage) -> Prepared:
    """The study with the ranges that it was stored with, but for those that the user writes: defaults may change."""
    definition = prepared.definition
    if definition.name not in optuna.get_all_study_names(storage):
        return prepared
    text = optuna.load_study(study_name=definition.name, storage=storage).user_attrs.get("definition")
    before = {} if text is None else StudyDefinition.from_json(text).search
    search = {
        path: span if path in (definition.config.search or ()) else before.get(path, span)
        for path, span in definition.search.items()
    }
    return replace(prepared, definition=replace(definition, search=search))


def _open(
    prepared: Prepared,
    project: Project,
    storage: BaseStorage,
    rerun: Rerun | None,
    trainer: Trainer | None,
    role: ProcessRole,
) -> optuna.Study:
    """Create the study, or load it where it exists and is the same; the caller holds its lock.

    After it, the study has an identifier, one arithmetic, and its first trials in line. `trainer` takes over the
    arithmetic that another process has measured.
    """
    definition = prepared.definition
    study = optuna.create_study(
        study_name=definition.name,
        storage=storage,
        direction=Ranking(definition.objective).direction,
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),  # `Race` judges trials
        sampler=PlaceSampler(definition.config.study),
    )
    if "definition" in study.user_attrs or study.get_trials(deepcopy=False):
        _refuse_differences(study, prepared)
    if study.direction.name.lower() != (direction := Ranking(definition.objective).direction):
        raise StudyError(
            f"study '{study.study_name}' exists, and its direction is {study.direction.name.lower()}; "
            f"{definition.objective.title} needs {direction}; give the new study another --name"
        )
        # As it is asked for now: its total decides which trials are confirmed, also when it is read later
        stored = StudyDefinition.from_json(study.user_attrs["definition"])
        definition = replace(stored, config=definition.config, folders=definition.folders)
    if role == "starts":
        study.set_user_attr("code", code_digest())
        study.set_user_attr("protocol", json.dumps(prepared.protocol.stored))
        study.set_user_attr("definition", definition.as_json())
        if not definition.config.study.stop_when_converged:
            forget_convergence(study)
    elif study.user_attrs.get("code") != code_digest():
        raise StudyError(
            f"study '{study.study_name}' runs with another version of ser-tune, numpy, torch or torchvision than this "
            "process; install the same versions here"
        )
    if "study_id" not in study.user_attrs:
        study.set_user_attr("study_id", uuid.uuid4().hex)
    requeue_dead(study, Watch(definition.config.study.grace_s), limit=None if role == "starts" else RETRIES)
    if rerun is not None:
        enqueue_rerun(study, rerun, definition)
    if trainer is None:
        return study
    trainer.agree(study.user_attrs.get("precision"), study.user_attrs.get("threads"))
    study.set_user_attr("precision", trainer.precision)
    study.set_user_attr("threads", trainer.threads)
    study.set_user_attr(FOLDS, len(prepared.folds))
    if rerun is None and role == "starts":
        for values in opening_of(prepared, study, project).trials:
            enqueue(study, definition, values, **{PLACE: next_place(study.get_trials(deepcopy=False))})
    return study


def _refuse_differences(study: optuna.Study, prepared: Prepared) -> None:
    """Raise where a stored study is not the one described."""
    stored = study.user_attrs
    if "definition" not in stored:
        raise StudyError(f"study '{study.study_name}' was not made by ser-tune; give the new study another --name")
    differences = prepared.protocol.differences(stored_protocol(study))
    if not differences:
        before = StudyDefinition.from_json(stored["definition"])
        differences = prepared.definition.differences(before, but=Role.RESUMABLE)
    if differences:
        raise StudyError(
            f"study '{study.study_name}' exists and differs: {worded(differences)}; give the new study another --name"
        )


def _finished(study: optuna.Study) -> dict[int, State]:
    trials = study.get_trials(deepcopy=False)
    return {one.number: cast(State, one.state.name) for one in trials if one.state.is_finished()}


def summarise(study: optuna.Study, *, interrupted: bool = False, failures: Sequence[str] = ()) -> StudySummary:
    """Count a study's trials and name its best: by fresh seeds where there are any, else by the search's score."""
    trials = study.get_trials(deepcopy=False)
    complete = [one for one in trials if one.state == TrialState.COMPLETE]
    definition = StudyDefinition.from_json(study.user_attrs["definition"])
    config, objective = definition.config, definition.objective
    gain = gain_of(trials, plan_of(config), objective)
    ranked = best_trials((one for one in complete if confirms(one) is None), objective)
    if gain is not None:
        ranked = [one for one in complete if one.number == gain.winner.middle]
    return StudySummary(
        name=study.study_name,
        complete=len(complete),
        pruned=sum(one.state == TrialState.PRUNED for one in trials),
        failed=sum(one.state == TrialState.FAIL and is_counted(one) for one in trials),
        best=next(((one.number, value_of(one)) for one in ranked), None),
        first=next(map(value_of, complete), None),
        finished=_finished(study),
        interrupted=interrupted,
        failures=failures,
        gain=gain,
        converged=convergence_of(study) if config.study.stop_when_converged else None,
        running=sum(one.state == TrialState.RUNNING and not is_gone(one) for one in trials),
    )
