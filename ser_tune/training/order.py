"""Which training segments an epoch reads, in which order."""

from typing import Literal

import numpy as np

__all__ = ["drawn_counts", "epoch_order", "one_version_each"]

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


def epoch_order(classes: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """The segments of one epoch.

    Args:
        classes: Of every segment, shape (S,), int64.
        sampling: shuffle reads each once; oversample draws with replacement, from every class that occurs as often as
            from another (where S is not a multiple of their number, once more from some).
        rng: Where the order comes from.

    Returns:
        Numbers of segments, shape (S,).
    """
    if sampling == "shuffle":
        return rng.permutation(len(classes))
    present = np.unique(classes)
    quotas = len(classes) // len(present) + (rng.permutation(len(present)) < len(classes) % len(present))
    drawn = [rng.choice(np.flatnonzero(classes == one), quota) for one, quota in zip(present, quotas, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def drawn_counts(counts: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Segments of each class that an epoch reads, on average, shape (K,): what is oversampled needs no weight too."""
    if sampling == "shuffle":
        return counts
    return np.where(counts > 0, counts.sum() / np.count_nonzero(counts), 0)
