"""Training a fold as a function of plain data, which can be sent to another process or another machine."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from ..architectures import ARCHITECTURES, Shared
from ..device import using_threads
from ..features import FEATURE_SETS, open_features
from ..prediction import UtteranceFeatures
from ..tasks import Goal, Targets
from .epochs import EpochReport
from .fitting import fit
from .fold import FittedNetwork
from .statistics import AnyTrial, TrainingData

__all__ = ["CachedData", "DataReader", "FoldJob", "train_fold"]

SHARED = 2**29
"""Most bytes of results that a process keeps for other trials, such as the scaled inputs of a solver's folds."""

QUICK = 2**25
"""Most bytes of the inputs of a fold that is solved within a second or two."""


@dataclass(frozen=True, slots=True)
class CachedData:
    """`TrainingData` with the names of cached features in place of the features."""

    features: tuple[str, ...]
    """Names of cache entries: of the clean speech, then of its perturbed copies, and last of unlabelled speech."""
    targets: Targets
    speakers: np.ndarray
    corpora: np.ndarray | None
    unlabelled: bool = False
    """Whether the last entry is of unlabelled speech."""


@dataclass(frozen=True, slots=True)
class FoldJob:
    """The training of one fold; it can be pickled."""

    config: AnyTrial
    """Concrete: device and precision are not `auto`."""
    data: CachedData
    train: np.ndarray
    """Numbers of the utterances to learn from, shape (R,)."""
    validation: np.ndarray
    """Numbers of the utterances that choose the epoch, shape (V,); none keeps the last epoch."""
    seed: int
    """Seed of all random numbers."""
    goal: Goal

    @property
    def is_quick(self) -> bool:
        """Whether it is solved, without random numbers, from inputs so few that other folds are solved beside it."""
        architecture, config = ARCHITECTURES.get(self.config.model.name), self.config
        if architecture.solve is None or not architecture.means or config.training.device != "cpu":
            return False
        channels, bands = FEATURE_SETS.get(config.features.name).shape(config.features)
        return 4 * channels * bands * len(self.train) * (config.perturbation.copies + 1) <= QUICK


class DataReader:
    """Reads the features that jobs name, in any thread."""

    def __init__(self, folder: Path) -> None:
        """Start without features; `folder` is the feature cache."""
        self._folder = folder
        self._read: dict[tuple[str, ...], UtteranceFeatures] = {}
        self._shared, self._lock = Shared(SHARED), Lock()

    def __call__(self, data: CachedData, config: AnyTrial) -> TrainingData:
        """The features on the configuration's device, and the targets.

        Raises:
            StorageError: A cache entry cannot be read.
        """
        channels, device = config.features.model_dump_json(), config.training.device
        keys = [(entry, channels, device) for entry in data.features]
        with self._lock:
            # What this job reads, and no more: a search over feature settings must not pile them up
            self._read = {key: self._read[key] for key in keys if key in self._read}
            for key in keys:
                if key not in self._read:
                    store = open_features(self._folder, key[0], FEATURE_SETS.get(config.features.name), config.features)
                    self._read[key] = UtteranceFeatures.of(store, torch.device(device))
            clean, *others = (self._read[key] for key in keys)
        unlabelled = others.pop() if data.unlabelled else None
        return TrainingData(
            clean,
            data.targets,
            data.speakers,
            data.corpora,
            tuple(others),
            unlabelled,
            source=json.dumps(keys),
            shared=self._shared,
        )


def train_fold(
    job: FoldJob, read: DataReader, on_epoch: Callable[[EpochReport], None] = lambda _: None
) -> FittedNetwork:
    """Train one fold in this process; `on_epoch` is called after every epoch, and an exception in it ends the training.

    Raises:
        NonFiniteLossError: The loss of an epoch is not finite.
        StorageError: The features cannot be read.
    """
    with using_threads(job.config.training.threads):
        return fit(
            job.config,
            read(job.data, job.config),
            job.train,
            job.validation,
            seed=job.seed,
            goal=job.goal,
            on_epoch=on_epoch,
        )
