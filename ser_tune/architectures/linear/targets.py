"""Targets and weights of the examples of a linear map, from a task's values, by the kind of its predictions."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Supervision", "balanced", "balanced_votes", "signs_of", "supervision"]


@dataclass(frozen=True, slots=True)
class Supervision:
    """Targets of the examples, their weights, and the loss that compares scores with targets."""

    targets: np.ndarray
    """Shape (N, K), float64."""
    weights: np.ndarray
    """Weight of each example, shape (N,), or of each of its outputs, (N, K)."""
    loss: str
    """A name of `LOSSES` in `newton.py`."""

    def part(self, which: np.ndarray) -> "Supervision":
        """The targets of some examples, shape (N,), bool, which keep their weights."""
        return Supervision(self.targets[which], self.weights[which], self.loss)


def supervision(
    kind: str, values: np.ndarray, outputs: int, objective: str, weights: np.ndarray | None = None
) -> Supervision:
    """Targets for an objective, `model.objective`.

    Classes have the same total weight, also where examples have votes for several, and so have the examples with and
    without a label in squared hinge and logistic loss. Examples with dimensions count alike.

    Args:
        kind: The kind of predictions.
        values: The task's values, shape (N, ...); dimensions are standardised.
        outputs: K.
        objective: An objective that `OBJECTIVES` in `linear_probe.py` has for this kind.
        weights: Weight of each example in these totals, shape (N,), with mean 1; None where all are 1.
    """
    even = np.ones(len(values)) if weights is None else weights
    if kind == "classes":
        own = values[:, None] == np.arange(outputs)
        targets = own.astype(np.float64) if objective == "logistic" else signs_of(own)
        return Supervision(targets, balanced(values, outputs, weights), objective)
    if kind == "label_scores":
        if objective == "ridge":  # equal weights need a single factorisation for all labels
            return Supervision(signs_of(values), even, objective)
        of_labels = np.column_stack([balanced(own.astype(np.int64), 2, weights) for own in values.T])
        return Supervision(signs_of(values), of_labels, "binary" if objective == "logistic" else objective)
    if kind == "distributions":
        votes = balanced_votes(values, weights)
        of_votes = votes.sum(axis=1)
        return Supervision(votes / of_votes[:, None], of_votes, objective)
    return Supervision(values, even, "ridge")


def signs_of(own: np.ndarray) -> np.ndarray:
    """1 where a class or label applies and -1 elsewhere, shape (N, K), from bools (N, K)."""
    return np.where(own, 1.0, -1.0)


def balanced(labels: np.ndarray, n_classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Weights (N,), with mean 1, that give all occurring classes the same total weight; changed from others (N,)."""
    counts = np.bincount(labels, minlength=n_classes)
    if weights is None:
        result: np.ndarray = (len(labels) / np.count_nonzero(counts) / np.maximum(counts, 1))[labels]
        return result
    totals = np.bincount(labels, weights, minlength=n_classes)
    evened: np.ndarray = weights * (len(labels) / np.count_nonzero(counts) / np.where(counts > 0, totals, 1))[labels]
    return evened


def balanced_votes(shares: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Weights (N, K) of votes, N in all, that give all occurring classes the same total weight, from shares (N, K).

    `weights` (N,) are of examples; None where all are 1.
    """
    shares = shares if weights is None else shares * weights[:, None]
    totals = shares.sum(axis=0)
    result: np.ndarray = shares * (len(shares) / np.count_nonzero(totals) / np.where(totals > 0, totals, 1))
    return result
