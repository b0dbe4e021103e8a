"""Training the network of one fold, by descent or by a solver."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..architectures import ARCHITECTURES, members_of
from ..device import keep_freed_memory
from ..features import FEATURE_SETS, Scaling
from ..prediction import Recipe
from ..tasks import Goal
from .descent import Probe, descend
from .epochs import EpochReport
from .fold import FoldTraining
from .solution import solve
from .statistics import AnyTrial, TrainingData, fold_statistics

__all__ = ["FittedNetwork", "fit", "fold_seed", "recipe_of"]


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
    """The task's outputs of the validation utterances at that epoch, shape (V, K)."""


def fold_seed(seed: int, fold: int) -> int:
    """A seed for one fold of one trial: other folds and other trials get independent ones."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def recipe_of(config: AnyTrial, names: tuple[str, ...], goal: Goal) -> Recipe:
    """What a predictor made from this configuration must know; `names` are those of its outputs."""
    feature_set = FEATURE_SETS.get(config.features.name)
    return Recipe(
        labels=names,
        model=config.model,
        features=config.features,
        shape=feature_set.shape(config.features),
        hop_s=feature_set.hop_s(config.features),
        segments=config.segments,
        normalisation=config.normalisation,
        aggregation=goal.aggregation,
        task=goal.task,
    )


def fit(
    config: AnyTrial,
    data: TrainingData,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    seed: int,
    goal: Goal,
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
    probe: Probe | None = None,
) -> FittedNetwork:
    """Train one network.

    Args:
        config: Concrete settings: `training.precision` and `training.device` are not `auto`.
        data: The corpus.
        train: Numbers of the utterances to learn from, and of the copies; scaling and the weights of strata come from
            the clean ones alone.
        validation: Numbers of the utterances that choose the epoch, shape (V,); empty keeps the last epoch.
        seed: Where every random number comes from.
        goal: What is trained for.
        on_epoch: Told of every epoch; what it raises ends the training.
        probe: Looks into a descent, step by step.

    Raises:
        NonFiniteLossError: The loss of an epoch is not finite.
    """
    device = torch.device(config.training.device)
    torch.manual_seed(seed)
    recipe = recipe_of(config, data.targets.names, goal)
    network = recipe.build_network()
    architecture = ARCHITECTURES.get(config.model.name)
    if architecture.initialise is not None:
        for member in members_of(network):
            architecture.initialise(member, config.model)
    network.to(device)
    if device.type == "cpu":
        keep_freed_memory()

    statistics = fold_statistics(config, data, train)
    scaling = (statistics.scalings, statistics.scaling_number)
    fold = FoldTraining(
        config=config,
        data=data,
        train=train,
        network=network,
        reader=recipe.reader(data.features, train, scaling, overlap=True, copies=data.copies),
        held_out=recipe.reader(data.features, validation, scaling, overlap=False) if len(validation) else None,
        truth=data.targets.values[validation],
        statistics=statistics,
        seed=seed,
        goal=goal,
    )
    learned = solve(fold, on_epoch) if architecture.solve is not None else descend(fold, on_epoch, probe or Probe())
    return FittedNetwork(
        network=network.cpu().eval(),
        scaling=statistics.train_scaling,
        epoch=learned.epoch,
        history=learned.history,
        validation=learned.validation,
    )
