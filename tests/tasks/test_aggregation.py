"""Segments of an utterance combined, by hand and by what must hold."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.tasks.aggregation import AGGREGATIONS, aggregate

QUICK = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("how", AGGREGATIONS)
def test_an_utterance_of_one_segment_is_that_segment(how: str) -> None:
    scores = np.log(np.array([[0.2, 0.8], [0.5, 0.5]], dtype=np.float32))
    np.testing.assert_allclose(aggregate(scores, np.arange(2), how), scores, rtol=1e-6)


def test_log_probabilities_are_averaged_by_hand() -> None:
    segments = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], dtype=np.float32))
    utterance = np.array([0, 0, 1])
    geometric = np.sqrt(np.array([0.9 * 0.4, 0.1 * 0.6]))
    np.testing.assert_allclose(
        np.exp(aggregate(segments, utterance, "mean_log_softmax")),
        [geometric / geometric.sum(), [0.2, 0.8]],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        np.exp(aggregate(segments, utterance, "mean_probability")), [[0.65, 0.35], [0.2, 0.8]], rtol=1e-5
    )


def test_the_largest_probabilities_are_taken_by_hand() -> None:
    segments = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], dtype=np.float32))
    found = np.exp(aggregate(segments, np.array([0, 0, 1]), "maximum"))
    np.testing.assert_allclose(found, [[0.9 / 1.5, 0.6 / 1.5], [0.2, 0.8]], rtol=1e-5)


def test_certain_segments_count_more_by_hand() -> None:
    segments = np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]])
    with np.errstate(divide="ignore"):
        found = np.exp(aggregate(np.log(segments), np.array([0, 0, 1]), "confidence"))
    # Entropies ln 2 and 0: the softmax of their negatives is 1/3 and 2/3
    np.testing.assert_allclose(found, [[0.5 / 3 + 2 / 3, 0.5 / 3], [0.2, 0.8]], rtol=1e-5)
    # Segments that are equally certain are averaged
    turned = np.log(np.array([[0.7, 0.3], [0.3, 0.7], [0.7, 0.3]]))
    equal = np.zeros(3, dtype=np.int64)
    np.testing.assert_allclose(
        aggregate(turned, equal, "confidence"), aggregate(turned, equal, "mean_probability"), rtol=1e-5
    )


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="how is 'median'; expected mean_log_softmax, mean_probability, maximum or"):
        aggregate(np.zeros((1, 2)), np.zeros(1, dtype=np.int64), "median")


def test_the_two_ways_can_disagree() -> None:
    # One segment is certain of joy; two lean to anger
    segments = np.log(np.array([[0.0001, 0.9999], [0.7, 0.3], [0.7, 0.3]]))
    utterance = np.zeros(3, dtype=np.int64)
    assert aggregate(segments, utterance, "mean_log_softmax").argmax() == 1
    assert aggregate(segments, utterance, "mean_probability").argmax() == 1
    segments[1:] = np.log([0.8, 0.2])
    assert aggregate(segments, utterance, "mean_log_softmax").argmax() == 1
    assert aggregate(segments, utterance, "mean_probability").argmax() == 0


@QUICK
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    how=st.sampled_from(AGGREGATIONS),
    scale=st.sampled_from((1.0, 50.0, 5000.0)),
)
def test_an_utterances_probabilities_sum_to_1(counts: list[int], how: str, scale: float) -> None:
    utterance = np.repeat(np.arange(len(counts)), counts)
    logits = torch.randn(len(utterance), 4, generator=torch.Generator().manual_seed(0)) * scale
    combined = aggregate(torch.log_softmax(logits, dim=1).numpy(), utterance, how)
    assert combined.shape == (len(counts), 4)
    assert combined.dtype == np.float32
    np.testing.assert_allclose(np.exp(combined).sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("how", AGGREGATIONS)
def test_an_undefined_segment_leaves_its_utterance_undefined(how: str) -> None:
    segments = np.log(np.array([[0.5, 0.5], [np.nan, 0.5], [0.5, 0.5]]))
    combined = aggregate(segments, np.array([0, 0, 1]), how)
    assert np.isnan(combined[0]).all()
    assert np.isfinite(combined[1]).all()
