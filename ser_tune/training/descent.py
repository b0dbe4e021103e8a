"""Gradient descent: training a fold's network epoch by epoch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..architectures import members_of
from ..config import TrainingSettings
from ..errors import NonFiniteLossError
from ..metrics import METRICS
from .augmentation import mixer, specaugment
from .averaging import WeightAverage
from .epochs import Contest, EpochReport, judged, unknown_scores
from .fold import FoldTraining, Learned
from .losses import LOSSES
from .optimization import build_optimizer, build_schedule
from .order import drawn_counts, epoch_order, one_version_each, output_counts
from .stability import apart, beside, running_statistics_kept

__all__ = ["Probe", "descend"]

MakeSchedule: TypeAlias = Callable[[Optimizer, TrainingSettings, int], LRScheduler]
"""From the optimizer, the settings and the number of steps in all."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What looks into a descent, step by step, as the learning-rate range test does."""

    on_step: Callable[[Tensor], None] = lambda _: None
    """Called with every batch's loss, a scalar; an exception ends the training."""
    schedule: MakeSchedule = build_schedule
    """Makes the learning rate's course; unless given, as the settings ask."""


def descend(fold: FoldTraining, on_epoch: Callable[[EpochReport], None], probe: Probe) -> Learned:
    """Train a network, and leave it with the weights of the epoch that is kept.

    Args:
        fold: The network and what it learns from.
        on_epoch: Called after every epoch; an exception ends the training.
        probe: Looks into it.

    Raises:
        NonFiniteLossError: The loss of an epoch is not finite.
    """
    config, network, reader, held_out = fold.config, fold.network, fold.reader, fold.held_out
    settings, device, task = config.training, torch.device(config.training.device), fold.task
    members, shuffle = members_of(network), np.random.default_rng(fold.seed)
    strata, utterance = fold.strata, reader.plan.utterance
    encoded, clean = task.encode(torch.from_numpy(fold.values), len(fold.names)), fold.clean_segments
    targets = encoded.to(device)
    drawn = drawn_counts(fold.statistics.stratum_counts, settings.sampling)
    counts = torch.from_numpy(output_counts(drawn, encoded[:clean].numpy(), strata[:clean])).to(device).float()
    loss_function = LOSSES.get(config.loss.name).build(config.loss, counts)
    mix = mixer(config.augmentation)

    stability = config.perturbation.stability
    # With stability, copies have the segments of clean speech: number n + clean of the first copy is that of number n
    versions = 1 if stability else 1 + len(fold.data.copies)
    batches = max(1, clean // settings.batch_size)  # as many steps with copies as without
    optimizer = build_optimizer(network, config.optimizer)
    course = probe.schedule(optimizer, settings, batches * settings.epochs)
    average = WeightAverage(network, settings)
    # Of the average's batch norms: mixed as training's batches are, and the same in every epoch
    again = np.random.default_rng(fold.seed)
    mixed = np.array_split(again.permutation(one_version_each(utterance, len(fold.train), versions, again)), batches)
    crops = shuffle.spawn(1)[0]  # of its own, so that random starts leave the order of segments as it is
    history: list[EpochReport] = []
    contest = Contest(settings.selection, METRICS.get(fold.goal.metrics[0]))
    kept, kept_outputs = {}, np.empty((0, len(fold.names)))

    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        network.train()
        reader.crop(crops)
        total = torch.zeros((), device=device)
        # Near-equal batches: a last batch of one segment would break batch norm
        heard = one_version_each(utterance, len(fold.train), versions, shuffle)
        order = heard[epoch_order(strata[heard], settings.sampling, shuffle)]
        for batch in np.array_split(order, batches):
            inputs, target = reader.gather(batch), targets[torch.from_numpy(batch).to(device, non_blocking=True)]
            if stability:
                copy = shuffle.integers(1, len(fold.data.copies), size=len(batch), endpoint=True)
                inputs = beside(inputs, reader.gather(batch + copy * clean))
            if config.augmentation.specaugment:
                segments, *lengths = inputs
                inputs = (specaugment(segments, config.augmentation, *lengths), *lengths)
            if mix is not None:
                inputs, target = mix(inputs, target)
            copies: tuple[Tensor, ...] = ()
            if stability:
                inputs, copies = apart(inputs)
            optimizer.zero_grad(set_to_none=True)
            mean_loss = torch.zeros((), device=device)
            for member in members:
                with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                    raw = member(*inputs).float()
                    if stability:
                        with running_statistics_kept(member):
                            raw_of_copies = member(*copies).float()
                loss = loss_function(raw, target)
                if stability:
                    loss = loss + stability * task.divergence(raw, raw_of_copies)
                loss.backward()  # type: ignore[no-untyped-call]
                if settings.gradient_clip_norm:
                    nn.utils.clip_grad_norm_(member.parameters(), settings.gradient_clip_norm)
                mean_loss += loss.detach() / len(members)
            optimizer.step()
            course.step()
            average.after_step()
            probe.on_step(mean_loss)
            total += mean_loss * len(batch)
        train_loss = float(total) / len(order)
        if not math.isfinite(train_loss):
            raise NonFiniteLossError(
                f"the training loss of epoch {epoch} is {train_loss}; "
                f"optimizer.learning_rate {config.optimizer.learning_rate:g} may be too high"
            )
        report = EpochReport(
            epoch=epoch,
            train_loss=train_loss,
            learning_rate=float(course.get_last_lr()[0]),
            seconds=time.perf_counter() - started,
            validation=unknown_scores(fold.goal),
        )
        standing = average.after_epoch(
            epoch,
            lambda: (reader.gather(batch) for batch in mixed),
            is_used=held_out is not None or epoch == settings.epochs,  # where nobody validates, the last is kept
        )
        outputs = kept_outputs
        if held_out is not None:
            outputs = fold.held_out_outputs(standing)
            report = judged(report, outputs, fold.truth, fold.goal)
        # Until there is an average, epochs do not compete with those that have one
        if contest.enter(report, competes=average.stands_for(epoch)):
            kept_outputs = outputs
            kept = {name: tensor.detach().clone() for name, tensor in standing.state_dict().items()}
        assert contest.kept is not None
        report = replace(report, kept=contest.kept.score, seconds=time.perf_counter() - started)
        history.append(report)
        on_epoch(report)
        if settings.patience and contest.epochs_without_better(epoch) >= settings.patience:
            break

    assert contest.kept is not None
    network.load_state_dict(kept)
    return Learned(epoch=contest.kept.epoch, history=tuple(history), validation=kept_outputs)
