"""Further losses of gradient descent that make corpora alike: domain-adversarial training, and a mean teacher."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ...architectures.networks import members_of
from ...prediction import SegmentReader
from ..augmentation import specaugment
from ..batch_statistics import running_statistics_kept
from .domains import DomainClassifier, embedding_of, ramp

if TYPE_CHECKING:
    from ..fold import FoldTraining

__all__ = ["Aligner", "aligner_of"]

DECAY = 0.99
"""The fraction of the teacher's weights that stays at every step, as Tarvainen and Valpola have it at first."""


class Aligner(Protocol):
    """A further loss of the networks of a fold."""

    def raw(self, member: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        """Call a network on labelled segments; returns its raw outputs (B, K)."""

    def loss(self, number: int, member: nn.Module, segments: np.ndarray, progress: float) -> Tensor:
        """The further loss of a network, a scalar.

        Args:
            number: Of the network.
            member: The network, which was just called on labelled segments.
            segments: The numbers of these, shape (B,).
            progress: The share of all steps that was taken.
        """

    def after_step(self) -> None:
        """Take in the step that the networks took."""


def aligner_of(fold: FoldTraining) -> Aligner | None:
    """The further loss of a fold's configuration; None without any."""
    kinds: dict[str, Callable[[FoldTraining], Aligner]] = {"adversarial": Adversarial, "mean_teacher": MeanTeacher}
    make = kinds.get(fold.config.alignment.kind)
    return None if make is None else make(fold)


class _Unlabelled:
    """Random batches of unlabelled speech."""

    def __init__(self, fold: FoldTraining, reader: SegmentReader) -> None:
        self._reader, self._rng = reader, np.random.default_rng([fold.seed, 1])

    def batch(self, size: int) -> tuple[Tensor, ...]:
        """Segments, drawn with replacement where there are fewer than `size`."""
        count = len(self._reader)
        return self._reader.gather(self._rng.choice(count, size, replace=count < size))


class Adversarial:
    """A classifier of corpora for each network, whose gradient is reversed; unlabelled speech is a further corpus."""

    def __init__(self, fold: FoldTraining) -> None:
        """Count the segments of each corpus; the classifiers are made when the networks' features are known."""
        corpora = fold.data.corpora
        every = np.zeros(len(fold.reader), dtype=np.int64) if corpora is None else fold.of_segments(corpora)
        self._corpus = np.unique(every, return_inverse=True)[1]
        counts = np.bincount(self._corpus)
        self._unlabelled = None if fold.unlabelled is None else _Unlabelled(fold, fold.unlabelled)
        self._counts = counts if self._unlabelled is None else np.append(counts, counts.sum())
        self._settings, self._device = fold.config.alignment, torch.device(fold.config.training.device)
        self._rate = fold.config.optimizer.learning_rate
        self._classifiers: dict[int, tuple[DomainClassifier, torch.optim.Optimizer]] = {}
        self._features: Tensor

    def raw(self, member: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        """As of `Aligner`; keeps the features that the network's classifier reads."""
        raw, self._features = embedding_of(member, inputs)
        return raw

    def loss(self, number: int, member: nn.Module, segments: np.ndarray, progress: float) -> Tensor:
        """As of `Aligner`."""
        features, corpora = self._features, torch.from_numpy(self._corpus[segments]).to(self._device)
        if self._unlabelled is not None:
            with running_statistics_kept(member):
                further = embedding_of(member, self._unlabelled.batch(len(segments)))[1]
            features = torch.cat([features, further])
            corpora = torch.cat([corpora, torch.full((len(further),), len(self._counts) - 1, device=self._device)])
        if number not in self._classifiers:
            made = DomainClassifier(features.shape[1], self._counts).to(self._device)
            self._classifiers[number] = (made, torch.optim.Adam(made.parameters(), lr=self._rate))
        classifier, optimizer = self._classifiers[number]
        optimizer.zero_grad(set_to_none=True)
        return classifier.loss(features, corpora, self._settings.strength * ramp(progress))

    def after_step(self) -> None:
        """Train the classifiers by the gradients of the step."""
        for _, optimizer in self._classifiers.values():
            optimizer.step()


class MeanTeacher:
    """A moving average of each network, whose outputs for unlabelled speech the network learns with masked input.

    A. Tarvainen, H. Valpola: Mean teachers are better role models, NeurIPS 2017, arXiv 1703.01780.
    """

    def __init__(self, fold: FoldTraining) -> None:
        """Copy the networks."""
        assert fold.unlabelled is not None
        self._fold, self._unlabelled, self._steps = fold, _Unlabelled(fold, fold.unlabelled), 0
        self._students: Sequence[nn.Module] = members_of(fold.network)
        self._teachers = [copy.deepcopy(student).eval() for student in self._students]

    def raw(self, member: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        """As of `Aligner`."""
        raw: Tensor = member(*inputs)
        return raw

    def loss(self, number: int, member: nn.Module, segments: np.ndarray, progress: float) -> Tensor:
        """As of `Aligner`."""
        inputs = self._unlabelled.batch(len(segments))
        with torch.no_grad():
            taught = self._teachers[number](*inputs).float()
        masked, *lengths = inputs
        masked = specaugment(masked, self._fold.config.augmentation, *lengths)
        with running_statistics_kept(member):
            learned = member(masked, *lengths).float()
        strength = self._fold.config.alignment.strength * ramp(progress)
        return strength * self._fold.task.divergence(taught, learned)

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teachers towards the networks; the first steps count for more."""
        self._steps += 1
        weight = 1 - min(DECAY, 1 - 1 / (self._steps + 1))
        for teacher, student in zip(self._teachers, self._students, strict=True):
            torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), weight)
            for mine, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
                mine.copy_(theirs)
