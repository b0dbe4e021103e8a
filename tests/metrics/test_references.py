"""Metrics of dimensions, distributions and sets of labels, against other implementations and at the edges of each."""

import math
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import audmetric
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import average_precision_score, f1_score, root_mean_squared_error

from ser_tune.metrics import METRICS, Metric
from ser_tune.metrics.dimensions import MeanOverDimensions
from ser_tune.tasks import TASKS
from ser_tune.training import LOSSES

CASES = 1000
CLOSE = 1e-9
DIMENSIONAL = tuple(map(METRICS.get, ("ccc", "pcc", "mae", "rmse")))
DISTRIBUTIONAL = tuple(map(METRICS.get, ("jsd", "kl", "total_variation")))
OF_LABELS = tuple(map(METRICS.get, ("macro_f1", "map")))


def _numbers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Truth and predictions (N, D): far from 0, of any spread, constant, alone, related or not."""
    utterances, dimensions = int(rng.choice([1, 2, 3, 8, 40])), int(rng.integers(1, 4))
    offsets = rng.choice([0.0, 3.0, 200.0, -1e6, 1e6], size=2)
    if rng.random() < 0.7:
        offsets[1] = offsets[0] + rng.normal()
    spread = rng.choice([1.0, 50.0, 0.01 if abs(offsets).max() < 1e6 else 1.0], size=2)
    truth = rng.normal(size=(utterances, dimensions))
    predicted = rng.choice([0.0, 0.5, 2.0, -1.0]) * truth + rng.normal(size=truth.shape)
    truth, predicted = offsets[0] + spread[0] * truth, offsets[1] + spread[1] * predicted
    for side in (truth, predicted):
        if rng.random() < 0.15:
            side[:, rng.integers(dimensions)] = rng.choice([0.0, 3.2, 1e6])
        if rng.random() < 0.15:
            side[:] = np.round(side)
    return truth, truth.copy() if rng.random() < 0.05 else predicted


def _label_sets(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N, K) and scores (N, K) with ties, classes without utterances, scores of 0 and 1."""
    utterances, classes = int(rng.choice([1, 2, 5, 30])), int(rng.integers(2, 6))
    truth = rng.random((utterances, classes)) < rng.choice([0.1, 0.4, 0.9])
    if rng.random() < 0.3:
        truth[:, rng.integers(classes)] = False
    scores = np.clip(rng.random(truth.shape) + rng.choice([0.0, 0.3]) * truth, 0, 1)
    return truth, np.round(scores, int(rng.choice([1, 3, 8])))


def _distributions(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Truth and predictions (N, K) with shares of 0, equal and without a common class."""
    utterances, classes = int(rng.choice([1, 2, 20])), int(rng.integers(2, 7))
    truth = rng.multinomial(rng.integers(1, 10), np.full(classes, 1 / classes), size=utterances).astype(float)
    predicted = rng.dirichlet(np.full(classes, rng.choice([0.05, 1.0])), size=utterances)
    if rng.random() < 0.2:
        predicted = np.eye(classes)[rng.integers(classes, size=utterances)]
    truth /= truth.sum(axis=1, keepdims=True)
    return truth, truth.copy() if rng.random() < 0.1 else predicted


def _cases(of: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(27)
    return (of(rng) for _ in range(CASES))


def _score(metric: Metric, truth: np.ndarray, predicted: np.ndarray) -> float:
    return metric.score(truth, predicted, truth.shape[1])


def _constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


def _reference_ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    if _constant(truth) or _constant(predicted):  # means round, and audmetric has a CCC of 0 where both are constant
        return math.nan if _constant(truth) and _constant(predicted) else 0.0
    return float(audmetric.concordance_cc(truth, predicted))


def _reference_pcc(truth: np.ndarray, predicted: np.ndarray) -> float:
    if _constant(truth) or _constant(predicted):
        return math.nan
    return float(audmetric.pearson_cc(truth, predicted))


def test_ccc_and_pcc_are_those_of_audmetric() -> None:
    ccc, pcc, *_ = DIMENSIONAL
    undefined = 0
    for truth, predicted in _cases(_numbers):
        columns = list(zip(truth.T, predicted.T, strict=True))
        expected = [_reference_ccc(*pair) for pair in columns], [_reference_pcc(*pair) for pair in columns]
        for metric, known in zip((ccc, pcc), expected, strict=True):
            assert metric.parts is not None
            sums = metric.sums(truth, predicted, np.zeros(len(truth), dtype=int), 1, truth.shape[1])[0]
            assert metric.parts(sums).tolist() == pytest.approx(known, abs=CLOSE, nan_ok=True)
            assert float(metric.value(sums)) == pytest.approx(np.mean(known), abs=CLOSE, nan_ok=True)
        undefined += bool(np.isnan(expected).any())
    assert 100 < undefined < 500


def test_ccc_and_pcc_of_a_spread_of_a_hundred_millionth_are_those_of_exact_arithmetic() -> None:
    """Audmetric's means round: it is off by 1e-9 here."""
    rng = np.random.default_rng(4)
    for _ in range(30):
        truth, predicted = 1e6 + 0.01 * rng.normal(size=(2, 20))
        predicted += 0.7 * (truth - 1e6)
        pairs = [[Fraction(number) for number in side.tolist()] for side in (truth, predicted)]
        means = [sum(side) / 20 for side in pairs]
        true, said = ([number - mean for number in side] for side, mean in zip(pairs, means, strict=True))
        both = sum(a * b for a, b in zip(true, said, strict=True)) / 20
        varied = [sum(number**2 for number in side) / 20 for side in (true, said)]
        known = 2 * both / (sum(varied) + (means[0] - means[1]) ** 2), float(both) / math.sqrt(varied[0] * varied[1])
        for metric, number in zip(DIMENSIONAL[:2], known, strict=True):
            assert _score(metric, truth[:, None], predicted[:, None]) == pytest.approx(float(number), abs=CLOSE)


def test_mae_and_rmse_are_those_of_scikit_learn_and_audmetric() -> None:
    *_, mae, rmse = DIMENSIONAL
    for truth, predicted in _cases(_numbers):
        absolute = np.mean([audmetric.mean_absolute_error(*pair) for pair in zip(truth.T, predicted.T, strict=True)])
        assert _score(mae, truth, predicted) == pytest.approx(absolute, rel=CLOSE, abs=CLOSE)
        assert _score(rmse, truth, predicted) == pytest.approx(root_mean_squared_error(truth, predicted), rel=CLOSE)


def test_macro_f1_is_that_of_scikit_learn_over_the_classes_of_the_truth() -> None:
    metric = OF_LABELS[0]
    for truth, scores in _cases(_label_sets):
        occurs, predicted = np.flatnonzero(truth.any(axis=0)), scores >= 0.5
        known = math.nan
        if len(occurs):
            known = np.mean(f1_score(truth, predicted, average=None, zero_division=0.0)[occurs])
        assert _score(metric, truth, predicted) == pytest.approx(known, abs=CLOSE, nan_ok=True)


def test_macro_f1_of_single_classes_is_that_of_audmetric() -> None:
    rng, metric = np.random.default_rng(0), OF_LABELS[0]
    for _ in range(CASES):
        classes, utterances = int(rng.integers(2, 6)), int(rng.integers(1, 30))
        truth, predicted = rng.integers(classes, size=(2, utterances))
        of_classes = audmetric.fscore_per_class(truth, predicted, labels=list(range(classes)))
        known, one_hot = np.mean([of_classes[name] for name in np.unique(truth)]), np.eye(classes, dtype=bool)
        assert _score(metric, one_hot[truth], one_hot[predicted]) == pytest.approx(known, abs=CLOSE)


def test_map_is_that_of_scikit_learn_over_the_classes_of_the_truth() -> None:
    metric = OF_LABELS[1]
    for truth, scores in _cases(_label_sets):
        occurs, rounded = np.flatnonzero(truth.any(axis=0)), np.rint(1000 * scores)
        known = math.nan
        if len(occurs):
            known = np.mean(average_precision_score(truth[:, occurs], rounded[:, occurs], average=None))
        assert _score(metric, truth, scores) == pytest.approx(known, abs=CLOSE, nan_ok=True)


def test_distances_of_distributions_are_those_of_scipy() -> None:
    jsd, kl, total_variation = DISTRIBUTIONAL
    for truth, predicted in _cases(_distributions):
        known = np.mean(jensenshannon(truth, predicted, base=2, axis=1) ** 2)
        assert _score(jsd, truth, predicted) == pytest.approx(known, abs=CLOSE)
        uniform = 1 / truth.shape[1]
        p, q = (0.001 * uniform + 0.999 * side for side in (truth, predicted))
        assert _score(kl, truth, predicted) == pytest.approx(np.mean(entropy(p, q, axis=1)), abs=CLOSE)
        known = np.mean(np.maximum(truth - predicted, 0).sum(axis=1))
        assert _score(total_variation, truth, predicted) == pytest.approx(known, abs=CLOSE)


def _perfect() -> Iterator[tuple[Metric, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    for metrics, (truth, _) in ((DIMENSIONAL, _numbers(rng)), (DISTRIBUTIONAL, _distributions(rng))):
        yield from ((metric, truth, truth) for metric in metrics)
    truth = np.array([[True, False], [True, True], [False, True]])
    yield from ((metric, truth, truth.astype(float)) for metric in OF_LABELS)


@pytest.mark.parametrize(("metric", "truth", "predicted"), [*_perfect()], ids=lambda value: getattr(value, "name", ""))
def test_a_perfect_prediction_has_the_best_score(metric: Metric, truth: np.ndarray, predicted: np.ndarray) -> None:
    best = metric.high if metric.higher_is_better else metric.low
    assert _score(metric, truth, predicted) == pytest.approx(best, abs=1e-12)
    assert metric.low <= _score(metric, truth, predicted) <= metric.high


def test_a_constant_prediction_has_no_correlation_and_a_concordance_of_0() -> None:
    ccc, pcc, *_ = DIMENSIONAL
    varied, constant = np.array([[1.0], [2.0], [4.0]]), np.full((3, 1), 3.2)
    for pair in ((varied, constant), (constant, varied)):
        assert _score(ccc, *pair) == 0.0
        assert math.isnan(_score(pcc, *pair))
    assert math.isnan(_score(ccc, constant, constant))
    assert math.isnan(_score(ccc, constant, constant + 1))


def test_an_undefined_dimension_makes_the_mean_undefined() -> None:
    truth = np.array([[1.0, 3.0], [2.0, 3.0], [4.0, 3.0]])
    for metric in DIMENSIONAL[:2]:
        assert math.isnan(_score(metric, truth, truth))


@pytest.mark.parametrize("metric", DIMENSIONAL, ids=lambda metric: metric.name)
def test_the_mean_over_dimensions_is_equal_however_often_it_is_made_or_stored(metric: Metric) -> None:
    assert isinstance(metric.value, MeanOverDimensions)
    assert metric.parts is not None
    assert metric.value == MeanOverDimensions(metric.parts) == pickle.loads(pickle.dumps(metric.value))
    assert metric.value not in [other.value for other in DIMENSIONAL if other is not metric]
    assert hash(metric.value) == hash(MeanOverDimensions(metric.parts))


@pytest.mark.parametrize("offset", [0.0, 3.0, 200.0, 1e6, -1e6])
def test_a_constant_group_is_constant_wherever_the_other_groups_are(offset: float) -> None:
    """Its sums are of distances from the middle of all groups, which rounding must not make varied."""
    rng = np.random.default_rng(1)
    truth = offset + rng.normal(size=(60, 2))
    predicted = truth + rng.normal(size=truth.shape)
    groups = np.arange(60) % 3
    truth[groups == 1], predicted[groups == 1] = offset + 0.3, offset + 0.7
    predicted[groups == 2] = offset - 0.1
    ccc, pcc = (metric.value(metric.sums(truth, predicted, groups, 3, 2)) for metric in DIMENSIONAL[:2])
    assert np.isnan(ccc).tolist() == [False, True, False]
    assert ccc[2] == 0.0
    assert np.isnan(pcc).tolist() == [False, True, True]


@pytest.mark.parametrize("metric", [*DIMENSIONAL, *DISTRIBUTIONAL, *OF_LABELS], ids=lambda metric: metric.name)
def test_sums_of_groups_and_of_several_calls_add_up(metric: Metric) -> None:
    """Groups of a call have a common centre, calls have their own: both add up, also where systems differ in theirs."""
    rng, outputs = np.random.default_rng(3), 3
    made = {"dimensions": _numbers, "distributions": _distributions}.get(metric.predictions, _label_sets)
    for _ in range(40):
        parts = [part for part in (made(rng) for _ in range(40)) if part[0].shape[1] == outputs]
        truth, predicted = (np.concatenate(side) for side in zip(*parts[:4], strict=True))
        whole = metric.sums(truth, predicted, np.zeros(len(truth), dtype=int), 1, outputs)[0]
        groups = rng.integers(5, size=len(truth))
        of_groups = metric.sums(truth, predicted, groups, 5, outputs).sum(axis=0)
        apart = [metric.sums(*part, np.zeros(len(part[0]), dtype=int), 1, outputs)[0] for part in parts[:4]]
        assert metric.value(of_groups) == pytest.approx(float(metric.value(whole)), abs=CLOSE, rel=CLOSE, nan_ok=True)
        assert metric.value(np.sum(apart, axis=0)) == pytest.approx(
            float(metric.value(whole)), abs=CLOSE, rel=CLOSE, nan_ok=True
        )


@pytest.mark.parametrize("metric", [*DIMENSIONAL, *DISTRIBUTIONAL, *OF_LABELS], ids=lambda metric: metric.name)
def test_groups_without_utterances_have_no_score(metric: Metric) -> None:
    made = {"dimensions": _numbers, "distributions": _distributions}.get(metric.predictions, _label_sets)
    truth, predicted = made(np.random.default_rng(5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = np.ones(len(truth), dtype=int)
        assert math.isnan(metric.value(metric.sums(truth, predicted, groups, 2, truth.shape[1]))[0])
        nobody = metric.sums(truth[:0], predicted[:0], groups[:0], 2, truth.shape[1])
        assert np.isnan(metric.value(nobody)).all()


def test_every_metric_and_loss_is_defined_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    metrics, losses = page.split("## Losses")
    for names, text, tasks in (
        (METRICS.names(), metrics, {name: {*TASKS.get(name).kinds} for name in TASKS.names()}),
        (LOSSES.names(), losses, {name: {TASKS.get(name).encoding} for name in TASKS.names()}),
    ):
        rows = {row.split("`")[1]: row.split("|")[2] for row in text.splitlines() if row.startswith("| `")}
        assert sorted(rows) == sorted(names)
        for name, row in rows.items():
            kind = METRICS.get(name).predictions if names == METRICS.names() else LOSSES.get(name).targets
            assert sorted(re.findall(r"`(\w+)`", row)) == sorted(task for task, kinds in tasks.items() if kind in kinds)
