"""The numbers of the field, each defined once, how sure one can be of them, and how two systems compare."""

from .bootstrap import Interval, fold_interval, seed_intervals, speaker_confusions, speaker_intervals
from .paired import PERMUTATION_TEST, PairedComparison, compare_paired, mean_interval
from .scores import Scores, class_recalls, confusion, describe_score, interval_of, score, uar, wa, with_interval

__all__ = [
    "PERMUTATION_TEST",
    "Interval",
    "PairedComparison",
    "Scores",
    "class_recalls",
    "compare_paired",
    "confusion",
    "describe_score",
    "fold_interval",
    "interval_of",
    "mean_interval",
    "score",
    "seed_intervals",
    "speaker_confusions",
    "speaker_intervals",
    "uar",
    "wa",
    "with_interval",
]
