"""The search: assembly of a study, sampling, pruning, the objective, trials and their selection. Imports no MLflow."""

from .assembly import PARTS, SHIPPED, define_study, options, read_assignments, shipped
from .confirmation import FreshSeeds, SearchGain, refuse_without_randomness
from .evaluation import (
    HeldOut,
    judge_together,
    refit,
    score_holdout_speakers,
    score_test_speakers,
    score_validation_speakers,
)
from .front import Front, FrontTrial, candidates_first
from .observer import (
    INTERRUPTED,
    TAKEN,
    Fanout,
    FoldOutcome,
    StudyObserver,
    StudyStart,
    StudySummary,
    TrialOutcome,
    TrialState,
)
from .runner import Workers, run_study
from .selection import Selection, candidates_of, corrected_choice, selection_of, stored_sums
from .stored_plan import Convergence
from .summary import preferred_trial, summarise
from .trainer import Trainer, find_learning_rate
from .trial import pooled_scores

__all__ = [
    "INTERRUPTED",
    "PARTS",
    "SHIPPED",
    "TAKEN",
    "Convergence",
    "Fanout",
    "FoldOutcome",
    "FreshSeeds",
    "Front",
    "FrontTrial",
    "HeldOut",
    "SearchGain",
    "Selection",
    "StudyObserver",
    "StudyStart",
    "StudySummary",
    "Trainer",
    "TrialOutcome",
    "TrialState",
    "Workers",
    "candidates_first",
    "candidates_of",
    "corrected_choice",
    "define_study",
    "find_learning_rate",
    "judge_together",
    "options",
    "pooled_scores",
    "preferred_trial",
    "read_assignments",
    "refit",
    "refuse_without_randomness",
    "run_study",
    "score_holdout_speakers",
    "score_test_speakers",
    "score_validation_speakers",
    "selection_of",
    "shipped",
    "stored_sums",
    "summarise",
]
