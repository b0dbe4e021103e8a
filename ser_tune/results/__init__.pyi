"""Results read back from MLflow: compared, ranked, evaluated on other corpora, beside published ones."""

from .answer_kinds import AnswerKind
from .compare import Choice, Comparison, compare
from .compared_parts import ComparedOutput, ComparedSpeaker, compared_outputs, compared_speakers
from .evaluation_matrix import Cell, cell_columns, cell_rows, draw_matrix
from .evaluation_run import log_evaluation, score_rows, set_rows, stress_rows
from .evaluation_scores import Evaluation, groups_of, score_evaluation, temperature_of
from .evaluation_setup import EvaluationSetup, set_up_evaluation
from .heard_scores import HeardScore, draw_heard, heard_rows, read_heard, score_by_heard
from .leaderboard import Entry, Leaderboard, leaderboard
from .model_check import ModelCheck, check_evaluated, check_rows, log_check
from .nested_scores import Nested, OuterFold, find_nested, is_nested
from .published_numbers import PUBLISHED, Form, Published, published_study, reproduced_metric
from .range_edges import Edge, edges_of
from .set_coverage import SetCoverage, measure_sets
from .stored_runs import find_results, find_run, predictions_of, recorded, runs_of
from .stressed_scores import Stressed, mean_of_conditions, stress
from .study_trials import StudyTrial, trials_of, trials_table

__all__ = [
    "PUBLISHED",
    "AnswerKind",
    "Cell",
    "Choice",
    "ComparedOutput",
    "ComparedSpeaker",
    "Comparison",
    "Edge",
    "Entry",
    "Evaluation",
    "EvaluationSetup",
    "Form",
    "HeardScore",
    "Leaderboard",
    "ModelCheck",
    "Nested",
    "OuterFold",
    "Published",
    "SetCoverage",
    "Stressed",
    "StudyTrial",
    "cell_columns",
    "cell_rows",
    "check_evaluated",
    "check_rows",
    "compare",
    "compared_outputs",
    "compared_speakers",
    "draw_heard",
    "draw_matrix",
    "edges_of",
    "find_nested",
    "find_results",
    "find_run",
    "groups_of",
    "heard_rows",
    "is_nested",
    "leaderboard",
    "log_check",
    "log_evaluation",
    "mean_of_conditions",
    "measure_sets",
    "predictions_of",
    "published_study",
    "read_heard",
    "recorded",
    "reproduced_metric",
    "runs_of",
    "score_by_heard",
    "score_evaluation",
    "score_rows",
    "set_rows",
    "set_up_evaluation",
    "stress",
    "stress_rows",
    "temperature_of",
    "trials_of",
    "trials_table",
]
