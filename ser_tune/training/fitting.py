"""Training the network of one fold, by descent or by a solver."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..architectures import ARCHITECTURES, BLOCK, PART, Examples, Held, Rows
from ..architectures.networks import members_of, set_scale
from ..device import keep_freed_memory, seed_torch
from ..features import FEATURE_SETS, Scaling
from ..prediction import Recipe, SegmentReader, UtteranceFeatures, scaling_of_utterances
from ..tasks import TASKS, Goal
from .alignment.changes import changes_of
from .alignment.features import aligned_rows, alignment_key
from .descent import descend
from .epochs import EpochReport
from .fold import FittedNetwork, FoldTraining
from .statistics import AnyTrial, TrainingData, fold_statistics

__all__ = ["fit", "fold_seed", "prepare_fold", "recipe_of"]


def fold_seed(seed: int, fold: int) -> int:
    """A seed for one fold of one trial: other folds and other trials get independent ones."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def recipe_of(config: AnyTrial, names: tuple[str, ...], goal: Goal) -> Recipe:
    """The recipe of a predictor of this configuration; `names` are those of its outputs."""
    feature_set = FEATURE_SETS.get(config.features.name)
    return Recipe(
        labels=names,
        model=config.model,
        features=config.features,
        shape=feature_set.shape(config.features),
        hop_s=feature_set.hop_s(config.features),
        segments=config.segments,
        normalisation=config.normalisation,
        adaptation=config.adaptation,
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
) -> FittedNetwork:
    """Train one network.

    Args:
        config: Concrete settings: `training.precision` and `training.device` are not `auto`.
        data: The corpus.
        train: Numbers of the utterances to learn from, and of the copies; scaling and the weights of strata come from
            the clean ones alone.
        validation: Numbers of the utterances that choose the epoch, shape (V,); empty keeps the last epoch.
        seed: Seed of all random numbers.
        goal: Task, metrics and aggregation.
        on_epoch: Called after every epoch; an exception ends the training.

    Raises:
        NonFiniteLossError: The loss of an epoch is not finite.
    """
    fold = prepare_fold(config, data, train, validation, seed=seed, goal=goal)
    method = descend if ARCHITECTURES.get(config.model.name).solve is None else _solve
    return method(fold, on_epoch)


def prepare_fold(
    config: AnyTrial, data: TrainingData, train: np.ndarray, validation: np.ndarray, *, seed: int, goal: Goal
) -> FoldTraining:
    """Seed torch, and make the network and the readers of a fold; the arguments are those of `fit`."""
    seed_torch(seed)
    recipe = recipe_of(config, data.targets.names, goal)
    network = recipe.build_network()
    architecture = ARCHITECTURES.get(config.model.name)
    if architecture.initialise is not None:
        for member in members_of(network):
            architecture.initialise(member, config.model)
    if (scale := TASKS.get(goal.task).output_scale) is not None:
        shift, spread = scale(data.targets.values[train])
        for member in members_of(network):
            set_scale(member, shift, spread)
    network.to(config.training.device)
    if config.training.device == "cpu":
        keep_freed_memory()
    statistics = fold_statistics(config, data, train)
    scaling = (statistics.scalings, statistics.scaling_number)

    def reading(copies: Sequence[UtteranceFeatures]) -> SegmentReader:
        return recipe.reader(data.features, train, scaling, overlap=True, copies=copies)

    # Solvers learn from clean speech alone where scores are to be stable; descent has its own way
    steadied = architecture.solve is not None and config.perturbation.stability > 0
    return FoldTraining(
        config=config,
        recipe=recipe,
        data=data,
        train=train,
        validation=validation,
        network=network,
        reader=reading(() if steadied else data.copies),
        held_out=recipe.reader(data.features, validation, scaling, overlap=False) if len(validation) else None,
        truth=data.targets.values[validation],
        statistics=statistics,
        seed=seed,
        goal=goal,
        changed=reading(data.copies) if steadied else None,
        unlabelled=_unlabelled(recipe, data, statistics.train_scaling),
    )


def _unlabelled(recipe: Recipe, data: TrainingData, train: Scaling | None) -> SegmentReader | None:
    """Segments of unlabelled speech, scaled as speech of an unknown speaker and corpus is."""
    if data.unlabelled is None:
        return None
    count, settings = len(data.unlabelled.offsets) - 1, recipe.normalisation
    train = train if settings.scope == "train" else None
    speakers = np.zeros(count, dtype=np.int64)
    scaling = scaling_of_utterances(data.unlabelled.moments, settings, train=train, speakers=speakers)
    return recipe.reader(data.unlabelled, np.arange(count), scaling, overlap=True)


def _solve(fold: FoldTraining, on_epoch: Callable[[EpochReport], None]) -> FittedNetwork:
    """Fit a model by its architecture's own solver; it counts as a single epoch. Errors are those of `fit`."""
    started = time.perf_counter()
    solver = ARCHITECTURES.get(fold.config.model.name).solve
    assert solver is not None
    values = fold.of_segments(fold.data.targets.values)
    device = fold.config.training.device
    labels, speakers = (torch.from_numpy(own).to(device) for own in (values, fold.of_segments(fold.data.speakers)))
    weights = None if (found := fold.weights) is None else torch.from_numpy(found).to(device)
    source, shared = fold.data.inputs(fold.config, fold.train), fold.data.shared
    rows, source, changes = _inputs(fold, source)
    stability = fold.config.perturbation.stability
    examples = Examples(rows, labels, speakers, fold.task.predictions, source, shared, weights, changes, stability)
    with torch.no_grad():
        solver(fold.network, fold.config.model, examples)
        network = fold.network.eval()
        size = BLOCK if examples.nbytes <= BLOCK else PART
        raw = torch.cat([network(*inputs).float() for _, inputs in examples.blocks(size)])
    if fold.task.predictions == "classes":  # the mean of float32 losses
        train_loss = float(nn.functional.cross_entropy(raw, labels))
    else:
        train_loss = fold.task.error(fold.task.activate(raw).cpu().numpy(), values)
    report = EpochReport(epoch=1, train_loss=train_loss, learning_rate=0.0, seconds=time.perf_counter() - started)
    report, outputs = fold.judged(report, fold.network)
    report = replace(report, kept=report.score, seconds=time.perf_counter() - started)
    on_epoch(report)
    return fold.fitted(1, (report,), outputs)


def _inputs(fold: FoldTraining, source: str) -> tuple[Rows, str, torch.Tensor | None]:
    """The inputs of a fold, a text of all that they depend on, and the changes of features that change no score.

    Inputs of a single block are kept for other trials.
    """
    reader, channels = fold.reader, ARCHITECTURES.get(fold.config.model.name).channels
    read = None if channels is None else tuple(channels(fold.config.model, fold.data.features.frames.shape[1]))
    key, shared = (source, read, len(reader)), fold.data.shared
    rows: Rows = reader
    if source and reader.nbytes <= BLOCK:
        rows = shared.get((key, "inputs"), lambda: Held(reader.gather(np.arange(len(reader)))))
    changes = None
    if (changed := fold.changed) is not None:

        def make() -> torch.Tensor:
            return changes_of(changed, len(reader))

        changes = shared.get((key, "changes"), make) if source else make()
    alignment = fold.config.alignment
    if not alignment.is_solved:
        return rows, source, changes
    corpora = np.zeros(len(reader), dtype=np.int64)
    if fold.data.corpora is not None:
        corpora = fold.of_segments(fold.data.corpora)
    text = alignment_key(alignment, corpora)

    def align() -> Rows:
        return aligned_rows(rows, corpora, alignment, fold.unlabelled)

    aligned = shared.get((key, text), align) if source else align()
    return aligned, source and f"{source} {text}", changes
