"""The learning-rate range test (Smith 2015, arXiv 1506.01186): the loss while the rate rises from step to step."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from ..errors import ConfigError
from ..tasks import Goal
from .descent import Probe, descend
from .fitting import prepare_fold
from .statistics import AnyTrial, TrainingData, fold_statistics

__all__ = ["HIGHEST_RATE", "LOWEST_RATE", "RangeTest", "rates_of", "run_range_test", "smooth", "suggested_rate"]

LOWEST_RATE, HIGHEST_RATE = 1e-6, 1.0
LEAST_STEPS = 100
"""An epoch of a small corpus has fewer, and a curve needs more than a few points per power of ten: it has several."""
SMOOTHING_DECADES = 0.2
"""Deviation of the Gaussian that smooths the loss over the rate; a running mean would lag behind it."""
DIVERGED = 4.0
"""The test ends where the smoothed loss is so many times its least, as in fastai."""
LEAST_FALL = 0.05
"""Fraction of the first loss by which it must fall, for batches differ by chance."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """Learning rates and losses of the steps of a range test."""

    rates: np.ndarray
    """Shape (S,), rising."""
    losses: np.ndarray
    """Losses of the batches, shape (S,), finite."""
    smoothed: np.ndarray
    """Shape (S,)."""
    suggestion: float
    diverged: bool
    """True where the test ended before the highest rate."""


class _Diverged(Exception):  # noqa: N818 - no error: how most tests end
    """Ends the training."""


def run_range_test(config: AnyTrial, data: TrainingData, train: np.ndarray, *, seed: int, goal: Goal) -> RangeTest:
    """Train a network as `fit` does, for an epoch or 100 steps, but at rates that rise from 1e-6 to 1.

    Args:
        config: Concrete, as for `fit`; its learning rate, schedule, epochs and averaging play no part.
        data: The corpus.
        train: Numbers of the utterances to learn from; no others are read.
        seed: Seed of all random numbers.
        goal: As for `fit`.

    Raises:
        ConfigError: The loss falls at no rate.
    """
    batches = max(1, int(fold_statistics(config, data, train).stratum_counts.sum()) // config.training.batch_size)
    epochs = math.ceil(LEAST_STEPS / batches)
    rates = rates_of(batches * epochs)
    losses: list[float] = []

    def schedule(optimizer: torch.optim.Optimizer, _: object, __: int) -> LRScheduler:
        factors = rates / config.optimizer.learning_rate
        return LambdaLR(optimizer, lambda step: float(factors[min(step, len(rates) - 1)]))

    def on_step(loss: Tensor) -> None:
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            losses.pop()
            raise _Diverged
        smoothed = smooth(np.array(losses), len(rates))
        if smoothed[-1] > DIVERGED * smoothed.min():
            raise _Diverged

    training = config.training.model_copy(update={"epochs": epochs, "patience": 0, "averaging": "none"})
    longer = config.model_copy(update={"training": training})
    diverged = False
    try:
        fold = prepare_fold(longer, data, train, np.arange(0), seed=seed, goal=goal)
        descend(fold, lambda _: None, Probe(on_step, schedule))
    except _Diverged:
        diverged = True
    seen, found = rates[: len(losses)], np.array(losses)
    smoothed = smooth(found, len(rates))
    return RangeTest(seen, found, smoothed, suggested_rate(seen, smoothed), diverged)


def rates_of(steps: int) -> np.ndarray:
    """The rate of every step, shape (steps,): it rises by the same factor each time.

    >>> rates_of(13)[[0, 6, 12]].tolist()
    [1e-06, 0.001, 1.0]
    """
    return np.geomspace(LOWEST_RATE, HIGHEST_RATE, steps)


def smooth(losses: np.ndarray, steps: int) -> np.ndarray:
    """Smooth the losses of the finished steps, shape (S,), over the logarithm of the rate."""
    if not len(losses):
        return losses
    steps_of_a_decade = (steps - 1) / math.log10(HIGHEST_RATE / LOWEST_RATE)
    from scipy.ndimage import gaussian_filter1d

    smoothed: np.ndarray = gaussian_filter1d(losses, SMOOTHING_DECADES * steps_of_a_decade, mode="nearest")
    return smoothed


def suggested_rate(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """One tenth of the rate at which the smoothed loss is least: the loss still falls there, and well before it rises.

    As fastai does (Howard, Gugger 2020, arXiv 2002.04688). The steepest descent, its other rule, moves with the noise
    of a few dozen batches, which is what small corpora have.

    Args:
        rates: Shape (S,), rising.
        smoothed: Losses, shape (S,).

    Returns:
        The rate, with two significant digits.

    Raises:
        ConfigError: The loss fell at no rate.

    >>> suggested_rate(np.array([1e-3, 1e-2, 1e-1]), np.array([2.0, 1.0, 3.0]))
    0.001
    """
    if not len(smoothed) or smoothed.min() > (1 - LEAST_FALL) * smoothed[0]:
        raise ConfigError(
            f"the loss falls by less than {LEAST_FALL:.0%} at every learning rate from {LOWEST_RATE:g} to "
            f"{HIGHEST_RATE:g}: there is none to suggest for this configuration"
        )
    return float(f"{rates[smoothed.argmin()] / 10:.1e}")
