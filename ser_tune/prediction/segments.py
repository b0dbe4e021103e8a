"""Reading segments of utterances in batches, and running a network over them."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from ..architectures import BLOCK, PART
from ..config import NormalisationSettings, SegmentSettings
from ..device import exact_float32
from ..features import FeatureStore, Moments, Scaling, as_slice, frame_numbers, plan_segments, random_crops
from ..row_groups import rows_by
from ..tasks import Task
from .adaptation import adapted

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["MeanReader", "SegmentReader", "UtteranceFeatures", "scaling_of_utterances", "segment_outputs"]

EVALUATION_BATCH = 64
"""Segments of a batch of evaluation."""
EVALUATION_FRAMES = 64 * 100
"""Frames of a batch where utterances are whole: a few long ones take as much memory as many short ones."""


@dataclass(frozen=True, slots=True)
class UtteranceFeatures:
    """Features of some utterances on the device that reads them."""

    frames: "Tensor"
    """All frames one after another, shape (N, C, F), float32 or float16."""
    offsets: np.ndarray
    """Where each utterance starts, and N at the end, shape (U + 1,)."""
    moments: Moments

    @classmethod
    def of(cls, store: FeatureStore, device: "torch.device") -> Self:
        """Take a cache entry, without a copy where the device is the CPU."""
        import torch

        return cls(
            frames=torch.from_numpy(store.frames).to(device),
            offsets=store.offsets,
            moments=store.moments,
        )

    def channels(self, which: Sequence[int]) -> "UtteranceFeatures":
        """The same with some channels alone, without a copy where they are neighbours."""
        index = as_slice(which)
        return UtteranceFeatures(self.frames[:, index], self.offsets, self.moments.channels(which))


def scaling_of_utterances(
    moments: Moments,
    settings: NormalisationSettings,
    *,
    train: Scaling | None,
    speakers: np.ndarray,
    corpora: np.ndarray | None = None,
) -> tuple[list[Scaling], np.ndarray]:
    """Scalings of utterances, and the scaling of each.

    Args:
        moments: Of all utterances.
        settings: Kind and scope.
        train: The training speakers' scaling, for scope `train`; for scope `corpus`, those of all corpora.
        speakers: A number for each utterance's speaker, shape (U,), for scope `speaker`.
        corpora: A number for each utterance's corpus, shape (U,), for scope `corpus`. A corpus without training
            utterances has the scaling of all its utterances. None takes all utterances for a corpus of this kind.

    Returns:
        The scalings, and for each utterance the number of its own, shape (U,).
    """
    if settings.scope == "train":
        if train is None:
            raise ValueError("scope train needs the training speakers' scaling")
        return [train], np.zeros(len(moments.count), dtype=np.int64)
    if settings.scope == "utterance":
        return moments.scaling_of_each(settings), np.arange(len(moments.count))
    if settings.scope == "corpus":
        return _scaling_by_corpus(moments, settings, train, corpora)
    numbers = np.unique(speakers, return_inverse=True)[1]
    return [moments.scaling(own, settings) for own in rows_by(numbers).values()], numbers


def _scaling_by_corpus(
    moments: Moments, settings: NormalisationSettings, train: Scaling | None, corpora: np.ndarray | None
) -> tuple[list[Scaling], np.ndarray]:
    """Scalings of utterances by the training utterances of their corpus; arguments of `scaling_of_utterances`."""
    known, numbers = np.unique(np.full(len(moments.count), -1) if corpora is None else corpora, return_inverse=True)
    trained = [None if train is None or corpora is None else train.of_corpus(number) for number in known.tolist()]
    own = rows_by(numbers)
    scalings = [moments.scaling(own[row], settings) if found is None else found for row, found in enumerate(trained)]
    return scalings, numbers


class SegmentReader:
    """Scaled, padded segments of some utterances, or these whole, gathered in batches on the features' device."""

    def __init__(
        self,
        features: Sequence[UtteranceFeatures],
        utterances: np.ndarray,
        settings: SegmentSettings,
        scaling: tuple[Sequence[Scaling], np.ndarray],
        *,
        overlap: bool,
        shortest_frames: int = 1,
        batch_norm: Literal["train", "speaker"] = "train",
    ) -> None:
        """Plan the segments.

        Args:
            features: Of all utterances; then of perturbed copies of all utterances, which are read after the clean
                ones, copy by copy, each scaled as its clean utterance is.
            utterances: Numbers of those to read, shape (R,).
            settings: T, hop, padding; T None leaves utterances whole.
            scaling: Return value of `scaling_of_utterances` for all utterances.
            overlap: Whether to step by the training hop; otherwise by that of evaluation.
            shortest_frames: Length up to which an utterance is padded where utterances are whole.
            batch_norm: Source of batch norm's statistics; where `speaker`, utterances of a scaling are a speaker's.
        """
        import torch

        scalings, scaling_number = scaling
        lengths = np.concatenate([np.diff(part.offsets)[utterances] for part in features])
        self.plan = plan_segments(lengths, settings, overlap=overlap)
        self.settings = settings
        self.batch_norm = batch_norm
        self._shortest_frames = shortest_frames
        self._frames, first = self._source(features, utterances)
        self._part = np.repeat(np.arange(len(features)), len(utterances))
        self._device = features[0].frames.device
        self._first = np.concatenate(first)
        self._scaling = np.tile(scaling_number[utterances], len(features))
        self._shift = torch.from_numpy(np.stack([scaling.shift for scaling in scalings])).to(self._device)
        self._factor = torch.from_numpy(np.stack([1 / scaling.spread for scaling in scalings])).to(self._device)
        self._floor: Tensor | None = None
        if settings.padding == "floor":
            minima = np.concatenate([part.moments.minimum[utterances] for part in features])
            self._floor = torch.from_numpy(minima.astype(np.float32)).to(self._device)

    def _source(
        self, features: Sequence[UtteranceFeatures], utterances: np.ndarray
    ) -> "tuple[list[Tensor], list[np.ndarray]]":
        """Tensors that are read, and in each the first row of every utterance."""
        return [part.frames for part in features], [part.offsets[utterances] for part in features]

    def __len__(self) -> int:
        """Number of segments."""
        return len(self.plan)

    def channels(self, which: Sequence[int]) -> "SegmentReader":
        """The same with some channels alone."""
        index, reader = as_slice(which), copy(self)
        reader._frames = [frames[:, index] for frames in self._frames]
        reader._shift, reader._factor = self._shift[:, index], self._factor[:, index]
        reader._floor = None if self._floor is None else self._floor[:, index]
        return reader

    def of_each_speaker(self) -> list[np.ndarray]:
        """The numbers of every speaker's segments, where scalings are speakers'."""
        return list(rows_by(self._scaling[self.plan.utterance]).values())

    def crop(self, rng: np.random.Generator) -> None:
        """Start every segment at a random place in its utterance, where settings have random crops of training."""
        if self.settings.crop == "random":
            assert self.settings.frames is not None
            self.plan = random_crops(self.plan, self.settings.frames, rng)

    def _sent(self, numbers: np.ndarray) -> "Tensor":
        """Numbers on the features' device, without waiting for what runs there."""
        import torch

        return torch.from_numpy(numbers).to(self._device, non_blocking=True)

    def _read(self, part: np.ndarray, rows: np.ndarray) -> "Tensor":
        """Frames of clean speech and of its copies, from separate tensors, shape (B, T, C, F)."""
        if len(self._frames) == 1:
            return self._frames[0][self._sent(rows)]
        segments = self._frames[0].new_empty(*rows.shape, *self._frames[0].shape[1:])
        for number, frames in enumerate(self._frames):
            here = np.flatnonzero(part == number)
            segments[self._sent(here)] = frames[self._sent(rows[here])]
        return segments

    def _numbers(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `frame_numbers`."""
        return frame_numbers(self.plan, which, self.settings, shortest_frames=self._shortest_frames)

    def padded(self, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Frames that each of some segments needs at least, shape (B,)."""
        lengths = self.plan.length[which]
        if self.settings.frames is not None:
            return np.full(len(lengths), self.settings.frames)
        padded: np.ndarray = np.maximum(lengths, self._shortest_frames)
        return padded

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame, float32."""
        return 4 * self._shift[0].numel()

    @property
    def nbytes(self) -> int:
        """Bytes of all segments at once, float32."""
        return len(self) * int(self.padded().max(initial=0)) * self.frame_bytes

    def blocks(self, nbytes: int) -> "Iterator[tuple[slice, tuple[Tensor, ...]]]":
        """Consecutive segments, as `gather` reads them, of up to so many bytes, but one at least."""
        for rows in _consecutive(self.padded(), nbytes // self.frame_bytes):
            yield rows, self.gather(np.arange(rows.start, rows.stop))

    def gather(self, which: np.ndarray) -> "tuple[Tensor, ...]":
        """Read segments.

        Args:
            which: Their numbers, shape (B,).

        Returns:
            A network's input: segments (B, C, F, T), float32, where T > 1 channels-last in memory, which
            convolutions are faster with; where utterances are whole, T is the longest's length, and there follow the
            lengths (B,), int64, beyond which each is 0.
        """
        import torch

        utterance = self.plan.utterance[which]
        number, real = self._numbers(which)
        segments = self._read(self._part[utterance], self._first[utterance, None] + number).float()
        mask = self._sent(real)[:, :, None, None]
        if self._floor is not None:
            floor = self._floor[self._sent(utterance)][:, None]
            segments = torch.where(mask, segments, floor)
        shift, factor = self._shift, self._factor
        if len(shift) > 1:
            scaling = self._sent(self._scaling[utterance])
            shift, factor = shift[scaling], factor[scaling]
        segments.sub_(shift[:, None]).mul_(factor[:, None])
        if self._floor is None and not real.all():
            segments *= mask
        inputs: tuple[Tensor, ...] = ()
        if self.settings.frames is None:
            lengths = self.padded(which)
            inside = np.arange(number.shape[1]) < lengths[:, None]
            if self._floor is not None or not np.array_equal(inside, real):  # else all padding is 0 already
                segments *= self._sent(inside)[:, :, None, None]
            inputs = (self._sent(lengths),)
        segments = segments.permute(0, 2, 3, 1)
        if segments.shape[3] > 1:  # of a single frame there is nothing to convolve
            segments = segments.contiguous(memory_format=torch.channels_last)
        return segments, *inputs


class MeanReader(SegmentReader):
    """Whole utterances of a single frame, the mean of their frames, from moments: no frame is read.

    The arguments are those of `SegmentReader`, and so is the plan; settings must leave utterances whole.
    """

    def _source(
        self, features: Sequence[UtteranceFeatures], utterances: np.ndarray
    ) -> "tuple[list[Tensor], list[np.ndarray]]":
        import torch

        self._counts = np.stack([part.moments.count for part in features])
        sums = [torch.from_numpy(part.moments.total).to(part.frames.device) for part in features]
        return sums, [utterances] * len(features)

    def padded(self, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """As of `SegmentReader`."""
        return np.ones(len(self.plan.length[which]), dtype=np.int64)

    def _numbers(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(which), 1), dtype=np.int64), np.ones((len(which), 1), dtype=bool)

    def _read(self, part: np.ndarray, rows: np.ndarray) -> "Tensor":
        counts = self._counts[part[:, None], rows]
        return super()._read(part, rows).div_(self._sent(counts)[:, :, None, None])


def _consecutive(lengths: np.ndarray, frames: int) -> Iterator[slice]:
    """Cut segments into consecutive ones that, padded to the longest, are of up to so many frames; or are single."""
    if len(lengths) * lengths.max(initial=0) <= frames:
        yield slice(0, len(lengths))
        return
    start, longest = 0, 0
    for number, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        if number > start and (number + 1 - start) * longest > frames:
            yield slice(start, number)
            start, longest = number, length
    yield slice(start, len(lengths))


def segment_outputs(network: "nn.Module", reader: SegmentReader, task: Task) -> np.ndarray:
    """Run a network over all segments of a reader, in float32 and evaluation mode, speaker by speaker where need be.

    Returns:
        The task's outputs, shape (S, K), float32.
    """
    import torch

    with exact_float32(), torch.inference_mode():
        return _segment_outputs(network.eval(), reader, task)


def _segment_outputs(network: "nn.Module", reader: SegmentReader, task: Task) -> np.ndarray:
    import torch

    batches, raw = [], []
    if reader.batch_norm == "speaker":
        for own in reader.of_each_speaker():
            batches += (of_speaker := _batches(reader, own))
            with adapted(network, (reader.gather(batch) for batch in of_speaker), len(own)):
                raw += [network(*reader.gather(batch)) for batch in of_speaker]
    else:
        batches = _batches(reader, np.arange(len(reader)))
        raw = [network(*reader.gather(batch)) for batch in batches]
    outputs: np.ndarray = task.activate(torch.cat(raw).float()).cpu().numpy()
    result = np.empty_like(outputs)
    result[np.concatenate(batches)] = outputs
    return result


def _batches(reader: SegmentReader, which: np.ndarray) -> list[np.ndarray]:
    """Numbers of segments, those of about equal length together where utterances are whole: little is padded."""
    if reader.settings.frames is not None:
        return np.array_split(which, -(-len(which) // EVALUATION_BATCH))
    batches: list[list[int]] = [[]]
    most = EVALUATION_FRAMES if reader.nbytes <= BLOCK else min(EVALUATION_FRAMES, PART // reader.frame_bytes)
    frames = reader.padded(which)
    for place in np.argsort(frames, kind="stable"):
        if batches[-1] and (len(batches[-1]) + 1) * frames[place] > most:
            batches.append([])
        batches[-1].append(which[place])
    return [np.array(batch) for batch in batches]
