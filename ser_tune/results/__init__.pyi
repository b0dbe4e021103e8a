"""Results read back from MLflow: compared, ranked, evaluated on other corpora, beside published ones."""

from .compare import Choice, Comparison, compare
from .edges import Edge, edges_of
from .evaluate import Evaluation, score_judged
from .evaluation_run import log_evaluation, score_rows, stress_rows
from .examine import Examined, examine
from .groups import groups_of
from .leaderboard import Entry, Leaderboard, leaderboard
from .matrix import Cell, cell_columns, cell_rows, draw_matrix
from .outer import Nested, OuterFold, find_nested, inner_name, is_nested, outer_searches
from .published import PUBLISHED, Published, published_study
from .references import find_run, recorded
from .stored_runs import predictions_of, runs_of
from .stress import Stressed, stress
from .trials import StudyTrial, trials_of, trials_table

__all__ = [
    "PUBLISHED",
    "Cell",
    "Choice",
    "Comparison",
    "Edge",
    "Entry",
    "Evaluation",
    "Examined",
    "Leaderboard",
    "Nested",
    "OuterFold",
    "Published",
    "Stressed",
    "StudyTrial",
    "cell_columns",
    "cell_rows",
    "compare",
    "draw_matrix",
    "edges_of",
    "examine",
    "find_nested",
    "find_run",
    "groups_of",
    "inner_name",
    "is_nested",
    "leaderboard",
    "log_evaluation",
    "outer_searches",
    "predictions_of",
    "published_study",
    "recorded",
    "runs_of",
    "score_judged",
    "score_rows",
    "stress",
    "stress_rows",
    "trials_of",
    "trials_table",
]
