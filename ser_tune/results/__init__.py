"""What came of studies, read back from MLflow: compared, confirmed, replayed, ranked, set beside the published."""

from .ablate import Ablated, ablate, variant
from .combine import Combination, combine
from .compare import Choice, Comparison, compare
from .confirm import Candidate, Confirmation, confirm
from .edges import Edge, edges_of
from .evaluate import Evaluation, score_judged
from .evaluation_run import log_evaluation, score_rows, stress_rows
from .examine import Examined, examine
from .groups import groups_of
from .leaderboard import Entry, Leaderboard, leaderboard
from .matrix import Cell, cell_columns, cell_rows, draw_matrix
from .nested import run_nested
from .outer import Nested, OuterFold
from .published import PUBLISHED, Published, published_study
from .references import find_run, recorded
from .replay import Replay, replay
from .report import Report, log_pictures, report
from .reproduce import MARGIN, Obtained, Reproduction, reproduce
from .stress import Stressed, stress
from .trials import StudyTrial, trials_of, trials_table

__all__ = [
    "MARGIN",
    "PUBLISHED",
    "Ablated",
    "Candidate",
    "Cell",
    "Choice",
    "Combination",
    "Comparison",
    "Confirmation",
    "Edge",
    "Entry",
    "Evaluation",
    "Examined",
    "Leaderboard",
    "Nested",
    "Obtained",
    "OuterFold",
    "Published",
    "Replay",
    "Report",
    "Reproduction",
    "Stressed",
    "StudyTrial",
    "ablate",
    "cell_columns",
    "cell_rows",
    "combine",
    "compare",
    "confirm",
    "draw_matrix",
    "edges_of",
    "examine",
    "find_run",
    "groups_of",
    "leaderboard",
    "log_evaluation",
    "log_pictures",
    "published_study",
    "recorded",
    "replay",
    "report",
    "reproduce",
    "run_nested",
    "score_judged",
    "score_rows",
    "stress",
    "stress_rows",
    "trials_of",
    "trials_table",
    "variant",
]
