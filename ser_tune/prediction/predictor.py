"""The `Predictor` that a registered model is: audio in, emotions out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ..architectures import ARCHITECTURES, Ensemble, InputShape
from ..audio import SAMPLE_RATE_HZ, read_speech, to_speech
from ..config import FeatureSettings, ModelSettings, NormalisationSettings, SegmentSettings
from ..errors import AudioError, ConfigError
from ..features import FEATURE_SETS, FeatureStore, Scaling
from .adaptation import batch_norms
from .segments import SegmentReader, UtteranceFeatures, aggregate, scaling_of_utterances, segment_log_probabilities

__all__ = ["Prediction", "Predictor", "Recipe", "SegmentPrediction"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a predictor must know besides its networks' weights."""

    labels: tuple[str, ...]
    """The emotion of each output."""
    model: ModelSettings
    features: FeatureSettings
    segments: SegmentSettings
    normalisation: NormalisationSettings
    aggregation: str

    def as_json(self) -> str:
        """Everything, as text that `from_json` reads."""
        sections = {
            name: getattr(self, name).model_dump(mode="json")
            for name in ("model", "features", "segments", "normalisation")
        }
        return json.dumps({"labels": self.labels, "aggregation": self.aggregation, **sections}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read what `as_json` wrote."""
        written: dict[str, Any] = json.loads(text)
        return cls(
            labels=tuple(written["labels"]),
            model=ARCHITECTURES.get(written["model"]["name"]).settings.model_validate(written["model"]),
            features=FEATURE_SETS.get(written["features"]["name"]).settings.model_validate(written["features"]),
            segments=SegmentSettings.model_validate(written["segments"]),
            normalisation=NormalisationSettings.model_validate(written["normalisation"]),
            aggregation=written["aggregation"],
        )

    def build_network(self) -> nn.Module:
        """A network of random weights that fits the recipe, or an ensemble of them.

        Raises:
            ConfigError: The architecture takes no such segments, or has no batch norm to be the speaker's.
        """
        feature_set = FEATURE_SETS.get(self.features.name)
        shape = InputShape(
            channels=feature_set.channels, bands=feature_set.bands(self.features), frames=self._shortest_frames()
        )
        build = ARCHITECTURES.get(self.model.name).build
        members = [build(self.model, shape, len(self.labels)) for _ in range(self.model.networks)]
        network = Ensemble(members) if len(members) > 1 else members[0]
        if self.normalisation.batch_norm == "speaker" and not batch_norms(network):
            raise ConfigError(
                f"normalisation.batch_norm is speaker, but {self.model.name} has no batch norm; expected train"
            )
        return network.to(memory_format=torch.channels_last)

    def reader(
        self,
        features: UtteranceFeatures,
        utterances: np.ndarray,
        scalings: Sequence[Scaling],
        scaling_number: np.ndarray,
        *,
        overlap: bool,
        copies: Sequence[UtteranceFeatures] = (),
    ) -> SegmentReader:
        """What the network reads of some utterances; the arguments are those of `SegmentReader`."""
        return SegmentReader(
            features,
            utterances,
            self.segments,
            scalings,
            scaling_number,
            overlap=overlap,
            shortest_frames=self._shortest_frames(),
            copies=copies,
            batch_norm=self.normalisation.batch_norm,
        )

    def _shortest_frames(self) -> int:
        """Frames of a segment, or of the shortest utterance that the architecture takes whole."""
        shortest = self.segments.frames or ARCHITECTURES.get(self.model.name).shortest_frames
        if shortest is None:
            able = [name for name in ARCHITECTURES.names() if ARCHITECTURES.get(name).shortest_frames is not None]
            raise ConfigError(
                f"segments.frames is none, but {self.model.name} needs segments of equal length; "
                f"whole utterances go into: {', '.join(able)}"
            )
        return shortest


@dataclass(frozen=True, slots=True)
class SegmentPrediction:
    """What one segment of an utterance sounds like."""

    start_s: float
    end_s: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one utterance sounds like."""

    source: str
    """The path, or `waveform 0` and so on."""
    label: str
    probabilities: Mapping[str, float]
    segments: tuple[SegmentPrediction, ...]


class Predictor:
    """Networks, scalings and front end: audio in, emotions out. The networks' probabilities are averaged."""

    def __init__(self, recipe: Recipe, networks: Sequence[nn.Module], scalings: Sequence[Scaling | None]) -> None:
        """Put trained parts together.

        Args:
            recipe: Front end, segments, labels.
            networks: One a fold, or a single one.
            scalings: The training speakers' scaling of each network; None where the scope is not `train`.
        """
        self.recipe = recipe
        self.networks = [network.eval() for network in networks]
        self.scalings = list(scalings)

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions it tells apart."""
        return self.recipe.labels

    def save(self, folder: Path) -> None:
        """Write `recipe.json` and one safetensors file a network into an existing folder."""
        (folder / "recipe.json").write_text(self.recipe.as_json(), encoding="utf-8")
        for number, (network, scaling) in enumerate(zip(self.networks, self.scalings, strict=True)):
            tensors = {
                f"network.{name}": tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
            }
            if scaling is not None:
                tensors["scaling.shift"] = torch.from_numpy(scaling.shift)
                tensors["scaling.spread"] = torch.from_numpy(scaling.spread)
            save_file(tensors, folder / f"network-{number:02d}.safetensors")

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Read what `save` wrote; nothing is unpickled."""
        recipe = Recipe.from_json((folder / "recipe.json").read_text(encoding="utf-8"))
        networks, scalings = [], []
        for path in sorted(folder.glob("network-*.safetensors")):
            tensors = load_file(path)
            shift, spread = tensors.pop("scaling.shift", None), tensors.pop("scaling.spread", None)
            network = recipe.build_network()
            network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in tensors.items()})
            networks.append(network)
            scalings.append(
                None if shift is None or spread is None else Scaling(shift=shift.numpy(), spread=spread.numpy())
            )
        return cls(recipe, networks, scalings)

    def predict(
        self, audio: Sequence[str | Path | np.ndarray], *, sample_rate_hz: int | None = None
    ) -> list[Prediction]:
        """Recognise the emotion of each utterance.

        Where the normalisation's scope is `speaker`, all utterances of one call are taken for one speaker's.

        Args:
            audio: Paths of sound files, or waveforms of shape (N,) or (N, channels).
            sample_rate_hz: The waveforms' rate; required with waveforms.

        Raises:
            AudioError: An utterance cannot be used; the message names it.
        """
        if len(audio) == 0:
            return []
        sources, features = [], []
        for number, one in enumerate(audio):
            source = str(one) if isinstance(one, str | Path) else f"waveform {number}"
            sources.append(source)
            features.append(self._features(one, source, sample_rate_hz))
        utterances = self._stack(features)
        return self._describe(sources, utterances)

    def _features(self, one: str | Path | np.ndarray, source: str, sample_rate_hz: int | None) -> np.ndarray:
        """Features of one utterance, shape (frames, C, F)."""
        if isinstance(one, str | Path):
            speech = read_speech(Path(one))
        elif sample_rate_hz is None:
            raise AudioError(f"{source} has no sample rate; pass sample_rate_hz with waveforms")
        else:
            speech = to_speech(one, sample_rate_hz, source=source)
        try:
            features = FEATURE_SETS.get(self.recipe.features.name).extract(speech, self.recipe.features)
        except AudioError as error:
            raise AudioError(f"{source}: {error}") from None
        return np.ascontiguousarray(features.transpose(2, 0, 1), dtype=np.float32)

    def _stack(self, features: Sequence[np.ndarray]) -> UtteranceFeatures:
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in features])]).astype(np.int64)
        return UtteranceFeatures.of(
            FeatureStore.of(np.concatenate(features), offsets),
            next(self.networks[0].parameters()).device,
        )

    def log_probabilities(
        self, number: int, utterances: UtteranceFeatures, which: np.ndarray, speakers: np.ndarray
    ) -> tuple[np.ndarray, SegmentReader]:
        """Run one of the networks.

        Args:
            number: Which network.
            utterances: Features of all utterances.
            which: Numbers of those to classify, shape (R,).
            speakers: A number for each utterance's speaker, shape (U,).

        Returns:
            Segments' log probabilities, shape (S, K), and the reader that says which segments they are.
        """
        scalings, numbers = scaling_of_utterances(
            utterances.moments, self.recipe.normalisation, train=self.scalings[number], speakers=speakers
        )
        reader = self.recipe.reader(utterances, which, scalings, numbers, overlap=False)
        return segment_log_probabilities(self.networks[number], reader), reader

    def _describe(self, sources: Sequence[str], utterances: UtteranceFeatures) -> list[Prediction]:
        which, one_speaker = np.arange(len(sources)), np.zeros(len(sources), dtype=np.int64)
        by_segment, by_utterance = [], []
        for number in range(len(self.networks)):
            scores, reader = self.log_probabilities(number, utterances, which, one_speaker)
            by_segment.append(np.exp(scores))
            by_utterance.append(np.exp(aggregate(scores, reader.plan.utterance, self.recipe.aggregation)))
        segments, whole = np.mean(by_segment, axis=0), np.mean(by_utterance, axis=0)
        frames = self.recipe.segments.frames
        length = reader.plan.length
        stop = length if frames is None else np.minimum(reader.plan.start + frames, length)
        hop_s = round(self.recipe.features.hop_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        return [
            Prediction(
                source=source,
                label=self.labels[int(whole[row].argmax())],
                probabilities=self._named(whole[row]),
                segments=tuple(
                    SegmentPrediction(
                        start_s=float(reader.plan.start[one] * hop_s),
                        end_s=float(stop[one] * hop_s),
                        probabilities=self._named(segments[one]),
                    )
                    for one in np.flatnonzero(reader.plan.utterance == row)
                ),
            )
            for row, source in enumerate(sources)
        ]

    def _named(self, probabilities: np.ndarray) -> dict[str, float]:
        return {label: float(value) for label, value in zip(self.labels, probabilities, strict=True)}
