"""`Predictor`, the content of a registered model: audio in, predictions out."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import safe_open

from ..audio import SAMPLE_RATE_HZ, Heard, read_speech, to_speech
from ..config import TOGETHER, together
from ..device import using_threads
from ..encoders import FindEncoder, relocated
from ..errors import AudioError
from ..features import FEATURE_FORMAT, FEATURE_SETS, FeatureStore, Scaling, levelled
from ..tasks import TASKS
from .predicted_utterance import Prediction, SegmentPrediction
from .prototypes import Prototypes
from .recipe import Recipe
from .remembered import arrays_of, evidence_of
from .segments import SegmentReader, UtteranceFeatures, scaling_of_utterances, segment_outputs
from .speaker_adaptation import AdaptedNetwork
from .speaker_sets import SpeakerSets

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Predictor", "hear"]


def hear(audio: Sequence[str | Path | np.ndarray], sample_rate_hz: int | None) -> list[Heard]:
    """Decode utterances; arguments and errors are those of `Predictor.predict`."""
    heard = []
    for number, utterance in enumerate(audio):
        if isinstance(utterance, str | Path):
            heard.append(Heard(str(utterance), read_speech(Path(utterance))))
            continue
        source = f"waveform {number}"
        if sample_rate_hz is None:
            raise AudioError(f"{source} has no sample rate; pass sample_rate_hz with waveforms")
        heard.append(Heard(source, to_speech(utterance, sample_rate_hz, source=source)))
    return heard


def _each_extracted(extract: Callable[[np.ndarray], np.ndarray], heard: Sequence[Heard]) -> list[np.ndarray]:
    """Features of some utterances, in their order; of several, on all cores, as the feature cache extracts them."""

    def of(utterance: Heard) -> np.ndarray:
        try:
            return extract(utterance.speech)
        except AudioError as error:
            raise AudioError(f"{utterance.source}: {error}") from None

    if len(heard) == 1:
        return [of(heard[0])]
    with using_threads(1), ThreadPoolExecutor(os.cpu_count()) as pool:  # torch's threads would wait for one another
        try:
            return list(pool.map(of, heard))
        finally:
            pool.shutdown(cancel_futures=True)


class Predictor:
    """Networks, scalings and front end: audio in, predictions out. The networks' shown numbers are averaged."""

    def __init__(
        self,
        recipe: Recipe,
        networks: "Sequence[nn.Module]",
        scalings: Sequence[Scaling | None],
        *,
        prototypes: Sequence[Prototypes | None] | None = None,
        folds: Sequence[str] = (),
        find_encoder: FindEncoder | None = None,
    ) -> None:
        """Put trained parts together.

        Args:
            recipe: Front end, segments, labels.
            networks: One a fold, or a single one.
            scalings: The training speakers' scaling of each network, of scope `corpus` those of each corpus; None where
                neither the scope nor an adaptation takes it.
            prototypes: The training classes of each network; None where no adaptation takes them.
            folds: The key of the fold that each network was trained in; none where they were trained in no fold.
            find_encoder: Where a pretrained encoder of the front end is; None reads it from where the recipe has it.
        """
        self.recipe = recipe
        self.networks = [network.eval() for network in networks]
        self.scalings = list(scalings)
        self.prototypes = [None] * len(self.networks) if prototypes is None else list(prototypes)
        self.folds = tuple(folds)
        self.find_encoder = find_encoder

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, such as the classes."""
        return self.recipe.labels

    def save(self, folder: Path) -> None:
        """Write `recipe.json` and one safetensors file a network, with its fold's key, into an existing folder."""
        import torch
        from safetensors.torch import save

        (folder / "recipe.json").write_text(self.recipe.as_json(), encoding="utf-8")
        for number, (network, scaling) in enumerate(zip(self.networks, self.scalings, strict=True)):
            tensors = {
                f"network.{name}": tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
            }
            if scaling is not None:
                tensors["scaling.shift"] = torch.from_numpy(scaling.shift)
                tensors["scaling.spread"] = torch.from_numpy(scaling.spread)
            if (classes := self.prototypes[number]) is not None:
                tensors |= {f"prototypes.{name}": torch.from_numpy(array) for name, array in classes.arrays.items()}
            known = {"fold": self.folds[number]} if self.folds else None
            (folder / f"network-{number:02d}.safetensors").write_bytes(save(tensors, metadata=known))

    @classmethod
    def load(cls, folder: Path, find_encoder: FindEncoder | None = None) -> "Predictor":
        """Read what `save` wrote; nothing is unpickled.

        Args:
            folder: Where it was saved.
            find_encoder: Where pretrained encoders are; None reads them from where the recipe has them.
        """
        recipe = Recipe.from_json((folder / "recipe.json").read_text(encoding="utf-8"))
        here = replace(recipe, model=relocated(recipe.model, find_encoder))
        networks, scalings, prototypes, folds = [], [], [], []
        for path in sorted(folder.glob("network-*.safetensors")):
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
                folds += [key for name, key in (file.metadata() or {}).items() if name == "fold"]
            shift, spread = tensors.pop("scaling.shift", None), tensors.pop("scaling.spread", None)
            stored = [name for name in tensors if name.startswith("prototypes.")]
            arrays = {name.removeprefix("prototypes."): tensors.pop(name).numpy() for name in stored}
            prototypes.append(Prototypes.read(arrays))
            network = here.build_network()
            network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in tensors.items()})
            networks.append(network)
            scalings.append(
                None if shift is None or spread is None else Scaling(shift=shift.numpy(), spread=spread.numpy())
            )
        return cls(recipe, networks, scalings, prototypes=prototypes, folds=folds, find_encoder=find_encoder)

    def predict(
        self, audio: Sequence[str | Path | np.ndarray], *, sample_rate_hz: int | None = None
    ) -> list[Prediction]:
        """Recognise the emotion of each utterance.

        Where the normalisation's scope is `speaker` or `corpus`, all utterances of one call are taken for those of one
        speaker or corpus.

        Args:
            audio: Paths of sound files, or waveforms of shape (N,) or (N, channels).
            sample_rate_hz: The waveforms' rate; required with waveforms.

        Raises:
            AudioError: An utterance cannot be used; the message names it.
        """
        return self.predict_heard(hear(audio, sample_rate_hz))

    def predict_heard(self, heard: Sequence[Heard]) -> list[Prediction]:
        """Recognise the emotion of decoded utterances, as `predict` does."""
        return self.judge(heard, self.extract(heard)) if heard else []

    @property
    def front_end(self) -> str:
        """A key of everything that `extract` depends on: predictors of the same key extract the same features."""
        return FEATURE_SETS.get(self.recipe.features.name).key(self.recipe.features)

    @property
    def extraction_key(self) -> str:
        """The same for features that are kept: with the version of the code that extracts."""
        package = FEATURE_SETS.requirement(self.recipe.features.name)
        return " ".join(filter(None, [str(FEATURE_FORMAT), package, self.front_end]))

    def extract(self, heard: Sequence[Heard]) -> list[np.ndarray]:
        """Features of some utterances, each (frames, C, F); of an encoder, those of all layers.

        Raises:
            AudioError: An utterance is too short; the message names it.
        """
        feature_set = FEATURE_SETS.get(self.recipe.features.name)
        settings = relocated(self.recipe.features, self.find_encoder)
        if feature_set.extract_batch is not None:
            speech = [levelled(utterance.speech, settings) for utterance in heard]
            features = feature_set.extract_batch(speech, settings)
        else:
            features = _each_extracted(lambda speech: feature_set.extract(levelled(speech, settings), settings), heard)
        return [np.ascontiguousarray(channels.transpose(2, 0, 1)) for channels in features]

    def judge(self, heard: Sequence[Heard], extracted: Sequence[np.ndarray]) -> list[Prediction]:
        """Recognise the emotion of utterances whose features `extract` returned, here or in a predictor like this.

        Raises:
            AudioError: A single utterance would be normalised by itself to nothing.
        """
        scope = self.recipe.normalisation.scope
        if self.recipe.hop_s is None and scope in TOGETHER and not self.recipe.adapts and len(heard) == 1:
            raise AudioError(
                f"{heard[0].source}: the model normalises features by {scope} and needs at least 2 recordings of the "
                f"{scope} in one call; it got 1"
            )
        utterances, which = self._utterances(extracted), np.arange(len(heard))
        same_speaker = np.zeros(len(heard), dtype=np.int64)
        numbers = range(len(self.networks))
        return self._describe(heard, [self.outputs(number, utterances, which, same_speaker) for number in numbers])

    def judge_speaker(
        self, heard: Sequence[Heard], extracted: Sequence[np.ndarray], before: Mapping[str, np.ndarray] | None
    ) -> tuple[list[Prediction], dict[str, np.ndarray]]:
        """Recognise the emotion of utterances of a speaker of whom others were heard before.

        Args:
            heard: At least one utterance.
            extracted: As of `judge`.
            before: The second result of an earlier call; None where nothing was heard.

        Returns:
            The predictions, and arrays of all that was heard of the speaker.
        """
        if before is None and not self.recipe.adapts and len(heard) == 1:
            self.judge(heard, extracted)  # raises where nothing can be said of a single utterance
        utterances, which = self._utterances(extracted), np.arange(len(heard))
        sets = SpeakerSets.of(np.zeros(len(heard), dtype=np.int64), which)
        known = [None] * len(self.networks) if before is None else evidence_of(before, len(self.networks))
        found = [
            self.adapted(number).outputs(utterances, which, sets, evidence) for number, evidence in enumerate(known)
        ]
        predictions = self._describe(heard, [(outputs, reader) for outputs, reader, _ in found])
        return predictions, arrays_of([evidence for _, _, evidence in found])

    @property
    def evidence_key(self) -> str:
        """A digest of all that arrays of `judge_speaker` depend on but for the speaker."""
        known = hashlib.sha256(json.dumps([self.extraction_key, self.recipe.adaptation.kind]).encode())
        for network, prototypes in zip(self.networks, self.prototypes, strict=True):
            if prototypes is not None and self.recipe.adaptation.needs_classes:
                known.update(prototypes.means.tobytes())
                known.update(b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in network.parameters()))
        return known.hexdigest()[:16]

    def _utterances(self, extracted: Sequence[np.ndarray]) -> UtteranceFeatures:
        """Features on the networks' device."""
        offsets = np.concatenate([[0], np.cumsum([len(frames) for frames in extracted])]).astype(np.int64)
        features = self.recipe.features
        read = FEATURE_SETS.get(features.name).channels(features)
        store = FeatureStore.of(np.concatenate(extracted), offsets).channels(read)
        return UtteranceFeatures.of(store, next(self.networks[0].parameters()).device)

    def outputs(
        self,
        number: int,
        utterances: UtteranceFeatures,
        which: np.ndarray,
        speakers: np.ndarray,
        corpora: np.ndarray | None = None,
        sets: SpeakerSets | None = None,
    ) -> tuple[np.ndarray, SegmentReader]:
        """Run one of the networks.

        Args:
            number: Which network.
            utterances: Features of all utterances.
            which: Numbers of those to classify, shape (R,).
            speakers: A number for each utterance's speaker, shape (U,).
            corpora: A number for each utterance's corpus in the union of the training, shape (U,), for scope `corpus`;
                None takes all utterances for a corpus of their own.
            sets: Utterances that adapt the network to each, where it adapts or normalises by speaker; None takes all of
                its speaker.

        Returns:
            The task's outputs of segments, shape (S, K), and the reader with the plan of these segments.
        """
        # Sets change nothing where neither an adaptation nor the normalisation is by speaker
        if self.recipe.adapts or (sets is not None and together(self.recipe) == "speaker"):
            adapted = self.adapted(number).outputs(utterances, which, sets or SpeakerSets.of(speakers, which))
            return adapted[:2]
        scaling = scaling_of_utterances(
            utterances.moments,
            self.recipe.normalisation,
            train=self.scalings[number],
            speakers=speakers,
            corpora=corpora,
        )
        reader = self.recipe.reader(utterances, which, scaling, overlap=False)
        return segment_outputs(self.networks[number], reader, TASKS.get(self.recipe.task)), reader

    def adapted(self, number: int) -> AdaptedNetwork:
        """One of the networks, with what adaptation takes."""
        return AdaptedNetwork(self.recipe, self.networks[number], self.scalings[number], self.prototypes[number])

    def _describe(
        self, heard: Sequence[Heard], of_networks: Sequence[tuple[np.ndarray, SegmentReader]]
    ) -> list[Prediction]:
        by_segment, by_utterance, task = [], [], TASKS.get(self.recipe.task)
        for outputs, reader in of_networks:
            by_segment.append(task.show(outputs))
            by_utterance.append(task.show(task.aggregate(outputs, reader.plan.utterance, self.recipe.aggregation)))
        segments, shown = np.mean(by_segment, axis=0), np.mean(by_utterance, axis=0)
        frames = self.recipe.segments.frames
        length = reader.plan.length
        stop = length if frames is None else np.minimum(reader.plan.start + frames, length)
        # A single frame is the whole utterance
        lengths_s = np.array([len(utterance.speech) / SAMPLE_RATE_HZ for utterance in heard])
        hop_s = self.recipe.hop_s or lengths_s[reader.plan.utterance]
        starts_s, ends_s = reader.plan.start * hop_s, stop * hop_s
        # Segments are planned utterance by utterance
        first = np.searchsorted(reader.plan.utterance, np.arange(len(heard) + 1))
        return [
            Prediction(
                source=utterance.source,
                label=label,
                numbers=self._named(shown[row]),
                number=task.number,
                segments=tuple(
                    SegmentPrediction(
                        start_s=float(starts_s[segment]),
                        end_s=float(ends_s[segment]),
                        numbers=self._named(segments[segment]),
                    )
                    for segment in range(first[row], first[row + 1])
                ),
            )
            for row, (utterance, label) in enumerate(zip(heard, task.labels(shown, self.labels), strict=True))
        ]

    def _named(self, shown: np.ndarray) -> dict[str, float]:
        return {label: float(value) for label, value in zip(self.labels, shown, strict=True)}
