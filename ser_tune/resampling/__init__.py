"""Certainty of scores: intervals, paired tests, groups and corrected choices, by resampling speakers.

Everything here works on a metric's sums by speaker, whatever the metric is.
"""

from .groups import Gap, GroupScore, largest_gap, part_intervals, score_groups
from .intervals import (
    UNKNOWN,
    Estimate,
    Interval,
    condition_interval,
    corpus_interval,
    fold_interval,
    seed_interval,
    speaker_interval,
)
from .paired import (
    MAX_STATISTIC,
    PairedComparison,
    choice_p_value,
    compare_paired,
    mean_interval,
    paired_difference,
    part_differences,
    permutation_test,
)
from .scores import HeldOutFold, Score, Scores, describe_score, interval_of, score, sums_of, with_interval
from .selection import Corrected, correct_selection
from .shares import share_in_words, share_of_gain

__all__ = [
    "MAX_STATISTIC",
    "UNKNOWN",
    "Corrected",
    "Estimate",
    "Gap",
    "GroupScore",
    "HeldOutFold",
    "Interval",
    "PairedComparison",
    "Score",
    "Scores",
    "choice_p_value",
    "compare_paired",
    "condition_interval",
    "corpus_interval",
    "correct_selection",
    "describe_score",
    "fold_interval",
    "interval_of",
    "largest_gap",
    "mean_interval",
    "paired_difference",
    "part_differences",
    "part_intervals",
    "permutation_test",
    "score",
    "score_groups",
    "seed_interval",
    "share_in_words",
    "share_of_gain",
    "speaker_interval",
    "sums_of",
    "with_interval",
]
