"""Training the network of one fold."""

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

from ..architectures import ARCHITECTURES, members_of
from ..config import TrainingSettings
from ..errors import NonFiniteLossError
from ..features import Scaling
from ..prediction import (
    Recipe,
    aggregate,
    segment_log_probabilities,
)
from .augmentation import mixer, specaugment
from .averaging import WeightAverage
from .device import keep_freed_memory
from .epochs import Contest, EpochReport, judged
from .losses import LOSSES
from .optimization import build_optimizer, build_schedule
from .order import drawn_counts, epoch_order
from .stability import apart, beside, divergence
from .statistics import AnyTrial, TrainingData, fold_statistics

__all__ = ["FittedNetwork", "fit", "fold_seed", "recipe_of"]

MakeSchedule: TypeAlias = Callable[[Optimizer, TrainingSettings, int], LRScheduler]
"""From the optimizer, the settings and the number of steps in all."""


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """A trained network, and what validation thought of it."""

    network: nn.Module
    """On the CPU, in evaluation mode."""
    scaling: Scaling | None
    epoch: int
    """The epoch whose weights were kept, counted from 1."""
    history: tuple[EpochReport, ...]
    validation: np.ndarray
    """Log probabilities of the validation utterances at that epoch, shape (V, K)."""


def fold_seed(seed: int, fold: int) -> int:
    """A seed for one fold of one trial: other folds and other trials get independent ones."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def recipe_of(config: AnyTrial, emotions: tuple[str, ...], aggregation: str) -> Recipe:
    """What a predictor made from this configuration must know."""
    return Recipe(
        labels=emotions,
        model=config.model,
        features=config.features,
        segments=config.segments,
        normalisation=config.normalisation,
        aggregation=aggregation,
    )


def fit(
    config: AnyTrial,
    data: TrainingData,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    seed: int,
    aggregation: str,
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
    on_step: Callable[[Tensor], None] = lambda _: None,
    schedule: MakeSchedule | None = None,
) -> FittedNetwork:
    """Train one network.

    Args:
        config: Concrete settings: `training.precision` and `training.device` are not `auto`.
        data: The corpus.
        train: Numbers of the utterances to learn from, and of the copies; scaling and class weights come from the
            clean ones alone.
        validation: Numbers of the utterances that choose the epoch, shape (V,); empty keeps the last epoch.
        seed: Where every random number comes from.
        aggregation: How segments are combined.
        on_epoch: Told of every epoch; what it raises ends the training.
        on_step: Told of every batch's loss, a scalar; what it raises ends the training.
        schedule: Makes the learning rate's course, from optimizer, settings and steps in all; None: as settings ask.

    Raises:
        NonFiniteLossError: The loss of an epoch is not finite.
    """
    settings, device = config.training, torch.device(config.training.device)
    torch.manual_seed(seed)
    shuffle = np.random.default_rng(seed)
    recipe = recipe_of(config, data.emotions, aggregation)
    network = recipe.build_network()
    members = members_of(network)
    if (initialise := ARCHITECTURES.get(config.model.name).initialise) is not None:
        for member in members:
            initialise(member, config.model)
    network.to(device)
    if device.type == "cpu":
        keep_freed_memory()

    statistics = fold_statistics(config, data, train)
    scalings = (statistics.scalings, statistics.scaling_number)
    reader = recipe.reader(data.features, train, *scalings, overlap=True, copies=data.copies)
    held_out = recipe.reader(data.features, validation, *scalings, overlap=False) if len(validation) else None
    classes = data.labels[train][reader.plan.utterance % len(train)]
    labels = torch.from_numpy(classes).to(device)
    counts = torch.from_numpy(drawn_counts(statistics.class_counts, settings.sampling)).to(device).float()
    loss_function = LOSSES.get(config.loss.name).build(config.loss, counts)
    mix = mixer(config.augmentation, len(data.emotions))

    stability = config.perturbation.stability
    # Copies of unstretched speech have its segments: number n of the clean ones is n + segments of the first copy's
    per_epoch = len(reader) // (1 + len(data.copies)) if stability else len(reader)
    batches = max(1, per_epoch // settings.batch_size)
    optimizer = build_optimizer(network, config.optimizer)
    course = (schedule or build_schedule)(optimizer, settings, batches * settings.epochs)
    average = WeightAverage(network, settings)
    # Of the average's batch norms: mixed as training's batches are, and the same in every epoch
    mixed = np.array_split(np.random.default_rng(seed).permutation(per_epoch), batches)
    crops = shuffle.spawn(1)[0]  # of its own, so that random starts leave the order of segments as it is
    history: list[EpochReport] = []
    contest, kept, kept_scores = Contest(settings.selection), {}, np.empty((0, len(data.emotions)))

    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        network.train()
        reader.crop(crops)
        total = torch.zeros((), device=device)
        # Near-equal batches: a last batch of one segment would break batch norm
        for batch in np.array_split(epoch_order(classes[:per_epoch], settings.sampling, shuffle), batches):
            inputs, target = reader.gather(batch), labels[torch.from_numpy(batch).to(device, non_blocking=True)]
            if stability:
                copy = shuffle.integers(1, len(data.copies), size=len(batch), endpoint=True)
                inputs = beside(inputs, reader.gather(batch + copy * per_epoch))
            if config.augmentation.specaugment:
                segments, *lengths = inputs
                inputs = (specaugment(segments, config.augmentation, *lengths), *lengths)
            if mix is None:
                target = nn.functional.one_hot(target, len(data.emotions)).float()
            else:
                inputs, target = mix(inputs, target)
            if stability:
                inputs = apart(inputs)
            optimizer.zero_grad(set_to_none=True)
            mean_loss = torch.zeros((), device=device)
            for member in members:
                with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                    logits = member(*inputs).float()
                loss = loss_function(logits[: len(batch)], target)
                if stability:
                    loss = loss + stability * divergence(*logits.chunk(2))
                loss.backward()  # type: ignore[no-untyped-call]
                if settings.gradient_clip_norm:
                    nn.utils.clip_grad_norm_(member.parameters(), settings.gradient_clip_norm)
                mean_loss += loss.detach() / len(members)
            optimizer.step()
            course.step()
            average.after_step()
            on_step(mean_loss)
            total += mean_loss * len(batch)
        train_loss = float(total) / per_epoch
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
        )
        standing = average.after_epoch(
            epoch,
            lambda: (reader.gather(batch) for batch in mixed),
            is_used=held_out is not None or epoch == settings.epochs,  # where nobody validates, the last is kept
        )
        scores = kept_scores
        if held_out is not None:
            scores = aggregate(segment_log_probabilities(standing, held_out), held_out.plan.utterance, aggregation)
            report = judged(report, scores, data.labels[validation])
        # Until there is an average, epochs do not compete with those that have one
        if contest.enter(report, competes=average.stands_for(epoch)):
            kept_scores = scores
            kept = {name: tensor.detach().clone() for name, tensor in standing.state_dict().items()}
        assert contest.kept is not None
        report = replace(report, kept_uar=contest.kept.validation_uar, seconds=time.perf_counter() - started)
        history.append(report)
        on_epoch(report)
        if settings.patience and contest.epochs_without_better(epoch) >= settings.patience:
            break

    assert contest.kept is not None
    network.load_state_dict(kept)
    return FittedNetwork(
        network=network.cpu().eval(),
        scaling=statistics.train_scaling,
        epoch=contest.kept.epoch,
        history=tuple(history),
        validation=kept_scores,
    )
