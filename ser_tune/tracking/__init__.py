"""MLflow's side of a study: the store, the observer that fills it, and self-contained models."""

from .observer import MODEL_TAG, STUDY_TAG, TRIAL_TAG, TrackingObserver, find_runs
from .package import LoadedModel, log_predictor, open_predictor
from .report import draw_confusion, score_metrics, write_predictions
from .store import experiment_of, open_tracking, tracking_errors

__all__ = [
    "MODEL_TAG",
    "STUDY_TAG",
    "TRIAL_TAG",
    "LoadedModel",
    "TrackingObserver",
    "draw_confusion",
    "experiment_of",
    "find_runs",
    "log_predictor",
    "open_predictor",
    "open_tracking",
    "score_metrics",
    "tracking_errors",
    "write_predictions",
]
