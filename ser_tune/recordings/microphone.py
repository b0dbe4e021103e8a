"""Sound from a microphone, as it comes."""

import queue
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Self

import numpy as np
import soxr

from ..audio import SAMPLE_RATE_HZ
from ..errors import AudioError, ConfigError

__all__ = ["Microphone"]

PIECE_S = 0.1
"""Seconds of sound that the microphone hands over at once."""
WAIT_S = 0.5
"""Seconds until a signal is noticed where a system does not interrupt waiting."""


class Microphone:
    """An input device of this machine; a context, in which it yields pieces of 16 kHz mono sound as they come."""

    def __init__(self, device: str | None = None) -> None:
        """Find the device.

        Args:
            device: Its number, or a part of its name; None is the system's default.

        Raises:
            ConfigError: The package or the library that reads microphones is missing.
            AudioError: There is no such device.
        """
        self._library = _library()
        wanted = int(device) if device is not None and device.isdecimal() else device
        try:
            found: Any = self._library.query_devices(wanted, "input")
        except (self._library.PortAudioError, ValueError) as error:
            raise AudioError(self._none(device, error)) from None
        self.name = str(found["name"])
        self._rate_hz = round(found["default_samplerate"])
        self._waiting: queue.SimpleQueue[np.ndarray | None] = queue.SimpleQueue()
        self._device = found["index"]
        self._stream: Any = None

    def _none(self, device: str | None, error: Exception) -> str:
        """Why there is no device, and which there are."""
        names = [
            f"{device['index']} {device['name']}"
            for device in self._library.query_devices()
            if device["max_input_channels"]
        ]
        what = "no default microphone" if device is None else f"no microphone '{device}'"
        return f"there is {what} ({_first_line(error)}); there are: {', '.join(names) or 'none'}"

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            AudioError: It is in use, or cannot be read.
        """
        try:
            self._stream = self._library.InputStream(
                samplerate=self._rate_hz,
                blocksize=round(self._rate_hz * PIECE_S),
                device=self._device,
                channels=1,
                dtype="float32",
                callback=lambda samples, *_: self._waiting.put(samples[:, 0].copy()),
                finished_callback=lambda: self._waiting.put(None),
            )
            self._stream.start()
        except (self._library.PortAudioError, ValueError) as error:
            raise AudioError(f"the microphone '{self.name}' cannot be read: {_first_line(error)}") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._stream.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Everything that has come since the last piece: who is slow gets longer pieces.

        Raises:
            AudioError: The device is gone.
        """
        resampler = soxr.ResampleStream(self._rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        while True:
            try:
                pieces = [self._waiting.get(timeout=WAIT_S)]
            except queue.Empty:
                continue
            while not self._waiting.empty():
                pieces.append(self._waiting.get())
            sound = [samples for samples in pieces if samples is not None]
            if sound and len(piece := resampler.resample_chunk(np.concatenate(sound))):
                yield piece
            if len(sound) < len(pieces):
                raise AudioError(f"the microphone '{self.name}' gives no more sound")


def _library() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise ConfigError(
            "listen needs the package sounddevice; install it with pip install 'ser-tune[listen]'"
        ) from None
    except OSError:  # no PortAudio
        raise ConfigError(
            "listen needs the library PortAudio, which reads microphones; install it, on Debian with apt install "
            "libportaudio2"
        ) from None
    library: ModuleType = sounddevice
    return library


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
