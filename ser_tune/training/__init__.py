"""Fitting one fold's network, and what belongs to it: losses, augmentation, devices."""

from .epochs import EpochReport
from .fit import fit, fold_seed, recipe_of
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
