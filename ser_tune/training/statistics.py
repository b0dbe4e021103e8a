"""Scalings and counts that training takes from data, from the training side alone."""

from dataclasses import dataclass

import numpy as np

from ..config import AnyTrial
from ..features import Scaling, plan_segments
from ..prediction import UtteranceFeatures, scaling_of_utterances
from ..tasks import Targets

__all__ = ["AnyTrial", "FoldStatistics", "TrainingData", "fold_statistics"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Features and targets of a corpus."""

    features: UtteranceFeatures
    targets: Targets
    speakers: np.ndarray
    """A number for each utterance's speaker, shape (U,), int64."""
    copies: tuple[UtteranceFeatures, ...] = ()
    """Perturbed copies of all utterances; training reads those of the training utterances."""
    source: str = ""
    """Features of equal texts are equal; empty where that is unknown."""


@dataclass(frozen=True, slots=True)
class FoldStatistics:
    """Everything that the training of a fold takes from data besides its segments."""

    train_scaling: Scaling | None
    """Scaling by the training speakers' frames; None where the scope is not `train`."""
    scalings: list[Scaling]
    """Every scaling in use."""
    scaling_number: np.ndarray
    """Number of the scaling of each utterance of the corpus, shape (U,)."""
    stratum_counts: np.ndarray
    """Clean training segments of each stratum, such as a class, in the order of `Targets.stratum_names`, int64."""


def fold_statistics(config: AnyTrial, data: TrainingData, train: np.ndarray) -> FoldStatistics:
    """Derive the statistics of the training utterances `train`, by their numbers.

    Only scopes `utterance` and `speaker` read features outside `train`, each for scalings of those utterances alone.
    """
    moments, settings = data.features.moments, config.normalisation
    train_scaling = moments.scaling(train, settings) if settings.scope == "train" else None
    scalings, scaling_number = scaling_of_utterances(moments, settings, train=train_scaling, speakers=data.speakers)
    plan = plan_segments(np.diff(data.features.offsets)[train], config.segments, overlap=True)
    strata = data.targets.strata[train][plan.utterance]
    return FoldStatistics(
        train_scaling=train_scaling,
        scalings=scalings,
        scaling_number=scaling_number,
        stratum_counts=np.bincount(strata, minlength=len(data.targets.stratum_names)),
    )
