"""Noises, rooms and recorders of perturbed copies, of other kinds than the conditions of `stress`.

Everything is drawn from the random numbers that are passed: the same numbers give the same recording.
"""

import io
from collections.abc import Callable

import numpy as np
import soundfile
import soxr

from ..audio import SAMPLE_RATE_HZ
from ..config import SHORTEST_REVERBERATION_S

__all__ = ["band_limited", "coded", "coloured_noise", "diffuse_response", "rms", "rounded", "saturated", "varied_noise"]

VOICES = 6
"""Reversed voices of a crowd."""
BURSTS_PER_S = (2.0, 20.0)
DIRECT_DB = (-15.0, 6.0)
"""Energy of the direct sound relative to what walls reflect: from far away to beside the microphone."""
DELAY_S = (0.001, 0.02)
"""Time from the direct sound to the first reflection."""
HIGHEST_LOWER_EDGE_HZ, HIGHEST_UPPER_EDGE_HZ = 500.0, 7900.0
CODECS = (
    ("ULAW", 8000),
    ("ALAW", 8000),
    ("IMA_ADPCM", 8000),
    ("MS_ADPCM", 8000),
    ("G721_32", 8000),
    ("NMS_ADPCM_16", 8000),
)
"""libsndfile's name and the sampling rate of speech codecs."""
MOST_BITS = 12


def rms(sound: np.ndarray) -> float:
    """Root of the mean square of the samples, shape (N,)."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def coloured_noise(rng: np.random.Generator, length: int, *, exponent: float) -> np.ndarray:
    """Noise of unit power whose density falls with frequency as 1/f^exponent, shape (length,)."""
    from scipy.fft import next_fast_len

    whole = next_fast_len(length, real=True)
    spectrum = np.fft.rfft(rng.standard_normal(whole))
    spectrum[1:] *= np.arange(1.0, len(spectrum)) ** (-exponent / 2)
    spectrum[0] = 0
    noise: np.ndarray = np.fft.irfft(spectrum, n=whole)[:length]
    return noise / rms(noise)


def varied_noise(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Noise of unit power and of a drawn kind, none of which is stationary noise of a falling spectrum; shape (N,)."""
    kind = NOISES[int(rng.integers(len(NOISES)))]
    noise = kind(rng, speech)
    level = rms(noise)
    return noise / level if level > 0 else coloured_noise(rng, len(speech), exponent=-1.0)


def _envelope(rng: np.random.Generator, length: int, rate_hz: float, depth: float) -> np.ndarray:
    """A positive random envelope that changes some times a second, shape (length,)."""
    knots = np.exp(depth * rng.standard_normal(max(2, int(length / SAMPLE_RATE_HZ * rate_hz) + 2)))
    envelope: np.ndarray = np.interp(np.linspace(0, len(knots) - 1, length), np.arange(len(knots)), knots)
    return envelope


def _modulated(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Coloured noise that swells and fades, such as traffic."""
    rate_hz, depth = rng.uniform(0.5, 8.0), rng.uniform(0.5, 1.5)
    noise = coloured_noise(rng, len(speech), exponent=rng.uniform(0, 2))
    modulated: np.ndarray = noise * _envelope(rng, len(speech), rate_hz, depth)
    return modulated


def _rising(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Noise whose density rises with frequency, blue to violet, such as a hiss."""
    return coloured_noise(rng, len(speech), exponent=rng.uniform(-2, -0.3))


def _narrow(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Noise in a band of a drawn width."""
    spectrum = np.fft.rfft(rng.standard_normal(len(speech)))
    frequency_hz = np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE_HZ)
    middle_hz, octaves = 10 ** rng.uniform(2.0, 3.8), rng.uniform(0.5, 2.5)
    distance = np.log2(np.maximum(frequency_hz, 1.0) / middle_hz)
    noise: np.ndarray = np.fft.irfft(spectrum * np.exp(-0.5 * np.square(distance / octaves)), n=len(speech))
    return noise


def _harmonic(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Some harmonic tones whose pitch wanders, such as hum, engines and music."""
    total = np.zeros(len(speech))
    for _ in range(int(rng.integers(1, 5))):
        pitch_hz = 10 ** rng.uniform(1.7, 2.8) * _envelope(rng, len(speech), rng.uniform(0.2, 4.0), rng.uniform(0, 0.2))
        phase, slope = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ, rng.uniform(0.3, 1.5)
        loudness = _envelope(rng, len(speech), 2.0, 0.5)
        highest = min(40, int(SAMPLE_RATE_HZ / 2 / pitch_hz.max()))
        for harmonic in range(1, highest + 1):
            total += loudness * harmonic**-slope * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    return total


def _bursts(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Short bursts of noise at random times, such as clatter and keys."""
    length = len(speech)
    total, noise = np.zeros(length), coloured_noise(rng, length, exponent=rng.uniform(-0.5, 1.5))
    for _ in range(1 + int(rng.uniform(*BURSTS_PER_S) * length / SAMPLE_RATE_HZ)):
        start, decay_s = int(rng.integers(length)), 10 ** rng.uniform(-2.7, -1.0)
        time_s = np.arange(length - start) / SAMPLE_RATE_HZ
        total[start:] += rng.exponential() * np.exp(-time_s / decay_s) * noise[start:]
    return total


def _crowd(rng: np.random.Generator, speech: np.ndarray) -> np.ndarray:
    """Reversed pieces of the speech itself at other pitches, which sound like voices without words."""
    total = np.zeros(len(speech))
    for _ in range(VOICES):
        rate = 2 ** rng.uniform(-0.5, 0.5)
        voice = np.interp(np.arange(0, len(speech) - 1, rate), np.arange(len(speech)), speech)[::-1]
        voice = np.roll(np.resize(voice, max(len(voice), len(speech))), int(rng.integers(len(voice))))
        total += voice[: len(speech)] * 10 ** rng.uniform(-0.5, 0)
    return total


NOISES: tuple[Callable[[np.random.Generator, np.ndarray], np.ndarray], ...] = (
    _modulated,
    _rising,
    _narrow,
    _harmonic,
    _bursts,
    _crowd,
)


def diffuse_response(rng: np.random.Generator, longest_s: float) -> np.ndarray:
    """Impulse response of a drawn room by statistics: direct sound, then noise that decays, high frequencies faster.

    J.-D. Polack: La transmission de l'énergie sonore dans les salles, doctoral thesis, Le Mans, 1988. No walls are
    computed, as the image sources of `room_response` are.

    Args:
        rng: Room, distance and noise are drawn from it.
        longest_s: Longest time in which the sound of low frequencies decays by 60 dB.

    Returns:
        Shape (N,), float64.
    """
    decay_s = rng.uniform(SHORTEST_REVERBERATION_S, longest_s)
    high_share, direct_db = rng.uniform(0.3, 1.0), rng.uniform(*DIRECT_DB)
    delay, length = round(rng.uniform(*DELAY_S) * SAMPLE_RATE_HZ), round(decay_s * SAMPLE_RATE_HZ)
    time_s = np.arange(length) / SAMPLE_RATE_HZ
    spectrum, frequency_hz = np.fft.rfft(rng.standard_normal(length)), np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    low_pass = 1 / (1 + np.square(frequency_hz / 2000.0))
    low, high = (np.fft.irfft(spectrum * share, n=length) for share in (low_pass, 1 - low_pass))
    fading = np.log(1000.0) / decay_s  # by 60 dB
    tail = low * np.exp(-fading * time_s) + high * np.exp(-fading * time_s / high_share)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.square(tail).sum())
    response = np.zeros(delay + length)
    response[0], response[delay:] = 1.0, tail
    return response


def saturated(rng: np.random.Generator, sound: np.ndarray, largest_db: float) -> np.ndarray:
    """Sound (N,) through an overdriven amplifier: a hyperbolic tangent of a drawn drive; peaks keep their height."""
    loudest = float(np.abs(sound).max())
    drive = 10 ** (rng.uniform(0, largest_db) / 20)
    return sound if loudest == 0 else loudest * np.tanh(drive * sound / loudest) / np.tanh(drive)


def band_limited(rng: np.random.Generator, sound: np.ndarray, lowest_hz: float) -> np.ndarray:
    """Sound (N,) between two drawn frequencies, with a drawn steepness; the upper is at least `lowest_hz`."""
    from scipy.signal import butter, sosfilt

    lower_hz = rng.uniform(30.0, HIGHEST_LOWER_EDGE_HZ)
    upper_hz = float(np.exp(rng.uniform(np.log(lowest_hz), np.log(HIGHEST_UPPER_EDGE_HZ))))
    order = int(rng.integers(1, 9))
    filtered: np.ndarray = sosfilt(
        butter(order, (lower_hz, upper_hz), "bandpass", fs=SAMPLE_RATE_HZ, output="sos"), sound
    )
    return filtered


def coded(rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    """Sound (N,) through a drawn speech codec: G.711 or a kind of adaptive differential pulse code modulation."""
    subtype, rate_hz = CODECS[int(rng.integers(len(CODECS)))]
    loudest = float(np.abs(sound).max())
    if loudest == 0:
        return sound
    file, scale = io.BytesIO(), 10 ** (rng.uniform(-12, -1) / 20) / loudest
    low = soxr.resample(scale * sound, SAMPLE_RATE_HZ, rate_hz)
    soundfile.write(file, low, rate_hz, format="WAV", subtype=subtype)
    file.seek(0)
    decoded = soxr.resample(soundfile.read(file)[0], rate_hz, SAMPLE_RATE_HZ)[: len(sound)] / scale
    return np.pad(decoded, (0, len(sound) - len(decoded)))


def rounded(rng: np.random.Generator, sound: np.ndarray, fewest: int) -> np.ndarray:
    """Sound (N,) in a drawn number of bits, as of a recording that was far too quiet."""
    steps = 2.0 ** (rng.uniform(fewest, MOST_BITS) - 1) / max(float(np.abs(sound).max()), 1e-15)
    result: np.ndarray = np.round(sound * steps) / steps
    return result
