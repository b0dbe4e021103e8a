"""Reading speech: one function from a file to mono float32 samples at 16 kHz, with every doubt an error."""

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from .errors import AudioError

__all__ = [
    "HIGHEST_RATE_HZ",
    "LOWEST_RATE_HZ",
    "SAMPLE_RATE_HZ",
    "Heard",
    "decode_speech",
    "digest_of",
    "length_s",
    "read_samples",
    "read_speech",
    "refuse_longer",
    "to_speech",
]

SAMPLE_RATE_HZ = 16_000
"""The rate that all features are computed at."""
LOWEST_RATE_HZ = 4_000
"""Lowest sample rate of a file or waveform; below it half of the speech band is missing, or the rate is wrong."""
HIGHEST_RATE_HZ = 384_000
"""Highest sample rate of a file or waveform, that of the fastest audio converters."""
_PROMISE = re.compile(r"^\s*(?!RIFF|FORM)\S.*: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""How libsndfile notes that a header promises one number of bytes and the file holds another.

RIFF and FORM promise the size of the whole file, which many programs get wrong; the samples' own chunk has a
line too if it is cut short.
"""
_UNKNOWN_LENGTH = 0x7FFF_F000
"""A promise from here up is what programs write that send sound down a pipe, not knowing its length."""
LARGEST_SAMPLE = 2.0**32
"""Beyond full scale of any integers; powers of larger samples overflow float32."""
BLOCK = 2**24
"""Values read at once: 17 minutes of mono speech at 16 kHz."""
_DENSEST_HZ = 96_000
"""Samples a second, of all channels together, that a limited length may have: stereo at 48 kHz."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance, decoded."""

    source: str
    """The path, or `waveform 0` and so on."""
    speech: np.ndarray
    """Shape (N,), float32, 16 kHz."""


_LFS_POINTER = b"version https://git-lfs"
"""What CREMA-D's files start with in a copy that was made without Git LFS."""


def read_speech(path: Path, *, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    """Decode a recording, or a stretch of it.

    Args:
        path: A file in any format libsndfile knows; the content decides, not the file's ending.
        start_s: Where the stretch starts, in seconds.
        end_s: Where it ends, in seconds; None means the end of the file.

    Returns:
        Samples, shape (N,), float32, 16 kHz mono.

    Raises:
        AudioError: The file is missing, not audio, truncated, empty, silent, or holds values that are not
                finite; or the stretch lies outside it.
    """
    samples, rate = read_samples(path, start_s=start_s, end_s=end_s)
    return to_speech(samples, rate, source=str(path))


def decode_speech(content: Path | bytes, *, source: str, at_most_s: float | None = None) -> np.ndarray:
    """Decode a whole recording of somebody who is not trusted: its length is known before it is decoded.

    Args:
        content: A file, or its bytes.
        source: What to call the recording in an error message.
        at_most_s: Longest recording in seconds; None is any.

    Returns:
        Samples, shape (N,), float32, 16 kHz mono.

    Raises:
        AudioError: As `read_speech`, or it is too long.
    """
    if isinstance(content, Path):
        if content.exists() and not content.is_file():  # a pipe would be waited for
            raise AudioError(f"{source} is not a file")
        return to_speech(*_open(content, source=source, at_most_s=at_most_s), source=source)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            samples, rate = _read(file, source=source, at_most_s=at_most_s)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        if isinstance(error, AudioError):
            raise
        if not content:
            raise AudioError(f"{source} is empty; expected the bytes of a sound file") from None
        raise AudioError(f"{source} cannot be decoded as audio: {_reason(error)}") from None
    return to_speech(samples, rate, source=source)


def refuse_longer(frames: int, channels: int, sample_rate_hz: int, at_most_s: float | None, source: str) -> None:
    """Refuse sound that is too long, or too many samples for its length.

    Args:
        frames: Samples of one channel.
        channels: How many.
        sample_rate_hz: Their rate.
        at_most_s: Longest sound in seconds; None is any.
        source: What to call it in an error message.

    Raises:
        AudioError: It is too long.
    """
    if at_most_s is None or sample_rate_hz <= 0:
        return
    seconds = frames / sample_rate_hz
    if seconds > at_most_s:
        raise AudioError(f"{source} has {seconds:.1f} s of sound; the limit leaves {at_most_s:.1f} s")
    if frames * channels > at_most_s * _DENSEST_HZ:
        raise AudioError(
            f"{source} has {channels} channels at {sample_rate_hz} Hz; the limit is {_DENSEST_HZ} samples a second"
        )


def length_s(path: Path, *, start_s: float = 0.0, end_s: float | None = None) -> float:
    """Seconds of a recording, or of a stretch of it, by its header alone; 0 where there is none.

    Args:
        path: As `read_speech` takes it.
        start_s: Where the stretch starts, in seconds.
        end_s: Where it ends, in seconds; None means the end of the file.
    """
    if end_s is None:
        try:
            end_s = float(soundfile.info(path).duration)
        except (OSError, soundfile.SoundFileError):  # told when it is read
            return 0.0
    return max(0.0, end_s - start_s)


def digest_of(speech: np.ndarray) -> str:
    """SHA-256 of decoded speech, shape (N,), float32: equal for equal sound, whatever its container."""
    return hashlib.sha256(np.ascontiguousarray(speech).data).hexdigest()


def read_samples(path: Path, *, start_s: float = 0.0, end_s: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a recording, or a stretch of it, as it was recorded.

    Args:
        path: A file in any format libsndfile knows; the content decides, not the file's ending.
        start_s: Where the stretch starts, in seconds.
        end_s: Where it ends, in seconds; None means the end of the file.

    Returns:
        Samples, shape (N, channels), float32 with full scale at ±1, and their rate in Hz.

    Raises:
        AudioError: The file is missing, not audio, truncated or empty; or the stretch lies outside it.
    """
    return _open(path, source=str(path), start_s=start_s, end_s=end_s)


def _open(
    path: Path, *, source: str, start_s: float = 0.0, end_s: float | None = None, at_most_s: float | None = None
) -> tuple[np.ndarray, int]:
    """Read a file, and find out why it cannot be read."""
    try:
        with soundfile.SoundFile(path) as file:
            return _read(file, source=source, start_s=start_s, end_s=end_s, at_most_s=at_most_s)
    except FileNotFoundError:
        raise AudioError(f"{source} does not exist") from None
    except (soundfile.LibsndfileError, OSError) as error:
        try:
            if not path.exists():
                raise AudioError(f"{source} does not exist") from None
        except OSError as unusable:
            raise AudioError(f"{source[:100]}… cannot be a file: {unusable.strerror}") from None
        if path.is_file() and path.stat().st_size == 0:
            raise AudioError(f"{source} is empty; expected a sound file") from None
        if path.is_file() and path.read_bytes()[: len(_LFS_POINTER)] == _LFS_POINTER:
            raise AudioError(f"{source} is a pointer of Git LFS, not the recording; run `git lfs pull` there") from None
        raise AudioError(f"{source} cannot be decoded as audio: {_reason(error)}") from None


def _read(
    file: soundfile.SoundFile,
    *,
    source: str,
    start_s: float = 0.0,
    end_s: float | None = None,
    at_most_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """Decode an open file, or a stretch of it."""
    if _is_truncated(file.extra_info):
        raise AudioError(f"{source} is truncated: its header promises more samples than the file holds")
    refuse_longer(file.frames, file.channels, file.samplerate, at_most_s, source)
    start = round(start_s * file.samplerate)
    stop = file.frames if end_s is None else round(end_s * file.samplerate)
    if not 0 <= start <= stop <= file.frames:
        length_s = file.frames / file.samplerate
        raise AudioError(f"{source}: the stretch {start_s} s to {end_s} s is not within its {length_s:.3f} s")
    file.seek(start)
    samples = _blocks(file, stop - start)
    if len(samples) < stop - start:  # MP3 has no size of bytes to compare
        raise AudioError(f"{source} is truncated: it promises {stop - start} samples and holds {len(samples)}")
    return samples, int(file.samplerate)


def _blocks(file: soundfile.SoundFile, count: int) -> np.ndarray:
    """Samples (count, channels), or as many as there are: memory is taken for what is there, not promised."""
    block = max(1, BLOCK // file.channels)
    blocks = [file.read(min(count, block), dtype="float32", always_2d=True)]
    while len(blocks[-1]) == block and (left := count - len(blocks) * block) > 0:
        blocks.append(file.read(min(left, block), dtype="float32", always_2d=True))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _is_truncated(extra_info: str) -> bool:
    """Whether the samples' chunk is cut short; an odd byte is padding, not a sample."""
    promises = [(int(promised), int(held)) for promised, held in _PROMISE.findall(extra_info)]
    return any(promised < _UNKNOWN_LENGTH and promised > held + 1 for promised, held in promises)


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(".")


def to_speech(samples: np.ndarray, sample_rate_hz: int, *, source: str = "the waveform") -> np.ndarray:
    """Bring samples to the one form that features are computed from.

    Args:
        samples: Shape (N,) or (N, channels), finite, any float or integer type; channels are averaged.
        sample_rate_hz: Their rate, 4 to 384 kHz; another than 16 kHz is resampled by soxr.
        source: What to call the samples in an error message.

    Returns:
        Samples, shape (M,), float32, 16 kHz mono.

    Raises:
        AudioError: There are none, they are not numbers, not finite, too large, or all zero; or the rate is
            outside its bounds.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise AudioError(f"{source} holds no samples (shape {samples.shape}); expected (N,) or (N, channels)")
    if np.issubdtype(samples.dtype, np.integer):
        limits = np.iinfo(samples.dtype)
        scale = (limits.max + 1 - limits.min) / 2
        samples = (samples - (limits.min + scale)) / scale  # unsigned samples are silent in the middle
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"{source} holds values of type {samples.dtype}; expected floats or integers")
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if samples.ndim == 2:
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            samples = samples.mean(axis=1)
    if not np.isfinite(samples).all():
        raise AudioError(f"{source} holds samples that are not finite numbers")
    if (largest := float(np.abs(samples).max())) > LARGEST_SAMPLE:
        raise AudioError(f"{source} holds samples of up to {largest:.0e}; expected full scale at ±1")
    if not samples.any():
        raise AudioError(f"{source} is silent: all of its {len(samples)} samples are zero")
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise AudioError(
            f"{source} has sample rate {sample_rate_hz} Hz; expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        )
    if sample_rate_hz != SAMPLE_RATE_HZ:
        count = len(samples)
        samples = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ)
        if not len(samples):
            raise AudioError(f"{source} is too short: {count} samples at {sample_rate_hz} Hz leave none at 16 kHz")
    return samples
