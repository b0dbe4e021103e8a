"""Training of a network, on the same segments: the product's, a tutorial's, and a good engineer's in fifty lines."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from .hardware import flops_of
from .rows import definition
from .ways import kept

if TYPE_CHECKING:
    from ser_tune.training import AnyTrial, TrainingData

__all__ = [
    "CASES",
    "Case",
    "Switch",
    "Way",
    "at_once",
    "batch_of",
    "bytes_of",
    "fit_product",
    "flops_of_training",
    "good_engineer",
    "stepped",
    "training_data",
    "tutorial",
]

CLASSES, MASKS = 7, 2


@dataclass(frozen=True, slots=True)
class Case:
    """A network and the segments that it is trained on: noise, of which training takes as long as of speech."""

    model: str
    features: str
    channels: int
    bands: int
    frames: int
    batch: int
    segments: int
    """Of an epoch."""
    augmented: bool = False
    """Whether with SpecAugment and mixup, as by default."""
    width: float = 1.0
    precision: str = "float32"
    device: str = "cpu"
    epochs: int = 2

    @property
    def torch_device(self) -> torch.device:
        """The device that trains."""
        return torch.device(self.device)

    @property
    def steps(self) -> int:
        """Batches of a training."""
        return self.epochs * (self.segments // self.batch)

    @property
    def trial(self) -> "AnyTrial":
        """The product's configuration: the defaults, but for sizes."""
        flags: dict[str, object] = {
            "corpus.name": "emodb",  # has no settings of its own, as the demo corpus has
            "model.name": self.model,
            "model.width": self.width,
            "features.name": self.features,
            "features.n_mels": self.bands,
            "segments.frames": self.frames,
            "training.batch_size": self.batch,
            "training.epochs": self.epochs,
            "training.precision": self.precision,
            "training.device": self.device,
        }
        return definition(flags).without_search().trial({})

    @property
    def frames_of_segments(self) -> np.ndarray:
        """Values of shape (S, T, C, F), as the product's features lie in memory."""
        shape = (self.segments, self.frames, self.channels, self.bands)
        return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

    @property
    def labels(self) -> np.ndarray:
        """A class for each segment, shape (S,), int64."""
        return np.arange(self.segments) % CLASSES

    @property
    def small(self) -> "Case":
        """A form that takes milliseconds, to show that it runs."""
        return replace(self, width=0.1, batch=4, segments=8, epochs=1)

    def product_network(self) -> nn.Module:
        """A new network of the product, on the device."""
        from ser_tune.architectures import ARCHITECTURES, InputShape

        shape = InputShape(self.channels, self.bands, self.frames)
        network: nn.Module = ARCHITECTURES.get(self.model).build(self.trial.model, shape, CLASSES)
        return network.to(self.device)

    def network(self) -> nn.Module:
        """The same, of torch's own layers."""
        from ser_tune.architectures.networks.convolutions import UnshuffledConv2d

        network = self.product_network()
        for layer in network.modules():
            if isinstance(layer, UnshuffledConv2d):
                layer.__class__ = nn.Conv2d
        return network


Way: TypeAlias = Callable[[Case], Callable[[], object]]
"""From a case to a function that trains a network."""
CASES = (
    Case("3d_acrnn", "logmeldeltaspec", 3, 40, 300, batch=32, segments=64),
    Case("light_cnn", "logmelspec", 1, 64, 128, batch=16, segments=512, augmented=True),
    Case("fcn_attention", "logmelspec", 1, 128, 300, batch=32, segments=192),
    Case("alex_net", "logmeldeltaspec", 3, 128, 300, batch=32, segments=192),
)


def training_data(case: Case) -> "TrainingData":
    """The product's form of the segments: each is an utterance."""
    from ser_tune.features import FeatureStore
    from ser_tune.prediction import UtteranceFeatures
    from ser_tune.training import TrainingData
    from tests.goals import classes

    offsets = np.arange(case.segments + 1) * case.frames
    frames = case.frames_of_segments.reshape(-1, case.channels, case.bands)
    features = UtteranceFeatures.of(FeatureStore.of(frames, offsets), case.torch_device)
    return TrainingData(features=features, targets=classes(case.labels, "abcdefg"), speakers=case.labels)


def fit_product(case: Case) -> Callable[[], object]:
    """A function that trains a network as the product does."""
    from ser_tune.training import fit
    from tests.goals import GOAL

    data, config = training_data(case), case.trial
    return lambda: fit(config, data, np.arange(case.segments), np.arange(0), seed=0, goal=GOAL)


def augmented(segments: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mask two bands of frequencies and of frames of each segment, then mix every segment with its neighbour."""
    keep = torch.ones_like(segments[:, :1], dtype=torch.bool)
    for axis in (2, 3):
        size = segments.shape[axis]
        for _ in range(MASKS):
            width = torch.rand(len(segments), 1, device=segments.device) * 0.15 * size
            start = torch.rand_like(width) * (size - width)
            place = torch.arange(size, device=segments.device)
            masked = (place >= start) & (place < start + width)
            keep &= ~masked.view(len(segments), 1, *((size, 1) if axis == 2 else (1, size)))
    segments = segments * keep
    weight = float(np.random.default_rng().beta(0.2, 0.2))
    return (x.lerp(x.roll(1, 0), 1 - weight) for x in (segments, targets))  # type: ignore[return-value]


def tutorial(case: Case) -> Callable[[], object]:
    """A function that trains with a DataLoader, in the default layout, by the default optimizer."""
    frames = case.frames_of_segments
    frames = (frames - frames.mean(axis=(0, 1))) / frames.std(axis=(0, 1))
    segments = torch.from_numpy(frames.transpose(0, 2, 3, 1).copy()).to(case.device)
    targets = nn.functional.one_hot(torch.from_numpy(case.labels), CLASSES).float().to(case.device)
    loader = DataLoader(TensorDataset(segments, targets), batch_size=case.batch, shuffle=True)

    def train() -> None:
        network = case.network()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-4, total_steps=case.epochs * len(loader) + 1)
        network.train()
        for _ in range(case.epochs):
            for segments, targets in loader:
                inputs, wanted = augmented(segments, targets) if case.augmented else (segments, targets)
                with torch.autocast(case.device, torch.bfloat16, enabled=case.precision == "bfloat16"):
                    loss = nn.functional.cross_entropy(network(inputs), wanted)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                schedule.step()
        _finished(case)

    return train


def good_engineer(case: Case) -> Callable[[], object]:
    """A function that trains on normalised segments in memory, channels-last, by a fused optimizer, with own malloc."""
    if case.device == "cpu":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD
    frames = case.frames_of_segments
    frames = (frames - frames.mean(axis=(0, 1))) / frames.std(axis=(0, 1))
    stored = torch.from_numpy(frames.transpose(0, 3, 1, 2).copy()).to(case.device)  # (S, F, T, C)
    targets = nn.functional.one_hot(torch.from_numpy(case.labels), CLASSES).float().to(case.device)

    def train() -> None:
        network = case.network().to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-4, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-4, total_steps=case.steps + 1)
        network.train()
        for which in _batches(case):
            inputs, wanted = stored[which].permute(0, 3, 1, 2), targets[which]
            if case.augmented:
                inputs, wanted = augmented(inputs, wanted)
            with torch.autocast(case.device, torch.bfloat16, enabled=case.precision == "bfloat16"):
                loss = nn.functional.cross_entropy(network(inputs), wanted)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0, foreach=True)
            optimizer.step()
            schedule.step()
        _finished(case)

    return train


class Switch(Enum):
    """Ways to run the same step of the product's network."""

    EAGER = "eager"
    COMPILE = "torch.compile"
    GRAPH = "CUDA graph"


def stepped(case: Case, switch: Switch) -> Callable[[], object]:
    """A function that takes the steps of a training, always on the same batch, in a way to run them."""
    network = case.product_network().train()
    # Without a GPU it is only shown that it runs, and no compiler is needed
    backend = "inductor" if case.device == "cuda" else "eager"
    run = torch.compile(network, backend=backend) if switch is Switch.COMPILE else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True, capturable=switch is Switch.GRAPH)
    inputs, targets = batch_of(case), torch.zeros(case.batch, dtype=torch.int64, device=case.device)

    def step() -> None:
        with torch.autocast(case.device, torch.bfloat16, enabled=case.precision == "bfloat16", cache_enabled=False):
            loss = nn.functional.cross_entropy(run(*inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0, foreach=True)
        optimizer.step()

    take = _captured(step) if switch is Switch.GRAPH else step

    def train() -> None:
        for _ in range(case.steps):
            take()
        _finished(case)

    return train


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    """Record a step once it has run on a stream of its own, and return what replays it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _finished(case: Case) -> None:
    if case.device == "cuda":
        torch.cuda.synchronize()


def _batches(case: Case) -> Iterator[Tensor]:
    whole = case.segments // case.batch * case.batch
    for _ in range(case.epochs):
        yield from torch.randperm(case.segments, device=case.device)[:whole].split(case.batch)


_train: Callable[[], object]


def _prepare(way: Way, case: Case) -> None:
    global _train
    torch.set_num_threads(1)
    _train = way(case)


def _fold(_: int) -> None:
    _train()


def at_once(way: Way, case: Case, folds: int) -> Callable[[], object]:
    """A function that trains so many folds at once, each in a process of one thread."""
    pool = kept(get_context("spawn").Pool(folds, _prepare, (way, case)))
    return lambda: pool.map(_fold, range(folds), chunksize=1)


def batch_of(case: Case) -> tuple[Tensor]:
    """A batch of noise, channels-last."""
    segments = torch.randn(case.batch, case.channels, case.bands, case.frames, device=case.device)
    return (segments.contiguous(memory_format=torch.channels_last),)


def flops_of_training(case: Case) -> float:
    """Operations of a training: of its matrix products and convolutions, forwards and backwards."""
    network, inputs = case.network(), batch_of(case)
    return flops_of(lambda: network(*inputs).sum().backward()) * case.steps


def bytes_of(case: Case) -> float:
    """Bytes of weights that a training moves at least, float32.

    A step reads each weight forwards and backwards, writes and reads its gradient, and reads and writes it and two
    moments of AdamW.
    """
    return 4.0 * sum(weights.numel() for weights in case.network().parameters()) * 10 * case.steps
