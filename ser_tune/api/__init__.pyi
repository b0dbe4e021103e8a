"""The commands as functions: options are keyword arguments, and the command line prints the results."""

from .comparisons import (
    Evaluated,
    JudgedCorpus,
    compare,
    comparison_page,
    evaluate,
    leaderboard,
    log_pictures,
    matrix,
    report,
)
from .configuration import ConfigurationFlags, StudyFlags, options
from .corpus_checks import CheckedCorpus, ExtractedCorpus, audit, check, corpora, download, extract
from .corpus_making import MadeCorpus, make
from .diagnosis import Finding, doctor
from .experiments import ablate, combine, confirm, replay, reproduce
from .model_checks import CheckedModel, check_model
from .recognition import draw, listen, predict, submission, timeline
from .registered import export, models, promote, serve
from .studies import LearningRate, StudyResult, find_lr, nested, study, train, worker
from .trials import StudyTrial
from .upkeep import Synced, live_page, pages, status, sync

__all__ = [
    "CheckedCorpus",
    "CheckedModel",
    "ConfigurationFlags",
    "Evaluated",
    "ExtractedCorpus",
    "Finding",
    "JudgedCorpus",
    "LearningRate",
    "MadeCorpus",
    "StudyFlags",
    "StudyResult",
    "StudyTrial",
    "Synced",
    "ablate",
    "audit",
    "check",
    "check_model",
    "combine",
    "compare",
    "comparison_page",
    "confirm",
    "corpora",
    "doctor",
    "download",
    "draw",
    "evaluate",
    "export",
    "extract",
    "find_lr",
    "leaderboard",
    "listen",
    "live_page",
    "log_pictures",
    "make",
    "matrix",
    "models",
    "nested",
    "options",
    "pages",
    "predict",
    "promote",
    "replay",
    "report",
    "reproduce",
    "serve",
    "status",
    "study",
    "submission",
    "sync",
    "timeline",
    "train",
    "worker",
]
