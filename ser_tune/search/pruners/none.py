"""`none`: every trial runs to the end."""

from .base import JudgedTrial, Pruner, Unpruned

__all__ = ["PRUNER"]


def judge(judged: JudgedTrial) -> Unpruned:
    """Return a judge that never stops the trial."""
    return Unpruned(judged.folds)


PRUNER = Pruner(name="none", judge=judge, citation="none")
