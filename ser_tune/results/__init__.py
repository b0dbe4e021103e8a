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
from .reproduce import MARGIN, Obtained, Reproduction, reproduce

__all__ = [
    "MARGIN",
    "PUBLISHED",
    "Ablated",
    "Candidate",
    "Combination",
    "Comparison",
    "Confirmation",
    "Entry",
    "Leaderboard",
    "Nested",
    "Obtained",
    "OuterFold",
    "Published",
    "Replay",
    "Reproduction",
    "ablate",
    "combine",
    "compare",
    "confirm",
    "find_run",
    "leaderboard",
    "published_study",
    "replay",
    "reproduce",
    "run_nested",
    "variant",
]
