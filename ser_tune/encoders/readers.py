"""Readers: speech to the hidden states of a frozen encoder, the same for an utterance whatever is read beside it."""

import copy
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from ..audio import SAMPLE_RATE_HZ
from ..device import pick_device
from .checkpoint import STEP_S, Encoder, digest_of, open_encoder, shape_of, speech_frames
from .families import AST, WHISPER, patches_in_time
from .linear_maps import linear_map
from .states import states_of
from .whisper import WhisperReader, save_whisper

__all__ = ["Batch", "Reader", "open_reader", "save_encoder"]

BATCH = 16
"""Pieces of equal length that a GPU reads at once, at most."""
LEAST = {AST: 400, "wav2vec2-bert": 560}
"""Samples that a family's extractor needs, which shorter pieces are filled up to: a window of the spectrogram, or two,
since of a single one there is no finite input."""
_OPENING = Lock()

Batch: TypeAlias = tuple[list[int], Iterator[list[Tensor]]]
"""Numbers of the pieces of speech that are read together, and of each layer in turn the states of every such piece:
shape (T, D), float32, on the device, without those of silence that was appended. They may be overwritten when the next
layer is asked for."""


class Reader(Protocol):
    """A frozen encoder that extracts."""

    def read(self, pieces: Sequence[np.ndarray], *, padded: bool) -> Iterator[Batch]:
        """Read pieces of speech (N,), 16 kHz, of up to 30 s.

        `padded` fills every piece up to the window that Whisper was trained with.
        """


class ModuleReader:
    """An encoder of transformers, which reads a piece of speech at a time, on a GPU those of equal length."""

    def __init__(self, encoder: Encoder, precision: str) -> None:
        """Prepare an opened encoder for an arithmetic, `float32` or `bfloat16`."""
        self.device, self.shape, self.extractor = encoder.device, encoder.shape, encoder.extractor
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self.module = encoder.module
        if self.dtype is torch.bfloat16:  # or autocast would round all weights again for every batch
            self.module = _rounded(copy.deepcopy(encoder.module), self.shape.family)

    def read(self, pieces: Sequence[np.ndarray], *, padded: bool) -> Iterator[Batch]:
        """Read pieces of speech; `padded` is of families with a window alone."""
        inputs = [self._input(piece, padded) for piece in pieces]
        order = sorted(range(len(pieces)), key=lambda number: inputs[number].numel())
        at_once = 1 if self.device.type == "cpu" else BATCH
        while order:
            batch = [number for number in order[:at_once] if inputs[number].shape == inputs[order[0]].shape]
            order = order[len(batch) :]
            frames = [speech_frames(len(pieces[number]), self.shape.hop_s) for number in batch]
            yield batch, self._layers(torch.stack([inputs[number] for number in batch]), frames)

    def _input(self, piece: np.ndarray, padded: bool) -> Tensor:
        """The encoder's input for a piece, filled up with silence to whole steps."""
        frames = speech_frames(len(piece), self.shape.hop_s)
        piece = np.pad(piece, (0, max(0, LEAST.get(self.shape.family, 0) - len(piece))))
        if self.shape.family == AST:
            return self._spectrogram(piece, None if padded else frames)
        made = self.extractor(piece, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        values: Tensor = made["input_values" if "input_values" in made else "input_features"][0]
        step = round(STEP_S * SAMPLE_RATE_HZ) if values.ndim == 1 else round(STEP_S / self.shape.hop_s)
        missing = -len(values) % step
        return nn.functional.pad(values, (*([0, 0] * (values.ndim - 1)), 0, missing))

    def _spectrogram(self, piece: np.ndarray, patches: int | None) -> Tensor:
        """The spectrogram that an Audio Spectrogram Transformer reads, of so many patches or of its whole window."""
        config, extractor = self.module.config, copy.copy(self.extractor)  # which fills up to a length of its own
        patches = patches_in_time(config.to_dict()) if patches is None else patches
        extractor.max_length = (patches - 1) * config.time_stride + config.patch_size
        made = extractor(piece, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        spectrogram: Tensor = made["input_values"][0]
        return spectrogram

    @torch.inference_mode()
    def _layers(self, inputs: Tensor, frames: Sequence[int]) -> Iterator[list[Tensor]]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            layers = states_of(self.module, inputs.to(self.device))
        for layer in layers:
            yield [states[:count].float() for states, count in zip(layer, frames, strict=True)]


class _LinearOfRows(nn.Module):
    """A linear layer whose weights are laid out for products in their type."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        bias = None if layer.bias is None else layer.bias.bfloat16()
        self.map = linear_map(layer.weight.bfloat16(), bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """From (..., K) to (..., N), bfloat16, as autocast computes it."""
        rows = self.map(inputs.bfloat16().flatten(0, -2))
        return rows.reshape(*inputs.shape[:-1], -1)


def _rounded(module: Any, family: str) -> Any:  # noqa: ANN401 - an encoder of transformers
    """The same encoder with weights of products rounded to bfloat16 once."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear) and family != "wavlm":  # WavLM's attention reads its layers' weights
                setattr(parent, name, _LinearOfRows(layer))
            elif isinstance(layer, nn.Linear | nn.Conv1d) and not hasattr(layer, "parametrizations"):
                layer.to(torch.bfloat16)
    return module


def open_reader(folder: Path, *, precision: str, device: torch.device | None = None) -> Reader:
    """Open the encoder in a folder for extraction; the two readers that were opened last stay in memory.

    Args:
        folder: As transformers saved it.
        precision: `float32` or `bfloat16`.
        device: None picks the fastest.

    Raises:
        ConfigError: It cannot be opened.
    """
    with _OPENING:  # extraction's threads ask for it at the same time
        return _open(folder, precision, device or pick_device("auto"))


def save_encoder(folder: Path, into: Path) -> None:
    """Write an encoder and its preprocessing, weights as float16, in a form that `open_encoder` and readers read.

    Raises:
        ConfigError: It cannot be opened.
    """
    if shape_of(folder).family == WHISPER:
        save_whisper(folder, into)
    else:
        open_encoder(folder).save(into)


@lru_cache(maxsize=2)
def _open(folder: Path, precision: str, device: torch.device) -> Reader:
    shape = shape_of(folder)
    if shape.family != WHISPER:
        return ModuleReader(open_encoder(folder, device), precision)
    digest_of(folder)  # refuses what lacks files
    return WhisperReader(folder, device, torch.bfloat16 if precision == "bfloat16" else torch.float32)
