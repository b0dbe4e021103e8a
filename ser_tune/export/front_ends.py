"""Feature sets as torch modules, of operations that ONNX and TorchScript have: one waveform in, features out.

Sums are in float64. The level of a weak bin beside a strong bin is then as exact as that of the Fourier transform in
float32 that `features` uses.
"""

import copy
import math

import numpy as np
import torch
from scipy.signal import get_window, savgol_coeffs
from torch import Tensor, nn

from ..audio import SAMPLE_RATE_HZ
from ..config import SpectralSettings
from ..encoders import Encoder, states_of
from ..encoders.checkpoint import SILENCE_S, STEP_S, WINDOW_S
from ..errors import ConfigError
from ..features.encoder import EncoderSettings
from ..features.level import FRAME, MARGIN_DB
from ..features.level import SILENCE as SILENT_POWER
from ..features.spectral import DYNAMIC_RANGE_DB, SMALLEST_AMPLITUDE, mel_bands

__all__ = ["LONGEST_SAMPLES", "EncoderStates", "Levelled", "LogMel", "at_least"]

STEP, SILENCE = round(STEP_S * SAMPLE_RATE_HZ), round(SILENCE_S * SAMPLE_RATE_HZ)
LONGEST_SAMPLES = round(WINDOW_S * SAMPLE_RATE_HZ)
"""Longer speech is read in pieces, which a graph without loops cannot do."""
_ONE_STEP_MORE = [
    samples
    for samples in range(STEP - SILENCE % STEP, LONGEST_SAMPLES, STEP)
    if math.ceil((samples / SAMPLE_RATE_HZ + SILENCE_S) / STEP_S) * STEP != samples + SILENCE
]
"""Lengths of speech that are whole steps, but by rounding in seconds are filled up by one step more."""


def at_least(size: int, least: int) -> int:
    """The larger number, by arithmetic that stays part of the graph: `max` would fix the sizes of the example.

    >>> at_least(3, 5), at_least(7, 5)
    (5, 7)
    """
    return least + (size - least + abs(size - least)) // 2


class Levelled(nn.Module):
    """Waveform (N,) to the same at a level, float32; as `features.levelled`."""

    def __init__(self, level_db: float | None) -> None:
        """Keep the level; None leaves waveforms as they are."""
        super().__init__()
        self.level_db = level_db

    def forward(self, waveform: Tensor) -> Tensor:
        """Measure and scale."""
        if self.level_db is None:
            return waveform
        filled = torch.cat([waveform, waveform.new_zeros(at_least(FRAME - waveform.shape[0], 0))]).double()
        count = filled.shape[0] // FRAME
        power = filled[: count * FRAME].square().reshape(-1, FRAME).mean(dim=1)
        loudest_first = power.sort(descending=True).values
        number = torch.arange(count)
        together = loudest_first.cumsum(dim=0) / (number + 1)
        active = loudest_first * 10 ** (MARGIN_DB / 10) >= together
        level = together[(number * active).amax()].clamp(min=SILENT_POWER)
        return (waveform * (10 ** (self.level_db / 20) / level.sqrt())).float()


class Frames(nn.Module):
    """Windowed Fourier transforms of a waveform (N,) as products with cosines and sines: power (bins, frames)."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, window: np.ndarray, points: int, hop: int) -> None:
        """Compute the factors for a window in the middle of a transform of `points` samples, every `hop` samples."""
        super().__init__()
        self.points, self.hop = points, hop
        before = (points - len(window)) // 2
        padded = np.pad(window, (before, points - len(window) - before))
        turns = 2 * np.pi * np.outer(np.arange(points), np.arange(points // 2 + 1)) / points
        self.register_buffer("cosines", torch.from_numpy(padded[:, None] * np.cos(turns)))
        self.register_buffer("sines", torch.from_numpy(padded[:, None] * np.sin(turns)))

    def forward(self, waveform: Tensor) -> Tensor:
        """Power of every bin, float64, of the frames that lie within the waveform."""
        count = (waveform.shape[0] - self.points) // self.hop + 1
        start = torch.arange(count) * self.hop
        frames = waveform[start[:, None] + torch.arange(self.points)].double()
        return ((frames @ self.cosines).square() + (frames @ self.sines).square()).transpose(0, 1)


class LogMel(nn.Module):
    """`logspec`, `logmelspec` and `logmeldeltaspec`: waveform (N,) to features (C, F, frames), float32."""

    bands: Tensor | None

    def __init__(self, settings: SpectralSettings, *, bins: int | None, mels: int | None, delta: int | None) -> None:
        """Keep the lowest `bins` (None: all), join `mels` bands, add differences over `delta` frames (None: none)."""
        super().__init__()
        length = round(settings.window_s * SAMPLE_RATE_HZ)
        window = get_window(settings.window, length).astype(np.float32).astype(np.float64)
        self.shortest_samples = settings.dft_points
        self.frames = Frames(window, settings.dft_points, round(settings.hop_s * SAMPLE_RATE_HZ))
        self.pre_emphasis, self.bins, self.delta = settings.pre_emphasis, bins, delta
        self.register_buffer("bands", None if mels is None else mel_bands(mels, settings.dft_points).double())
        self.coefficients = [] if delta is None else savgol_coeffs(delta, 1, deriv=1).tolist()

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute features."""
        speech = waveform
        if self.pre_emphasis:
            # As librosa: the sample before the first is extrapolated
            before = torch.cat([waveform[1:2] - 2 * waveform[:1], self.pre_emphasis * waveform[:-1]])
            speech = waveform - before
        power = self.frames(speech)
        if self.bins is not None:
            power = power[: self.bins]
        if self.bands is not None:
            power = self.bands @ power
        level = 10 * torch.log10(power.clamp(min=SMALLEST_AMPLITUDE**2))
        level = (level - level.amax()).clamp(min=-DYNAMIC_RANGE_DB)
        if self.delta is None:
            return level[None].float()
        change = self._difference(level)
        return torch.stack([level, change, self._difference(change)]).float()

    def _difference(self, level: Tensor) -> Tensor:
        """Slope over time; the first and the last frame are repeated beyond the ends."""
        half = len(self.coefficients) // 2
        number = torch.arange(level.shape[1])
        last = number[-1:]
        slope = torch.zeros_like(level)
        for place, factor in enumerate(self.coefficients):
            if place != half:
                slope = slope + factor * level[:, torch.minimum((number + half - place).clamp(min=0), last)]
        return slope


class EncoderStates(nn.Module):
    """Waveform (N,) to an encoder's hidden states: (L, 2 D, 1) mean and deviation, or (L, D, frames)."""

    def __init__(self, encoder: Encoder, settings: EncoderSettings) -> None:
        """Copy an opened encoder, or raise `ConfigError` where its input cannot be computed here."""
        super().__init__()
        self.shortest_samples = 1
        self.pooling, self.padded = settings.pooling, settings.context == "padded"
        # With statistics all layers are extracted, and reading chooses among them
        self.layers = settings.layers
        self.hop_s, self.family = encoder.shape.hop_s, encoder.shape.family
        self.module = copy.deepcopy(encoder.module).cpu()
        self.input: nn.Module
        extractor = encoder.extractor
        if self.family == "whisper":
            self.input = _WhisperInput(extractor.n_fft, extractor.hop_length, torch.from_numpy(extractor.mel_filters))
        elif type(extractor).__name__ == "Wav2Vec2FeatureExtractor":
            self.input = _Standardised() if extractor.do_normalize else nn.Identity()
        else:
            raise ConfigError(
                f"an encoder of the family {self.family} has an input that cannot be part of a graph; expected "
                "whisper, or an encoder that reads samples"
            )

    def forward(self, waveform: Tensor) -> Tensor:
        """Run the encoder over up to 30 s."""
        if self.family == "whisper":
            silence = waveform.new_zeros(self._filled(waveform.shape[0]) - waveform.shape[0])
            inputs = self.input(torch.cat([waveform, silence]))
        else:
            inputs = self.input(waveform)
            inputs = torch.cat([inputs, inputs.new_zeros(-waveform.shape[0] % STEP)])
        states = torch.stack([layer[0] for layer in states_of(self.module, inputs[None])])  # (L, T, D)
        frames = at_least(_rounded(waveform.shape[0], round(SAMPLE_RATE_HZ * self.hop_s)), 1)
        states = states[:, :frames]
        if self.pooling == "frames":
            chosen = states if self.layers is None else states[list(self.layers)]
            return chosen.transpose(1, 2).half().float()
        wide = states.double()
        mean, squares = wide.mean(dim=1), wide.square().mean(dim=1)
        deviation = (squares - mean.square()).clamp(min=0).sqrt()
        return torch.cat([mean, deviation], dim=1)[:, :, None].float()

    def _filled(self, samples: int) -> int:
        """Samples that Whisper reads of so much speech."""
        if self.padded:
            return LONGEST_SAMPLES
        filled = (samples + SILENCE + STEP - 1) // STEP * STEP
        for exception in _ONE_STEP_MORE:
            filled = filled + STEP * at_least(1 - abs(samples - exception), 0)
        return LONGEST_SAMPLES - at_least(LONGEST_SAMPLES - filled, 0)


def _rounded(samples: int, hop: int) -> int:
    """Whole hops, half a hop to the even number, as Python's `round`."""
    whole = samples // hop
    rest = 2 * (samples - whole * hop) - hop  # negative: round down; 0: to even; positive: up
    up = at_least(1 - at_least(1 - rest, 0), 0)
    half = at_least(1 - abs(rest), 0)
    return whole + up + half * (whole % 2)


class _Standardised(nn.Module):
    """Zero mean and unit variance, as `Wav2Vec2FeatureExtractor` computes them."""

    def forward(self, waveform: Tensor) -> Tensor:
        """Scale a waveform (N,)."""
        return (waveform - waveform.mean()) / (waveform.var(unbiased=False) + 1e-7).sqrt()


class _WhisperInput(nn.Module):
    """Whisper's log Mel spectrogram (bands, frames) of a waveform, as its feature extractor computes it."""

    bands: Tensor

    def __init__(self, points: int, hop: int, bands: Tensor) -> None:
        super().__init__()
        self.frames, self.margin = Frames(torch.hann_window(points).double().numpy(), points, hop), points // 2
        self.register_buffer("bands", bands.double())

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute it; the ends are reflected."""
        total = waveform.shape[0]
        last = torch.arange(total)[-1:]
        number = last - ((torch.arange(total + 2 * self.margin) - self.margin).abs() - last).abs()
        power = self.bands.transpose(0, 1) @ self.frames(waveform[number])[:, :-1]
        level = power.clamp(min=1e-10).log10()
        return ((torch.maximum(level, level.amax() - 8) + 4) / 4).float()
