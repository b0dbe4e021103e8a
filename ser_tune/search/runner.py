"""`run_study`: create or resume a study, run its trials, report its end."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TypeAlias

import optuna

from ..coordination import (
    FoldStore,
    Rerun,
    StorageLock,
    Watch,
    find_study,
    left_of_rerun,
    open_storage,
    requeue_dead,
    shown_trials,
    storage_errors,
)
from ..definition import Plan, largest_network_bytes
from ..errors import Terminated
from ..project import Project
from ..protocol import Prepared
from .confirmation import left_of_plan
from .first_trials import first_trials, missing_in
from .objective import Objective
from .observer import StudyObserver, StudyStart, StudySummary
from .opening import ProcessRole, open_study, refuse_differences, with_stored_ranges
from .stored_plan import current_plan
from .summary import finished_trials, summarise
from .trainer import Trainer
from .worker import OpenStudy, work_on

__all__ = ["Workers", "run_study"]

Workers: TypeAlias = Callable[[float | None], tuple[bool, Sequence[str]]]
"""Runs worker processes on an open study until a deadline; returns whether the user interrupted, and, if a process
gave up, the reasons of its last failures."""


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
    """Run trials of a study until the requested number of trials is reached.

    Args:
        prepared: The study, with its corpus and folds.
        project: The storage and the cache folder.
        observer: Receives every event.
        rerun: Configurations to train instead of a search; None searches.
        role: The role of this process in the study.
        deadline: No trial starts after this `time.monotonic()`; None is `study.timeout_s` after the study is opened.
        workers: Runs the trials in worker processes; None runs them in this process.

    Returns:
        The summary of the study; `interrupted` is true after Ctrl-C, and finished trials are kept.

    Raises:
        StudyError: A study of this name exists with other settings.
        SerTuneError: Input, disk or database fail.
        Terminated: The system ends the process; the trial is queued again, and continues with its next fold.
    """
    url = project.storage_url
    storage, lock = open_storage(project), StorageLock(url, f"study {prepared.definition.name}")
    with storage_errors(url, "be read"):
        stored = find_study(prepared.definition.name, storage)
        prepared = with_stored_ranges(prepared, stored)
    session = _Session(prepared, project, observer, rerun, role, stored)
    largest = largest_network_bytes(prepared.definition, prepared.targets.names) * len(prepared.folds)
    with storage_errors(url, "be written"):
        if stored is not None:
            refuse_differences(stored, prepared)
        plan = current_plan(prepared.definition, stored)
        to_run = session.trials_to_run(plan)
        first = [] if rerun is not None else first_trials(prepared, project)
        notes = [trial.note for trial in missing_in(stored, first, plan) if trial.note]
        # Reads every recording: an unusable recording raises here, before anything of the study is stored
        trainer = session.trainer() if to_run > 0 else None
        study = lock.run(lambda: open_study(prepared, storage, trainer, rerun=rerun, role=role, first=first, plan=plan))
        if deadline is None and (timeout_s := prepared.definition.config.study.timeout_s) is not None:
            deadline = time.monotonic() + timeout_s
        # The first process creates the MLflow run of the study under the lock; led processes use that run
        with nullcontext() if role == "led" else lock.held():
            observer.study_started(session.start(study, trainer, notes, to_run, largest))
        return session.work(OpenStudy(study, lock, rerun, deadline), trainer, workers)


@dataclass(frozen=True, slots=True)
class _Session:
    """The work of a process on a study: trials to run, trainer, events."""

    prepared: Prepared
    project: Project
    observer: StudyObserver
    rerun: Rerun | None
    role: ProcessRole
    stored: optuna.Study | None
    """The study as stored before this session; None if it is new."""

    def trials_to_run(self, plan: Plan) -> int:
        definition = self.prepared.definition
        trials = [] if self.stored is None else shown_trials(self.stored)
        if self.rerun is not None:
            return left_of_rerun(trials, definition.config.study.trials)
        return left_of_plan(trials, plan, definition.measures)

    def trainer(self) -> Trainer:
        about = {} if self.stored is None else self.stored.user_attrs
        picked = {key: about.get(key) for key in ("precision", "threads")}
        return Trainer(self.prepared, self.project.cache, **picked, observer=self.observer, led=self.role == "led")

    def start(
        self, study: optuna.Study, trainer: Trainer | None, notes: Sequence[str], to_run: int, largest: int
    ) -> StudyStart:
        prepared = self.prepared
        return StudyStart(
            definition=prepared.definition,
            study_id=study.user_attrs["study_id"],
            corpus=prepared.corpus,
            targets=prepared.targets,
            folds=prepared.folds,
            protocol=prepared.protocol,
            trials_to_run=to_run,
            largest_trial_bytes=largest,
            confirms="" if self.rerun is None else self.rerun.study_id,
            finished=finished_trials(study),
            device="" if trainer is None else trainer.describe_device(),
            notes=[*prepared.notes, *prepared.remarks, *notes],
            pretraining="" if prepared.pretraining is None else prepared.pretraining.state,
            before=summarise(study),
        )

    def work(self, opened: OpenStudy, trainer: Trainer | None, workers: Workers | None) -> StudySummary:
        """Run trials here or in other processes, and report the end."""
        study, settings, interrupted = opened.study, self.prepared.definition.config.study, False
        try:
            if trainer is not None and workers is not None:
                interrupted, opened.failures[:] = workers(opened.deadline)
                opened.lock.run(lambda: requeue_dead(study, Watch(settings.grace_s), limit=None))
            elif trainer is not None:
                store = FoldStore(self.project.cache / "folds", study.user_attrs["study_id"])
                interrupted = work_on(opened, Objective(trainer, store, self.observer))
        except (Exception, Terminated):
            self._finish(summarise(study, interrupted=True))
            raise
        failures = opened.failures if len(opened.failures) == settings.max_failures else ()
        summary = opened.lock.run(lambda: summarise(study, interrupted=interrupted, failures=failures))
        self._finish(summary)
        return summary

    def _finish(self, summary: StudySummary) -> None:
        """Report the end of this process; the end of a led process does not end the study."""
        running = max(1, summary.running) if self.role == "led" else summary.running
        self.observer.study_finished(replace(summary, running=running))
