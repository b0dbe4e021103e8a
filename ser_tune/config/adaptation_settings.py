"""Settings of the adaptation to a speaker whom a model was not trained on."""

from typing import Annotated, Literal, Protocol

from pydantic import Field, model_validator

from .base import Settings
from .input_settings import TOGETHER, NormalisationSettings
from .roles import Role

__all__ = ["AdaptationSettings", "adaptation_of", "together"]


class AdaptationSettings(Settings):
    """Adaptation to held-out and new speakers by their own recordings, without labels.

    Training is the same whatever these settings are. A set of utterances adapts: all of a speaker's that are judged
    together, or `heard` of them.
    """

    kind: Literal["none", "statistics", "prototypes", "prior"] = "none"
    """none: normalisation.scope alone decides. statistics: features are scaled by the speaker's mean and deviation,
    weighed against the training speakers' (MAP estimates: Gauvain & Lee 1994, IEEE TSAP 2(2)). prototypes: features are
    shifted by how far the speaker's are, in the mean, from the training's mean features of their classes, by the
    network's own probabilities (stochastic matching: Sankar & Lee 1996, IEEE TSAP 4(3)). prior: probabilities are
    corrected for the frequencies of the classes among the speaker's utterances, by expectation maximisation (Saerens et
    al. 2002, Neural Computation 14(1)). Adaptation by all recordings of a speaker is transductive. A search over kinds
    chooses on validation speakers; the protocol has all of them."""
    weight: Annotated[float, Field(ge=0, le=1000)] = 10.0
    """Utterances that the training speakers count for beside those heard of the speaker: with a small weight, few
    utterances teach their emotions instead of their speaker."""
    by_feature: Annotated[bool, Role.ADDED] = False
    """Whether statistics and prototypes weigh each feature: the weight is times the feature's variance within training
    speakers over that between them. Features that tell speakers apart follow few utterances, others many (empirical
    Bayes: Efron & Morris 1973, JASA 68(341)); a weight of 1 is then the estimate itself."""
    heard: Annotated[Annotated[int, Field(ge=0, le=1000)] | None, Role.PROTOCOL] = None
    """Other utterances of its speaker, drawn at random, that adapt the model to a validation or test utterance beside
    itself: scores are then of a speaker of whom so many were heard. none: all recordings of the speaker adapt."""

    @property
    def needs_classes(self) -> bool:
        """Whether it takes the classes of the training utterances."""
        return self.kind in ("prototypes", "prior")

    @property
    def needs_ratios(self) -> bool:
        """Whether it takes the variances within and between the training speakers."""
        return self.by_feature and self.kind in ("statistics", "prototypes")

    @model_validator(mode="after")
    def _heard_by_an_adaptation(self) -> "AdaptationSettings":
        if self.kind == "none" and self.heard is not None:
            raise ValueError(
                f"adaptation.heard is {self.heard}, but adaptation.kind is none, and nothing adapts to what is heard; "
                "expected another kind, or heard none"
            )
        if self.kind == "statistics" and not self.weight and self.heard == 0:
            raise ValueError(
                "adaptation.weight is 0 and adaptation.heard 0: an utterance would be normalised by itself alone; "
                "expected a weight above 0"
            )
        return self


class Normalised(Protocol):
    """A configuration, or a model's recipe, which may be that of an earlier version's own copy of this package."""

    @property
    def normalisation(self) -> NormalisationSettings:
        """The scaling of features."""


def adaptation_of(model: Normalised) -> AdaptationSettings:
    """The adaptation of a configuration or recipe; none where it is of a version without adaptation."""
    found: AdaptationSettings = getattr(model, "adaptation", AdaptationSettings())
    return found


def together(model: Normalised) -> str:
    """The unit whose recordings of one call are judged together, `speaker` or `corpus`; empty where none is."""
    if adaptation_of(model).kind != "none":
        return "speaker"
    return model.normalisation.scope if model.normalisation.scope in TOGETHER else ""
