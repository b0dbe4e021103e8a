"""Scalings and counts that training takes from data, from the training side alone."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from ..architectures import Shared
from ..config import AnyTrial, NormalisationSettings
from ..features import Moments, Scaling, plan_segments
from ..prediction import UtteranceFeatures, scaling_of_utterances
from ..row_groups import rows_by
from ..tasks import Targets

__all__ = ["AnyTrial", "FoldStatistics", "TrainingData", "fold_statistics"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Features and targets of a corpus."""

    features: UtteranceFeatures
    targets: Targets
    speakers: np.ndarray
    """A number for each utterance's speaker, shape (U,), int64."""
    corpora: np.ndarray | None = None
    """A number for each utterance's corpus in a union, shape (U,), int64; None in a corpus by itself."""
    copies: tuple[UtteranceFeatures, ...] = ()
    """Perturbed copies of all utterances; training reads those of the training utterances."""
    unlabelled: UtteranceFeatures | None = None
    """Features of unlabelled speech of the target; None where there is none."""
    source: str = ""
    """Features of equal texts are equal; empty where that is unknown."""
    shared: Shared = field(default_factory=lambda: Shared(0))
    """Keeps results for other trials with the same features."""

    def inputs(self, config: AnyTrial, train: np.ndarray) -> str:
        """A text of all that the inputs of training utterances, by their numbers, depend on, but for their channels.

        Architectures read utterances in other ways. The text is empty where that of the features is.
        """
        if not self.source:
            return ""
        sections = (config.normalisation, config.segments)
        settings = [config.model.name, config.perturbation.statistics, *(own.model_dump_json() for own in sections)]
        # Adaptation changes nothing of training, but a mean training speaker may be kept beside it
        settings += ["adapts"] * (config.adaptation.kind != "none")
        groups = {"speaker": self.speakers, "corpus": self.corpora}.get(config.normalisation.scope)
        numbers = hashlib.sha256(train.tobytes() + (b"" if groups is None else groups.tobytes())).hexdigest()
        return " ".join([self.source, *settings, numbers])


@dataclass(frozen=True, slots=True)
class Scalings:
    """The scalings of a corpus for a fold."""

    train_scaling: Scaling | None
    """Scaling by the training speakers' frames, of scope `corpus` of each corpus; of scope `speaker` with adaptation
    that of a mean training speaker; None otherwise."""
    scalings: list[Scaling]
    """Every scaling in use."""
    scaling_number: np.ndarray
    """Number of the scaling of each utterance of the corpus, shape (U,)."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        of_scalings = sum(scaling.shift.nbytes + scaling.spread.nbytes for scaling in self.scalings)
        return self.scaling_number.nbytes + of_scalings


@dataclass(frozen=True, slots=True)
class FoldStatistics(Scalings):
    """Everything that the training of a fold takes from data besides its segments."""

    stratum_counts: np.ndarray
    """Clean training segments of each stratum, such as a class, in the order of `Targets.stratum_names`, int64."""


def fold_statistics(config: AnyTrial, data: TrainingData, train: np.ndarray) -> FoldStatistics:
    """Derive the statistics of the training utterances `train`, by their numbers.

    Only scopes `utterance`, `speaker` and `corpus` read features outside `train`, each for scalings of those utterances
    alone, and `corpus` of corpora alone that have no utterance in `train`. Scopes `train` and `corpus` read copies of
    the training utterances too where `perturbation.statistics` has them.
    """
    moments, settings = data.features.moments, config.normalisation
    corpora = np.zeros(len(moments.count), dtype=np.int64) if data.corpora is None else data.corpora

    also = [copy.moments for copy in data.copies] if config.perturbation.statistics == "all" else []

    def make() -> Scalings:
        own = moments.scaling(train, settings, also=also) if settings.scope == "train" else None
        if settings.scope == "corpus":
            own = moments.scaling_of_corpora(train, corpora, settings, also=also)
        every = scaling_of_utterances(moments, settings, train=own, speakers=data.speakers, corpora=corpora)
        if settings.scope == "speaker" and config.adaptation.kind != "none":
            own = _mean_speaker(moments, settings, train, data.speakers)
        return Scalings(own, *every)

    inputs = data.inputs(config, train)
    scalings = data.shared.get((inputs, "scalings"), make) if inputs else make()
    plan = plan_segments(np.diff(data.features.offsets)[train], config.segments, overlap=True)
    strata = data.targets.strata[train][plan.utterance]
    counts = np.bincount(strata, minlength=len(data.targets.stratum_names))
    return FoldStatistics(scalings.train_scaling, scalings.scalings, scalings.scaling_number, counts)


def _mean_speaker(
    moments: Moments, settings: NormalisationSettings, train: np.ndarray, speakers: np.ndarray
) -> Scaling:
    """The mean of the training speakers' means, and of their variances by degrees of freedom."""
    shift, variance, freedom = np.zeros(moments.minimum.shape[1:]), np.zeros(moments.minimum.shape[1:]), 0
    of_speakers = rows_by(speakers[train]).values()
    for rows in of_speakers:
        own = moments.scaling(train[rows], settings)
        shift += own.shift.astype(np.float64) / len(of_speakers)
        if len(rows) > 1:  # a single utterance may vary in nothing
            variance += (len(rows) - 1) * np.square(own.spread.astype(np.float64))
            freedom += len(rows) - 1
    spread = np.sqrt(variance / freedom) if freedom else np.ones_like(variance)
    return Scaling(shift.astype(np.float32), spread.astype(np.float32))
