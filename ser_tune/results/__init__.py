"""What came of studies, read back from MLflow: compared, confirmed, replayed, ranked, set beside the published."""

from .ablate import Ablated, ablate, variant
from .combine import Combination, combine
from .compare import Comparison, compare
from .confirm import Candidate, Confirmation, confirm
from .leaderboard import Entry, Leaderboard, leaderboard
from .nested import Nested, OuterFold, run_nested
from .published import PUBLISHED, Published, published_study
from .references import find_run
from .replay import Replay, replay
from .report import Report, report
from .reproduce import Reproduction, reproduce
from .trials import StudyTrial, trials_of, trials_table

__all__ = [
    "PUBLISHED",
    "Ablated",
    "Candidate",
    "Combination",
    "Comparison",
    "Confirmation",
    "Entry",
    "Leaderboard",
    "Nested",
    "OuterFold",
    "Published",
    "Replay",
    "Report",
    "Reproduction",
    "StudyTrial",
    "ablate",
    "combine",
    "compare",
    "confirm",
    "find_run",
    "leaderboard",
    "published_study",
    "replay",
    "report",
    "reproduce",
    "run_nested",
    "trials_of",
    "trials_table",
    "variant",
]
