"""The straightforward way: what a tutorial would write, in float32, one utterance after another.

It runs in a process of its own, because the product has the C library keep the memory that is freed.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np
import scipy.signal
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.architectures.networks.convolutions import UnshuffledConv2d
from ser_tune.config import ModelSettings

__all__ = ["extract", "plain_epoch", "start_plain_training"]

FRAMES = {"n_fft": 800, "hop_length": 160, "win_length": 640, "window": "hamming", "center": False}


class PlainSegments(Dataset[tuple[torch.Tensor, int]]):
    """Normalised segments of T frames, cut and padded when they are asked for."""

    def __init__(self, utterances: list[np.ndarray], labels: np.ndarray, frames: int) -> None:
        everything = np.concatenate(utterances)
        self.mean, self.deviation = everything.mean(axis=0), everything.std(axis=0)
        self.utterances, self.labels, self.frames = utterances, labels, frames
        self.segments = [
            (number, start)
            for number, one in enumerate(utterances)
            for start in range(0, max(1, len(one) - frames + 1), frames)
        ]

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        number, start = self.segments[index]
        segment = (self.utterances[number][start : start + self.frames] - self.mean) / self.deviation
        missing = self.frames - len(segment)
        segment = np.pad(segment, ((0, missing), (0, 0), (0, 0)))
        return torch.from_numpy(segment.transpose(1, 2, 0)).float(), int(self.labels[number])


_training: Iterator[float] = iter(())


def start_plain_training(
    model: ModelSettings,
    shape: InputShape,
    utterances: list[np.ndarray],
    labels: np.ndarray,
    *,
    batch_size: int,
    epochs: int,
) -> None:
    """Build what `plain_epoch` trains: the architecture, of torch's own layers."""
    global _training
    network = ARCHITECTURES.get(model.name).build(model, shape, int(labels.max()) + 1)
    for layer in network.modules():
        if isinstance(layer, UnshuffledConv2d):
            layer.__class__ = nn.Conv2d
    segments = PlainSegments(utterances, labels, shape.frames)
    _training = _training_epochs(network, segments, batch_size=batch_size, epochs=epochs)


def plain_epoch() -> float:
    """Seconds of one more epoch."""
    return next(_training)


def _training_epochs(network: nn.Module, segments: PlainSegments, *, batch_size: int, epochs: int) -> Iterator[float]:
    """Train an epoch whenever asked for another; say how many seconds it took."""
    loader = DataLoader(segments, batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=epochs * len(loader) + 1)
    network.train()
    for _ in range(epochs):
        start = time.perf_counter()
        for batch, labels in loader:
            loss = nn.functional.cross_entropy(network(batch), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
        yield time.perf_counter() - start


def _logspec(speech: np.ndarray) -> np.ndarray:
    spectrum = np.abs(librosa.stft(librosa.effects.preemphasis(speech, coef=0.97), **FRAMES))
    return librosa.amplitude_to_db(spectrum, ref=np.max)[None, :200]


def _logmelspec(speech: np.ndarray, n_mels: int = 128) -> np.ndarray:
    emphasised = librosa.effects.preemphasis(speech, coef=0.97)
    power = librosa.feature.melspectrogram(y=emphasised, sr=16_000, n_mels=n_mels, **FRAMES)
    return librosa.power_to_db(power, ref=np.max)[None]


def _logmeldeltaspec(speech: np.ndarray) -> np.ndarray:
    level = _logmelspec(speech, 40)[0]
    return np.stack([level, librosa.feature.delta(level, width=5), librosa.feature.delta(level, width=5, order=2)])


def _lognrevspec(speech: np.ndarray) -> np.ndarray:
    noisy = speech + 0.002 * np.random.default_rng(0).standard_normal(len(speech))
    decay = np.arange(4800) / 16_000
    room = np.random.default_rng(1).standard_normal(4800) * 10 ** (-3 * decay / 0.3)
    reverberated = scipy.signal.fftconvolve(speech, room)[: len(speech)]
    return np.concatenate([_logspec(one) for one in (speech, noisy, reverberated)])


_EXTRACTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logspec": _logspec,
    "logmelspec": _logmelspec,
    "logmeldeltaspec": _logmeldeltaspec,
    "lognrevspec": _lognrevspec,
}


def extract(path: Path, name: str) -> np.ndarray:
    """The features of a recording, one librosa call after another."""
    speech, _ = librosa.load(path, sr=16_000)
    return _EXTRACTORS[name](speech).astype(np.float32)
