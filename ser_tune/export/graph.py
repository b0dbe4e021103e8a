"""A predictor as one torch module: a waveform in, shown numbers such as probabilities out."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..architectures.networks.convolutions import UnshuffledConv2d
from ..config import TOGETHER
from ..encoders import open_encoder, relocated
from ..errors import ConfigError
from ..features import FEATURE_SETS, Scaling
from ..features.encoder import EncoderSettings
from ..features.logmeldeltaspec import LogMelDeltaSpecSettings
from ..features.logmelspec import LogMelSpecSettings
from ..features.logspec import LogSpecSettings
from ..features.normalisation import SMALLEST_VARIATION
from ..prediction import Committee, Predictor
from ..tasks import TASKS, Traceable
from .front_ends import LONGEST_SAMPLES, EncoderStates, Levelled, LogMel, at_least

__all__ = ["Graph", "NamedOutputs"]


class Graph(nn.Module):
    """Waveform (N,), float32, 16 kHz mono, to shown numbers (K,): front end, segments, networks, scales, averages.

    Of a task that decides for another output than the largest, the number of that output comes second.
    """

    def __init__(self, predictor: Predictor | Committee) -> None:
        """Copy a predictor on the CPU, or raise `ConfigError` where a part of it cannot be a graph."""
        super().__init__()
        members = predictor.members if isinstance(predictor, Committee) else [predictor]
        first = {member.front_end: member for member in reversed(members)}  # the first member of each front end
        names = list(dict.fromkeys(member.front_end for member in members))
        self.fronts = nn.ModuleList(_front_end(first[name]) for name in names)
        self.levels = nn.ModuleList(Levelled(first[name].recipe.features.level_db) for name in names)
        self.members = nn.ModuleList(_Member(member) for member in members)
        self.member_fronts = [names.index(member.front_end) for member in members]
        encoders = any(isinstance(front, EncoderStates) for front in self.fronts)
        self.shortest_samples = max(int(front.shortest_samples) for front in self.fronts)  # type: ignore[arg-type]
        self.longest_samples = LONGEST_SAMPLES if encoders else None
        self.recipe, self.decide = predictor.recipe, _traceable(predictor).decide

    def forward(self, waveform: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Judge one utterance."""
        features = [front(level(waveform)) for front, level in zip(self.fronts, self.levels, strict=True)]
        judged = [member(features[front]) for member, front in zip(self.members, self.member_fronts, strict=True)]
        shown = torch.stack(judged).mean(dim=0)
        return shown.float() if self.decide is None else (shown.float(), self.decide(shown))


class NamedOutputs(nn.Module):
    """A graph whose numbers are outputs of their own, each of shape (): a format with names can name them."""

    def __init__(self, graph: Graph) -> None:
        """Wrap a graph that has no second output."""
        super().__init__()
        self.graph = graph

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Judge one utterance."""
        shown: Tensor = self.graph(waveform)
        return shown.unbind()


def _traceable(predictor: Predictor | Committee) -> Traceable:
    task = TASKS.get(predictor.recipe.task)
    if task.traceable is None:
        raise ConfigError(
            f"the task {task.name} cannot be part of a graph, because it does not define `traceable`; expected "
            "--format safetensors or hub, which run its code"
        )
    return task.traceable


def _front_end(predictor: Predictor) -> nn.Module:
    settings = predictor.recipe.features
    if isinstance(settings, LogMelDeltaSpecSettings):
        return LogMel(settings, bins=None, mels=settings.n_mels, delta=settings.delta_width)
    if isinstance(settings, LogMelSpecSettings):
        return LogMel(settings, bins=None, mels=settings.n_mels, delta=None)
    if isinstance(settings, LogSpecSettings):
        return LogMel(settings, bins=settings.n_bins, mels=None, delta=None)
    if isinstance(settings, EncoderSettings):
        here = relocated(settings, predictor.find_encoder)
        return EncoderStates(open_encoder(here.folder, torch.device("cpu")), here)
    raise ConfigError(
        f"the feature set {settings.name} cannot be part of a graph; expected logspec, logmelspec, logmeldeltaspec or "
        "encoder, or --format safetensors or hub, which contain the code of every feature set"
    )


class _Member(nn.Module):
    """Features (C, F, frames) of one utterance to shown numbers (K,)."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        recipe = predictor.recipe
        if recipe.normalisation.batch_norm == "speaker":
            raise ConfigError(
                "normalisation.batch_norm is speaker, which computes new statistics for every call and cannot be part "
                "of a graph; expected train, or --format safetensors or hub"
            )
        if recipe.adapts:
            raise ConfigError(
                f"adaptation.kind is {recipe.adaptation.kind}, which needs all recordings of a speaker and cannot be "
                "part of a graph; expected none, or --format safetensors or hub"
            )
        self.segments, self.normalisation, self.aggregation = recipe.segments, recipe.normalisation, recipe.aggregation
        self.shortest_frames = recipe.shortest_frames
        self.activate, self.show = TASKS.get(recipe.task).activate, _traceable(predictor).show
        self.channels = FEATURE_SETS.get(recipe.features.name).channels(recipe.features)
        self.networks = nn.ModuleList(_plain(network) for network in predictor.networks)
        self.scalings = nn.ModuleList(_Scaling(scaling) for scaling in _trained(predictor))

    def forward(self, features: Tensor) -> Tensor:
        if self.channels is not None:
            features = features[list(self.channels)]
        frames = features.permute(2, 0, 1)  # (frames, C, F)
        number, real = self._segments(frames.shape[0])
        segments = frames[number]  # (S, T, C, F)
        mask = real[:, :, None, None]
        if self.segments.padding == "floor":
            segments = torch.where(mask, segments, frames.amin(dim=0))
        judged = []
        for network, scaling in zip(self.networks, self.scalings, strict=True):
            scaled = scaling(segments, frames, self.normalisation.kind)
            if self.segments.padding == "zero":
                scaled = scaled * mask
            logits = network(scaled.permute(0, 2, 3, 1))
            judged.append(self.show(self.activate(logits.float()), self.aggregation))
        return torch.stack(judged).mean(dim=0)

    def _segments(self, total: int) -> tuple[Tensor, Tensor]:
        """Frame numbers (S, T), and where they are real frames; as `plan_segments` and `frame_numbers`."""
        length = self.segments.frames
        last = torch.arange(total)[-1:]
        if length is None:
            start = torch.zeros(1, dtype=torch.int64)
            number = torch.arange(at_least(total, self.shortest_frames))[None]
        else:
            hop = min(self.segments.evaluation_hop_frames or length, length)
            start = torch.arange(1 + (at_least(total - length, 0) + hop - 1) // hop) * hop
            if self.segments.last_block == "overlap":
                start = torch.minimum(start, (last + 1 - length).clamp(min=0))
            number = start[:, None] + torch.arange(length)
        if self.segments.padding == "wrap":
            number = number % (last + 1)
        return torch.minimum(number, last), number <= last


def _trained(predictor: Predictor) -> list[Scaling | None]:
    """The scaling of each network; None where recordings of a call, here a single one, are scaled by themselves."""
    return [None] * len(predictor.scalings) if predictor.recipe.normalisation.scope in TOGETHER else predictor.scalings


class _Scaling(nn.Module):
    """Scaling of segments (S, T, C, F): a training's, or the utterance's own."""

    shift: Tensor | None
    factor: Tensor | None

    def __init__(self, trained: Scaling | None) -> None:
        super().__init__()
        self.register_buffer("shift", None if trained is None else torch.from_numpy(trained.shift))
        self.register_buffer("factor", None if trained is None else torch.from_numpy(1 / trained.spread))

    def forward(self, segments: Tensor, frames: Tensor, kind: str) -> Tensor:
        if self.shift is not None and self.factor is not None:
            return (segments - self.shift) * self.factor
        if kind == "none":
            return segments
        shift, spread = _own_statistics(frames, kind)
        return (segments - shift) / spread


def _own_statistics(frames: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Shift and spread of one utterance's frames (N, C, F); as `Moments.scaling`."""
    if kind == "minmax":
        shift = frames.amin(dim=0)
        spread = frames.amax(dim=0) - shift
    else:
        wide = frames.double()
        shift = wide.mean(dim=0)
        spread = (wide.square().mean(dim=0) - shift.square()).clamp(min=0).sqrt()
    varies = spread > SMALLEST_VARIATION * shift.abs()
    return shift.float(), torch.where(varies, spread, torch.ones_like(spread)).float()


class _AveragePool(nn.Module):
    """Adaptive average pooling as products: ONNX has it only where the input's size is a multiple of the output's."""

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, maps: Tensor) -> Tensor:
        rows, columns = (_shares(int(here), after) for here, after in zip(maps.shape[2:], self.size, strict=True))
        return rows @ maps @ columns.transpose(0, 1)


def _shares(before: int, after: int) -> Tensor:
    """Weight of each position in each average, shape (after, before)."""
    shares = torch.zeros(after, before)
    for number in range(after):
        start, stop = number * before // after, -(-(number + 1) * before // after)
        shares[number, start:stop] = 1 / (stop - start)
    return shares


def _plain(network: nn.Module) -> nn.Module:
    """A copy with convolutions and poolings that can be traced for any length of speech."""
    copied = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    for layer in copied.modules():
        if isinstance(layer, UnshuffledConv2d):
            layer.__class__ = nn.Conv2d  # type: ignore[assignment]
        for name, part in list(layer.named_children()):
            if isinstance(part, nn.AdaptiveAvgPool2d) and isinstance(part.output_size, tuple):
                setattr(layer, name, _AveragePool([int(size or 1) for size in part.output_size]))
    return copied
