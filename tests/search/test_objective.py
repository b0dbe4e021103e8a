"""What a trial sees: the training and validation sides of its folds, and of nobody else."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import optuna
import pytest
import torch

from ser_tune.coordination import CURVES
from ser_tune.errors import CorpusError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudySummary
from ser_tune.search.samplers.base import Sampler

Run = Callable[..., StudySummary]
Commits = Callable[[str], int]


@pytest.mark.slow
def test_test_utterances_never_reach_the_objective(
    run: Run, recorder: Any, monkeypatch: pytest.MonkeyPatch, project: Project, tiny: Callable[..., Any]
) -> None:
    from ser_tune.training import job

    folds = prepare(tiny(), project).folds
    seen: list[tuple[set[int], set[int]]] = []
    original = job.fit

    def spy(config: Any, data: Any, train: np.ndarray, validation: np.ndarray, **others: Any) -> Any:
        seen.append((set(train.tolist()), set(validation.tolist())))
        # Labels that nobody may look at: a class number beyond all classes would break whatever used one
        hidden = folds[(len(seen) - 1) % len(folds)].test
        poisoned = data.targets.values.copy()
        poisoned[hidden] = 10**6
        targets = replace(data.targets, values=poisoned, strata=poisoned)
        return original(config, replace(data, targets=targets), train, validation, **others)

    monkeypatch.setattr(job, "fit", spy)
    run(2)
    assert len(seen) == 2 * len(folds)
    for number, (train, validation) in enumerate(seen):
        fold = folds[number % len(folds)]
        assert train == set(fold.train.tolist())
        assert validation == set(fold.validation.tolist())
        assert not (train | validation) & set(fold.test.tolist())
    for outcome in recorder.outcomes:
        scored = np.concatenate([one.fold.validation for one in outcome.folds])
        assert sum(len(one.truth) for one in outcome.folds) == len(scored)


@pytest.mark.slow
def test_a_complete_trial_keeps_what_later_trials_race_against(run: Run, recorder: Any, project: Project) -> None:
    assert run(1, **{"training.epochs": 2, "training.selection": "smoothed_validation_score"}).complete == 1
    storage = optuna.storages.RDBStorage(project.storage_url, skip_compatibility_check=True)  # which takes long
    (trial,) = optuna.load_study(study_name="one", storage=storage).trials
    kept = [[one.kept for one in outcome.fitted.history] for outcome in recorder.outcomes[0].folds]
    assert trial.user_attrs[CURVES] == [[round(uar, 4) for uar in fold] for fold in kept]  # MySQL's columns are short
    # What a later trial is told of a fold's end is what the fold has come to
    ends = [one.fitted.history[one.fitted.epoch - 1].score for one in recorder.outcomes[0].folds]
    assert [fold[-1] for fold in kept] == ends
    assert trial.intermediate_values == pytest.approx({1: ends[0], 2: np.mean(ends[:2]), 3: np.mean(ends)})


@pytest.mark.slow
def test_a_trial_makes_five_commits_whatever_its_number_of_quick_folds_and_parameters(
    run: Run, monkeypatch: pytest.MonkeyPatch, commits: Commits
) -> None:
    from ser_tune.search import objective, worker

    monkeypatch.setattr(objective, "NOTED_S", 1000.0)
    ended: list[int] = []
    original = worker._tell

    def tell(*arguments: Any) -> bool:
        ours = original(*arguments)
        ended.append(commits("optuna"))
        return ours

    monkeypatch.setattr(worker, "_tell", tell)
    run(3)
    # Claimed, proposed, its first fold, its other folds and curves, its end
    assert np.diff(ended).tolist() == [5, 5]


class _WaitingSampler(optuna.samplers.RandomSampler):
    """Waits, before it draws a value, until another connection could have written to the study."""

    def sample_independent(self, study: optuna.Study, *arguments: Any) -> Any:
        database = study._storage._backend.url.removeprefix("sqlite:///")  # type: ignore[attr-defined]
        with closing(sqlite3.connect(database, timeout=0.2, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
        return super().sample_independent(study, *arguments)


WAITING = Sampler(name="waiting", build=lambda settings, seed: _WaitingSampler(seed), citation="none")


@pytest.mark.slow
def test_others_can_write_while_a_plug_in_draws_a_trials_values(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def _plugins(group: str) -> dict[str, tuple[EntryPoint, ...]]:
        point = EntryPoint("waiting", f"{__name__}:WAITING", group)
        return {"waiting": (point,)} if group == "ser_tune.samplers" else {}

    monkeypatch.setattr("ser_tune.components._plugins", _plugins)
    assert run(2, **{"study.sampler": "waiting"}).complete == 2


@pytest.mark.slow
def test_folds_are_reported_by_number_in_whatever_order_a_race_trains_them(
    run: Run, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.search.pruners import racing

    monkeypatch.setattr(racing, "_order", lambda _: [2, 0, 1])
    assert run(3, **{"study.pruner": "racing", "study.race_error": 1e-9}).complete == 3
    assert [fold for fold, _ in recorder.epochs[-3:]] == [2, 0, 1]
    assert [[one.fold.number for one in outcome.folds] for outcome in recorder.outcomes] == [[0, 1, 2]] * 3


def _spied(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The utterances that every fold trains and validates with, as they come."""
    from ser_tune.training import job

    seen: list[set[int]] = []
    original = job.fit

    def spy(config: Any, data: Any, train: np.ndarray, validation: np.ndarray, **others: Any) -> Any:
        seen.append({*train.tolist(), *validation.tolist()})
        return original(config, data, train, validation, **others)

    monkeypatch.setattr(job, "fit", spy)
    return seen


@pytest.mark.slow
def test_a_limit_trains_only_the_first_folds(
    run: Run, recorder: Any, project: Project, tiny: Callable[..., Any]
) -> None:
    prepared = prepare(tiny(**{"protocol.fold_limit": 2}), project)
    assert (len(prepared.folds), prepared.folds_of_protocol) == (2, 3)
    assert run(1, **{"protocol.fold_limit": 2}).complete == 1
    assert [fold for fold, _ in recorder.epochs] == [0, 1]
    (outcome,) = recorder.outcomes
    assert [one.fold.test_speakers for one in outcome.folds] == [one.test_speakers for one in prepared.folds]
    # A limit beyond all folds is none
    assert len(prepare(tiny(**{"protocol.fold_limit": 9}), project).folds) == 3


@pytest.mark.slow
def test_held_out_speakers_never_reach_the_search(run: Run, recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _spied(monkeypatch)
    assert run(1, **{"protocol.holdout": ("dan",)}).complete == 1
    (start,) = recorder.started
    assert len(seen) == 3
    speakers = {start.corpus.utterances[one].speaker for fold in seen for one in fold}
    assert speakers == {"ada", "bob", "cyd"}
    assert start.protocol.facts["holdout"] == ("dan",)


def test_an_unknown_speaker_to_hold_out_is_refused(run: Run, recorder: Any) -> None:
    with pytest.raises(CorpusError, match="has no speaker 'eve' to hold out; it has ada, bob, cyd, dan"):
        run(1, **{"protocol.holdout": ("eve",)})
    assert not recorder.started


COPIED: dict[str, object] = {"perturbation.copies": 1, "perturbation.noise_snr_db": 10}


@pytest.mark.slow
def test_copies_of_test_and_validation_speakers_make_no_difference_to_a_trial(
    run: Run, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.training import job

    original, poisoned = job.fit, False

    def spy(config: Any, data: Any, train: np.ndarray, validation: np.ndarray, **others: Any) -> Any:
        (copy,) = data.copies
        assert len(copy.offsets) == len(data.features.offsets)
        assert not torch.equal(copy.frames, data.features.frames)
        if poisoned:
            frames = copy.frames.clone()
            for one in np.setdiff1d(np.arange(len(data.targets.values)), train):
                frames[copy.offsets[one] : copy.offsets[one + 1]] = np.nan
            data = replace(data, copies=(replace(copy, frames=frames),))
        return original(config, data, train, validation, **others)

    monkeypatch.setattr(job, "fit", spy)
    assert run(1, **COPIED).complete == 1
    poisoned = True
    assert run(1, name="two", **COPIED).complete == 1
    clean, leaking = recorder.outcomes
    for one, other in zip(clean.folds, leaking.folds, strict=True):
        np.testing.assert_array_equal(one.fitted.validation, other.fitted.validation)
