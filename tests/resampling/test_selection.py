"""Searches without their choice: what must hold of any, and bias and coverage where the truth is known."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.metrics import METRICS
from ser_tune.resampling import correct_selection, speaker_interval

from ..ser_tune_benchmarks.corrected import KINDS, simulate, uar_of

QUICK = settings(max_examples=25, deadline=None)
UAR = METRICS.get("uar")
PAIRS = replace(UAR, value=uar_of)
"""Of right utterances and all utterances of each class."""
SEARCHES = 8
"""Of each kind and number of trials; `tests.ser_tune_benchmarks corrected` simulates more."""


@st.composite
def _searched(draw: st.DrawFn, *, most: int = 5) -> np.ndarray:
    """Confusion matrices of trials that judged the same utterances, shape (T, S, K, K)."""
    trials, speakers, classes = draw(st.integers(1, most)), draw(st.integers(2, 6)), draw(st.integers(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.integers(0, classes, (speakers, 8))
    predicted = np.where(rng.random((trials, speakers, 8)) < 0.6, truth, rng.integers(0, classes, (speakers, 8)))
    counts = np.zeros((trials, speakers, classes, classes), dtype=np.int64)
    for trial, speaker, one in np.ndindex(predicted.shape):
        counts[trial, speaker, truth[speaker, one], predicted[trial, speaker, one]] += 1
    return counts


def _plain(counts: np.ndarray) -> np.ndarray:
    """Pooled UAR of each trial."""
    return UAR.value(counts.sum(axis=1))


@QUICK
@given(_searched(most=1))
def test_a_single_configuration_has_its_plain_score_and_interval_and_no_gain(counts: np.ndarray) -> None:
    found = correct_selection(UAR, counts)
    assert found is not None
    assert found.score.value == float(_plain(counts)[0])
    plain = speaker_interval(UAR, counts[0])
    if plain.known:
        assert (found.score.interval.low, found.score.interval.high) == pytest.approx((plain.low, plain.high))
    assert found.over_first.value == found.over_median.value == 0.0


@QUICK
@given(_searched())
def test_the_corrected_score_is_one_that_candidates_reach_and_not_above_what_each_speaker_gets_at_best(
    counts: np.ndarray,
) -> None:
    found = correct_selection(UAR, counts)
    assert found is not None
    hits, totals = counts.diagonal(axis1=2, axis2=3), counts.sum(axis=(1, 3))[0]
    ends = [
        float((one.sum(axis=0)[totals > 0] / totals[totals > 0]).mean()) for one in (hits.min(axis=0), hits.max(axis=0))
    ]
    assert ends[0] - 1e-9 <= found.score.value <= ends[1] + 1e-9
    if found.score.interval.known:
        assert found.score.interval.low <= found.score.value <= found.score.interval.high
    gain = found.over_first
    assert gain.interval.low <= gain.value <= gain.interval.high


@QUICK
@given(_searched(), st.integers(2, 4))
def test_copies_of_all_configurations_change_nothing(counts: np.ndarray, copies: int) -> None:
    once = correct_selection(UAR, counts)
    often = correct_selection(UAR, np.concatenate([counts] * copies))
    assert once is not None
    assert often is not None
    for copied, one in ((often.score, once.score), (often.over_first, once.over_first)):
        assert copied.value == pytest.approx(one.value, abs=0.005)  # a single one has more resamples


def test_a_configuration_that_is_better_for_every_speaker_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    totals = rng.integers(6, 12, (8, 3))
    hits = np.stack([totals - 1, totals - 3, totals - 4])
    found = correct_selection(PAIRS, np.stack([hits, np.broadcast_to(totals, hits.shape)], axis=2))
    assert found is not None
    assert found.score.value == pytest.approx(float(uar_of(np.stack([hits[0].sum(axis=0), totals.sum(axis=0)]))))
    assert found.over_first.value == 0.0
    assert found.over_median.value > 0


def test_fresh_seeds_choose_among_the_best_of_the_search_and_score_them() -> None:
    totals = np.full((6, 2), 10)

    def search(*shares: float) -> np.ndarray:
        hits = np.stack([totals * share for share in shares])
        return np.stack([hits, np.broadcast_to(totals, hits.shape)], axis=2)

    searched, (better, worse, lucky) = search(0.8, 0.9, 0.5), search(0.7, 0.6, 0.99)
    fresh = {0: better, 1: worse, 2: lucky}
    found = correct_selection(PAIRS, searched, fresh=fresh, entrants=2)
    assert found is not None
    assert found.score.value == pytest.approx(0.7)  # trial 2 is not among the two best of the search
    assert found.over_median.value == pytest.approx(0.0)
    # Where the best of the search has no fresh seeds, another of the best that has some is taken
    found = correct_selection(PAIRS, searched, fresh={0: better}, entrants=2)
    assert found is not None
    assert found.score.value == pytest.approx(0.7)
    # Where none of the best has any, the best is scored as the search did
    found = correct_selection(PAIRS, searched, fresh={2: lucky}, entrants=1)
    assert found is not None
    assert found.score.value == pytest.approx(0.9)


def test_the_best_of_many_that_guess_is_at_chance() -> None:
    rng = np.random.default_rng(2)
    errors, held, printed = [], [], []
    for _ in range(30):
        counts = rng.multinomial(12, [1 / 3] * 3, size=(20, 8, 3))  # each class twelve times, guessed
        found = correct_selection(UAR, counts)
        assert found is not None
        errors.append(found.score.value - 1 / 3)
        held.append(found.score.interval.low <= 1 / 3 <= found.score.interval.high)
        printed.append(_plain(counts).max() - 1 / 3)
    assert abs(np.mean(errors)) < 0.01 < np.mean(printed)
    assert np.mean(held) >= 0.93


def test_one_speaker_cannot_be_left_out() -> None:
    assert correct_selection(UAR, np.ones((3, 1, 2, 2))) is None


@pytest.mark.slow
@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("speakers", [6, 10, 24])
def test_bias_is_below_a_hundredth_and_intervals_hold_the_truth(speakers: int, confirmed: bool) -> None:
    rng = np.random.default_rng([speakers, confirmed])
    biases, printed, held = [], [], []
    for kind, trials in product(KINDS, (10, 100)):
        for _ in range(SEARCHES // (1 + confirmed)):
            search = simulate(rng, speakers=speakers, trials=trials, spread=KINDS[kind], confirmed=confirmed)
            found, truth, luck = search.corrected, search.truth[search.winner], search.luck
            biases.append(found.score.value - truth - luck)
            printed.append(search.printed - truth - luck)
            for part, value in ((found.score, truth), (found.over_first, truth - search.truth[0])):
                held.append(part.interval.low <= value <= part.interval.high)
    assert abs(np.mean(biases)) < 0.01
    assert np.mean(printed) > 0.01  # what is corrected
    assert np.mean(held) >= 0.93


@QUICK
@given(_searched())
def test_a_choice_of_the_least_error_is_the_choice_of_the_highest_score(counts: np.ndarray) -> None:
    error = replace(UAR, value=lambda sums: 1 - UAR.value(sums), higher_is_better=False)
    found, mirrored = correct_selection(UAR, counts), correct_selection(error, counts)
    assert found is not None
    assert mirrored is not None
    assert mirrored.score.value == pytest.approx(1 - found.score.value)
    assert mirrored.over_first.value == pytest.approx(found.over_first.value)
    assert mirrored.over_median.value == pytest.approx(found.over_median.value)
