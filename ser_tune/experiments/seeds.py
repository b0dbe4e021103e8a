"""Configurations trained on several seeds: their runs in the order of a queue."""

from collections.abc import Sequence

from mlflow.entities import Run
from optuna.trial import TrialState

from ..coordination import Rerun, place_of, shown_trials, values_of
from ..errors import StudyError
from ..protocol import Prepared
from ..results import runs_of
from ..search import StudyObserver, run_study
from ..tracking import Workspace

__all__ = ["train_seeds"]


def train_seeds(workspace: Workspace, prepared: Prepared, rerun: Rerun, observer: StudyObserver) -> Sequence[Run]:
    """Train configurations, each place of the queue on a seed of its own.

    Returns:
        Their runs, in the queue's order.

    Raises:
        StudyError: A training failed, which the same call tries again, or MLflow has lost its run.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    summary = run_study(prepared, workspace.project, observer, rerun=rerun)
    if summary.interrupted:
        raise KeyboardInterrupt
    study, _ = workspace.study(summary.name)
    trials = shown_trials(study)
    complete = {place_of(trial): trial for trial in trials if trial.state == TrialState.COMPLETE}
    trained = [complete[place] for place in range(len(rerun.queue)) if place in complete]
    if len(trained) < len(rerun.queue):
        failed = [trial for trial in trials if "failure" in trial.user_attrs and place_of(trial) not in complete]
        reason = f"trial {failed[-1].number} failed: {failed[-1].user_attrs['failure']}; " if failed else ""
        raise StudyError(
            f"study '{summary.name}': {len(trained)} of {len(rerun.queue)} trainings are complete; {reason}"
            "the same command goes on from here"
        )
    if [values_of(trial) for trial in trained] != list(rerun.queue):
        raise StudyError(f"study '{summary.name}' has trials of other values than it was to train; delete it")
    return runs_of(workspace, study, [trial.number for trial in trained], prepared.corpus.name)
