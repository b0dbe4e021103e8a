"""How many networks judge together for a score: an ensemble is not set beside single networks unmarked."""

from mlflow.entities import Run

from ..prediction import Committee
from .runs import protocol_of
from .tags import NETWORKS_TAG, TRIAL_TAG

__all__ = ["UNKNOWN_NETWORKS", "networks_of", "networks_tags"]

UNKNOWN_NETWORKS = "unknown"
"""Of runs of earlier versions that do not tell, and of published results."""


def networks_tags(committee: Committee) -> dict[str, str]:
    """The tag of a combination: networks of each fold whose probabilities are averaged."""
    return {NETWORKS_TAG: str(sum(one.recipe.model.ensemble_size for one in committee.members))}


def networks_of(run: Run, side: str) -> str:
    """How many networks' probabilities are averaged for a run's score.

    Args:
        run: A trial's, a combination's or a nested study's.
        side: `validation` or `test`: each utterance by the networks of one fold; `holdout`: by those of all folds;
            `outer`, of a nested study: by those of all folds of a search.

    Returns:
        A number, or several where searches differ; `unknown` where the run does not tell.
    """
    if TRIAL_TAG in run.data.tags:
        each = run.data.params.get("model.networks", "1")
    else:
        each = run.data.tags.get(NETWORKS_TAG, UNKNOWN_NETWORKS)
    if side != "holdout" or not each.isdigit():
        return each
    return str(int(each) * protocol_of(run).n_folds)
