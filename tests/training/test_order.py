"""Which segments an epoch reads: each once, or every class as often as another."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.training import AnyTrial, TrainingData, fit
from ser_tune.training.batches import drawn_counts, epoch_order
from tests.goals import GOAL

Config = Callable[..., AnyTrial]


@settings(max_examples=50, deadline=None)
@given(classes=st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array), seed=st.integers(0, 99))
def test_an_epoch_is_as_long_as_ever_and_classes_are_equally_frequent(classes: np.ndarray, seed: int) -> None:
    order = epoch_order(classes, "oversample", np.random.default_rng(seed))
    assert len(order) == len(classes)
    assert set(order) <= set(range(len(classes)))
    drawn = np.bincount(classes[order], minlength=5)
    present = np.bincount(classes, minlength=5) > 0
    assert not drawn[~present].any()
    assert np.ptp(drawn[present]) <= 1
    np.testing.assert_allclose(drawn, drawn_counts(np.bincount(classes, minlength=5), "oversample"), atol=1)
    # And shuffling is what it was
    expected = np.random.default_rng(seed).permutation(len(classes))
    np.testing.assert_array_equal(epoch_order(classes, "shuffle", np.random.default_rng(seed)), expected)


def test_all_segments_of_a_class_take_part_in_mixed_order() -> None:
    classes = np.array([0] * 5 + [1] * 35)
    rng = np.random.default_rng(0)
    orders = [epoch_order(classes, "oversample", rng) for _ in range(50)]
    assert set(np.concatenate(orders)) == set(range(40))
    # Halves of an epoch hold a class as often as each other, on average
    first = np.mean([classes[order[:20]].mean() for order in orders])
    assert first == pytest.approx(0.5, abs=0.05)
    assert not np.array_equal(orders[0], orders[1])


def test_oversampled_classes_need_no_weights(config: Config, data: TrainingData) -> None:
    unequal = np.array([0, 3, 6, 9, 1, 2])
    losses = {}
    for sampling in ("shuffle", "oversample"):
        for weighting in ("none", "balanced", "effective_number"):
            wanted = config(training__epochs=1, training__sampling=sampling, loss__class_weighting=weighting)
            fitted = fit(wanted, data, unequal, np.arange(0), seed=1, goal=GOAL)
            losses[sampling, weighting] = fitted.history[0].train_loss
    assert losses["oversample", "none"] == pytest.approx(losses["oversample", "balanced"])
    assert losses["oversample", "none"] == pytest.approx(losses["oversample", "effective_number"])
    assert len({round(one, 6) for one in losses.values()}) == 4


@pytest.mark.slow
def test_oversampling_finds_the_rare_class(config: Config, data: TrainingData) -> None:
    # 16 utterances of one class, and one of another: it is found where it is drawn as often
    train = np.array([*range(0, 24, 3)] * 2 + [1])
    found = {}
    for sampling in ("shuffle", "oversample"):
        wanted = config(
            training__epochs=3,
            training__sampling=sampling,
            training__selection="last",
            training__averaging="swa",  # batch norm's statistics, measured
            loss__class_weighting="none",
        )
        rare = np.array([4, 7, 10, 13])
        fitted = fit(wanted, data, train, rare, seed=1, goal=GOAL)
        found[sampling] = float(np.exp(fitted.validation[:, 1]).mean())
    assert found["oversample"] > found["shuffle"] + 0.1
