"""The batches of an epoch: which training segments it reads, in which order, and how they are augmented."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .augmentation import apart, beside, mixer, specaugment
from .fold import FoldTraining
from .losses import TargetStatistics

__all__ = ["Batch", "Batches", "drawn_counts", "drawn_weights", "epoch_order", "output_counts"]

Sampling = Literal["shuffle", "oversample"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Augmented segments, as the network takes them."""

    inputs: tuple[Tensor, ...]
    copies: tuple[Tensor, ...]
    """The same segments of perturbed copies, where training is for stability; otherwise empty."""
    targets: Tensor
    """As the task encodes them, shape (B, K)."""
    numbers: np.ndarray
    """Numbers of the segments, shape (B,)."""


class Batches:
    """Draws the batches of a fold, one epoch after another."""

    def __init__(self, fold: FoldTraining) -> None:
        """Draw no epoch yet; `fold.seed` determines every choice."""
        self._config, self._reader = fold.config, fold.reader
        self._stability = bool(fold.config.perturbation.stability)
        self._copies, self._utterances, self._clean = len(fold.data.copies), len(fold.train), fold.clean_segments
        targets = fold.data.targets
        self._strata, self._utterance = fold.of_segments(targets.strata), fold.reader.plan.utterance
        encoded = fold.task.encode(torch.from_numpy(fold.of_segments(targets.values)), len(targets.names))
        device = fold.config.training.device
        self._targets = encoded.to(device)
        clean = encoded[: self._clean]
        if (weights := fold.weights) is None:
            drawn = drawn_counts(fold.statistics.stratum_counts, self._sampling)
            counts = output_counts(drawn, clean.numpy(), self._strata[: self._clean])
        else:
            drawn = drawn_weights(weights[: self._clean], self._strata[: self._clean], self._sampling)
            counts = drawn @ clean.numpy().astype(np.float64)
        self._weights = weights
        spread = clean.double().std(dim=0, correction=0)
        self.statistics = TargetStatistics(
            total=torch.from_numpy(counts).to(device).float(),
            mean=torch.from_numpy(counts / self._clean).to(device).float(),
            spread=torch.where(spread > 0, spread, 1).to(device).float(),
            examples=self._clean,
        )
        self.number = max(1, self._clean // fold.config.training.batch_size)
        """Batches of an epoch: as many steps with copies as without."""
        self._mix = mixer(fold.config.augmentation)
        self._rng = np.random.default_rng(fold.seed)
        self._crops = self._rng.spawn(1)[0]  # its own, so that random starts leave the order of segments as it is
        again = np.random.default_rng(fold.seed)
        self._fixed = np.array_split(again.permutation(self._one_version_each(again)), self.number)

    @property
    def _sampling(self) -> Sampling:
        return self._config.training.sampling

    def epoch(self) -> Iterator[Batch]:
        """Draw the batches of the next epoch, of nearly equal size: batch norm cannot take a batch of one segment."""
        self._reader.crop(self._crops)
        segments = self._one_version_each(self._rng)
        weights = None if self._weights is None else self._weights[segments]
        order = segments[epoch_order(self._strata[segments], self._sampling, self._rng, weights)]
        for numbers in np.array_split(order, self.number):
            yield self._augmented(numbers)

    def fixed(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield inputs without augmentation, mixed as in training, and the same in every epoch."""
        return (self._reader.gather(numbers) for numbers in self._fixed)

    def _one_version_each(self, rng: np.random.Generator) -> np.ndarray:
        """Rising numbers of the segments of one version of every utterance: itself or a copy, each as likely.

        With stability there is one version: segment n + clean of the first copy is segment n of clean speech.
        """
        drawn = np.arange(self._utterances)
        if self._copies and not self._stability:
            drawn = drawn + self._utterances * rng.integers(1 + self._copies, size=self._utterances)
        return np.flatnonzero(np.isin(self._utterance, drawn))

    def _augmented(self, numbers: np.ndarray) -> Batch:
        augmentation = self._config.augmentation
        inputs = self._reader.gather(numbers)
        targets = self._targets[torch.from_numpy(numbers).to(self._targets.device, non_blocking=True)]
        if self._stability:
            copy = self._rng.integers(1, self._copies, size=len(numbers), endpoint=True)
            inputs = beside(inputs, self._reader.gather(numbers + copy * self._clean))
        if augmentation.specaugment:
            segments, *lengths = inputs
            inputs = (specaugment(segments, augmentation, *lengths), *lengths)
        if self._mix is not None:
            inputs, targets = self._mix(inputs, targets)
        inputs, copies = apart(inputs) if self._stability else (inputs, ())
        return Batch(inputs, copies, targets, numbers)


def epoch_order(
    strata: np.ndarray, sampling: Sampling, rng: np.random.Generator, weights: np.ndarray | None = None
) -> np.ndarray:
    """The segments of one epoch.

    Args:
        strata: Of every segment, such as its class, shape (S,), int64.
        sampling: shuffle reads each once; oversample draws with replacement, from every stratum that occurs as often
            as from another (where S is not a multiple of their number, once more from some).
        rng: Where the order comes from.
        weights: Of every segment, shape (S,): each is drawn as often as its weight, relative to the mean, asks for,
            rounded down or up at random, and with oversample to strata of the same total. None where all are 1.

    Returns:
        Numbers of segments, shape (S,).
    """
    if weights is not None:
        mixed = rng.permutation(len(strata))
        ends = np.cumsum(drawn_weights(weights, strata, sampling)[mixed])
        ends[-1] = len(strata)  # but for rounding it is
        times = np.diff(np.floor(ends + rng.random()), prepend=0).astype(np.int64)
        return rng.permutation(np.repeat(mixed, times))
    if sampling == "shuffle":
        return rng.permutation(len(strata))
    present = np.unique(strata)
    quotas = len(strata) // len(present) + (rng.permutation(len(present)) < len(strata) % len(present))
    drawn = [
        rng.choice(np.flatnonzero(strata == stratum), quota) for stratum, quota in zip(present, quotas, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def drawn_counts(counts: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Segments of each stratum that an epoch reads, on average, shape (C,): what is oversampled needs no weight too."""
    if sampling == "shuffle":
        return counts
    return np.where(counts > 0, counts.sum() / np.count_nonzero(counts), 0)


def drawn_weights(weights: np.ndarray, strata: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Readings of each segment in an epoch, on average, shape (S,), with mean 1, from weights and strata (S,)."""
    if sampling == "oversample":
        weights = weights / np.bincount(strata, weights)[strata]
    even: np.ndarray = weights / weights.mean()
    return even


def output_counts(drawn: np.ndarray, targets: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Total of each output in the targets of an epoch, on average, shape (K,), from which losses take weights.

    Args:
        drawn: Segments of each stratum that an epoch reads, shape (C,).
        targets: As the task encodes them, of all segments, shape (S, K).
        strata: Of all segments, shape (S,).

    Of classes it is the number of segments of each; here the first stratum holds two of three levels:

    >>> output_counts(np.array([6, 2]), np.eye(3)[[0, 1, 1, 2]], np.array([0, 0, 0, 1])).tolist()
    [2.0, 4.0, 2.0]
    """
    present = np.unique(strata)
    means = np.stack([targets[strata == stratum].mean(axis=0, dtype=np.float64) for stratum in present])
    counts: np.ndarray = (drawn[present, None] * means).sum(axis=0)
    return counts
