"""Voice activity detection by Silero's network, piece by piece."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..audio import SAMPLE_RATE_HZ, decode_pieces, read_speech, to_speech
from ..errors import ConfigError

__all__ = ["CHUNK", "SpeechDetector", "Stretch", "read_pieces", "speech_of"]

CHUNK = 512
"""Samples that the network judges at once: 32 ms."""
PIECE_S = 60.0
"""Seconds of a long recording that are decoded at once."""
PAUSE_S = 0.3
"""A shorter pause does not end a stretch of speech."""
SHORTEST_S = 0.25
"""A shorter sound is no speech."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a recording with speech."""

    start_s: float
    end_s: float


class SpeechDetector:
    """Silero's network for voice activity detection; its state persists between pieces (Silero Team 2024, MIT)."""

    def __init__(self) -> None:
        """Load the network, which is a part of the package `silero-vad`.

        Raises:
            ConfigError: The package of the network, or its runtime, is not installed.
        """
        threads = torch.get_num_threads()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # it opens its file as Python before 3.11 did
                from silero_vad import VADIterator, load_silero_vad

                network = load_silero_vad(onnx=True)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"voice activity detection needs the package {error.name}; install it with pip install "
                "'ser-tune[timeline]'"
            ) from None
        finally:
            torch.set_num_threads(threads)  # on import it leaves one to everybody
        self._iterator = VADIterator(network, min_silence_duration_ms=round(1000 * PAUSE_S))
        self.forget()

    def forget(self) -> None:
        """Start with another recording."""
        self._iterator.reset_states()
        self._rest = np.zeros(0, dtype=np.float32)

    def _chunks(self, speech: np.ndarray) -> Iterator[torch.Tensor]:
        waiting = np.concatenate([self._rest, speech])
        whole = len(waiting) // CHUNK * CHUNK
        self._rest = waiting[whole:]
        for start in range(0, whole, CHUNK):
            yield torch.from_numpy(waiting[start : start + CHUNK])

    def probabilities(self, speech: np.ndarray) -> list[float]:
        """Probability of speech in each 32 ms of the next piece; remaining samples are kept for the following piece."""
        with torch.inference_mode():
            return [float(self._iterator.model(chunk, SAMPLE_RATE_HZ)) for chunk in self._chunks(speech)]

    def follow(self, speech: np.ndarray) -> Iterator[tuple[str, int]]:
        """Starts and ends of speech in the next piece: `start` or `end`, and its sample since the first piece."""
        for chunk in self._chunks(speech):
            yield from (self._iterator(chunk) or {}).items()


def speech_of(probabilities: Sequence[float], length: int) -> list[Stretch]:
    """Stretches of speech.

    Args:
        probabilities: Of every 32 ms of a recording.
        length: The recording's, in samples.
    """
    from silero_vad import get_speech_timestamps_from_probs

    found = get_speech_timestamps_from_probs(
        probabilities,
        sampling_rate=SAMPLE_RATE_HZ,
        min_speech_duration_ms=round(1000 * SHORTEST_S),
        min_silence_duration_ms=round(1000 * PAUSE_S),
        audio_length_samples=length,
    )
    return [Stretch(stretch["start"] / SAMPLE_RATE_HZ, stretch["end"] / SAMPLE_RATE_HZ) for stretch in found]


def read_pieces(path: Path) -> Iterator[np.ndarray]:
    """Decode a recording a minute at a time, each (N,), float32, 16 kHz mono; silent pieces are zeros.

    Raises:
        AudioError: As `read_speech`, but that silence is none.
    """
    empty = True
    for samples, rate in decode_pieces(path, piece_s=PIECE_S):
        empty = False
        if samples.any():
            yield to_speech(samples, rate, source=str(path))
        else:
            yield np.zeros(len(samples) * SAMPLE_RATE_HZ // rate, dtype=np.float32)
    if empty:
        read_speech(path)  # raises that there are no samples
