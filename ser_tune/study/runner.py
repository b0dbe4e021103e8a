"""Running a study: open or resume it, search, end cleanly."""

import json
import sqlite3
import time
import uuid
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ..config import Project, flatten
from ..corpora import CORPORA, Corpus
from ..errors import StorageError, StudyError
from ..folds import Fold, speaker_folds
from .definition import StudyDefinition
from .objective import FAILURES, Objective
from .observer import StudyObserver, StudyStart, StudySummary
from .observer import TrialState as State
from .protocol import Protocol
from .pruning import build_pruner
from .sampling import build_sampler

__all__ = ["Prepared", "load_study", "open_storage", "prepare", "run_study", "summarise"]

HEARTBEAT_S, GRACE_S = 10, 60
"""A process that has not been heard of for a minute is dead, and its trial is run again."""

RESUMABLE = ("config.name", "config.corpus.data", "config.study.")
"""Settings, and sections, that may differ when a study goes on: they do not change what a trial is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A study whose corpus is read and whose folds are drawn."""

    definition: StudyDefinition
    corpus: Corpus
    folds: Sequence[Fold]
    protocol: Protocol

    def refuse_other_protocol(self, study: optuna.Study) -> None:
        """Raise where the corpus or the folds are no longer those that the study ran on.

        Raises:
            StudyError: Its scores mean something else.
        """
        if differences := self.protocol.differences(json.loads(study.user_attrs["protocol"])):
            raise StudyError(f"study '{study.study_name}' ran under another protocol: {differences}")


def prepare(definition: StudyDefinition, project: Project) -> Prepared:
    """Read the corpus and draw the folds.

    Raises:
        CorpusError: The corpus is missing, mislabelled, or too small for its folds.
    """
    config = definition.config
    corpus = Corpus.load(
        CORPORA.get(config.corpus.name), config.corpus.data, project.cache, emotions=config.protocol.emotions
    )
    folds = speaker_folds(corpus, config.protocol.folds)
    return Prepared(definition, corpus, folds, Protocol.of(config, corpus, folds))


def open_storage(project: Project) -> RDBStorage:
    """Open Optuna's database, and create it where it is missing.

    Raises:
        StorageError: It cannot be opened.
    """
    url = project.storage_url
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # observers tell of studies and trials, once
    try:
        if url.startswith("sqlite:///"):
            path = Path(url.removeprefix("sqlite:///"))
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path)) as connection:
                # Write-ahead logging costs one disk flush a transaction instead of four
                connection.execute("PRAGMA journal_mode=WAL")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats are marked so
            return RDBStorage(
                url,
                engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None,
                heartbeat_interval=HEARTBEAT_S,
                grace_period=GRACE_S,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=2),
            )
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StorageError(f"the study database '{url}' cannot be opened: {reason}") from None


def run_study(prepared: Prepared, project: Project, observer: StudyObserver) -> StudySummary:
    """Run a study until it has as many trials as asked for.

    Args:
        prepared: What to run.
        project: Where things are.
        observer: Is told of everything.

    Returns:
        How it ended; `interrupted` after Ctrl-C, which leaves every finished trial as it is.

    Raises:
        StudyError: A study of this name exists and differs.
        SerTuneError: Input, disk or database fail.
    """
    definition = prepared.definition
    settings = definition.config.study
    largest = definition.largest_network_bytes(len(prepared.corpus.emotions)) * len(prepared.folds)
    study = _open(prepared, project)
    to_run = max(0, settings.trials - _counted(study))
    summary = summarise(study)
    observer.study_started(
        StudyStart(
            definition=definition,
            study_id=study.user_attrs["study_id"],
            corpus=prepared.corpus,
            folds=prepared.folds,
            protocol=prepared.protocol,
            trials_to_run=to_run,
            largest_trial_bytes=largest,
            finished=_finished(study),
            best=summary.best,
        )
    )
    interrupted = False
    if to_run:
        interrupted = _search(study, prepared, project, observer)
    summary = summarise(study, interrupted=interrupted)
    observer.study_finished(summary)
    return summary


def _search(study: optuna.Study, prepared: Prepared, project: Project, observer: StudyObserver) -> bool:
    """Run trials until there are enough; returns whether the user interrupted."""
    definition = prepared.definition
    settings = definition.config.study
    deadline = time.monotonic() + settings.timeout_s if settings.timeout_s is not None else None
    objective = Objective(
        definition=definition,
        corpus=prepared.corpus,
        folds=prepared.folds,
        cache=project.cache,
        observer=observer,
        precision=study.user_attrs.get("precision"),
    )
    study.set_user_attr("precision", objective.precision)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(definition.published())
    try:
        while _counted(study) < settings.trials and (deadline is None or time.monotonic() < deadline):
            study.optimize(objective, n_trials=1, catch=FAILURES)
    except KeyboardInterrupt:
        last = study.get_trials(deepcopy=False)[-1]
        if last.state == TrialState.FAIL and not _is_counted(last):
            study.enqueue_trial(last.params)  # no proposal is lost: the study goes on with this one
        return True
    return False


def _open(prepared: Prepared, project: Project) -> optuna.Study:
    """Create the study, or load it where it exists and is the same."""
    definition = prepared.definition
    storage = open_storage(project)
    study = optuna.create_study(
        study_name=definition.name,
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        pruner=build_pruner(definition.config.study),
    )
    study.sampler = build_sampler(definition.config.study, len(study.get_trials(deepcopy=False)))
    described = {
        "definition": definition.as_json(),
        "protocol": json.dumps(dict(prepared.protocol.facts)),
    }
    if study.get_trials(deepcopy=False):
        _refuse_differences(study, prepared, described)
    else:
        for key, value in described.items():
            study.set_user_attr(key, value)
        if "study_id" not in study.user_attrs:
            study.set_user_attr("study_id", uuid.uuid4().hex)
    return study


def _refuse_differences(study: optuna.Study, prepared: Prepared, described: dict[str, str]) -> None:
    """Raise where a stored study is not the one described."""
    stored = study.user_attrs
    differences = prepared.protocol.differences(json.loads(stored["protocol"]))
    if not differences:
        now, then = (flatten(json.loads(text)) for text in (described["definition"], stored["definition"]))
        differences = "; ".join(
            f"{path.removeprefix('config.')} is {now.get(path)!r}, not {then.get(path)!r}"
            for path in sorted(set(now) | set(then))
            if now.get(path) != then.get(path) and not path.startswith(RESUMABLE)
        )
    if differences:
        raise StudyError(
            f"study '{study.study_name}' exists and differs: {differences}; give the new study another --name"
        )


def load_study(name: str, project: Project) -> tuple[optuna.Study, StudyDefinition]:
    """A stored study and its definition.

    Raises:
        StudyError: There is no such study; the message lists those there are.
    """
    storage = open_storage(project)
    names = optuna.get_all_study_names(storage)
    if name not in names:
        raise StudyError(f"no study '{name}' in {project.storage_url}; it has: {', '.join(sorted(names)) or 'none'}")
    study = optuna.load_study(study_name=name, storage=storage)
    if "definition" not in study.user_attrs:
        raise StudyError(f"study '{name}' in {project.storage_url} was not made by ser-tune")
    return study, StudyDefinition.from_json(study.user_attrs["definition"])


def _is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the total: all that ended, unless an interruption or a crash ended them."""
    if trial.state == TrialState.FAIL:
        return "failure" in trial.user_attrs
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def _counted(study: optuna.Study) -> int:
    return sum(_is_counted(trial) for trial in study.get_trials(deepcopy=False))


def _finished(study: optuna.Study) -> dict[int, State]:
    states: dict[TrialState, State] = {
        TrialState.COMPLETE: "COMPLETE",
        TrialState.PRUNED: "PRUNED",
        TrialState.FAIL: "FAIL",
    }
    return {one.number: states[one.state] for one in study.get_trials(deepcopy=False) if one.state in states}


def summarise(study: optuna.Study, *, interrupted: bool = False) -> StudySummary:
    """Count a study's trials and name its best."""
    trials = study.get_trials(deepcopy=False)
    complete = [one for one in trials if one.state == TrialState.COMPLETE and one.value is not None]
    best = max(complete, key=lambda one: (one.value or 0.0, -one.number), default=None)
    return StudySummary(
        name=study.study_name,
        complete=len(complete),
        pruned=sum(one.state == TrialState.PRUNED for one in trials),
        failed=sum(one.state == TrialState.FAIL and _is_counted(one) for one in trials),
        best=None if best is None or best.value is None else (best.number, best.value),
        first=complete[0].value if complete else None,
        interrupted=interrupted,
    )
