"""The study behind a reported run: its trials, the scores of their folds, and the importance of its settings."""

import warnings

import optuna
from mlflow.entities import Run
from optuna.trial import FrozenTrial

from ..coordination import complete_trials, fold_scores, searched_trials, shown_trials, value_of
from ..errors import StudyError
from ..results import trials_of
from ..search import summarise
from ..tracking import STUDY_NAME_TAG, STUDY_TAG, Workspace, read_selection
from .reported import ReportedSearch

__all__ = ["importances", "read_search"]


def read_search(workspace: Workspace, run: Run) -> ReportedSearch | None:
    """The study of a run; None where Optuna's storage does not have it, or has another one of the same name."""
    tags = run.data.tags
    if STUDY_NAME_TAG not in tags:
        return None
    try:
        study, definition = workspace.study(tags[STUDY_NAME_TAG])
    except StudyError:
        return None
    if study.user_attrs.get("study_id") != tags[STUDY_TAG]:
        return None
    return ReportedSearch(
        definition=definition,
        summary=summarise(study),
        trials=trials_of(study),
        importances=importances(study),
        folds={trial.number: scores for trial in _searched(study) if (scores := fold_scores(trial))},
        selection=read_selection(workspace, run.info.experiment_id, study),
    )


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each setting in the importance for complete searched trials, by PED-ANOVA, highest first.

    Trials that confirm others repeat configurations on other seeds, and are left out. S. Watanabe, A. Bansal, F.
    Hutter: PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces, IJCAI 2023.

    Returns:
        Empty where there are too few complete trials, or all have the same score.
    """
    searched = optuna.create_study(direction=study.directions[0])
    searched.add_trials([_by_primary(trial) for trial in _searched(study)])
    with warnings.catch_warnings():
        # Optuna warns where it cannot decide, and then returns equal importances
        warnings.simplefilter("error", UserWarning)
        try:
            found = optuna.importance.get_param_importances(searched)
        except (UserWarning, ValueError, RuntimeError):
            return {}
    return {path: float(share) for path, share in found.items()}


def _by_primary(trial: FrozenTrial) -> FrozenTrial:
    """The trial with its value by the primary objective alone."""
    return optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=value_of(trial))


def _searched(study: optuna.Study) -> list[FrozenTrial]:
    """Complete trials without trials of the confirmation."""
    return searched_trials(complete_trials(shown_trials(study)))
