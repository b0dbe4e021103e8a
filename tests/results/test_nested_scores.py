"""Scores inside and outside the searches of a nested study, and the optimism between them, of any metric."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.metrics import METRICS, Metric
from ser_tune.protocol import Protocol
from ser_tune.resampling import Interval
from ser_tune.results import Nested, OuterFold
from ser_tune.tasks import TASKS
from ser_tune.tracking import Predictions
from tests.plugged import ERROR, SHORTFALL

UAR, WA = METRICS.get("uar"), METRICS.get("wa")


def _said(speakers: str, right: str) -> Predictions:
    """A joyful utterance of each speaker, right or not."""
    n = len(speakers)
    said = np.array([int(row == "+") for row in right])
    return Predictions(
        TASKS.get("classification"),
        ("anger", "joy"),
        tuple(map(str, range(n))),
        tuple(speakers),
        np.ones(n, dtype=int),
        said,
    )


def test_speakers_that_are_judged_alike_inside_and_outside_make_no_optimism() -> None:
    # Every network is right on a and b and wrong on c, in all searches. If utterances were pooled inside, those of b
    # would count four times, but once in the mean over the outer folds
    right = {"a": "+", "b": "++++", "c": "-"}

    def said_by(*speakers: str) -> Predictions:
        return _said(
            "".join(speaker * len(right[speaker]) for speaker in speakers),
            "".join(right[speaker] for speaker in speakers),
        )

    folds = []
    for own in right:
        seen = said_by(*(row for row in right if row != own))
        single = {own: float(right[own][0] == "+")}
        pooled = float(np.mean(seen.predicted))
        folds.append(OuterFold("", (own,), 0, pooled, Interval(0, 1), single, seen, said_by(own)))
    found = Nested("outer", folds, {}, Protocol({}), UAR)
    assert found.by_speaker == {"a": (1.0, 1.0), "b": (1.0, 1.0), "c": (0.0, 0.0)}
    assert (found.optimism, found.optimism_interval) == (0.0, Interval(0.0, 0.0))


@settings(deadline=None)  # machines are busy
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=5))
def test_optimism_means_the_same_whether_low_negative_or_high_is_good(right: list[tuple[int, int]]) -> None:
    """Of three utterances, so many are right inside and outside: the search promised too much where more are inside."""

    def optimism(metric: Metric) -> tuple[float, ...]:
        folds = []
        for own in range(len(right)):
            seen = [(name, inside) for name, (inside, _) in enumerate(right) if name != own]
            said = _said("".join(str(name) * 3 for name, _ in seen), "".join("+" * n + "-" * (3 - n) for _, n in seen))
            outside = _said(str(own) * 3, "+" * right[own][1] + "-" * (3 - right[own][1]))
            single = {str(own): metric.score(outside.truth, outside.predicted, 2)}
            folds.append(OuterFold("", (str(own),), 0, 0.5, Interval(0, 1), single, said, outside))
        found = Nested("outer", folds, {}, Protocol({}), metric)
        interval = found.optimism_interval
        return found.optimism, interval.low, interval.high

    expected = np.mean([(inside - outside) / 3 for inside, outside in right])
    of_wa = optimism(WA)
    assert of_wa[0] == pytest.approx(expected)
    for metric in (ERROR, SHORTFALL):
        assert optimism(metric) == pytest.approx(of_wa)


def test_speakers_without_a_score_have_no_say() -> None:
    # Such as a correlation of a speaker whose predictions are all the same; here, of whom nothing is right
    metric = replace(WA, value=lambda sums: np.where(WA.value(sums) > 0, WA.value(sums), np.nan))

    def fold(own: str, outside: str, **inside: str) -> OuterFold:
        seen, judged = _said("".join(inside), "".join(inside.values())), _said(own, outside)
        single = {own: metric.score(judged.truth, judged.predicted, 2)}
        return OuterFold("", (own,), 0, 0.5, Interval(0, 1), single, seen, judged)

    folds = [fold("a", "+", b="+", c="-"), fold("b", "-", a="+", c="-"), fold("c", "+", a="-", b="+")]
    found = Nested("outer", folds, {}, Protocol({}), metric)
    assert found.by_speaker == {"a": (1.0, 1.0)}  # b has none outside, c none inside; a has one of two inside
    assert (found.optimism, found.optimism_interval.known) == (0.0, False)
    nobody = Nested("outer", folds[1:2], {}, Protocol({}), metric)
    assert np.isnan([nobody.inner_score, nobody.optimism, nobody.folds[0].outer_single_score]).all()
    assert not nobody.optimism_interval.known


def test_scores_of_test_corpora_are_not_paired_with_those_of_other_speakers() -> None:
    folds = [
        OuterFold("", ("away:",), 0, 0.75, Interval(0, 1), {"a": 0.5, "b": 0.75}, _said("c", "+"), _said("ab", "+-"))
    ]
    found = Nested("outer", folds, {}, Protocol({"scheme": "train-test"}), UAR)
    assert (found.inner_score, found.outer_single_score, found.optimism) == (0.75, 0.625, 0.125)
    assert not found.optimism_interval.known
