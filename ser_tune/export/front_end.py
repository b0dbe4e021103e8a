"""Feature sets as torch modules, of operations that ONNX and TorchScript have: one waveform in, features out.

Sums are in float64. The level of a weak bin beside a strong bin is then as exact as that of the Fourier transform in
float32 that `features` uses.
"""

import numpy as np
import torch
from scipy.signal import get_window, savgol_coeffs
from torch import Tensor, nn

from ..audio import SAMPLE_RATE_HZ
from ..config import SpectralSettings
from ..features.spectral import DYNAMIC_RANGE_DB, SMALLEST_AMPLITUDE, mel_bands

__all__ = ["Frames", "LogMel", "at_least"]


def at_least(size: int, least: int) -> int:
    """The larger number, by arithmetic that stays part of the graph: `max` would fix the sizes of the example.

    >>> at_least(3, 5), at_least(7, 5)
    (5, 7)
    """
    return least + (size - least + abs(size - least)) // 2


class Frames(nn.Module):
    """Windowed Fourier transforms of a waveform (N,) as products with cosines and sines: power (bins, frames)."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, window: np.ndarray, points: int, hop: int) -> None:
        """Compute the products' factors.

        Args:
            window: At most as long as the transform, in whose middle it stands.
            points: Length of the transform.
            hop: Samples from one frame to the next.
        """
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


def _level(power: Tensor) -> Tensor:
    """Decibels relative to the maximum, from 0 down to the floor."""
    level = 10 * torch.log10(power.clamp(min=SMALLEST_AMPLITUDE**2))
    level = level - level.amax()
    return level.clamp(min=-DYNAMIC_RANGE_DB)


class LogMel(nn.Module):
    """`logspec`, `logmelspec` and `logmeldeltaspec`: waveform (N,) to features (C, F, frames), float32."""

    bands: Tensor | None

    def __init__(self, settings: SpectralSettings, *, bins: int | None, mels: int | None, delta: int | None) -> None:
        """Take the settings of a feature set.

        Args:
            settings: Window, hop, transform, pre-emphasis.
            bins: Lowest bins that are kept; None is all.
            mels: Mel bands; None is none.
            delta: Width of the differences over time; None is none.
        """
        super().__init__()
        length = round(settings.window_s * SAMPLE_RATE_HZ)
        window = get_window(settings.window, length).astype(np.float32).astype(np.float64)
        self.shortest_samples = settings.dft_points
        self.frames = Frames(window, settings.dft_points, round(settings.hop_s * SAMPLE_RATE_HZ))
        self.pre_emphasis, self.bins, self.delta = settings.pre_emphasis, bins, delta
        self.register_buffer("bands", None if mels is None else mel_bands(mels, settings.dft_points).double())
        self.coefficients = [] if delta is None else [float(one) for one in savgol_coeffs(delta, 1, deriv=1)]

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
        level = _level(power)
        if self.delta is None:
            return level[None].float()
        change = self._difference(level)
        return torch.stack([level, change, self._difference(change)]).float()

    def _difference(self, level: Tensor) -> Tensor:
        """Slope over time; the first and the last frame stand for those beyond them."""
        half = len(self.coefficients) // 2
        total = level.shape[1]
        number = torch.arange(total)
        slope = torch.zeros_like(level)
        for place, factor in enumerate(self.coefficients):
            offset = half - place
            if offset:
                slope = slope + factor * level[:, _clamped(number + offset, total)]
        return slope


def _clamped(number: Tensor, total: int) -> Tensor:
    """Frame numbers, those beyond either end replaced by the end's."""
    last = torch.arange(total)[-1:]
    return torch.minimum(number.clamp(min=0), last)
