"""Worse microphones: conditions of recording that an evaluation applies to speech, each in rising severity.

Every condition keeps the number of samples, but for trimmed silence. Random numbers come from the speech, so that a
condition of an utterance is always the same.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby

import numpy as np
import soundfile
import soxr

from ..audio import SAMPLE_RATE_HZ
from ..corpora import Corpus
from .channel import coloured_noise, rms
from .perturbation import room_response

__all__ = ["CONDITIONS", "TYPICAL_CONDITIONS", "Condition", "Disturbance"]

SNRS_DB = (20, 10, 0)
REVERBERATIONS_S = (0.3, 0.6, 1.0)
TELEPHONE_RATE_HZ, TELEPHONE_BAND_HZ = 8000, (300, 3400)
CLIPPED = (0.99, 0.95, 0.8)
"""Share of the samples below the level at which the rest is clipped."""
GAINS_DB = (-20, -40, -60)
SILENCE_DB = 30
"""Silence at both ends is quieter than the loudest frame by so much."""
ROOMS = 20
"""Rooms of each reverberation time: each takes up to a second to compute."""
BABBLE_VOICES = 4
"""Other speakers of the corpus who speak at once."""

Alter = Callable[[int, np.ndarray], np.ndarray]
"""From an utterance's number in the corpus and its speech to its disturbed speech; (N,), float32, 16 kHz."""
Change = Callable[[np.ndarray, np.random.Generator, np.ndarray], np.ndarray]
"""From speech, random numbers and babble, both (N,), to the recording, (N,)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A kind of disturbance at one severity."""

    kind: str
    """Such as `white noise`; conditions of one kind make a curve."""
    severity: str
    """Such as `10 dB`; empty where a kind has a single severity."""
    change: Change
    babble: bool = False
    """True where the condition needs the speech of other speakers."""

    @property
    def name(self) -> str:
        """Such as `white noise 10 dB`."""
        return f"{self.kind} {self.severity}".strip()

    def apply(self, speech: np.ndarray, babble: np.ndarray | None = None) -> np.ndarray:
        """Disturb speech (N,), float32, 16 kHz, with babble (N,) where the condition needs it.

        Returns:
            Shape (N,), shorter where silence is trimmed; float32.
        """
        digest = hashlib.sha256(speech.astype(np.float32).tobytes()).digest()
        rng = np.random.default_rng(int.from_bytes(digest, "little"))
        others = np.zeros_like(speech) if babble is None else babble
        return np.ascontiguousarray(self.change(speech, rng, others), dtype=np.float32)


def _coloured(
    speech: np.ndarray, rng: np.random.Generator, _: np.ndarray, *, snr_db: float, exponent: float
) -> np.ndarray:
    return _mixed(speech, coloured_noise(rng, len(speech), exponent=exponent), snr_db)


def _babble(speech: np.ndarray, _: np.random.Generator, babble: np.ndarray, *, snr_db: float) -> np.ndarray:
    return _mixed(speech, babble, snr_db)


def _mixed(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    mixed: np.ndarray = speech + noise * (rms(speech) / max(rms(noise), 1e-15) * 10 ** (-snr_db / 20))
    return mixed


def _room(speech: np.ndarray, rng: np.random.Generator, _: np.ndarray, *, reverberation_s: float) -> np.ndarray:
    from scipy.signal import fftconvolve  # here and below: imports of half a second, which prediction does without

    reverberated = fftconvolve(speech, _response(reverberation_s, int(rng.integers(ROOMS))))[: len(speech)]
    levelled: np.ndarray = reverberated * (rms(speech) / max(rms(reverberated), 1e-15))
    return levelled


@lru_cache(maxsize=len(REVERBERATIONS_S) * ROOMS)
def _response(reverberation_s: float, number: int) -> np.ndarray:
    return room_response(reverberation_s, np.random.default_rng(number))


def _telephone(speech: np.ndarray, _: np.random.Generator, __: np.ndarray) -> np.ndarray:
    from scipy.signal import butter, sosfiltfilt

    low = soxr.resample(speech, SAMPLE_RATE_HZ, TELEPHONE_RATE_HZ)
    band = sosfiltfilt(butter(4, TELEPHONE_BAND_HZ, "bandpass", fs=TELEPHONE_RATE_HZ, output="sos"), low)
    return _fitted(soxr.resample(band, TELEPHONE_RATE_HZ, SAMPLE_RATE_HZ), len(speech))


def _codec(
    speech: np.ndarray,
    _: np.random.Generator,
    __: np.ndarray,
    *,
    container: str,
    subtype: str,
    rate_hz: int = SAMPLE_RATE_HZ,
    compression: float | None = None,
) -> np.ndarray:
    """Encode and decode with libsndfile."""
    file = io.BytesIO()
    loudest = max(1.0, float(np.abs(speech).max()))  # codecs clip what is beyond full scale
    sound = speech / loudest if rate_hz == SAMPLE_RATE_HZ else soxr.resample(speech / loudest, SAMPLE_RATE_HZ, rate_hz)
    soundfile.write(file, sound, rate_hz, format=container, subtype=subtype, compression_level=compression)
    file.seek(0)
    decoded = soundfile.read(file, dtype="float32")[0] * loudest
    back = decoded if rate_hz == SAMPLE_RATE_HZ else soxr.resample(decoded, rate_hz, SAMPLE_RATE_HZ)
    return _fitted(back, len(speech))


def _fitted(sound: np.ndarray, length: int) -> np.ndarray:
    return np.pad(sound[:length], (0, max(0, length - len(sound))))


def _clipped(speech: np.ndarray, _: np.random.Generator, __: np.ndarray, *, share: float) -> np.ndarray:
    level = float(np.quantile(np.abs(speech), share))
    clipped: np.ndarray = np.clip(speech, -level, level) if level > 0 else speech
    return clipped


def _quiet(speech: np.ndarray, _: np.random.Generator, __: np.ndarray, *, gain_db: float) -> np.ndarray:
    """Lowered, then rounded to 16 bits as a recording is; what would be digital silence keeps one step."""
    rounded: np.ndarray = np.round(speech * 10 ** (gain_db / 20) * 32768) / 32768
    if not rounded.any():
        rounded[int(np.abs(speech).argmax())] = 1 / 32768
    return rounded


def _trimmed(speech: np.ndarray, _: np.random.Generator, __: np.ndarray) -> np.ndarray:
    import librosa

    trimmed: np.ndarray = librosa.effects.trim(speech, top_db=SILENCE_DB)[0]
    return trimmed


CONDITIONS = (
    *(Condition("white noise", f"{snr} dB", partial(_coloured, snr_db=snr, exponent=0)) for snr in SNRS_DB),
    *(Condition("pink noise", f"{snr} dB", partial(_coloured, snr_db=snr, exponent=1)) for snr in SNRS_DB),
    *(Condition("babble", f"{snr} dB", partial(_babble, snr_db=snr), babble=True) for snr in SNRS_DB),
    *(Condition("room", f"{time_s} s", partial(_room, reverberation_s=time_s)) for time_s in REVERBERATIONS_S),
    Condition("telephone band", "", _telephone),
    Condition("GSM", "", partial(_codec, container="WAV", subtype="GSM610", rate_hz=TELEPHONE_RATE_HZ)),
    *(
        Condition(
            "MP3", f"level {level}", partial(_codec, container="MP3", subtype="MPEG_LAYER_III", compression=level)
        )
        for level in (0.5, 0.99)
    ),
    *(
        Condition("Vorbis", f"level {level}", partial(_codec, container="OGG", subtype="VORBIS", compression=level))
        for level in (0.5, 1.0)
    ),
    *(Condition("clipping", f"{1 - share:.0%}", partial(_clipped, share=share)) for share in CLIPPED),
    *(Condition("level", f"{gain} dB", partial(_quiet, gain_db=gain)) for gain in GAINS_DB),
    Condition("trimmed silence", "", _trimmed),
)
"""All that `ser-tune evaluate --stress` applies."""

_KINDS = [list(conditions) for _, conditions in groupby(CONDITIONS, key=lambda condition: condition.kind)]
TYPICAL_CONDITIONS = tuple(conditions[len(conditions) // 2] for conditions in _KINDS)
"""The middle severity of each kind: all that promotion rule `robust` applies."""


class Disturbance:
    """Applies conditions to a corpus's recordings, with babble of its other speakers."""

    def __init__(self, corpus: Corpus) -> None:
        """Read nothing yet; babble keeps the last recordings that it read."""
        self._corpus = corpus
        self._speech = lru_cache(maxsize=256)(lambda number: corpus.utterances[number].speech())

    def possible(self, condition: Condition) -> bool:
        """Whether the corpus has other speakers, where the condition needs their speech."""
        return not condition.babble or len(self._corpus.speakers) > 1

    def of(self, condition: Condition) -> Alter:
        """A function that applies a condition to recordings."""

        def alter(number: int, speech: np.ndarray) -> np.ndarray:
            return condition.apply(speech, self._babble(number, len(speech)) if condition.babble else None)

        return alter

    def _babble(self, number: int, length: int) -> np.ndarray:
        """Other speakers at once, shape (length,), equally loud; the same in every condition of an utterance."""
        rng = np.random.default_rng(number)
        others = np.flatnonzero(self._corpus.speaker_numbers != self._corpus.speaker_numbers[number])
        total = np.zeros(length)
        for other in rng.choice(others, BABBLE_VOICES):
            speech = self._speech(int(other))
            voice = np.roll(np.resize(speech, max(length, len(speech))), int(rng.integers(len(speech))))[:length]
            total += voice / max(float(np.sqrt(np.mean(np.square(voice, dtype=np.float64)))), 1e-9)
        return total
