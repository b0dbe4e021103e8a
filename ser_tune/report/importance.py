"""Which searched settings matter: PED-ANOVA over a study's complete searched trials.

S. Watanabe, A. Bansal, F. Hutter: PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces,
IJCAI 2023.
"""

import warnings

import optuna
from optuna.trial import TrialState

from ..search import confirms

__all__ = ["importances"]


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each setting in the importance, highest first.

    Trials that confirm others repeat configurations on other seeds, and are left out.

    Returns:
        Empty where there are too few complete trials, or all have one score.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    searched = optuna.create_study(direction=study.direction)
    searched.add_trials([one for one in complete if confirms(one) is None])
    with warnings.catch_warnings():
        # Optuna warns where it cannot tell, and answers that all settings are of the same importance
        warnings.simplefilter("error", UserWarning)
        try:
            found = optuna.importance.get_param_importances(searched)
        except (UserWarning, ValueError, RuntimeError):
            return {}
    return {path: float(share) for path, share in found.items()}
