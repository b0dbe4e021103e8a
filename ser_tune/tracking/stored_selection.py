"""A study without the choice among its trials: read from Optuna's storage or MLflow, and logged to its runs."""

from collections.abc import Sequence

import numpy as np
import optuna

from ..search import Selection, candidates_of, selection_of, stored_sums
from .prediction_tables import read_predictions
from .runs import find_runs, objective_of
from .workspace import Workspace

__all__ = ["log_selection", "read_selection", "read_sums"]


def read_sums(workspace: Workspace, experiment: str, study: optuna.Study) -> dict[int, np.ndarray]:
    """The objective's sums of each validation speaker of a study's complete trials, by number, shape (S, ...).

    Sums that were too long for Optuna's storage are computed from the predictions of the trial's run. Trials without
    both are left out, and all trials if they were scored on different utterances.
    """
    stored = {trial.number: stored_sums(trial) for trial in candidates_of(study)}
    found = {number: sums for number, sums in stored.items() if sums is not None}
    missing = [number for number in stored if number not in found]
    runs = find_runs(workspace, experiment, study.user_attrs["study_id"])[1] if missing else {}
    judged = set[tuple[str, ...]]()
    for number in missing:
        read = read_predictions(workspace, runs[number], "validation") if number in runs else None
        if read is not None:
            found[number] = read.sums(objective_of(runs[number]))
            judged.add(read.utterances)
    same = len(judged) < 2 and len({sums.shape for sums in found.values()}) < 2
    return found if same else {}


def read_selection(workspace: Workspace, experiment: str, study: optuna.Study) -> Selection | None:
    """Correct a study's choice; None where there is none, or a trial's predictions are gone."""
    return selection_of(study, read_sums(workspace, experiment, study))


def log_selection(workspace: Workspace, run_ids: Sequence[str], selection: Selection) -> None:
    """Write the corrected score and gains as metrics of some runs: the study's, and the winner's."""
    for run_id in run_ids:
        workspace.log_scores(run_id, selection.metrics)
