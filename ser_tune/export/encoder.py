"""The feature set `encoder` as a torch module: a waveform in, the hidden states of an encoder out."""

import copy
import math

import torch
from torch import Tensor, nn

from ..audio import SAMPLE_RATE_HZ
from ..encoders import Encoder, states_of
from ..encoders.checkpoint import SILENCE_S, STEP_S, WINDOW_S
from ..errors import ConfigError
from ..features.encoder import EncoderSettings
from .front_end import Frames, at_least

__all__ = ["LONGEST_SAMPLES", "EncoderStates"]

STEP, SILENCE = round(STEP_S * SAMPLE_RATE_HZ), round(SILENCE_S * SAMPLE_RATE_HZ)
LONGEST_SAMPLES = round(WINDOW_S * SAMPLE_RATE_HZ)
"""Longer speech is read in pieces, which a graph without loops cannot do."""
_ONE_STEP_MORE = [
    samples
    for samples in range(STEP - SILENCE % STEP, LONGEST_SAMPLES, STEP)
    if math.ceil((samples / SAMPLE_RATE_HZ + SILENCE_S) / STEP_S) * STEP != samples + SILENCE
]
"""Lengths of speech that are whole steps, but by rounding in seconds are filled up by one step more."""


class EncoderStates(nn.Module):
    """Waveform (N,) to an encoder's hidden states: (L, 2 D, 1) mean and deviation, or (L, D, frames)."""

    def __init__(self, encoder: Encoder, settings: EncoderSettings) -> None:
        """Copy an encoder.

        Args:
            encoder: Opened.
            settings: Of the features.

        Raises:
            ConfigError: The encoder's input is none that can be computed here.
        """
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
        states = torch.stack([one[0] for one in states_of(self.module, inputs[None])])  # (L, T, D)
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
    """Whole hops, half of one to the even number, as Python's `round`."""
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
