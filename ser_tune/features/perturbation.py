"""Perturbed copies of speech: the same speaker at another speed or pitch, another speaker, another room or microphone.

Everything happens to the waveform, before any feature set sees it.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import SHORTEST_REVERBERATION_S, PerturbationSettings
from ..errors import AudioError
from .channel import band_limited, coded, coloured_noise, diffuse_response, rms, rounded, saturated, varied_noise

__all__ = ["copies_in_words", "copy_key", "perturbed", "room_response"]

FORMAT = 1
"""Part of the name of every cached copy; raise it when the same settings make other copies."""

POINTS, HOP = 1024, 256
"""Window of the phase vocoder and of the spectral envelope, 64 ms: long enough to resolve harmonics of 80 Hz."""
ENVELOPE_ORDER = 18
"""Linear prediction coefficients of the spectral envelope: a pair for each kHz, and two."""
WARPED_HZ = 4800.0
"""Formants lie below it: up to here the vocal tract's warp is proportional (Jaitly & Hinton 2013)."""
SMALLEST_ROOM_M, LARGEST_ROOM_M = np.array([5.0, 5.0, 3.0]), np.array([10.0, 10.0, 4.0])
ROOMS = 100
"""Rooms to draw from: each takes up to a second to compute, and holds the interpreter lock meanwhile."""
TO_WALL_M = 0.5
"""Least distance of speaker and microphone to walls, floor and ceiling."""
OFF: dict[str, object] = {
    "time_stretch": 0.0,
    "pitch_semitones": 0.0,
    "vocal_tract": 0.0,
    "reverberation_s": 0.0,
    "noise_snr_db": None,
    "gain_db": 0.0,
    "saturation_db": 0.0,
    "band_hz": None,
    "codecs": False,
    "bits": None,
}
"""Perturbations that are drawn for a copy, and the value that switches each off; a new one comes last."""
APART = ("diffuse rooms", "varied noise")
"""Rooms and noise that no condition of a stress test has."""


def copy_key(settings: PerturbationSettings, copy: int) -> str:
    """All that a copy depends on besides the speech; empty for number 0, the clean speech."""
    if copy == 0:
        return ""
    return f"copy {copy} {FORMAT} {settings.model_dump_json(exclude={'copies', 'stability', 'statistics'})}"


def copies_in_words(settings: PerturbationSettings) -> str:
    """A sentence on the copies that a network was trained on, beside the conditions of a stress test; empty without.

    >>> copies_in_words(PerturbationSettings(copies=1, gain_db=6))
    'trained on clean speech and 1 perturbed copy of it (gain_db 6)'
    """
    if not settings.copies:
        return ""
    written = {name: value for name in OFF if (value := getattr(settings, name)) != OFF[name]}
    parts = [name if value is True else f"{name} {value:g}" for name, value in written.items()]
    likely = f", each with probability {settings.probability:g}" if settings.probability < 1 else ""
    copies = f"{settings.copies} perturbed cop{'y' if settings.copies == 1 else 'ies'}"
    drawn = {"reverberation_s": f"{settings.rooms} rooms", "noise_snr_db": f"{settings.noise} noise"}
    apart = [drawn[name] for name in drawn if name in written and drawn[name] in APART]
    alike = [drawn[name] for name in drawn if name in written and drawn[name] not in APART]
    kinds = [f"{' and '.join(apart)}: other kinds than those of --stress"] * bool(apart)
    kinds += [f"{' and '.join(alike)}: kinds that --stress has too"] * bool(alike)
    return "; ".join([f"trained on clean speech and {copies} of it ({', '.join(parts)}{likely})", *kinds])


def perturbed(speech: np.ndarray, settings: PerturbationSettings, copy: int) -> np.ndarray:
    """One copy of an utterance: first the voice is changed, then the room, the noise, and the recorder.

    Every random number comes from the speech and the copy's number, counted from 1: the same copy is always the same.
    All are drawn whether they are used or not, so that a setting leaves the effects of the others as they were.

    Returns:
        Shape (N,), or another length where time is stretched; float32. Sources: see `PerturbationSettings`.

    Raises:
        AudioError: The speech is shorter than 64 ms.
    """
    if len(speech) < POINTS:
        raise AudioError(
            f"speech of {len(speech) / SAMPLE_RATE_HZ:.3f} s is too short to be perturbed; "
            f"expected at least {POINTS / SAMPLE_RATE_HZ:.3f} s"
        )
    digest = hashlib.sha256(speech.astype(np.float32).tobytes()).digest()
    rng = np.random.default_rng([copy, int.from_bytes(digest, "little")])
    draws, (of_choice, of_room, of_noise, of_recorder) = _Draws.of(rng), rng.spawn(4)
    settings = _of_this_copy(settings, of_choice)
    result = _other_voice(speech, settings, draws)
    if settings.reverberation_s:
        result = _in_room(result, settings, draws.room, of_room)
    if settings.noise_snr_db is not None:
        snr_db = settings.noise_snr_db + draws.snr * (settings.noise_snr_highest_db - settings.noise_snr_db)
        if settings.noise == "varied":
            noise = varied_noise(of_noise, result)
        else:
            noise = coloured_noise(rng, len(result), exponent=2 * draws.colour)
        result = result + rms(result) * 10 ** (-snr_db / 20) * noise
    result = _recorded(result, settings, of_recorder)
    if settings.gain_db:
        result = result * 10 ** (draws.gain * settings.gain_db / 20)
    return np.ascontiguousarray(result, dtype=np.float32)


class _Draws(NamedTuple):
    """Random numbers of a copy."""

    speed: float
    pitch: float
    tract: float
    gain: float
    """These from -1 to 1."""
    snr: float
    colour: float
    """These from 0 to 1."""
    room: int

    @classmethod
    def of(cls, rng: np.random.Generator) -> Self:
        """Draw them, in this order: cached copies depend on it."""
        speed, pitch, tract, gain = rng.uniform(-1, 1, size=4)
        snr, colour = rng.uniform(size=2)
        return cls(speed, pitch, tract, gain, snr, colour, int(rng.integers(ROOMS)))


def _of_this_copy(settings: PerturbationSettings, rng: np.random.Generator) -> PerturbationSettings:
    """The settings with perturbations switched off that were not drawn for a copy."""
    left_out = rng.uniform(size=len(OFF)) >= settings.probability
    return settings.model_copy(
        update={name: off for (name, off), out in zip(OFF.items(), left_out, strict=True) if out}
    )


def _other_voice(speech: np.ndarray, settings: PerturbationSettings, draws: _Draws) -> np.ndarray:
    """Speech (N,) at another speed and pitch, or of another vocal tract."""
    import librosa  # a prediction takes less time than this import, and does without

    result = speech
    if settings.time_stretch:
        result = librosa.effects.time_stretch(
            result, rate=1 + draws.speed * settings.time_stretch, n_fft=POINTS, hop_length=HOP
        )
    if settings.pitch_semitones:
        result = librosa.effects.pitch_shift(
            result, sr=SAMPLE_RATE_HZ, n_steps=draws.pitch * settings.pitch_semitones, n_fft=POINTS, hop_length=HOP
        )
    return _other_vocal_tract(result, 1 + draws.tract * settings.vocal_tract) if settings.vocal_tract else result


def _in_room(speech: np.ndarray, settings: PerturbationSettings, number: int, rng: np.random.Generator) -> np.ndarray:
    """Speech (N,) in a room, as loud as before."""
    from scipy.signal import fftconvolve

    if settings.rooms == "diffuse":
        response = diffuse_response(rng, settings.reverberation_s)
    else:
        response = _drawn_room(settings.reverberation_s, number)
    reverberated: np.ndarray = fftconvolve(speech, response)[: len(speech)]
    return reverberated * (rms(speech) / max(rms(reverberated), 1e-15))


def _recorded(sound: np.ndarray, settings: PerturbationSettings, rng: np.random.Generator) -> np.ndarray:
    """Sound (N,) through a worse recorder."""
    of_saturation, of_band, of_codec, of_bits = rng.spawn(4)
    result = sound
    if settings.saturation_db:
        result = saturated(of_saturation, result, settings.saturation_db)
    if settings.band_hz is not None:
        result = band_limited(of_band, result, settings.band_hz)
    if settings.codecs:
        result = coded(of_codec, result)
    return rounded(of_bits, result, settings.bits) if settings.bits is not None else result


def _other_vocal_tract(speech: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the formants' frequencies by a factor, leaving the pitch and the length.

    Each frame's spectrum is divided by its envelope, which linear prediction (Makhoul 1975, Proc. IEEE 63(4)) takes
    from pre-emphasised speech, and multiplied by the envelope along a warped frequency axis: phases stay, so
    overlapping frames still fit together.
    """
    import librosa

    spectrum = librosa.stft(speech, n_fft=POINTS, hop_length=HOP)
    frequency_hz, nyquist_hz = librosa.fft_frequencies(sr=SAMPLE_RATE_HZ, n_fft=POINTS), SAMPLE_RATE_HZ / 2
    bend_hz = WARPED_HZ * min(factor, 1)
    source_hz = np.interp(frequency_hz, [0, bend_hz, nyquist_hz], [0, bend_hz / factor, nyquist_hz])
    delays = np.arange(1, ENVELOPE_ORDER + 1)
    here, there = (np.exp(-1j * np.pi / nyquist_hz * np.outer(hz, delays)) for hz in (frequency_hz, source_hz))
    power = np.square(np.abs(spectrum) * np.abs(1 - 0.97 * here[:, :1]), dtype=np.float64)
    correlation = np.fft.irfft(power, axis=0)[: ENVELOPE_ORDER + 1]
    correlation[0] += 1e-6 * correlation[0] + 1e-12  # equations that can be solved, of digital silence too
    matrices = correlation[np.abs(np.subtract.outer(delays, delays))].transpose(2, 0, 1)
    predictor = np.linalg.solve(matrices, correlation[1:].T[:, :, np.newaxis])[:, :, 0].T
    warped = spectrum * np.abs(1 - here @ predictor) / np.abs(1 - there @ predictor)
    result: np.ndarray = librosa.istft(warped, hop_length=HOP, length=len(speech))
    return result


@lru_cache(maxsize=2 * ROOMS)
def _drawn_room(longest_s: float, number: int) -> np.ndarray:
    """Impulse response of a numbered room, whose reverberation is drawn up to the longest; as `room_response`."""
    rng = np.random.default_rng(number)
    return room_response(rng.uniform(SHORTEST_REVERBERATION_S, longest_s), rng)


def room_response(reverberation_s: float, rng: np.random.Generator) -> np.ndarray:
    """Impulse response of a room, from the direct sound on, float64.

    Args:
        reverberation_s: Time in which sound decays by 60 dB; Sabine's formula makes absorbing walls of it.
        rng: The room's size, the speaker's place and the microphone's are drawn from it.
    """
    import pyroomacoustics  # takes 1.5 s, and most trials do without

    size_m = rng.uniform(SMALLEST_ROOM_M, LARGEST_ROOM_M)
    speaker_m, microphone_m = rng.uniform(TO_WALL_M, size_m - TO_WALL_M, size=(2, 3))
    absorption, order = pyroomacoustics.inverse_sabine(reverberation_s, size_m)
    walls = pyroomacoustics.Material(absorption)
    room = pyroomacoustics.ShoeBox(size_m, fs=SAMPLE_RATE_HZ, materials=walls, max_order=order)
    room.add_source(speaker_m)
    room.add_microphone(microphone_m)
    room.compute_rir()
    way = round(float(np.linalg.norm(speaker_m - microphone_m)) / room.c * SAMPLE_RATE_HZ)
    response: np.ndarray = room.rir[0][0][way + pyroomacoustics.constants.get("frac_delay_length") // 2 :]
    return response
