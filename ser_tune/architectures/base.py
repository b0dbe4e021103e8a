"""The object that every architecture defines, and the examples of its solver."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..config import Choice, ModelSettings, Range, Role, Settings, Value, paths_with
from .shared import Shared

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "BLOCK",
    "PART",
    "Architecture",
    "Examples",
    "Held",
    "InputShape",
    "Inputs",
    "Rows",
]

BLOCK = 2**28
"""Most bytes of a block of a solver's inputs, float32, unless it asks for others."""
PART = 2**25
"""Bytes of a block where a network reads inputs that are more than `BLOCK`."""

Inputs: TypeAlias = "tuple[Tensor, ...]"
"""As a network takes them: segments (B, C, F, T), scaled; where utterances are whole, their lengths (B,) too."""


class Rows(Protocol):
    """Inputs of examples that are read in blocks, such as a `SegmentReader`."""

    @property
    def nbytes(self) -> int:
        """Bytes of all inputs at once, float32."""

    def blocks(self, nbytes: int) -> Iterator[tuple[slice, Inputs]]:
        """Consecutive rows and their inputs, of up to so many bytes, but a row at least."""

    def channels(self, which: Sequence[int]) -> "Rows":
        """The same with some channels alone, by their numbers among those that are read."""


@dataclass(frozen=True, slots=True)
class InputShape:
    """The shape (C, F, T) of the segments that a network will see."""

    channels: int
    bands: int
    frames: int
    """The least number of frames where utterances are whole."""


@dataclass(frozen=True, slots=True)
class Held:
    """Inputs of examples that are in memory."""

    inputs: Inputs

    @property
    def nbytes(self) -> int:
        """Bytes of all inputs."""
        return sum(part.nbytes for part in self.inputs)

    def blocks(self, nbytes: int) -> Iterator[tuple[slice, Inputs]]:
        """Consecutive rows and their inputs, of up to so many bytes, but a row at least."""
        count = len(self.inputs[0])
        step = max(1, nbytes * count // max(self.nbytes, 1))
        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            yield rows, tuple(part[rows] for part in self.inputs)

    def channels(self, which: Sequence[int]) -> "Held":
        """As of `Rows`."""
        return Held((self.inputs[0][:, list(which)], *self.inputs[1:]))


@dataclass(frozen=True, slots=True)
class Examples:
    """Training examples of a solver; their inputs are read in blocks, which hold all where these are few."""

    rows: Rows
    """Source of the inputs: of the channels that the architecture reads."""
    labels: "Tensor"
    """The task's values, shape (N, ...): of classes their numbers, (N,), int64."""
    speakers: "Tensor"
    """A number for each example's speaker, shape (N,), int64."""
    kind: str = "classes"
    """The kind of predictions of the task, one of the architecture's `solves`."""
    source: str = ""
    """Examples of equal texts have equal inputs, but for the channels that are read; empty where that is unknown."""
    shared: Shared = field(default_factory=lambda: Shared(0))
    """Keeps results for solvers of examples with the same source."""
    weights: "Tensor | None" = None
    """Weight of each example, beside those of classes, shape (N,), float64, with mean 1; None where all are 1."""
    changes: "Tensor | None" = None
    """Changes of features, averaged over frames, that must change no score, such as those by noise, shape (M, C, F), of
    which the squares sum up to the mean over an example's changes, times N; None where there are none."""
    stability: float = 0.0
    """Weight of the squared changes of scores, relative to the solver's loss."""

    @classmethod
    def of(cls, inputs: Inputs, labels: "Tensor", speakers: "Tensor", kind: str = "classes") -> "Examples":
        """Examples whose inputs are in memory."""
        return cls(Held(inputs), labels, speakers, kind)

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Bytes of all inputs at once."""
        return self.rows.nbytes

    @property
    def inputs(self) -> Inputs:
        """All inputs at once: segments (N, C, F, T), and lengths (N,) where utterances are whole."""
        [(_, inputs)] = self.rows.blocks(max(self.nbytes, 1))
        return inputs

    @property
    def results(self) -> Shared:
        """Kept results of the inputs: for examples with the same source, or where that is unknown for the caller."""
        return self.shared if self.source else Shared(math.inf)

    def blocks(self, nbytes: int = BLOCK) -> Iterator[tuple[slice, Inputs]]:
        """Read all examples once: consecutive rows and their inputs, of up to so many bytes."""
        return self.rows.blocks(nbytes)

    def channels(self, which: Sequence[int]) -> "Examples":
        """The same with some channels alone, by their numbers among those that are read; inputs of others stay."""
        return replace(self, rows=self.rows.channels(which))


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of network; every module of this room defines one as `ARCHITECTURE`."""

    name: str
    settings: type[ModelSettings]
    build: "Callable[[Any, InputShape, int], nn.Module]"
    """From the settings, the input's shape and the number of classes to a network that maps segments (B, C, F, T) to
    logits (B, classes)."""
    citation: str
    shortest_frames: int | None = None
    """None: segments must be of equal length. A number: the network takes whole utterances of so many frames or more,
    padded with zeros to the batch's longest, as `forward(segments, lengths)` with lengths (B,) int64; without lengths
    all frames are real. In evaluation mode an utterance's logits must not depend on its padding."""
    channels: Callable[[Any, int], Sequence[int]] | None = None
    """From the settings and C to the channels that the network reads, in order. Its `forward` is then called with
    segments of these alone, and of all channels too. None reads all."""
    means: bool = False
    """Whether the network reads of a whole utterance only the mean of its frames: it is then called with a single
    frame, the mean."""
    initialise: Callable[[Any, Any], None] | None = None
    """Fills a new network with pretrained weights, from the network and the settings; None leaves it random."""
    solve: Callable[[Any, Any, Examples], None] | None = None
    """Fits a network at once, without gradients, from the network, the settings and the training examples; None leaves
    it to gradient descent. Where there is one, settings of the role `DESCENT` do not apply."""
    solves: tuple[str, ...] = ("classes",)
    """The kinds of predictions that `solve` can learn, of which tasks make one each."""
    aligns: bool = False
    """Whether `solve` reads whole utterances by the mean of their frames alone, so that their features can be aligned,
    and takes `Examples.changes`."""
    restricted: Mapping[str, Mapping[str, Choice]] = field(default_factory=dict)
    """Settings of the model of which a task allows a few values: its kind of predictions to dotted path to these
    values. They are the default search range too, and the first is the default."""
    solver: str = ""
    """The method of `solve`, in words, which runs record; for `replay`, another wording means other numbers."""
    requirements: tuple[str, ...] = ()
    """Packages that the network imports and the base installation lacks."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Defaults of other sections' settings that differ for this architecture: dotted path to value."""
    published: Mapping[str, Value] = field(default_factory=dict)
    """The published configuration, settings of all sections but those of the protocol: dotted path to value. A study's
    trial 0 has it. Empty where nothing is published, or as the defaults have it."""
    search: Mapping[str, Range | None] = field(default_factory=dict)
    """Default search ranges of other sections that differ for this architecture: dotted path to range, or to None where
    it is not searched."""

    @property
    def is_random(self) -> bool:
        """Whether another seed trains another network; a solver draws no random numbers."""
        return self.solve is None

    def unused(self, settings: type[Settings]) -> frozenset[str]:
        """The dotted paths of the settings, of a study's or a trial's, that do not apply to this architecture."""
        return frozenset() if self.solve is None else paths_with(Role.DESCENT, settings)
