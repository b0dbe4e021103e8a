"""Fitting one fold's network, and what belongs to it: losses, augmentation, devices."""

from .device import pick_device, pick_precision
from .fit import AnyTrial, EpochReport, FittedNetwork, TrainingData, fit, fold_seed, recipe_of
from .losses import LOSSES

__all__ = [
    "LOSSES",
    "AnyTrial",
    "EpochReport",
    "FittedNetwork",
    "TrainingData",
    "fit",
    "fold_seed",
    "pick_device",
    "pick_precision",
    "recipe_of",
]
