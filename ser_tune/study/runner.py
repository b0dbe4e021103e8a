"""Running a study: open or resume it, search, end cleanly."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from ..config import Project, Value
from ..corpora import CORPORA, Corpus
from ..device import describe_device
from ..errors import StudyError
from ..features import FEATURE_SETS
from ..folds import Fold, speaker_folds, text_independent_folds
from .definition import StudyDefinition
from .objective import FAILURES, Objective
from .observer import StudyObserver, StudyStart, StudySummary
from .observer import TrialState as State
from .pretraining import Pretraining, pretraining_of
from .protocol import Protocol
from .sampling import build_sampler
from .storage import PLACE, enqueue_again, fail_dead_trials, open_storage, place_of, storage_errors
from .texts import text_baseline

__all__ = ["Prepared", "Rerun", "load_corpus", "load_study", "prepare", "run_study", "summarise"]

RESUMABLE = ("name ", "corpus.data ", "study.", "features.checkpoint ", "features.revision ")
"""Settings, and sections, that may differ when a study goes on: they do not change what a trial is."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A study whose corpus is read and whose folds are drawn."""

    definition: StudyDefinition
    corpus: Corpus
    folds: Sequence[Fold]
    """Those to train: all of the protocol's, or the first of them where `protocol.fold_limit` says so."""
    folds_of_protocol: int
    protocol: Protocol

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for readers of the scores: text-only baseline, pretraining, the protocol's warnings, licences."""
        baseline, pretraining = text_baseline(self.corpus, self.folds), self.pretraining
        licence = FEATURE_SETS.get(self.definition.config.features.name).licence
        return [
            *([] if baseline is None else [f"text-only baseline: {baseline}"]),
            *([] if pretraining is None else [pretraining.sentence]),
            *self.protocol.warnings,
            *([licence] if licence else []),
        ]

    @property
    def pretraining(self) -> Pretraining | None:
        """What is known of the encoder's pretraining; None without an encoder."""
        return pretraining_of(self.definition.config.features, self.corpus.name)

    def refuse_other_protocol(self, study: optuna.Study) -> None:
        """Raise where the corpus or the folds are no longer those that the study ran on.

        Raises:
            StudyError: Its scores mean something else.
        """
        if differences := self.protocol.differences(json.loads(study.user_attrs["protocol"])):
            raise StudyError(f"study '{study.study_name}' ran under another protocol: {differences}")

    def objective(self, project: Project, observer: StudyObserver, *, precision: str | None = None) -> Objective:
        """What trains the study's folds; `Objective` says what it is given and what it raises."""
        return Objective(
            definition=self.definition,
            corpus=self.corpus,
            folds=self.folds,
            cache=project.cache,
            observer=observer,
            precision=precision,
        )


@dataclass(frozen=True, slots=True)
class Rerun:
    """Configurations to be trained, each on a seed of its own, where nothing is to be searched for.

    The place in the queue gives the seed: what was interrupted or failed is trained on the same by the next call.
    """

    queue: Sequence[Mapping[str, Value]]
    """The sampled values of every trial, in order."""
    study_id: str = ""
    """The earlier study's that found them; empty where none did."""


def load_corpus(definition: StudyDefinition, project: Project) -> Corpus:
    """Read the corpus that a study names.

    Raises:
        CorpusError: The corpus is missing or mislabelled.
    """
    settings, protocol = definition.config.corpus, definition.config.protocol
    return Corpus.load(
        CORPORA.get(settings.name),
        settings.data,
        project.cache,
        task=settings.task,
        emotions=protocol.emotions,
        styles=protocol.styles,
        merge=None if protocol.merge is None else dict(one.split("=") for one in protocol.merge),
    )


def prepare(definition: StudyDefinition, project: Project) -> Prepared:
    """Read the corpus, draw the folds, and find a pretrained encoder.

    Raises:
        CorpusError: The corpus is missing, mislabelled, or too small for its folds.
        ConfigError: There is no such encoder.
    """
    definition = definition.resolved(project.cache)
    config, corpus = definition.config, load_corpus(definition, project)
    folds = speaker_folds(corpus, config.protocol.folds, holdout=config.protocol.holdout)
    if config.protocol.text_independent:
        folds = text_independent_folds(corpus, folds)
    trained = folds[: config.protocol.fold_limit]
    return Prepared(definition, corpus, trained, len(folds), Protocol.of(config, corpus, trained))


def run_study(
    prepared: Prepared, project: Project, observer: StudyObserver, *, rerun: Rerun | None = None
) -> StudySummary:
    """Run a study until it has as many trials as asked for.

    Args:
        prepared: What to run.
        project: Where things are.
        observer: Is told of everything.
        rerun: What its trials are, where they are not to be searched for.

    Returns:
        How it ended; `interrupted` after Ctrl-C, which leaves every finished trial as it is.

    Raises:
        StudyError: A study of this name exists and differs.
        SerTuneError: Input, disk or database fail.
    """
    definition = prepared.definition
    largest = definition.largest_network_bytes(len(prepared.corpus.emotions)) * len(prepared.folds)
    storage = open_storage(project)
    with storage_errors(project.storage_url, "be written"):
        stored = _stored(prepared, storage)
        known = [] if stored is None else stored.get_trials(deepcopy=False)
        to_run = _left(known, definition.config.study.trials, rerun)
        objective = None
        if to_run > 0:
            # Reads every recording: one that cannot be used ends the study here, before anything of it is stored
            precision = None if stored is None else stored.user_attrs.get("precision")
            objective = prepared.objective(project, observer, precision=precision)
        study = _open(prepared, storage)
        if rerun is not None:
            _enqueue_rerun(study, rerun)
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
                device="" if objective is None else describe_device(objective.device),
                notes=prepared.notes,
                pretraining="" if prepared.pretraining is None else prepared.pretraining.state,
                before=summarise(study),
            )
        )
        interrupted = False
        try:
            if objective is not None:
                interrupted = _search(study, objective, rerun)
        except Exception:
            observer.study_finished(summarise(study, interrupted=True))
            raise
        summary = summarise(study, interrupted=interrupted)
        observer.study_finished(summary)
    return summary


def _left(known: Sequence[FrozenTrial], trials: int, rerun: Rerun | None) -> int:
    """How many of so many trials are left to run; of a rerun, those places that nothing came of."""
    if rerun is None:
        return max(0, trials - sum(map(_is_counted, known)))
    return len(set(range(trials)) - {place_of(one) for one in known if one.state in DONE})


def _search(study: optuna.Study, objective: Objective, rerun: Rerun | None) -> bool:
    """Run trials until there are enough; returns whether the user interrupted."""
    settings = objective.definition.config.study
    deadline = time.monotonic() + settings.timeout_s if settings.timeout_s is not None else None
    study.set_user_attr("precision", objective.precision)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(objective.definition.published())

    def goes_on() -> bool:
        known = study.get_trials(deepcopy=False)
        if rerun is None:
            return _left(known, settings.trials, rerun) > 0
        # What fails now is not tried again before the next call
        return any(one.state == TrialState.WAITING and place_of(one) < settings.trials for one in known)

    try:
        while goes_on() and (deadline is None or time.monotonic() < deadline):
            study.optimize(objective, n_trials=1, catch=FAILURES)
    except KeyboardInterrupt:
        _enqueue_again(study)
        return True
    except Exception:
        _enqueue_again(study)
        raise
    return False


def _enqueue_rerun(study: optuna.Study, rerun: Rerun) -> None:
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


def _enqueue_again(study: optuna.Study) -> None:
    """Have the study go on with the trial that it was ended in: no proposal is lost, the published one least."""
    # Those still waiting in line, as all of a rerun's are, come after it
    last = [one for one in study.get_trials(deepcopy=False) if one.state != TrialState.WAITING][-1]
    if last.state == TrialState.FAIL and not _is_counted(last):
        enqueue_again(study, last)


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
    study.sampler = build_sampler(settings, len(trials))
    if trials:
        _refuse_differences(study, prepared)
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
    differences = prepared.protocol.differences(json.loads(stored["protocol"]))
    if not differences:
        before = StudyDefinition.from_json(stored["definition"])
        differences = "; ".join(one for one in prepared.definition.differences(before) if not one.startswith(RESUMABLE))
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
    return trial.state in DONE


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
        finished=_finished(study),
        interrupted=interrupted,
    )
