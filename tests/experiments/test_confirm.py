"""A study's best, again on fresh seeds: interrupted, resumed, extended, and promoted by the lower bound."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from ser_tune.coordination import load_study, shown_trials
from ser_tune.errors import NonFiniteLossError, RegistryError, StudyError
from ser_tune.experiments import Candidate, confirm
from ser_tune.experiments.confirm import by_bound
from ser_tune.metrics import Metric
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.registry import Promotion, promote
from ser_tune.resampling import UNKNOWN, Interval, interval_of, seed_interval
from ser_tune.search import Fanout, StudyObserver, run_study
from ser_tune.tracking import CONFIRMS_TAG, TrackingObserver, Workspace, read_predictions
from tests.plugged import ERROR, SHORTFALL
from tests.project_copies import copy_project
from tests.tiny_studies import TASKS

pytestmark = pytest.mark.slow

NAME = "ser-manifest-alex_net"
QUICK = {"training.epochs": 1, "training.batch_size": 4, "study.pruner": "none", "study.keep_models": 1}


class Searched(NamedTuple):
    """A project with a search of three trials, whose best two shall be confirmed."""

    metric: Metric
    project: Project
    workspace: Workspace
    best: tuple[int, int]
    confirm: Callable[..., tuple[list[Candidate], Promotion]]


def _open(project: Project) -> Searched:
    workspace = Workspace(project)
    study, definition = load_study("searched", project)
    metric = definition.objective
    sign = -1 if metric.higher_is_better else 1
    ranked = sorted(study.get_trials(), key=lambda trial: (sign * trial.value, trial.number))

    def _confirm(*others: StudyObserver, top: int = 2, seeds: int = 2, **how: Any) -> tuple[list[Candidate], Promotion]:
        observer = Fanout(TrackingObserver(workspace), *others)
        prepared = prepare(definition, project)
        found = confirm(workspace, study, prepared, observer, top=top, seeds=seeds, **how)
        return list(found.candidates), found.promotion

    return Searched(metric, project, workspace, (ranked[0].number, ranked[1].number), _confirm)


Confirmed = tuple[Searched, list[Candidate], Promotion]


@pytest.fixture(scope="module")
def confirmed_of(new_project: Callable[[str], Project], tiny_of: Callable[..., Any]) -> Callable[[str], Confirmed]:
    """The search of a task, confirmed with two seeds each. Whoever changes it, works last."""

    @cache
    def _confirmed_of(task: str) -> Confirmed:
        project, few = new_project("confirmed"), {"study.trials": 3, "study.sampler_seed": 5}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ser_tune.tracking.run_metrics.draw_confusion", lambda *_: None)  # pictures take time
            search = prepare(tiny_of(task, name="searched", **QUICK, **few), project)
            run_study(search, project, TrackingObserver(Workspace(project)))
            for copy in ("interrupted", "failing"):
                copy_project(project.root, project.root.with_name(copy))
            searched = _open(project)
            return searched, *searched.confirm()

    return _confirmed_of


@pytest.fixture
def confirmed(confirmed_of: Callable[[str], Confirmed]) -> Confirmed:
    return confirmed_of("classification")


def _fresh(searched: Searched) -> dict[int, Any]:
    study, _ = load_study("searched-confirm", searched.project)
    return {trial.number: trial for trial in shown_trials(study) if trial.state == TrialState.COMPLETE}


def _run_of(searched: Searched, number: int, study: str = "searched-confirm") -> Any:
    (run,) = searched.workspace.client.search_runs(
        [experiment.experiment_id for experiment in searched.workspace.client.search_experiments()],
        f"tags.`ser_tune.study` = '{study}' and tags.`ser_tune.trial` = '{number}'",
    )
    return run


@pytest.mark.parametrize("task", TASKS)
def test_the_best_of_the_search_are_trained_with_the_values_that_it_gave_them(
    task: str, confirmed_of: Callable[[str], Confirmed]
) -> None:
    searched, candidates, _ = confirmed_of(task)
    assert sorted(candidate.trial for candidate in candidates) == sorted(searched.best)
    search = {trial.number: trial for trial in load_study("searched", searched.project)[0].get_trials()}
    fresh = _fresh(searched)
    for candidate in candidates:
        assert len(candidate.numbers) == len(candidate.scores) == 2
        for number, score in zip(candidate.numbers, candidate.scores, strict=True):
            assert fresh[number].params == search[candidate.trial].params
            assert fresh[number].value == score
        assert candidate.searched == search[candidate.trial].value
        assert candidate.searched_interval == interval_of(
            _run_of(searched, candidate.trial, "searched").data.metrics, f"validation_{searched.metric.name}"
        )
    assert any(candidate.searched_interval.known for candidate in candidates)
    # Seed by seed
    assert [
        list(candidate.numbers)
        for candidate in sorted(candidates, key=lambda candidate: searched.best.index(candidate.trial))
    ] == [
        [0, 2],
        [1, 3],
    ]


def test_no_seed_is_one_of_the_searchs_or_is_used_twice(confirmed: Confirmed) -> None:
    searched, candidates, _ = confirmed
    seeds = [
        int(_run_of(searched, number).data.params["seed"]) for candidate in candidates for number in candidate.numbers
    ]
    assert len(set(seeds)) == 4
    assert not set(seeds) & set(range(3))
    assert min(seeds) >= 100_000  # no search has so many trials that it would come there


@pytest.mark.parametrize("task", TASKS)
def test_a_candidates_interval_is_over_speakers_and_seeds(task: str, confirmed_of: Callable[[str], Confirmed]) -> None:
    searched, candidates, _ = confirmed_of(task)
    for candidate in candidates:
        read = [
            read_predictions(searched.workspace, _run_of(searched, number), "validation")
            for number in candidate.numbers
        ]
        assert candidate.interval == seed_interval(
            searched.metric, np.stack([each.sums(searched.metric) for each in read if each])
        )
        assert candidate.mean == pytest.approx(sum(candidate.scores) / 2)


def test_the_best_seed_is_not_promoted_by_the_way(confirmed: Confirmed) -> None:
    """It would be optimistic again."""
    searched = confirmed[0]
    study, definition = load_study("searched-confirm", searched.project)
    again = prepare(definition, searched.project)
    with pytest.raises(RegistryError, match="'searched-confirm' trains configurations of another study again"):
        promote(searched.workspace, again, study)


@pytest.mark.parametrize("task", TASKS)
def test_the_first_candidate_is_registered_with_what_it_came_to(
    task: str, confirmed_of: Callable[[str], Confirmed]
) -> None:
    searched, candidates, promotion = confirmed_of(task)
    assert candidates == by_bound(candidates, searched.metric)
    winner = candidates[0]
    # Of two seeds the worse one: the median that is not optimistic
    worse = min if searched.metric.higher_is_better else max
    assert promotion.trial == worse(zip(winner.scores, winner.numbers, strict=True))[1]
    name, alias = (NAME, "champion") if task == "classification" else ("ser-annotated-alex_net", task)
    assert (promotion.name, promotion.alias, promotion.created) == (name, alias, True)
    version = searched.workspace.client.get_model_version(name, promotion.version)
    assert version.run_id == _run_of(searched, promotion.trial).info.run_id
    assert (version.tags["study"], version.tags["rule"]) == ("searched-confirm", "better")
    assert version.tags["confirmed_seeds"] == "2"
    assert version.tags["confirmed_mean"] == f"{winner.mean:.4f}"
    assert version.tags["confirmed_low"] == f"{winner.interval.low:.4f}"


def test_the_fresh_runs_say_what_they_confirm_and_rank_under_the_same_protocol(confirmed: Confirmed) -> None:
    searched, candidates, _ = confirmed
    study, definition = load_study("searched", searched.project)
    for number in candidates[0].numbers:
        tags = _run_of(searched, number).data.tags
        assert tags[CONFIRMS_TAG] == study.user_attrs["study_id"]
        assert tags["ser_tune.fingerprint"] == prepare(definition, searched.project).protocol.fingerprint


@pytest.fixture
def promoted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was to be promoted; nothing is, for models and their test take time."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("ser_tune.tracking.run_metrics.draw_confusion", lambda *_: None)
    monkeypatch.setattr("ser_tune.tracking.observer.write_model", lambda *_: None)
    monkeypatch.setattr(sys.modules[confirm.__module__], "promote", lambda *_, **how: told.append(how))
    return told


def test_more_seeds_extend_what_was_done_and_of_an_odd_number_the_median_is_promoted(
    monkeypatch: pytest.MonkeyPatch, confirmed: Confirmed, promoted: list[dict[str, Any]]
) -> None:
    searched, before, _ = confirmed
    module = sys.modules[confirm.__module__]
    original = module._candidate
    # The tiny study's scores may be equal
    monkeypatch.setattr(module, "_candidate", lambda *known: replace(original(*known), scores=(0.9, 0.5, 0.7)))
    candidates, _ = searched.confirm(seeds=3)
    assert {candidate.trial: list(candidate.numbers[:2]) for candidate in candidates} == {
        row.trial: list(row.numbers) for row in before
    }
    assert sorted(number for candidate in candidates for number in candidate.numbers) == [0, 1, 2, 3, 4, 5]
    (told,) = promoted
    assert told["trial"].trial == candidates[0].numbers[2]
    assert told["trial"].mean == pytest.approx(0.7)
    assert (told["trial"].low, told["trial"].seeds) == (candidates[0].interval.low, 3)


def test_the_highest_lower_bound_wins_and_not_the_highest_mean(
    monkeypatch: pytest.MonkeyPatch, confirmed: Confirmed, promoted: list[dict[str, Any]]
) -> None:
    searched, *_ = confirmed
    module = sys.modules[confirm.__module__]
    original = module._candidate
    planted = {searched.best[0]: ((0.9, 0.9), Interval(0.4, 0.99)), searched.best[1]: ((0.7, 0.8), Interval(0.6, 0.9))}

    def plant(*known: Any) -> Candidate:
        candidate = original(*known)
        scores, interval = planted[candidate.trial]
        return replace(candidate, scores=scores, interval=interval)

    monkeypatch.setattr(module, "_candidate", plant)
    candidates, _ = searched.confirm()
    assert [candidate.trial for candidate in candidates] == [searched.best[1], searched.best[0]]
    assert promoted[0]["trial"].trial == candidates[0].numbers[0]  # 0.7, of two the one that is not optimistic
    # Fresh seeds do not remove the choice: what the winner is worth without it goes to the promotion
    complete = [trial for trial in load_study("searched", searched.project)[0].get_trials() if trial.value is not None]
    selection = promoted[0]["trial"].selection
    assert (selection.winner, selection.trials) == (candidates[0].trial, len(complete))
    assert 0 < selection.corrected.score.value < 1


def _candidate(trial: int, interval: Interval) -> Candidate:
    return Candidate(trial, [0.5], [trial], ERROR, searched=0.5, searched_interval=UNKNOWN, interval=interval)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), max_size=6))
def test_candidates_are_ordered_by_their_worse_bound_whichever_end_that_is(ends: list[tuple[float, float]]) -> None:
    """Without an interval, nothing is known but that it names one class throughout: such a one is last."""
    candidates = [_candidate(number, Interval(low, low + width)) for number, (low, width) in enumerate(ends)]
    without = _candidate(len(ends), UNKNOWN)
    higher, lower = by_bound([without, *candidates], SHORTFALL), by_bound([without, *candidates], ERROR)
    assert [candidate.interval.low for candidate in higher[:-1]] == sorted((low for low, _ in ends), reverse=True)
    assert [candidate.interval.high for candidate in lower[:-1]] == sorted(low + width for low, width in ends)
    assert higher[-1] == lower[-1] == without


def test_after_an_interruption_every_candidate_still_has_its_seeds(
    confirmed: Confirmed, project_in: Callable[[Path], Project], promoted: list[dict[str, Any]]
) -> None:
    searched = _open(project_in(confirmed[0].project.root.with_name("interrupted")))

    class Interrupting(StudyObserver):
        def epoch_finished(self, trial: int, fold: int, report: Any) -> None:
            if fold == 1 and len(_fresh(searched)) == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched.confirm(Interrupting())
    assert list(_fresh(searched)) == [0]
    assert not promoted
    candidates, _ = searched.confirm()
    numbers = {candidate.trial: list(candidate.numbers) for candidate in candidates}
    assert numbers == {searched.best[0]: [0, 2], searched.best[1]: [1, 3]}
    assert _run_of(searched, 1).data.params["seed"] == "100001"
    search, fresh = load_study("searched", searched.project)[0].get_trials(), _fresh(searched)
    for trial, trained in numbers.items():
        assert all(fresh[number].params == search[trial].params for number in trained)


def test_a_seed_that_failed_is_trained_again(
    confirmed: Confirmed, project_in: Callable[[Path], Project], promoted: list[dict[str, Any]]
) -> None:
    searched = _open(project_in(confirmed[0].project.root.with_name("failing")))

    class Failing(StudyObserver):
        def epoch_finished(self, trial: int, fold: int, report: Any) -> None:
            if trial < 2 and not _fresh(searched):
                raise NonFiniteLossError("the loss is nan")

    with pytest.raises(StudyError, match="2 of 4 trainings are complete; trial 1 failed: NonFiniteLossError: the loss"):
        searched.confirm(Failing())
    assert not promoted
    candidates, _ = searched.confirm()
    numbers = {candidate.trial: list(candidate.numbers) for candidate in candidates}
    assert numbers == {searched.best[0]: [0, 2], searched.best[1]: [1, 3]}
    assert [_run_of(searched, number).data.params["seed"] for number in (0, 1)] == ["100000", "100001"]


def test_a_run_that_was_deleted_in_mlflow_is_named(confirmed: Confirmed, promoted: list[dict[str, Any]]) -> None:
    searched, *_ = confirmed
    run_id = _run_of(searched, 2).info.run_id
    searched.workspace.client.delete_run(run_id)
    try:
        with pytest.raises(StudyError) as caught:
            searched.confirm()
    finally:
        searched.workspace.client.restore_run(run_id)
    told = str(caught.value)
    assert told.startswith(f"study 'searched-confirm': the run of trial 2 is gone from {searched.project.tracking_uri}")
    assert told.endswith(
        "somebody deleted the runs of trial 2 of 'searched-confirm' in MLflow; "
        "`ser-tune sync --restore searched-confirm` restores them"
    )


def test_other_configurations_than_before_are_refused(confirmed: Confirmed) -> None:
    searched, *_ = confirmed
    with pytest.raises(StudyError, match="study 'searched-confirm' trains other configurations than those asked for"):
        searched.confirm(top=3)


def test_more_candidates_than_complete_trials_are_refused(first: Any, recorder: Any) -> None:
    with pytest.raises(StudyError, match="study 'first' has 3 complete trials; expected at least 4"):
        confirm(first.workspace, first.study, first.prepared, recorder, top=4, seeds=2)
    assert not recorder.started
