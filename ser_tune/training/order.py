"""Which training segments an epoch reads, in which order."""

from typing import Literal

import numpy as np

__all__ = ["drawn_counts", "epoch_order", "one_version_each", "output_counts"]

Sampling = Literal["shuffle", "oversample"]


def one_version_each(utterance: np.ndarray, utterances: int, versions: int, rng: np.random.Generator) -> np.ndarray:
    """The segments of one version of every utterance: itself or one of its copies, each as likely.

    Args:
        utterance: Number of each segment's utterance, shape (S,), int64: below `utterances` of a clean one, then of its
            first copy, and so on.
        utterances: How many there are.
        versions: Of each, the utterance itself included; with 1 nothing is drawn.
        rng: Where the choice comes from.

    Returns:
        Numbers of segments, rising.
    """
    drawn = np.arange(utterances)
    if versions > 1:
        drawn = drawn + utterances * rng.integers(versions, size=utterances)
    return np.flatnonzero(np.isin(utterance, drawn))


def epoch_order(strata: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """The segments of one epoch.

    Args:
        strata: Of every segment, such as its class, shape (S,), int64.
        sampling: shuffle reads each once; oversample draws with replacement, from every stratum that occurs as often
            as from another (where S is not a multiple of their number, once more from some).
        rng: Where the order comes from.

    Returns:
        Numbers of segments, shape (S,).
    """
    if sampling == "shuffle":
        return rng.permutation(len(strata))
    present = np.unique(strata)
    quotas = len(strata) // len(present) + (rng.permutation(len(present)) < len(strata) % len(present))
    drawn = [rng.choice(np.flatnonzero(strata == one), quota) for one, quota in zip(present, quotas, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def drawn_counts(counts: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Segments of each stratum that an epoch reads, on average, shape (C,): what is oversampled needs no weight too."""
    if sampling == "shuffle":
        return counts
    return np.where(counts > 0, counts.sum() / np.count_nonzero(counts), 0)


def output_counts(drawn: np.ndarray, targets: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """How much of each output the targets of an epoch have, on average, shape (K,), from which losses take weights.

    Args:
        drawn: Segments of each stratum that an epoch reads, shape (C,).
        targets: As the task encodes them, of all segments, shape (S, K).
        strata: Of all segments, shape (S,).

    Of classes it is the number of segments of each; here the first stratum holds two of three levels:

    >>> output_counts(np.array([6, 2]), np.eye(3)[[0, 1, 1, 2]], np.array([0, 0, 0, 1])).tolist()
    [2.0, 4.0, 2.0]
    """
    present = np.unique(strata)
    means = np.stack([targets[strata == one].mean(axis=0, dtype=np.float64) for one in present])
    counts: np.ndarray = (drawn[present, None] * means).sum(axis=0)
    return counts
