"""Nested evaluation: the search is run once for each outer fold, whose speakers it never sees."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from mlflow.entities import Metric, Param

from ..config import Project, Role, flatten
from ..coordination import study_names
from ..definition import StudyDefinition
from ..errors import StudyError
from ..folds import outer_parts
from ..protocol import Prepared, Protocol, prepare
from ..resampling import interval_of, score
from ..results import Nested, OuterFold, inner_name, is_nested, predictions_of, runs_of
from ..search import StudyObserver, StudySummary, Workers, run_study
from ..tracking import (
    NETWORKS_TAG,
    STUDY_NAME_TAG,
    Workspace,
    log_selection,
    name_of,
    networks_of,
    process_tag,
    protocol_of,
    protocol_tags,
    read_selection,
    read_single_scores,
    score_metrics,
    score_on_holdout,
    search_runs,
)

Watch: TypeAlias = Callable[[], AbstractContextManager[StudyObserver]]
Lead: TypeAlias = Callable[[Prepared], Workers]

__all__ = ["run_nested"]


def run_nested(workspace: Workspace, prepared: Prepared, watch: Watch, lead: Lead | None = None) -> Nested:
    """Run one study for each outer fold, each a resumable study of its own, and score their best trials.

    Args:
        prepared: The study as if it were one; its folds' test speakers (with sessions: the sessions) are the outer
            folds, and each search folds the speakers that are left.
        workspace: The project's stores.
        watch: Makes what watches one of the studies.
        lead: Has other processes work on one of the studies; None is this process.

    Raises:
        StudyError: A search has no complete trial, or the study holds speakers out already, or its folds are
            text-independent or the user's own, or it starts from a study that is not nested.
        KeyboardInterrupt: A search was interrupted; the same call goes on from there.
    """
    if prepared.definition.config.protocol.holdout:
        raise StudyError("a nested study holds every speaker out in turn; leave out protocol.holdout (--holdout)")
    if prepared.definition.config.protocol.text_independent:
        raise StudyError(
            "a nested study holds speakers out, and these speak texts that were trained on; leave out "
            "protocol.text_independent (--text-independent)"
        )
    if prepared.definition.config.protocol.folds_file:
        raise StudyError("a nested study makes folds of its own; leave out protocol.folds_file (--folds)")
    parts = outer_parts(prepared.corpus, prepared.folds)
    _refuse_seen_trials(prepared.definition, len(parts), workspace.project)
    # All of them first: one that has too few speakers left must not be found out after hours
    definitions = [_inner(prepared.definition, number, parts) for number in range(len(parts))]
    searches = [prepare(one, workspace.project) for one in definitions]
    folds = []
    for search, part in zip(searches, parts, strict=True):
        with watch() as observer:
            summary = run_study(search, workspace.project, observer, workers=None if lead is None else lead(search))
        folds.append(_outer_fold(workspace, search, summary, part))
    facts = dict(prepared.protocol.facts)
    definition = prepared.definition
    facts["score"] = f"pooled {definition.objective.title} of speakers that their search never saw, utterance level"
    inner = sorted(one.protocol.never_saw for one in searches)
    facts["folds"] = f"{len(folds)} nested searches, SHA-256 {hashlib.sha256(' '.join(inner).encode()).hexdigest()}"
    number_of = {speaker: number for number, speaker in enumerate(prepared.corpus.speakers)}
    nested = Nested(
        study=definition.name,
        folds=folds,
        outer=score(
            [
                (
                    one.predictions.truth,
                    one.predictions.predicted,
                    np.array([number_of[speaker] for speaker in one.predictions.speakers]),
                )
                for one in folds
            ],
            definition.metrics,
            len(prepared.targets.names),
        ),
        protocol=Protocol(facts=facts),
        objective=definition.objective,
    )
    with workspace.errors():
        _log(workspace, prepared, nested)
    return nested


def _inner(definition: StudyDefinition, number: int, parts: Sequence[tuple[str, ...]]) -> StudyDefinition:
    """The search that never sees one of the parts."""
    config, speakers = definition.config, parts[number]
    # As many as asked for, but no more than are left
    folds = None if config.protocol.folds is None else min(config.protocol.folds, len(parts) - 1)
    protocol = config.protocol.model_copy(update={"holdout": speakers, "fold_limit": None, "folds": folds})
    warm_start = tuple(inner_name(one, number) for one in config.study.warm_start)
    study = config.study.model_copy(update={"warm_start": warm_start})
    update = {"name": inner_name(definition.name, number), "protocol": protocol, "study": study}
    return replace(definition, config=config.model_copy(update=update))


def _refuse_seen_trials(definition: StudyDefinition, searches: int, project: Project) -> None:
    """Refuse to start from trials that were chosen by the speakers of an outer fold."""
    if not (wanted := definition.config.study.warm_start):
        return
    known = set(study_names(project))
    for name in wanted:
        if not known.issuperset(inner_name(name, number) for number in range(searches)):
            raise StudyError(
                f"study '{name}' is not a nested study of {searches} searches, so a nested study cannot start from its "
                "trials: its own outer speakers may have chosen them; name a nested study (--nested) in --warm-start"
            )


def _outer_fold(
    workspace: Workspace, prepared: Prepared, summary: StudySummary, speakers: tuple[str, ...]
) -> OuterFold:
    if summary.interrupted:
        raise KeyboardInterrupt
    if summary.failures:
        raise StudyError(
            f"study {summary.name} ended: {len(summary.failures)} trials in a row failed, the last as "
            f"{summary.failures[-1]}; the same command goes on from here"
        )
    if summary.best is None:
        raise StudyError(f"study {summary.name} has no complete trial; the same command goes on from here")
    study, _ = workspace.study(summary.name)
    (run,) = runs_of(workspace, study, [summary.best[0]], prepared.corpus.name)
    with workspace.errors():
        metrics = score_on_holdout(workspace, run, prepared)
        selection = read_selection(workspace, run.info.experiment_id, study)
        if selection is not None:
            log_selection(workspace, [run.info.run_id], selection)
        outer_single = read_single_scores(workspace, run)
    if outer_single is None:
        raise StudyError(f"run {run.info.run_id} ({name_of(run)}) has lost its scores of held-out speakers")
    validation_score = f"validation_{prepared.definition.objective.name}"
    (predictions,), (validation,) = (predictions_of(workspace, [run], side) for side in ("holdout", "validation"))
    return OuterFold(
        study=summary.name,
        speakers=speakers,
        best_trial=summary.best[0],
        inner_score=metrics[validation_score],
        inner_interval=interval_of(metrics, validation_score),
        outer_single=outer_single,
        validation=validation,
        predictions=predictions,
        networks=networks_of(run, "holdout"),
        selection=selection,
    )


def _log(workspace: Workspace, prepared: Prepared, nested: Nested) -> None:
    """A run of its own, with the outer scores and the protocol that they are of; the same one when called again."""
    name, tags = f"{prepared.definition.name}, nested", protocol_tags(nested.protocol)
    experiment = workspace.experiment(prepared.corpus.name)
    same = [
        run
        for run in search_runs(workspace, "", [experiment], tags={STUDY_NAME_TAG: prepared.definition.name})
        if run.info.run_name == name and is_nested(run) and protocol_of(run).fingerprint == nested.protocol.fingerprint
    ]
    run = (
        same[0]
        if same
        else workspace.client.create_run(
            experiment, run_name=name, tags={**tags, **process_tag(), STUDY_NAME_TAG: prepared.definition.name}
        )
    )
    values, objective = score_metrics(nested.outer, prepared.targets.names, "outer"), nested.objective.name
    values |= {
        f"inner_{objective}": nested.inner_score,
        f"outer_single_{objective}": nested.outer_single_score,
        "optimism": nested.optimism,
    }
    if (interval := nested.optimism_interval).known:
        values |= {"optimism_low": interval.low, "optimism_high": interval.high}
    workspace.client.set_tag(run.info.run_id, NETWORKS_TAG, nested.networks)
    now = int(time.time() * 1000)
    settings = flatten(prepared.definition.config.model_dump(mode="json"))
    params = [
        Param(path, str(settings[path]))
        for path in sorted(prepared.definition.paths_with(Role.IDENTITY))
        if settings.get(path) is not None and path not in run.data.params
    ]
    metrics = [Metric(name, value, now, 0) for name, value in values.items() if not math.isnan(value)]
    workspace.client.log_batch(run.info.run_id, metrics=metrics, params=params)
    workspace.client.set_terminated(run.info.run_id)
