"""Printing of results, a function a command. Imported when a command needs it."""

from .comparisons import print_comparison, print_leaderboard, print_matrix, write_report
from .corpora import print_audit, print_check, print_corpora, print_download, write_segments
from .evaluations import print_evaluation
from .experiments import (
    print_ablation,
    print_combination,
    print_confirmation,
    print_replay,
    print_reproduction,
)
from .learning_rates import print_learning_rate
from .making import print_made
from .model_checks import print_model_check
from .recognition import print_changes, print_predictions
from .registered import announce_server, print_export, print_models
from .studies import print_promotion, print_study, print_training, print_work
from .submissions import write_submission
from .upkeep import print_findings, print_options, print_status, print_synced

__all__ = [
    "announce_server",
    "print_ablation",
    "print_audit",
    "print_changes",
    "print_check",
    "print_combination",
    "print_comparison",
    "print_confirmation",
    "print_corpora",
    "print_download",
    "print_evaluation",
    "print_export",
    "print_findings",
    "print_leaderboard",
    "print_learning_rate",
    "print_made",
    "print_matrix",
    "print_model_check",
    "print_models",
    "print_options",
    "print_predictions",
    "print_promotion",
    "print_replay",
    "print_reproduction",
    "print_status",
    "print_study",
    "print_synced",
    "print_training",
    "print_work",
    "write_report",
    "write_segments",
    "write_submission",
]
