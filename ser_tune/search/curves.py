"""Learning curves that complete trials leave, which later trials race against."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

__all__ = ["CURVES", "CURVE_DIGITS", "fold_scores"]

CURVES = "curves"
"""The user attribute of a complete trial: for each fold, by number, the score that it would keep after each epoch."""

CURVE_DIGITS = 4
"""Of a stored score: Optuna's text column in MySQL holds 65 535 bytes, enough for 8000 epochs of all folds."""


def fold_scores(trial: FrozenTrial) -> Sequence[float]:
    """The validation score that each fold of a complete trial kept, by fold number; empty where none is stored."""
    return [fold[-1] for fold in trial.user_attrs.get(CURVES, ())]
