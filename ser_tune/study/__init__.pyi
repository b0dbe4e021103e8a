"""Studies: what is searched, how a trial is scored, and who is told. Imports Optuna; knows nothing of MLflow."""

from .confirmation import FreshSeeds, SearchGain, confirms, refuse_without_randomness
from .convergence import Convergence
from .curves import fold_scores
from .definition import AnyStudy, StudyDefinition
from .differences import Difference, worded
from .evaluation import HeldOut, refit, score_holdout_speakers, score_test_speakers, score_validation_speakers
from .layers import SHIPPED, define_study, options, read_assignments
from .liveness import has_ended, is_elsewhere, this_process
from .observer import Fanout, FoldOutcome, StudyObserver, StudyStart, StudySummary, TrialOutcome, TrialState
from .parts import PARTS
from .places import Rerun, place_of, values_of
from .prepared import Prepared, draw_folds, load_corpus, prepare
from .pretraining import Pretraining, pretraining_of
from .protocol import Protocol
from .rates import find_learning_rate
from .runner import Workers, run_study, summarise
from .scores import best_trials, value_of
from .selection import Selection, candidates_of, corrected_choice, selection_of, stored_sums
from .status import RunningTrial, StudyStatus, Worker, read_statuses
from .storage import load_study, open_storage, study_names
from .targets import strata_of, targets_of
from .trainer import Trainer
from .trial import pooled_scores

__all__ = [
    "PARTS",
    "SHIPPED",
    "AnyStudy",
    "Convergence",
    "Difference",
    "Fanout",
    "FoldOutcome",
    "FreshSeeds",
    "HeldOut",
    "Prepared",
    "Pretraining",
    "Protocol",
    "Rerun",
    "RunningTrial",
    "SearchGain",
    "Selection",
    "StudyDefinition",
    "StudyObserver",
    "StudyStart",
    "StudyStatus",
    "StudySummary",
    "Trainer",
    "TrialOutcome",
    "TrialState",
    "Worker",
    "Workers",
    "best_trials",
    "candidates_of",
    "confirms",
    "corrected_choice",
    "define_study",
    "draw_folds",
    "find_learning_rate",
    "fold_scores",
    "has_ended",
    "is_elsewhere",
    "load_corpus",
    "load_study",
    "open_storage",
    "options",
    "place_of",
    "pooled_scores",
    "prepare",
    "pretraining_of",
    "read_assignments",
    "read_statuses",
    "refit",
    "refuse_without_randomness",
    "run_study",
    "score_holdout_speakers",
    "score_test_speakers",
    "score_validation_speakers",
    "selection_of",
    "stored_sums",
    "strata_of",
    "study_names",
    "summarise",
    "targets_of",
    "this_process",
    "value_of",
    "values_of",
    "worded",
]
