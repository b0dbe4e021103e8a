"""Gradient descent: training a fold's network epoch by epoch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..architectures.networks import members_of
from ..config import TrainingSettings
from ..errors import NonFiniteLossError
from .alignment.descent import Aligner, aligner_of
from .averaging import WeightAverage
from .batch_statistics import running_statistics_kept
from .batches import Batch, Batches
from .epochs import Contest, EpochReport
from .fold import FittedNetwork, FoldTraining
from .losses import LOSSES
from .optimization import build_optimizer, build_schedule

__all__ = ["Probe", "clip_gradients", "descend", "running_statistics_kept"]

MakeSchedule: TypeAlias = Callable[[Optimizer, TrainingSettings, int], LRScheduler]
"""From the optimizer, the settings and the number of steps in all."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Watches a descent step by step, as the learning-rate range test does."""

    on_step: Callable[[Tensor], None] = lambda _: None
    """Called with every batch's loss, a scalar; an exception ends the training."""
    schedule: MakeSchedule = build_schedule
    """Makes the learning-rate schedule; the default is the schedule of the settings."""


def descend(fold: FoldTraining, on_epoch: Callable[[EpochReport], None], probe: Probe | None = None) -> FittedNetwork:
    """Train a network, and leave it with the weights of the epoch that is kept.

    Args:
        fold: The network and its training data.
        on_epoch: Called after every epoch; an exception ends the training.
        probe: Watches the steps.

    Raises:
        NonFiniteLossError: The loss of an epoch is not finite.
    """
    settings = fold.config.training
    descent = _Descent(fold, probe or Probe())
    history: list[EpochReport] = []
    contest = Contest(settings.selection, fold.task.metric(fold.goal.metrics[0]))
    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        report = descent.epoch(epoch)
        # Without validation speakers, the last network is kept
        is_used = fold.held_out is not None or epoch == settings.epochs
        network = descent.average.after_epoch(epoch, descent.batches.fixed, is_used=is_used)
        report, outputs = fold.judged(report, network)
        # Until there is an average, epochs do not compete with those that have one
        if contest.enter(report, competes=descent.average.is_there(epoch)):
            kept_outputs = outputs
            if settings.selection != "last":  # whose weights are there at the end
                kept_weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        report = replace(report, kept=contest.kept.score, seconds=time.perf_counter() - started)
        history.append(report)
        on_epoch(report)
        if settings.patience and contest.epochs_without_better(epoch) >= settings.patience:
            break
    if settings.selection != "last":
        fold.network.load_state_dict(kept_weights)
    elif network is not fold.network:
        fold.network.load_state_dict(network.state_dict())
    return fold.fitted(contest.kept.epoch, tuple(history), kept_outputs)


class _Descent:
    """A network in training, with its optimizer, schedule, loss and average."""

    def __init__(self, fold: FoldTraining, probe: Probe) -> None:
        config = fold.config
        self._fold, self._probe, self._settings = fold, probe, config.training
        self._members = members_of(fold.network)
        self.batches = Batches(fold)
        self._loss = LOSSES.get(config.loss.name).build(config.loss, self.batches.statistics)
        self._optimizer = build_optimizer(fold.network, config.optimizer)
        self._schedule = probe.schedule(self._optimizer, self._settings, self.batches.number * self._settings.epochs)
        self.average = WeightAverage(fold.network, self._settings)
        self._aligner, self._steps = aligner_of(fold), 0

    def epoch(self, epoch: int) -> EpochReport:
        """Train for an epoch; the report has no validation figures yet.

        Raises:
            NonFiniteLossError: The mean loss is not finite.
        """
        started = time.perf_counter()
        self._fold.network.train()
        total, segments = torch.zeros((), device=self._settings.device), 0
        for batch in self.batches.epoch():
            total += self._step(batch) * len(batch.targets)
            segments += len(batch.targets)
        train_loss = float(total) / segments
        if not math.isfinite(train_loss):
            raise NonFiniteLossError(
                f"the training loss of epoch {epoch} is {train_loss}; "
                f"optimizer.learning_rate {self._fold.config.optimizer.learning_rate:g} may be too high"
            )
        rate, seconds = float(self._schedule.get_last_lr()[0]), time.perf_counter() - started
        return EpochReport(epoch=epoch, train_loss=train_loss, learning_rate=rate, seconds=seconds)

    def _step(self, batch: Batch) -> Tensor:
        """Take a step; returns the mean loss of the networks, a scalar."""
        self._optimizer.zero_grad(set_to_none=True)
        mean_loss = torch.zeros((), device=self._settings.device)
        for number, member in enumerate(self._members):
            loss = self._loss_of(number, member, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            if self._settings.gradient_clip_norm:
                clip_gradients(list(member.parameters()), self._settings.gradient_clip_norm)
            mean_loss += loss.detach() / len(self._members)
        self._optimizer.step()
        self._schedule.step()
        self.average.after_step()
        self._steps += 1
        if self._aligner is not None:
            self._aligner.after_step()
        self._probe.on_step(mean_loss)
        return mean_loss

    def _loss_of(self, number: int, member: nn.Module, batch: Batch) -> Tensor:
        device, stability = torch.device(self._settings.device), self._fold.config.perturbation.stability
        with torch.autocast(device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16"):
            call = member if self._aligner is None else partial(self._called, self._aligner, member)
            raw = call(*batch.inputs).float()
            if stability:
                with running_statistics_kept(member):
                    raw_of_copies = member(*batch.copies).float()
            further = None
            if self._aligner is not None:
                progress = self._steps / (self.batches.number * self._settings.epochs)
                further = self._aligner.loss(number, member, batch.numbers, progress)
        loss = self._loss(raw, batch.targets)
        loss = loss if further is None else loss + further
        return loss + stability * self._fold.task.divergence(raw, raw_of_copies) if stability else loss

    @staticmethod
    def _called(aligner: Aligner, member: nn.Module, *inputs: Tensor) -> Tensor:
        return aligner.raw(member, inputs)


def clip_gradients(weights: list[nn.Parameter], longest: float) -> None:
    """Scale gradients down to a norm; on the CPU, shorter ones are left alone instead of being multiplied by 1."""
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    if norm.device.type != "cpu" or not norm + 1e-6 <= longest:  # elsewhere the question would wait for the device
        nn.utils.clip_grads_with_norm_(weights, longest, norm)
