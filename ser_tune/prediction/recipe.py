"""The `Recipe` of a predictor: everything but its weights."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..architectures import ARCHITECTURES, InputShape
from ..config import (
    AdaptationSettings,
    FeatureSettings,
    ModelSettings,
    NormalisationSettings,
    SegmentSettings,
)
from ..errors import ConfigError
from ..features import FEATURE_SETS, Scaling
from ..tasks import DEFAULT_TASK, TASKS
from .adaptation import batch_norms
from .segments import MeanReader, SegmentReader, UtteranceFeatures

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Front end, segments, architecture and labels of a predictor: everything but the networks' weights."""

    labels: tuple[str, ...]
    """The name of each of the network's outputs, such as a class."""
    model: ModelSettings
    features: FeatureSettings
    shape: tuple[int, int]
    """C and F of the features."""
    hop_s: float | None
    """Seconds from one frame to the next; None where an utterance is a single frame."""
    segments: SegmentSettings
    normalisation: NormalisationSettings
    aggregation: str
    task: str = DEFAULT_TASK
    scales: tuple[tuple[float, float], ...] = ()
    """Lowest and highest value of each output, where the corpus has them."""
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
    errors: tuple[float, ...] = ()
    """The error of each output on the validation speakers, in its units; empty where the task has none."""

    def as_json(self) -> str:
        """The recipe as text that `from_json` reads."""
        sections = {
            name: getattr(self, name).model_dump(mode="json")
            for name in ("model", "features", "segments", "normalisation")
        }
        rest = {"labels": self.labels, "shape": self.shape, "hop_s": self.hop_s, "aggregation": self.aggregation}
        further = {"task": "" if self.task == DEFAULT_TASK else self.task, "scales": self.scales, "errors": self.errors}
        adaptation = {"adaptation": self.adaptation.model_dump(mode="json")} if self.adapts else {}
        known = {name: value for name, value in further.items() if value}  # models of classes keep their bytes
        return json.dumps(rest | known | sections | adaptation, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read what `as_json` wrote."""
        written: dict[str, Any] = json.loads(text)
        return cls(
            labels=tuple(written["labels"]),
            model=ARCHITECTURES.get(written["model"]["name"]).settings.model_validate(written["model"]),
            features=FEATURE_SETS.get(written["features"]["name"]).settings.model_validate(written["features"]),
            shape=tuple(written["shape"]),
            hop_s=written["hop_s"],
            segments=SegmentSettings.model_validate(written["segments"]),
            normalisation=NormalisationSettings.model_validate(written["normalisation"]),
            aggregation=written["aggregation"],
            task=written.get("task", DEFAULT_TASK),
            scales=tuple((low, high) for low, high in written.get("scales", ())),
            adaptation=AdaptationSettings.model_validate(written.get("adaptation", {})),
            errors=tuple(written.get("errors", ())),
        )

    @property
    def adapts(self) -> bool:
        """Whether the networks adapt to speakers."""
        return self.adaptation.kind != "none"

    @property
    def requirements(self) -> tuple[str, ...]:
        """Packages that network and front end import and the base installation lacks."""
        return FEATURE_SETS.get(self.features.name).requirements + ARCHITECTURES.get(self.model.name).requirements

    def build_network(self) -> "nn.Module":
        """A network of random weights that fits the recipe, or an ensemble of them.

        Raises:
            ConfigError: The architecture takes no such segments, or has no batch norm to be the speaker's; or an
                utterance is a single frame, which cannot be cut or normalised by itself.
        """
        import torch

        from ..architectures.networks import Ensemble, scale_outputs

        if self.hop_s is None:
            for setting, value, expected, fits in (
                ("segments.frames", self.segments.frames, "none", self.segments.frames is None),
                (
                    "normalisation.scope",
                    scope := self.normalisation.scope,
                    "train, speaker or corpus",
                    scope != "utterance",
                ),
            ):
                if not fits:
                    raise ConfigError(
                        f"{setting} is {value}, but with these settings {self.features.name} has a single frame an "
                        f"utterance; expected {expected}"
                    )
        channels, bands = self.shape
        shape = InputShape(channels=channels, bands=bands, frames=self.shortest_frames)
        build = ARCHITECTURES.get(self.model.name).build
        members = [build(self.model, shape, len(self.labels)) for _ in range(self.model.ensemble_size)]
        network = Ensemble(members, self.task) if len(members) > 1 else members[0]
        if TASKS.get(self.task).scales_outputs:
            # An ensemble has thresholds of its own: those of its networks would not be those of their mean
            for part in dict.fromkeys([*members, network]):
                scale_outputs(part, len(self.labels))
        if self.normalisation.batch_norm == "speaker" and not batch_norms(network):
            raise ConfigError(
                f"normalisation.batch_norm is speaker, but {self.model.name} has no batch norm; expected train"
            )
        return network.to(memory_format=torch.channels_last)

    def reader(
        self,
        features: UtteranceFeatures,
        utterances: np.ndarray,
        scaling: tuple[Sequence[Scaling], np.ndarray],
        *,
        overlap: bool,
        copies: Sequence[UtteranceFeatures] = (),
    ) -> SegmentReader:
        """The segments that the network reads of some utterances, perturbed copies last; as `SegmentReader`."""
        parts, architecture = (features, *copies), ARCHITECTURES.get(self.model.name)
        if architecture.channels is not None:
            channels = architecture.channels(self.model, self.shape[0])
            parts = tuple(part.channels(channels) for part in parts)
            scaling = ([each.channels(channels) for each in scaling[0]], scaling[1])
        averaged = architecture.means and self.segments.frames is None and self.hop_s is not None
        return (MeanReader if averaged else SegmentReader)(
            parts,
            utterances,
            self.segments,
            scaling,
            overlap=overlap,
            shortest_frames=self.shortest_frames,
            batch_norm=self.normalisation.batch_norm,
        )

    @property
    def shortest_frames(self) -> int:
        """Frames of a segment, or of the shortest utterance that the architecture takes whole."""
        shortest = self.segments.frames or ARCHITECTURES.get(self.model.name).shortest_frames
        if shortest is None:
            able = [name for name in ARCHITECTURES.names() if ARCHITECTURES.get(name).shortest_frames is not None]
            raise ConfigError(
                f"segments.frames is none, but {self.model.name} needs segments of equal length; "
                f"whole utterances go into: {', '.join(able)}"
            )
        return shortest
