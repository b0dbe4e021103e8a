"""The order of extraction: similar lengths over the whole corpus together, every utterance once, memory bounded."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.features import extraction

LENGTHS = st.lists(st.sampled_from([0.0]) | st.floats(0.01, 90.0), min_size=1, max_size=300)


@given(LENGTHS)
def test_tasks_are_of_similar_lengths_and_no_utterance_is_lost(lengths: list[float]) -> None:
    lengths_s = np.array(lengths)
    tasks = extraction.similar_lengths(lengths_s)
    assert sorted(np.concatenate(tasks).tolist()) == list(range(len(lengths)))
    shortest, *inside = [lengths_s[task] for task in tasks]
    assert shortest.tolist() == [lengths_s.min()]
    for task, following in pairwise(inside):
        assert task.min() >= following.max()  # the longest first
    for task in inside:
        assert len(task) <= extraction.AT_ONCE
        assert len(task) == 1 or len(task) * task.max() <= extraction.SPEECH_S
        assert task.min() >= extraction.SIMILAR * task.max()


def test_little_of_a_batch_is_padding_whatever_the_order_of_the_corpus() -> None:
    lengths_s = np.random.default_rng(0).permutation(np.random.default_rng(1).lognormal(1.0, 0.4, 5000))
    padded = sum(len(task) * lengths_s[task].max() for task in extraction.similar_lengths(lengths_s))
    assert padded < 1.01 * lengths_s.sum()
    neighbours = sum(len(part) * part.max() for part in np.array_split(lengths_s, 5000 // extraction.AT_ONCE))
    assert neighbours > 1.5 * lengths_s.sum()


def test_a_small_corpus_is_cut_into_enough_tasks_for_many_cores() -> None:
    assert len(extraction.similar_lengths(np.full(535, 2.0))) >= extraction.TASKS
    assert len(extraction.similar_lengths(np.full(5, 2.0))) == 5
