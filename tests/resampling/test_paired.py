"""Comparisons of two systems: by hand, by what must hold of any, and by how often they are wrong."""

import itertools
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ser_tune.metrics import METRICS, Metric
from ser_tune.resampling import PairedComparison, choice_p_value, compare_paired, part_differences, sums_of
from ser_tune.resampling.paired import DRAWN_SWAPS, ENUMERATED_SPEAKERS

pytestmark = pytest.mark.usefixtures("fewer_resamples_throughout")

QUICK = settings(max_examples=40, deadline=None)
N_CLASSES = 4
UAR, WA = METRICS.get("uar"), METRICS.get("wa")
JUDGEMENTS = st.lists(
    st.tuples(st.integers(0, 5), *(st.integers(0, N_CLASSES - 1) for _ in range(3))), min_size=1, max_size=40
)


def _compared(
    truth: np.ndarray, a: np.ndarray, b: np.ndarray, speakers: np.ndarray, classes: int = N_CLASSES
) -> PairedComparison:
    return compare_paired(truth, [a], [b], speakers, (UAR, WA), classes)


def _uar_of(compared: PairedComparison) -> tuple[float, float, float]:
    """The difference and the ends of its interval."""
    found = compared.differences["uar"]
    return found.value, found.interval.low, found.interval.high


def _uar(truth: np.ndarray, predicted: np.ndarray) -> float:
    return UAR.score(truth, predicted, N_CLASSES)


def _systems(
    rng: np.random.Generator, n_speakers: int, *, gain: float = 0.0, each: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Truth, predictions of A and of B, and speakers; A's recalls are higher by `gain`."""
    speakers = np.repeat(np.arange(n_speakers), each * N_CLASSES)
    truth = np.tile(np.arange(N_CLASSES), n_speakers * each)
    skill = rng.beta(6, 4, size=n_speakers)[speakers]
    of_system = [np.clip(skill + rng.normal(0, 0.08, size=n_speakers)[speakers] + more, 0, 1) for more in (gain, 0.0)]
    a, b = (np.where(rng.random(len(truth)) < one, truth, (truth + 1) % N_CLASSES) for one in of_system)
    return truth, a, b, speakers


def test_a_comparison_computed_by_hand() -> None:
    # Speaker 0 has both classes, 1 only class 0, 2 only class 1. Right of each class: A 3 of 4 and 2 of 3, B 2 of 4
    # and 2 of 3. By speaker, UAR of A: (1 + 1) / 2, 1/2, 1/2; of B: (1/2 + 1) / 2, 1/2, 1/2.
    speakers = np.array([0, 0, 0, 1, 1, 2, 2])
    truth = np.array([0, 0, 1, 0, 0, 1, 1])
    a = np.array([0, 0, 1, 0, 1, 1, 0])
    b = np.array([0, 1, 1, 1, 0, 0, 1])
    compared = _compared(truth, a, b, speakers, 3)
    assert compared.differences["uar"].value == pytest.approx((3 / 4 - 2 / 4) / 2)
    assert compared.differences["wa"].value == pytest.approx(1 / 7)
    # Only speaker 0 gains, whatever is swapped: all swaps are as extreme as what was seen
    assert compared.p_value == 1.0
    differences = np.array([0.25, 0.0, 0.0])
    assert compared.effect_size == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert compared.n_speakers == 3


def test_the_p_value_is_the_fraction_of_swaps_that_differ_as_much() -> None:
    truth, a, b, speakers = _systems(np.random.default_rng(2), 6, gain=0.1)
    compared = _compared(truth, a, b, speakers)
    seen = [
        _uar(truth, np.where(swap[speakers], b, a)) - _uar(truth, np.where(swap[speakers], a, b))
        for swap in map(np.array, itertools.product([False, True], repeat=6))
    ]
    assert compared.p_value == pytest.approx(np.mean(np.abs(seen) >= abs(compared.differences["uar"].value) - 1e-9))
    assert 0 < compared.p_value < 1


@pytest.mark.slow
@QUICK
@given(JUDGEMENTS)
def test_differences_are_of_the_pooled_scores_and_change_sign_with_the_systems(
    judgements: list[tuple[int, int, int, int]],
) -> None:
    speakers, truth, a, b = np.array(judgements).T
    one, other = _compared(truth, a, b, speakers), _compared(truth, b, a, speakers)
    assert one.differences["uar"].value == pytest.approx(_uar(truth, a) - _uar(truth, b))
    assert one.differences["wa"].value == pytest.approx(WA.score(truth, a, N_CLASSES) - WA.score(truth, b, N_CLASSES))
    assert other.differences["uar"].value == pytest.approx(-one.differences["uar"].value)
    assert other.p_value == pytest.approx(one.p_value)
    assert (other.differences["uar"].interval.low, other.differences["wa"].interval.low) == pytest.approx(
        (-one.differences["uar"].interval.high, -one.differences["wa"].interval.high), nan_ok=True
    )
    if one.effect_size is None:
        assert other.effect_size is None
    else:
        assert other.effect_size == pytest.approx(-one.effect_size)
    assert 2 / 2**one.n_speakers <= one.p_value <= 1
    if one.differences["uar"].interval.known:
        assert -1 <= one.differences["uar"].interval.low <= one.differences["uar"].value + 1e-9
        assert one.differences["uar"].value - 1e-9 <= one.differences["uar"].interval.high <= 1


@pytest.mark.slow
@QUICK
@given(JUDGEMENTS, st.permutations(range(N_CLASSES)))
def test_a_comparison_does_not_depend_on_the_classes_numbers(
    judgements: list[tuple[int, int, int, int]], renamed: list[int]
) -> None:
    speakers, truth, a, b = np.array(judgements).T
    other = np.array(renamed)
    one = _compared(truth, a, b, speakers)
    same = _compared(other[truth], other[a], other[b], speakers)
    assert same.p_value == one.p_value
    assert _uar_of(same) == pytest.approx(_uar_of(one), abs=1e-9, nan_ok=True)
    assert same.differences["wa"].value == pytest.approx(one.differences["wa"].value)


def test_equal_systems_do_not_differ() -> None:
    truth, a, _, speakers = _systems(np.random.default_rng(0), 5)
    compared = _compared(truth, a, a, speakers)
    assert (
        compared.differences["uar"].value,
        compared.differences["wa"].value,
        compared.p_value,
        compared.effect_size,
    ) == (0, 0, 1, 0)
    assert (compared.differences["uar"].interval.low, compared.differences["uar"].interval.high) == (0, 0)


def test_an_effect_size_without_a_value_is_none_which_json_can_hold() -> None:
    truth, speakers = np.array([0, 1] * 6), np.repeat(np.arange(6), 2)
    compared = _compared(truth, truth, np.zeros_like(truth), speakers, 2)
    assert compared.effect_size is None
    assert compared.p_value == 2 / 2**6
    assert json.loads(json.dumps(asdict(compared), allow_nan=False))["effect_size"] is None


def test_one_speaker_cannot_tell_two_systems_apart() -> None:
    compared = _compared(np.array([0, 1]), np.array([0, 1]), np.array([0, 0]), np.array([3, 3]), 2)
    assert compared.p_value == 1.0
    assert compared.effect_size is None
    assert not compared.differences["uar"].interval.known
    assert not compared.differences["wa"].interval.known


def test_drawn_swaps_agree_with_all_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = _systems(np.random.default_rng(1), ENUMERATED_SPEAKERS, gain=0.04)
    every = _compared(*sides).p_value
    monkeypatch.setattr("ser_tune.resampling.paired.ENUMERATED_SPEAKERS", 0)
    drawn = _compared(*sides).p_value
    assert 0.01 < every < 0.9
    assert drawn == pytest.approx(every, abs=0.02)
    assert _compared(*sides).p_value == drawn


def test_a_drawn_p_value_is_never_0() -> None:
    sides = _systems(np.random.default_rng(0), 30, gain=0.4)
    assert _compared(*sides).p_value == pytest.approx(1 / (DRAWN_SWAPS + 1))


@pytest.mark.slow
def test_p_values_are_small_as_often_as_they_say_where_nothing_differs() -> None:
    rng = np.random.default_rng(4)
    compared = [_compared(*_systems(rng, 10)) for _ in range(400)]
    p_values = np.array([one.p_value for one in compared])
    assert 0.02 <= (p_values < 0.05).mean() <= 0.08
    assert 0.42 <= (p_values < 0.5).mean() <= 0.58
    assert (
        0.92
        <= np.mean(
            [one.differences["uar"].interval.low <= 0 <= one.differences["uar"].interval.high for one in compared]
        )
        <= 0.98
    )


@pytest.mark.slow
def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(5)
    compared = [_compared(*_systems(rng, 10, gain=0.18)) for _ in range(60)]
    assert np.mean([one.p_value < 0.05 for one in compared]) > 0.7
    assert np.mean([one.effect_size or 0 for one in compared]) > 0.8


def test_without_a_choice_the_p_value_is_that_of_the_comparison_and_each_rival_may_raise_it() -> None:
    rng = np.random.default_rng(4)
    truth, a, b, speakers = _systems(rng, 7, gain=0.1)
    ours, theirs = (sums_of(UAR, truth, one, speakers, N_CLASSES)[None] for one in (a, b))
    before = choice_p_value(UAR, ours, theirs)
    assert before == _compared(truth, a, b, speakers).p_value
    for _ in range(5):
        rival = np.where(rng.random(len(truth)) < 0.2, (truth + 1) % N_CLASSES, a)
        ours = np.concatenate([ours, sums_of(UAR, truth, rival, speakers, N_CLASSES)[None]])
        after = choice_p_value(UAR, ours, theirs)
        assert after >= before
        assert after == choice_p_value(UAR, theirs, ours)  # whichever is called A
        before = after


def _searched(rng: np.random.Generator, n_speakers: int, configurations: int) -> np.ndarray:
    """Confusions (T, S, K, K) of configurations that are equally good, and mostly right about the same utterances."""
    each = 5
    skill = rng.beta(6, 4, size=(n_speakers, 1, 1, 1))
    luck = np.sqrt(0.9) * rng.normal(size=(n_speakers, 1, N_CLASSES, each))
    luck = luck + np.sqrt(0.1) * rng.normal(size=(n_speakers, configurations, N_CLASSES, each))
    luck = luck + rng.normal(0, 0.25, size=(n_speakers, configurations, 1, 1))  # some suit a speaker better
    hits = (norm.cdf(luck) < skill).sum(axis=3).swapaxes(0, 1)
    classes = np.arange(N_CLASSES)
    found = np.zeros((configurations, n_speakers, N_CLASSES, N_CLASSES))
    found[:, :, classes, classes] = hits
    found[:, :, classes, (classes + 1) % N_CLASSES] = each - hits
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "theirs", "naive"), [(40, 1, True), (40, 40, False), (5, 40, False)])
def test_the_best_of_equals_is_rarely_found_better(ours: int, theirs: int, naive: bool) -> None:
    """Under the null hypothesis p falls below 0.05 in 5 % of searches at most; without the correction in 15 %."""
    rng, n_speakers, found, uncorrected = np.random.default_rng(1), 8, [], []
    for _ in range(200):
        every = _searched(rng, n_speakers, ours + theirs)
        uars = every.diagonal(axis1=2, axis2=3).sum(axis=(1, 2))
        a, b = np.argsort(-uars[:ours]), ours + np.argsort(-uars[ours:])
        found.append(choice_p_value(UAR, every[a], every[b]))
        uncorrected.append(choice_p_value(UAR, every[a[:1]], every[b[:1]]))
    assert np.mean(np.array(found) < 0.05) <= 0.06
    if naive:
        assert np.mean(np.array(uncorrected) < 0.05) > 0.1


def test_a_configuration_that_is_much_better_is_found_so_among_many() -> None:
    rng = np.random.default_rng(5)
    every = _searched(rng, 10, 40)
    best = np.zeros_like(every[:1])
    best[:, :, np.arange(N_CLASSES), np.arange(N_CLASSES)] = 5
    assert choice_p_value(UAR, np.concatenate([best, every[:20]]), every[20:21]) < 0.05


def test_what_has_no_score_is_never_significant() -> None:
    """A difference of undefined scores has no interval, and a p-value that no rule takes for a difference."""
    undefined = replace(METRICS.get("wa"), value=lambda counts: np.full(counts.shape[:-2], np.nan))
    truth, speakers = np.array([0, 1] * 4), np.repeat(np.arange(4), 2)
    compared = compare_paired(truth, [truth], [1 - truth], speakers, [undefined], 2)
    assert compared.p_value == 1
    assert not compared.primary.interval.known
    assert compared.effect_size is None


def test_a_speaker_without_a_score_has_no_part_in_the_effect_size() -> None:
    wa = METRICS.get("wa")

    def value(counts: np.ndarray) -> np.ndarray:
        return np.where((counts.sum(axis=-1) > 0).all(axis=-1), wa.value(counts), np.nan)

    truth, speakers = np.array([0, 1] * 3 + [0, 0]), np.repeat(np.arange(4), 2)
    ours, theirs = truth.copy(), np.array([0, 1, 0, 0, 1, 0, 1, 1])
    with_it = compare_paired(truth, [ours], [theirs], speakers, [replace(wa, value=value)], 2)
    without = compare_paired(truth[:6], [ours[:6]], [theirs[:6]], speakers[:6], [wa], 2)
    assert with_it.effect_size == pytest.approx(without.effect_size)


def test_several_seeds_are_compared_by_the_means_of_their_scores_which_pooling_them_is_not() -> None:
    """Macro-F1 of pooled seeds is not the mean of theirs; the swaps are of whole speakers, all their seeds together."""
    rng = np.random.default_rng(3)
    truth, a, b, speakers = _systems(rng, 6, gain=0.1)
    f1 = replace(UAR, name="f1", value=_macro_f1)
    ours, theirs = [a, np.where(rng.random(len(truth)) < 0.3, 0, a)], [b, np.zeros_like(b), b]
    found = compare_paired(truth, ours, theirs, speakers, (f1, UAR), N_CLASSES)

    def mean(metric: Metric, side: list[np.ndarray]) -> float:
        return float(np.mean([metric.score(truth, seed, N_CLASSES) for seed in side]))

    for metric in (f1, UAR):
        assert found.differences[metric.name].value == pytest.approx(mean(metric, ours) - mean(metric, theirs))
    seen = []
    for swap in map(np.array, itertools.product([False, True], repeat=6)):
        moved = [
            f1.score(truth, np.where(swap[speakers], other, one), N_CLASSES)
            - f1.score(truth, np.where(swap[speakers], one, other), N_CLASSES)
            for one in ours
            for other in theirs
        ]
        seen.append(abs(np.mean(moved)))
    assert found.p_value == pytest.approx(np.mean(np.array(seen) >= abs(found.primary.value) - 1e-9))


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    hits = counts.diagonal(axis1=-2, axis2=-1)
    return (2 * hits / np.maximum(counts.sum(axis=-1) + counts.sum(axis=-2), 1)).mean(axis=-1)


@QUICK
@given(JUDGEMENTS)
def test_differences_of_classes_are_those_of_their_recalls_and_swapped_they_are_opposite(
    judged: list[tuple[int, int, int, int]],
) -> None:
    speakers, truth, a, b = (np.array(column) for column in zip(*judged, strict=True))
    found = part_differences(truth, [a], [b], speakers, UAR, N_CLASSES)
    opposite = part_differences(truth, [b], [a], speakers, UAR, N_CLASSES)
    assert list(found) == list(opposite) == sorted(set(truth.tolist()))
    for label, difference in found.items():
        own = truth == label
        assert difference.value == pytest.approx((a[own] == label).mean() - (b[own] == label).mean())
        assert opposite[label].value == pytest.approx(-difference.value)
        assert difference.interval.known == opposite[label].interval.known
        if difference.interval.known:
            assert difference.interval.low == pytest.approx(-opposite[label].interval.high)
    whole = compare_paired(truth, [a], [b], speakers, [UAR], N_CLASSES).primary.value
    assert np.mean([difference.value for difference in found.values()]) == pytest.approx(whole)


def test_differences_of_dimensions_are_those_of_each_by_itself() -> None:
    rng, ccc, mae = np.random.default_rng(0), METRICS.get("ccc"), METRICS.get("mae")
    truth, speakers = rng.normal(size=(60, 2)), np.repeat(np.arange(6), 10)
    a, b = truth + rng.normal(size=truth.shape), truth + 2 * rng.normal(size=truth.shape)
    for metric in (ccc, mae):
        found = part_differences(truth, [a, b], [b], speakers, metric, 2)
        for output, difference in found.items():
            alone = [metric.score(truth[:, [output]], said[:, [output]], 1) for said in (a, b)]
            assert difference.value == pytest.approx(np.mean(alone) - alone[1])
            assert difference.interval.low < difference.value < difference.interval.high
