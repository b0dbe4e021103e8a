"""What the commands do, as functions: they take the flags as keyword arguments, and return what the commands print."""

from .corpora import CheckedCorpus, ExtractedCorpus, check, extract
from .doctor import Finding, doctor
from .evaluation import Evaluated, JudgedCorpus, evaluate, matrix
from .evidence import ablate, combine, compare, confirm, leaderboard, log_pictures, replay, report, reproduce
from .exporting import export
from .flags import ConfigurationFlags, StudyFlags
from .outbox import Synced, sync
from .pages import pages
from .predictions import draw, listen, predict, timeline
from .promotion import models, promote
from .serving import serve
from .splits import audit
from .statuses import status
from .studies import LearningRate, StudyResult, StudyTrial, find_lr, nested, study, train
from .workers import worker

__all__ = [
    "CheckedCorpus",
    "ConfigurationFlags",
    "Evaluated",
    "ExtractedCorpus",
    "Finding",
    "JudgedCorpus",
    "LearningRate",
    "StudyFlags",
    "StudyResult",
    "StudyTrial",
    "Synced",
    "ablate",
    "audit",
    "check",
    "combine",
    "compare",
    "confirm",
    "doctor",
    "draw",
    "evaluate",
    "export",
    "extract",
    "find_lr",
    "leaderboard",
    "listen",
    "log_pictures",
    "matrix",
    "models",
    "nested",
    "pages",
    "predict",
    "promote",
    "replay",
    "report",
    "reproduce",
    "serve",
    "status",
    "study",
    "sync",
    "timeline",
    "train",
    "worker",
]
