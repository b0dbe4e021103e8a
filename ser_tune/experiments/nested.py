"""Nested evaluation: the search is run once for each outer fold, whose speakers it never sees."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from mlflow.entities import Metric, Param, Run

from ..config import Role, flatten
from ..coordination import study_names
from ..definition import StudyDefinition, strata_of
from ..errors import SerTuneError, StudyError
from ..folds import outer_parts
from ..project import Project
from ..protocol import Prepared, Protocol, draw_folds, prepare
from ..resampling import HeldOutFold, interval_of, score
from ..results import Nested, OuterFold, is_nested, predictions_of, runs_of
from ..row_groups import rows_by
from ..search import StudyObserver, StudySummary, Workers, run_study
from ..stored_names import inner_name
from ..tracking import (
    NETWORKS_TAG,
    STUDY_NAME_TAG,
    Workspace,
    corpus_tags,
    log_selection,
    metrics_of_sets,
    name_of,
    networks_of,
    process_tag,
    protocol_of,
    protocol_tags,
    read_selection,
    read_single_scores,
    score_metrics,
    score_on_holdout,
    scored_sets,
    search_runs,
)

Watch: TypeAlias = Callable[[], AbstractContextManager[StudyObserver]]
Lead: TypeAlias = Callable[[Prepared], Workers]

__all__ = ["can_be_nested", "run_nested"]


def run_nested(workspace: Workspace, prepared: Prepared, watch: Watch, lead: Lead | None = None) -> Nested:
    """Run one study for each outer fold, each a resumable study of its own, and score their best trials.

    Args:
        workspace: The project's stores.
        prepared: The study without nesting; its folds' test speakers (with sessions: the sessions; of a scheme: the
            corpora) are the outer folds, and each search folds the speakers that are left.
        watch: Opens the observer of a search.
        lead: Has other processes work on a search; None is this process.

    Raises:
        StudyError: A search has no complete trial, or the study holds speakers out already, or its folds are
            text-independent, the user's own or the corpus's official split, or it starts from a study that is not
            nested.
        KeyboardInterrupt: A search was interrupted; the same call goes on from there.
    """
    parts = outer_parts(prepared.corpus, prepared.folds)
    _refuse(prepared, len(parts), workspace.project)
    # All searches are prepared before the first: too few speakers in the last must not be found out after hours
    definitions = [_inner(prepared.definition, number, parts) for number in range(len(parts))]
    searches = [prepare(definition, workspace.project) for definition in definitions]
    folds = []
    for search, part in zip(searches, parts, strict=True):
        with watch() as observer:
            summary = run_study(search, workspace.project, observer, workers=None if lead is None else lead(search))
        folds.append(_outer_fold(workspace, search, summary, part))
    nested = _score(prepared, searches, folds)
    with workspace.errors():
        _log(workspace, prepared, nested)
    return nested


def can_be_nested(prepared: Prepared, project: Project) -> bool:
    """Whether `run_nested` would start: its settings are allowed, and each search has speakers enough for its folds."""
    parts = outer_parts(prepared.corpus, prepared.folds)
    strata = strata_of(prepared.definition, prepared.targets)
    try:
        _refuse(prepared, len(parts), project)
        for number in range(len(parts)):
            draw_folds(_inner(prepared.definition, number, parts), prepared.corpus, strata)
    except SerTuneError:
        return False
    return True


def _refuse(prepared: Prepared, searches: int, project: Project) -> None:
    """Refuse settings that a nested study cannot have, and trials that the speakers of an outer fold chose."""
    definition = prepared.definition
    protocol = definition.config.protocol
    if prepared.is_official:
        raise StudyError(
            f"no search sees the test sets of the official split of corpus {prepared.corpus.name}, so their scores are "
            "free of the selection without a nested study; leave out --nested, or draw speaker folds instead with "
            "protocol.folds, such as --set protocol.folds=5"
        )
    if protocol.holdout:
        raise StudyError("a nested study holds every speaker out in turn; leave out protocol.holdout (--holdout)")
    if protocol.text_independent:
        raise StudyError(
            "a nested study holds speakers out, and these speak texts that were trained on; leave out "
            "protocol.text_independent (--text-independent)"
        )
    if protocol.folds_file:
        raise StudyError("a nested study makes folds of its own; leave out protocol.folds_file (--folds)")
    known = set(study_names(project)) if definition.config.study.warm_start else set()
    for name in definition.config.study.warm_start:
        if not known.issuperset(inner_name(name, number) for number in range(searches)):
            raise StudyError(
                f"study '{name}' is not a nested study of {searches} searches, so a nested study cannot start from its "
                "trials: its own outer speakers may have chosen them; name a nested study (--nested) in --warm-start"
            )


def _score(prepared: Prepared, searches: Sequence[Prepared], folds: Sequence[OuterFold]) -> Nested:
    """The pooled outer scores, and their protocol."""
    definition, objective = prepared.definition, prepared.definition.objective
    inner = " ".join(sorted(search.protocol.never_saw for search in searches))
    facts = {
        **prepared.protocol.facts,
        "score": f"pooled {objective.title} of speakers that their search never saw, utterance level",
        "folds": f"{len(folds)} nested searches, SHA-256 {hashlib.sha256(inner.encode()).hexdigest()}",
    }
    number_of = {speaker: number for number, speaker in enumerate(prepared.corpus.speakers)}
    held_out = []
    for predictions in (fold.predictions for fold in folds):
        speakers = np.array([number_of[speaker] for speaker in predictions.speakers])
        held_out.append((predictions.truth, predictions.predicted, speakers))
    outer = score(held_out, definition.metrics, len(prepared.targets.names))
    sets = metrics_of_sets(_by_corpus(prepared, folds, held_out), definition.metrics, prepared.targets.names)
    parts = definition.config.corpus.parts if prepared.corpus.is_union else ()
    return Nested(definition.name, folds, outer, Protocol(facts=facts), objective, scored_sets(sets), parts)


def _by_corpus(
    prepared: Prepared, folds: Sequence[OuterFold], held_out: Sequence[HeldOutFold]
) -> dict[str, HeldOutFold]:
    """The outer predictions of each corpus of a union; empty for a corpus by itself."""
    corpus = prepared.corpus
    if not corpus.is_union:
        return {}
    label_of = {utterance.id: utterance.corpus for utterance in corpus.utterances}
    rows = rows_by([label_of[name] for fold in folds for name in fold.predictions.utterances])
    truth, predicted, speakers = (np.concatenate(side) for side in zip(*held_out, strict=True))
    return {label: (truth[own], predicted[own], speakers[own]) for label, own in rows.items()}


def _inner(definition: StudyDefinition, number: int, parts: Sequence[tuple[str, ...]]) -> StudyDefinition:
    """The search that never sees one of the parts."""
    config, speakers = definition.config, parts[number]
    # No more folds than parts are left
    folds = None if config.protocol.folds is None else min(config.protocol.folds, len(parts) - 1)
    # All that is not held out trains together, so that networks learn from all corpora that are left
    of_speakers = {"scheme": "speakers", "test_corpora": (), "fold_limit": None, "folds": folds}
    protocol = config.protocol.model_copy(update={"holdout": speakers, **of_speakers})
    warm_start = tuple(inner_name(name, number) for name in config.study.warm_start)
    study = config.study.model_copy(update={"warm_start": warm_start})
    update = {"name": inner_name(definition.name, number), "protocol": protocol, "study": study}
    return replace(definition, config=config.model_copy(update=update))


def _outer_fold(
    workspace: Workspace, prepared: Prepared, summary: StudySummary, speakers: tuple[str, ...]
) -> OuterFold:
    """The scores of a search's best trial, inside the search and on the speakers that it never saw."""
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
    """Log the outer scores and their protocol as a run; the same run when called again."""
    definition, of_corpus = prepared.definition, corpus_tags(prepared.corpus)
    by = "" if definition.preferred == definition.objective.name else f", by {definition.preferred}"
    name = f"{definition.name}, nested{by}"
    experiment = workspace.experiment(prepared.corpus.name)
    runs = search_runs(workspace, "", [experiment], tags={STUDY_NAME_TAG: prepared.definition.name})
    run = next((run for run in runs if run.info.run_name == name and _has_protocol(run, nested.protocol)), None)
    if run is None:
        tags = {**protocol_tags(nested.protocol), **process_tag(), STUDY_NAME_TAG: prepared.definition.name}
        run = workspace.client.create_run(experiment, run_name=name, tags=tags)
    values, objective = score_metrics(nested.outer, prepared.targets.names, "outer"), nested.objective.name
    values |= {
        f"inner_{objective}": nested.inner_score,
        f"outer_single_{objective}": nested.outer_single_score,
        "optimism": nested.optimism,
    }
    values |= {key: value for found in nested.sets for key, value in found.metrics.items()}
    if (interval := nested.optimism_interval).known:
        values |= {"optimism_low": interval.low, "optimism_high": interval.high}
    for key, value in {**of_corpus, NETWORKS_TAG: nested.networks}.items():
        workspace.client.set_tag(run.info.run_id, key, value)
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


def _has_protocol(run: Run, protocol: Protocol) -> bool:
    """Whether a run has the scores of a nested study of this protocol."""
    return is_nested(run) and protocol_of(run).fingerprint == protocol.fingerprint
