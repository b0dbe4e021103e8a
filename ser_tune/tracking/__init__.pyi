"""MLflow's side of a study: the store, the observer that fills it, and self-contained models."""

from .configurations import (
    Result,
    compare_seeds,
    is_solved,
    no_randomness,
    results_of,
    searched_by,
    searched_trials,
    with_its_seeds,
)
from .deletions import deleted_of, restore_study, restoring, what_was_deleted
from .delivery import deliver_waiting, open_delivered
from .digests import FILES_TAG, refuse_changed
from .encoders import log_self_contained
from .failures import TrackingClient, download, is_missing, named, reason_of, tracking_errors
from .loading import LoadedModel, load_files, model_errors, open_predictor
from .mlflow_internals import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE, get_git_commit
from .networks import UNKNOWN_NETWORKS, networks_of, networks_tags
from .observer import TrackingObserver
from .open_runs import close_abandoned, open_run, process_tag
from .outbox import read_record, waiting, waiting_trials
from .package import log_predictor, read_predictor
from .pages import StudyPages, link_study, run_link, study_pages
from .predictions import Predictions, read_predictions
from .queries import experiments_of, has_metric, logged_models, model_versions, registered_models, search_runs
from .quiet import quiet_mlflow
from .records import CONFIG_FILE, STUDY_FILE
from .report import FOREIGN, curves, draw_confusion, metric_names, score_metrics
from .runs import (
    PACKAGES,
    best_first,
    find_runs,
    is_complete,
    metrics_of,
    name_of,
    objective_of,
    origin_tags,
    protocol_of,
    protocol_tags,
    score_of,
    task_of,
)
from .selection import log_selection, read_selection, read_sums
from .tags import (
    BEST_TAG,
    CONFIRMED_TAG,
    CONFIRMS_TAG,
    EVALUATES_TAG,
    MEMBERS_TAG,
    MODEL_TAG,
    NETWORKS_TAG,
    NOTES_TAG,
    PRETRAINING_TAG,
    SOLVER_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
)
from .testing import read_single_scores, score_on_holdout, score_on_test, score_on_validation, score_stressed
from .workspace import Workspace

__all__ = [
    "BEST_TAG",
    "CONFIG_FILE",
    "CONFIRMED_TAG",
    "CONFIRMS_TAG",
    "EVALUATES_TAG",
    "FILES_TAG",
    "FOREIGN",
    "MEMBERS_TAG",
    "MLFLOW_GIT_COMMIT",
    "MLFLOW_PARENT_RUN_ID",
    "MLFLOW_RUN_NOTE",
    "MODEL_TAG",
    "NETWORKS_TAG",
    "NOTES_TAG",
    "PACKAGES",
    "PRETRAINING_TAG",
    "SOLVER_TAG",
    "STUDY_FILE",
    "STUDY_NAME_TAG",
    "STUDY_TAG",
    "TRIAL_TAG",
    "UNKNOWN_NETWORKS",
    "LoadedModel",
    "Predictions",
    "Result",
    "StudyPages",
    "TrackingClient",
    "TrackingObserver",
    "Workspace",
    "best_first",
    "close_abandoned",
    "compare_seeds",
    "curves",
    "deleted_of",
    "deliver_waiting",
    "download",
    "draw_confusion",
    "experiments_of",
    "find_runs",
    "get_git_commit",
    "has_metric",
    "is_complete",
    "is_missing",
    "is_solved",
    "link_study",
    "load_files",
    "log_predictor",
    "log_selection",
    "log_self_contained",
    "logged_models",
    "metric_names",
    "metrics_of",
    "model_errors",
    "model_versions",
    "name_of",
    "named",
    "networks_of",
    "networks_tags",
    "no_randomness",
    "objective_of",
    "open_delivered",
    "open_predictor",
    "open_run",
    "origin_tags",
    "process_tag",
    "protocol_of",
    "protocol_tags",
    "quiet_mlflow",
    "read_predictions",
    "read_predictor",
    "read_record",
    "read_selection",
    "read_single_scores",
    "read_sums",
    "reason_of",
    "refuse_changed",
    "registered_models",
    "restore_study",
    "restoring",
    "results_of",
    "run_link",
    "score_metrics",
    "score_of",
    "score_on_holdout",
    "score_on_test",
    "score_on_validation",
    "score_stressed",
    "search_runs",
    "searched_by",
    "searched_trials",
    "study_pages",
    "task_of",
    "tracking_errors",
    "waiting",
    "waiting_trials",
    "what_was_deleted",
    "with_its_seeds",
]
