"""Running a study: open or resume it, search, end cleanly."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from ..config import Project
from ..errors import StudyError, Terminated
from .confirmation import confirms, enqueue_confirmation, gain_of, left_of_plan, plan_of
from .definition import StudyDefinition
from .differences import worded
from .fold_store import FoldStore
from .objective import FAILURES, Objective
from .observer import StudyObserver, StudyStart, StudySummary
from .observer import TrialState as State
from .opening import Opening, opening_of
from .places import (
    FAILURE,
    Rerun,
    enqueue,
    enqueue_rerun,
    enqueue_unfinished,
    is_counted,
    left_of_rerun,
    place_of,
    values_of,
)
from .prepared import Prepared, stored_protocol
from .sampling import PlaceSampler
from .sizes import largest_network_bytes
from .status import FOLDS
from .storage import fail_dead_trials, open_storage, storage_errors
from .trainer import Trainer

__all__ = ["run_study", "summarise"]

RESUMABLE = (
    *("name", "corpus.data", "study", "features.checkpoint", "features.revision", "model.checkpoint"),
    "model.revision",
)
"""Settings, and sections of them, that may differ when a study goes on: they do not change what a trial is."""


def run_study(
    prepared: Prepared, project: Project, observer: StudyObserver, *, rerun: Rerun | None = None
) -> StudySummary:
    """Run a study until it has as many trials as asked for.

    Args:
        prepared: What to run.
        project: Where things are.
        observer: Receives every event.
        rerun: What its trials are, where they are not to be searched for.

    Returns:
        How it ended; `interrupted` after Ctrl-C, which leaves every finished trial as it is.

    Raises:
        StudyError: A study of this name exists and differs.
        SerTuneError: Input, disk or database fail.
        Terminated: The system ends the process; the trial is in line again, and goes on with its next fold.
    """
    definition = prepared.definition
    largest = largest_network_bytes(definition, len(prepared.corpus.emotions)) * len(prepared.folds)
    storage = open_storage(project)
    with storage_errors(project.storage_url, "be written"):
        stored = _stored(prepared, storage)
        known = [] if stored is None else stored.get_trials(deepcopy=False)
        trials, plan = definition.config.study.trials, plan_of(definition.config)
        to_run = left_of_plan(known, plan) if rerun is None else left_of_rerun(known, trials)
        opening = Opening() if rerun is not None else opening_of(prepared, stored, project)
        trainer = None
        if to_run > 0:
            # Reads every recording: one that cannot be used ends the study here, before anything of it is stored
            picked = {} if stored is None else {key: stored.user_attrs.get(key) for key in ("precision", "threads")}
            trainer = Trainer(prepared, project.cache, **picked, progress=observer.extraction_progressed)
        study = _open(prepared, storage)
        if rerun is not None:
            enqueue_rerun(study, rerun, definition)
        observer.study_started(
            StudyStart(
                definition=definition,
                study_id=study.user_attrs["study_id"],
                corpus=prepared.corpus,
                folds=prepared.folds,
                protocol=prepared.protocol,
                trials_to_run=to_run,
                largest_trial_bytes=largest,
                confirms="" if rerun is None else rerun.study_id,
                finished=_finished(study),
                device="" if trainer is None else trainer.describe_device(),
                notes=[*prepared.notes, *opening.notes],
                pretraining="" if prepared.pretraining is None else prepared.pretraining.state,
                before=summarise(study),
            )
        )
        interrupted, failures = False, list[str]()
        try:
            if trainer is not None:
                objective = Objective(
                    trainer, FoldStore(project.cache / "folds", study.user_attrs["study_id"]), observer
                )
                interrupted = _search(study, objective, rerun, opening, failures)
        except (Exception, Terminated):
            observer.study_finished(summarise(study, interrupted=True))
            raise
        given_up = len(failures) == definition.config.study.max_failures
        summary = summarise(study, interrupted=interrupted, failures=failures if given_up else ())
        observer.study_finished(summary)
    return summary


def _search(
    study: optuna.Study, objective: Objective, rerun: Rerun | None, opening: Opening, failures: list[str]
) -> bool:
    """Run trials until there are enough, or too many in a row have failed; returns whether the user interrupted.

    `failures` gets the reasons why the last trials failed, empty after one that did not.
    """
    definition = objective.trainer.prepared.definition
    settings = definition.config.study
    deadline = time.monotonic() + settings.timeout_s if settings.timeout_s is not None else None
    study.set_user_attr("precision", objective.trainer.precision)
    study.set_user_attr("threads", objective.trainer.threads)
    study.set_user_attr(FOLDS, len(objective.trainer.prepared.folds))
    there = [values_of(one) for one in study.get_trials(deepcopy=False)]  # perhaps by another process, meanwhile
    for values in opening.trials:
        if values not in there:
            enqueue(study, definition, values)
    plan = plan_of(definition.config)

    def goes_on() -> bool:
        if rerun is None:
            enqueue_confirmation(study, plan)
        known = study.get_trials(deepcopy=False)
        if rerun is None:
            return left_of_plan(known, plan) > 0
        # What fails now is not tried again before the next call
        return any(one.state == TrialState.WAITING and place_of(one) < settings.trials for one in known)

    def count(_: optuna.Study, trial: FrozenTrial) -> None:
        if trial.state == TrialState.FAIL:
            failures.append(f"trial {trial.number}: {trial.user_attrs.get(FAILURE, 'no reason')}")
        else:
            failures.clear()

    try:
        while (
            len(failures) != settings.max_failures and goes_on() and (deadline is None or time.monotonic() < deadline)
        ):
            study.optimize(objective, n_trials=1, catch=FAILURES, callbacks=[count])
            objective.forget_folds()
    except (Exception, KeyboardInterrupt) as error:
        enqueue_unfinished(study)
        if not isinstance(error, KeyboardInterrupt) or isinstance(error, Terminated):
            raise
        return True
    finally:
        objective.trainer.executor.close()
    return False


def _stored(prepared: Prepared, storage: RDBStorage) -> optuna.Study | None:
    """The study as an earlier session left it.

    Raises:
        StudyError: It is another one.
    """
    name = prepared.definition.name
    if name not in optuna.get_all_study_names(storage):
        return None
    study = optuna.load_study(study_name=name, storage=storage)
    if study.get_trials(deepcopy=False):
        _refuse_differences(study, prepared)
    return study


def _open(prepared: Prepared, storage: RDBStorage) -> optuna.Study:
    """Create the study, or load it where it exists and is the same."""
    settings = prepared.definition.config.study
    study = optuna.create_study(
        study_name=prepared.definition.name,
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),  # `Race` judges trials
    )
    trials = study.get_trials(deepcopy=False)
    study.sampler = PlaceSampler(settings)
    if trials:
        _refuse_differences(study, prepared)
        # As it is asked for now: its total decides which trials are confirmed, also when it is read later
        before = StudyDefinition.from_json(study.user_attrs["definition"])
        study.set_user_attr("definition", replace(before, config=prepared.definition.config).as_json())
        fail_dead_trials(study)
    else:
        study.set_user_attr("definition", prepared.definition.as_json())
        study.set_user_attr("protocol", json.dumps(dict(prepared.protocol.facts)))
        if "study_id" not in study.user_attrs:
            study.set_user_attr("study_id", uuid.uuid4().hex)
    return study


def _refuse_differences(study: optuna.Study, prepared: Prepared) -> None:
    """Raise where a stored study is not the one described."""
    stored = study.user_attrs
    if "definition" not in stored:
        raise StudyError(f"study '{study.study_name}' was not made by ser-tune; give the new study another --name")
    differences = prepared.protocol.differences(stored_protocol(study))
    if not differences:
        before = StudyDefinition.from_json(stored["definition"])
        differences = [one for one in prepared.definition.differences(before) if not one.is_in(RESUMABLE)]
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
    complete = [one for one in trials if one.state == TrialState.COMPLETE and one.value is not None]
    gain = gain_of(trials, plan_of(StudyDefinition.from_json(study.user_attrs["definition"]).config))
    best = max(complete, key=lambda one: (confirms(one) is None, one.value or 0.0, -one.number), default=None)
    if gain is not None:
        best = next(one for one in complete if one.number == gain.winner.middle)
    return StudySummary(
        name=study.study_name,
        complete=len(complete),
        pruned=sum(one.state == TrialState.PRUNED for one in trials),
        failed=sum(one.state == TrialState.FAIL and is_counted(one) for one in trials),
        best=None if best is None or best.value is None else (best.number, best.value),
        first=complete[0].value if complete else None,
        finished=_finished(study),
        interrupted=interrupted,
        failures=failures,
        gain=gain,
    )
