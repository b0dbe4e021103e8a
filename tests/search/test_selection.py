"""A study without the choice among its trials: what is stored, what is chosen anew, and what has no choice."""

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optuna.trial import FrozenTrial, TrialState, create_trial

from ser_tune.metrics import METRICS, Metric, Ranking
from ser_tune.resampling import correct_selection
from ser_tune.search import selection_of, stored_sums
from ser_tune.search.selection import LONGEST, SUMS, note_sums, packed_sums
from ser_tune.tracking import read_predictions
from tests.tiny_studies import TASKS

UAR = METRICS.get("uar")
SPEAKERS, CLASSES = 6, 2
SHAPES = [(2, 3, 3), (1, 2, 2), (3, 4), (2, 5, 3), (4,), (2, 2, 2, 2)]


def _counts(rng: np.random.Generator) -> np.ndarray:
    """Confusion matrices of ten utterances of each class and speaker."""
    hits = rng.binomial(10, 0.7, (SPEAKERS, CLASSES))
    counts = np.zeros((SPEAKERS, CLASSES, CLASSES), dtype=np.int64)
    counts[:, [0, 1], [0, 1]] = hits
    counts[:, [0, 1], [1, 0]] = 10 - hits
    return counts


def _study(definition: Any, trials: list[FrozenTrial]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    study.set_user_attr("definition", definition.as_json())
    for one in trials:
        study.add_trial(one)
    return study


def _trial(value: float | None, state: TrialState = TrialState.COMPLETE, **attributes: int) -> FrozenTrial:
    return create_trial(state=state, value=value, user_attrs=attributes)


def _uar(counts: np.ndarray) -> float:
    return float(UAR.value(counts.sum(axis=0)))


@pytest.fixture
def searched() -> dict[int, np.ndarray]:
    rng = np.random.default_rng(4)
    return {number: _counts(rng) for number in range(6)}


def test_a_search_is_corrected_among_its_complete_trials_alone(
    tiny: Callable[..., Any], searched: dict[int, np.ndarray]
) -> None:
    definition = tiny(**{"study.trials": 8, "study.confirm": 0.0})
    trials = [_trial(_uar(counts)) for counts in searched.values()]
    lost = [_trial(None, TrialState.PRUNED), _trial(None, TrialState.FAIL)]
    study = _study(definition, [*trials, *lost])
    found = selection_of(study, searched)
    assert found is not None
    assert found.corrected == correct_selection(UAR, np.stack(list(searched.values())))
    best = max(range(6), key=lambda one: (_uar(searched[one]), -one))
    assert (found.winner, found.first, found.trials) == (best, 0, 6)
    assert found.corrected.score.value < _uar(searched[best])
    gains = {"gain_over_first", "gain_over_first_low", "gain_over_first_high"}
    assert gains | {"corrected_uar", "gain_over_median"} < found.metrics.keys()
    assert selection_of(study, {number: searched[number] for number in range(5)}) is None  # one is not known
    assert selection_of(study) is None  # none is stored


def test_a_confirmed_study_is_corrected_by_its_fresh_seeds(
    tiny: Callable[..., Any], searched: dict[int, np.ndarray]
) -> None:
    definition = tiny(**{"study.trials": 50, "study.confirm": 0.2})
    plan = definition.plan
    rng = np.random.default_rng(5)
    order = sorted(searched, key=lambda one: (-_uar(searched[one]), one))
    again = list(dict.fromkeys([*order[:3], 0, order[3], *order]))[: plan.confirmed]
    confusions, trials = dict(searched), [_trial(_uar(counts)) for counts in searched.values()]
    fresh: dict[int, list[np.ndarray]] = {}
    for seed in range(1, plan.seeds + 1):
        for number in again:
            counts = _counts(rng)
            confusions[len(trials)] = counts
            trials.append(_trial(_uar(counts), confirms=number, seed=seed))
            fresh.setdefault(number, []).append(counts)
    found = selection_of(_study(definition, trials), confusions)
    assert found is not None
    means = {number: np.mean(own, axis=0) for number, own in fresh.items()}
    assert found.winner == max(order[:3], key=lambda one: _uar(means[one]))
    assert found.corrected == correct_selection(UAR, np.stack(list(searched.values())), fresh=means, entrants=3)
    # While seeds are missing, the search alone has chosen
    begun = selection_of(_study(definition, trials[:7]), confusions)
    assert begun is not None
    assert begun.corrected == correct_selection(UAR, np.stack(list(searched.values())))


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_finished_study_is_corrected_by_its_predictions(task: str, first_of: Callable[[str], Any]) -> None:
    first = first_of(task)
    metric, trials = first.prepared.definition.objective, sorted(first.runs)
    read = [read_predictions(first.workspace, first.runs[number], "validation") for number in trials]
    expected = correct_selection(metric, np.stack([each.sums(metric) for each in read if each]))
    found = selection_of(first.study)
    assert found is not None
    assert (found.winner, found.trials) == (first.best, len(trials)) == (first.best, 3)
    assert found.corrected.score.value == pytest.approx(expected.score.value)
    # Tables have the digits of 32 bits
    assert found.corrected.score.interval.low == pytest.approx(expected.score.interval.low, abs=1e-6)
    # It is not better than the winner's own score
    won = metric.score(read[first.best].truth, read[first.best].predicted, 2)
    assert Ranking(metric).gain(won, found.corrected.score.value) >= -1e-9


def test_seeds_of_a_rerun_are_no_choice(tiny: Callable[..., Any], searched: dict[int, np.ndarray]) -> None:
    trials = [_trial(_uar(counts), seed=seed) for seed, counts in searched.items()]
    assert selection_of(_study(tiny(), trials), searched) is None


def _noted(utterances: int, speakers: int, classes: int, metric: Metric = UAR) -> tuple[FrozenTrial, np.ndarray]:
    """A trial that has noted random predictions, and the true classes of its utterances."""
    rng = np.random.default_rng(0)
    study, numbers, truth = optuna.create_study(), np.arange(utterances), rng.integers(0, classes, utterances)
    corpus, targets = SimpleNamespace(speaker_numbers=rng.integers(0, speakers, utterances)), range(classes)
    prepared: Any = SimpleNamespace(
        corpus=corpus, targets=SimpleNamespace(names=targets), definition=SimpleNamespace(objective=metric)
    )
    predicted = rng.integers(0, classes, utterances)
    fold: Any = SimpleNamespace(truth=truth, predicted=predicted, fold=SimpleNamespace(validation=numbers))
    note_sums(study.ask(), prepared, [fold])
    return study.trials[0], truth


def test_confusions_are_stored_with_the_trial() -> None:
    trial, truth = _noted(500, 24, 3)
    stored = stored_sums(trial)
    assert stored is not None
    assert stored.shape == (24, 3, 3)
    assert stored.sum(axis=(0, 2)).tolist() == np.bincount(truth).tolist()


def test_confusions_that_the_database_cannot_hold_are_not_stored() -> None:
    assert SUMS not in _noted(200_000, 3000, 9)[0].user_attrs
    trial, _ = _noted(5000, 500, 6)
    assert len(trial.user_attrs[SUMS][2]) <= LONGEST


def _moments(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n: int, _: int) -> np.ndarray:
    """Count, sum of errors and sum of squared errors of each group."""
    errors = (predicted - truth).astype(np.float64)
    return np.stack([np.bincount(groups, one, minlength=n) for one in (np.ones(len(truth)), errors, errors**2)], axis=1)


def test_sums_of_any_metric_are_stored_with_the_trial() -> None:
    trial, truth = _noted(500, 24, 3, replace(UAR, sums=_moments))
    stored = stored_sums(trial)
    assert stored is not None
    assert (stored.shape, stored.dtype) == ((24, 3), np.float64)
    assert stored[:, 0].sum() == len(truth)
    assert np.all(stored[:, 2] >= stored[:, 1] ** 2 / stored[:, 0])


@settings(max_examples=50, deadline=None)
@given(sums=arrays(st.sampled_from([np.int64, np.float64, np.float32, np.int32]), st.sampled_from(SHAPES)))
def test_sums_are_read_as_they_were_stored(sums: np.ndarray) -> None:
    small = np.nan_to_num(sums, nan=0.0, posinf=1.0, neginf=-1.0) % 1000
    read = stored_sums(create_trial(value=0.5, user_attrs={SUMS: json.loads(json.dumps(packed_sums(small)))}))
    np.testing.assert_array_equal(read, small)
