"""Training the network of a fold: losses, augmentation, optimisation, the learning-rate range test."""

from .epochs import EpochReport
from .fitting import fit, fold_seed, recipe_of
from .fold import FittedNetwork
from .job import CachedData, DataReader, FoldJob, train_fold
from .losses import LOSSES
from .range_test import RangeTest, run_range_test
from .statistics import AnyTrial, FoldStatistics, TrainingData, fold_statistics

__all__ = [
    "LOSSES",
    "AnyTrial",
    "CachedData",
    "DataReader",
    "EpochReport",
    "FittedNetwork",
    "FoldJob",
    "FoldStatistics",
    "RangeTest",
    "TrainingData",
    "fit",
    "fold_seed",
    "fold_statistics",
    "recipe_of",
    "run_range_test",
    "train_fold",
]
