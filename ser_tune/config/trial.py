"""`TrialConfig`: the concrete, frozen configuration that a trial trains with.

The sections `model`, `features` and `loss` belong to components (one file each below `architectures/`, `features/`
and `training/losses/`), so `TrialConfig` is generic in them.
"""

from typing import Annotated, Any, Generic, Self, TypeAlias, TypeVar

from pydantic import Field, model_validator

from .adaptation_settings import AdaptationSettings
from .base import Settings
from .component_settings import FeatureSettings, LossSettings, ModelSettings, TaskSettings
from .domain_settings import AlignmentSettings, BalanceSettings
from .input_settings import AugmentationSettings, NormalisationSettings, PerturbationSettings, SegmentSettings
from .roles import Flag, Role
from .training_settings import OptimizerSettings, TrainingSettings

__all__ = ["AnyTrial", "FeatureT", "LossT", "ModelT", "TaskT", "TrialConfig"]

ModelT = TypeVar("ModelT", bound=ModelSettings, covariant=True)
FeatureT = TypeVar("FeatureT", bound=FeatureSettings, covariant=True)
LossT = TypeVar("LossT", bound=LossSettings, covariant=True)
TaskT = TypeVar("TaskT", bound=TaskSettings, covariant=True)

# Text, because pydantic takes 0.4 s to make a class without objects
AnyTrial: TypeAlias = "TrialConfig[ModelSettings, FeatureSettings, LossSettings]"


class TrialConfig(Settings, Generic[ModelT, FeatureT, LossT]):
    """Everything that determines a trial's networks."""

    model: ModelT
    features: FeatureT
    segments: SegmentSettings = SegmentSettings()
    normalisation: NormalisationSettings = NormalisationSettings()
    adaptation: Annotated[AdaptationSettings, Role.ADDED] = AdaptationSettings()
    augmentation: Annotated[AugmentationSettings, Role.DESCENT] = AugmentationSettings()
    perturbation: PerturbationSettings = PerturbationSettings()
    balance: Annotated[BalanceSettings, Role.ADDED] = BalanceSettings()
    alignment: Annotated[AlignmentSettings, Role.ADDED] = AlignmentSettings()
    loss: Annotated[LossT, Role.DESCENT]
    optimizer: Annotated[OptimizerSettings, Role.DESCENT] = OptimizerSettings()
    training: TrainingSettings = TrainingSettings()
    seed: Annotated[int, Field(ge=0, lt=2**31), Role.FIXED, Flag("--seed", metavar="N")] = 0
    """Seed of every random number of a trial."""

    @model_validator(mode="after")
    def _copies_have_the_segments_of_clean_speech(self) -> Self:
        if self.perturbation.stability and self.segments.crop == "random":
            raise ValueError(
                f"perturbation.stability is {self.perturbation.stability:g} with segments.crop random, but a segment "
                "and its copy must start at the same frame; set segments.crop=fixed, or leave stability 0"
            )
        return self

    @model_validator(mode="after")
    def _adapts_what_is_standardised(self) -> Self:
        adaptation, normalisation = self.adaptation, self.normalisation
        if adaptation.kind == "none":
            return self
        for name, value, expected in (
            ("kind", normalisation.kind, ("standard",)),
            ("scope", normalisation.scope, ("train", "speaker")),
            ("batch_norm", normalisation.batch_norm, ("train",)),
        ):
            if value not in expected:
                raise ValueError(
                    f"adaptation.kind is {adaptation.kind} with normalisation.{name} {value}; expected "
                    f"{' or '.join(expected)}, or adaptation.kind none"
                )
        return self

    @model_validator(mode="after")
    def _mixtures_are_of_no_corpus(self) -> Self:
        if self.alignment.kind == "adversarial" and self.augmentation.mixup:
            raise ValueError(
                "augmentation.mixup is true with alignment.kind adversarial, but a mixture of two segments is of no "
                "single corpus; leave one of them out"
            )
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the components' classes and the values: a generic class with its parameters cannot be imported."""
        generic = type(self).__pydantic_generic_metadata__
        return _restored, (generic["origin"], generic["args"], self.model_dump())


def _restored(generic: Any, parameters: tuple[type, ...], values: dict[str, Any]) -> Settings:  # noqa: ANN401
    """Undo `TrialConfig.__reduce__`."""
    restored: Settings = generic[parameters].model_validate(values)
    return restored
