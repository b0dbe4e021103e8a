"""The numbers of the field, each defined once, how sure one can be of them, and how two systems compare."""

from .bootstrap import Interval, fold_interval, seed_intervals, speaker_confusions, speaker_intervals
from .calibration import Coverage, Reliability, accuracy_by_coverage, fit_temperature, reliability, with_temperature
from .groups import Gap, GroupScore, largest_gap, recall_intervals, score_groups
from .paired import (
    MAX_STATISTIC,
    PERMUTATION_TEST,
    PairedComparison,
    choice_p_value,
    compare_paired,
    mean_interval,
)
from .scores import Scores, class_recalls, confusion, describe_score, interval_of, score, uar, wa, with_interval
from .selection import Corrected, Estimate, correct_selection, pooled_uar

__all__ = [
    "MAX_STATISTIC",
    "PERMUTATION_TEST",
    "Corrected",
    "Coverage",
    "Estimate",
    "Gap",
    "GroupScore",
    "Interval",
    "PairedComparison",
    "Reliability",
    "Scores",
    "accuracy_by_coverage",
    "choice_p_value",
    "class_recalls",
    "compare_paired",
    "confusion",
    "correct_selection",
    "describe_score",
    "fit_temperature",
    "fold_interval",
    "interval_of",
    "largest_gap",
    "mean_interval",
    "pooled_uar",
    "recall_intervals",
    "reliability",
    "score",
    "score_groups",
    "seed_intervals",
    "speaker_confusions",
    "speaker_intervals",
    "uar",
    "wa",
    "with_interval",
    "with_temperature",
]
