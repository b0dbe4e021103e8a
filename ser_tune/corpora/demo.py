"""The demo corpus: 120 synthetic utterances by 6 speakers, generated on first use and always the same.

A source-filter synthesiser (D. H. Klatt: Software for a cascade/parallel formant synthesizer, JASA 67(3),
1980) speaks random syllables; emotions move its prosody and voice quality in the directions that K. R.
Scherer names (Vocal communication of emotion, Speech Communication 40, 2003). It serves to try the program;
its scores do not transfer to human speech. A linear model on log-Mel statistics reaches a UAR of about 0.7.

Seven simulated annotators choose emotions and rate the parameters of the synthesiser (`demo_annotators`).
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from ..audio import SAMPLE_RATE_HZ
from ..errors import CorpusError, StorageError
from .base import CorpusSource
from .demo_annotators import ANNOTATORS, SCALE, judge
from .demo_synthesis import envelope, glottis, intonation, resonators, shelf, syllables
from .selection import Subset
from .utterance import Annotation, Utterance

__all__ = ["CORPUS", "DIMENSIONS", "EMOTIONS", "VERSION", "synthesise", "write_unseen"]

VERSION = 1
"""Part of every seed and of the folder's name; raise it with every change of the samples."""
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
UTTERANCES_PER_EMOTION = 5
DIMENSIONS = {"energy": (6, 10.0), "pitch_range": (1, 2.2), "rate": (2, 0.8)}
"""Dimension to the place of its parameter in a manner, and the value that annotators rate highest; minus it, lowest.
Their names are those of the synthesiser's parameters, because nobody heard and rated an emotion."""
HEARD_BY = 2
"""Annotators, of seven, who must hear an emotion, as first or second choice, for it to be one of several."""
_COMPLETE = "complete"
"""Name of a file with the SHA-256 of all recordings. It is written last; a folder without it is not used."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """Properties of a speaker that do not depend on the emotion."""

    pitch_hz: float
    formant_scale: float
    """1 for a vocal tract of 17.5 cm, more for a shorter one."""
    syllables_per_s: float
    brightness_db: float
    """Gain of high frequencies relative to low ones, from voice and microphone."""
    level_db: float
    noise_db: float
    """Background noise, relative to the loudest speech of a neutral utterance."""


_log = logging.getLogger(__name__)

_VOICES = {
    "s1": _Voice(95.0, 0.98, 4.6, 0.0, -26.0, -58.0),
    "s2": _Voice(205.0, 1.16, 4.9, 1.5, -22.0, -52.0),
    "s3": _Voice(118.0, 1.02, 5.2, -2.0, -30.0, -50.0),
    "s4": _Voice(232.0, 1.20, 4.5, -1.0, -25.0, -56.0),
    "s5": _Voice(140.0, 1.06, 4.3, 2.0, -28.0, -54.0),
    "s6": _Voice(180.0, 1.12, 5.0, -0.5, -24.0, -60.0),
}

_UNSEEN = {"s7": _Voice(165.0, 1.09, 4.8, 0.5, -25.0, -55.0)}
"""A speaker who is not in the corpus: recordings to try a model with."""

# Pitch in semitones; log2 of the pitch range; log2 of the rate; high frequencies in dB; breath noise in dB;
# log2 of the abruptness of accents; level in dB. Each is a difference from neutral speech at strength 1.
_EMOTION_SHIFTS = {
    "anger": (3.0, 0.4, 0.40, 13.0, -8.0, 1.8, 7.0),
    "happiness": (7.5, 1.6, 0.40, 2.5, 6.0, -0.7, 3.0),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sadness": (-2.5, -1.5, -0.65, -10.0, 11.0, -1.0, -7.0),
}
_UTTERANCE_SPREAD = (1.2, 0.4, 0.10, 1.6, 2.0, 0.30, 2.0)
"""Standard deviations of these seven values over utterances; they make the emotions overlap."""
_STRENGTHS = (0.4, 1.2)
_MEAN_STRENGTH = 0.8

_VOWEL_FORMANTS_HZ = np.array(
    [
        (730.0, 1090.0, 2440.0, 3400.0),
        (530.0, 1840.0, 2480.0, 3500.0),
        (270.0, 2290.0, 3010.0, 3600.0),
        (570.0, 840.0, 2410.0, 3300.0),
        (300.0, 870.0, 2240.0, 3300.0),
    ]
)  # G. E. Peterson, H. L. Barney: Control methods used in a study of the vowels, JASA 24(2), 1952
_FORMANT_BANDWIDTHS_HZ = np.array([70.0, 100.0, 160.0, 220.0])


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """List the utterances; synthesise the recordings into the cache folder if they are missing or damaged.

    Args:
        data: Must be None.
        cache: Folder that receives the folder `demo-<version>`.

    Raises:
        CorpusError: `data` is not None.
        StorageError: The cache cannot be written.
    """
    if data is not None:
        raise CorpusError(f"corpus demo makes its own recordings; expected no --data, not '{data}'")
    folder = cache / f"demo-{VERSION}"
    if not _is_whole(folder):
        if (folder / _COMPLETE).exists():
            _log.warning("note: recordings of corpus demo in '%s' are damaged; they are made again", folder)
        try:
            _write(folder)
        except (OSError, soundfile.LibsndfileError) as error:
            raise StorageError(f"corpus demo cannot be written to '{folder}': {error}") from None
    return [
        Utterance(
            id=name,
            path=folder / f"{name}.wav",
            speaker=speaker,
            emotion=emotion,
            annotation=_annotation(speaker, emotion, number),
        )
        for name, speaker, emotion, number in _plan()
    ]


def _is_whole(folder: Path) -> bool:
    """Whether every recording exists and is unchanged since it was written."""
    try:
        return (folder / _COMPLETE).read_text(encoding="ascii") == _digest(folder)
    except (OSError, ValueError):
        return False


def _digest(folder: Path) -> str:
    """SHA-256 of all recordings in a folder."""
    total = hashlib.sha256()
    for name, *_ in _plan():
        with (folder / f"{name}.wav").open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _plan() -> list[tuple[str, str, str, int]]:
    """Name, speaker, emotion and number of every utterance."""
    return [
        (f"{speaker}_{emotion}_{number}", speaker, emotion, number)
        for speaker in _VOICES
        for emotion in EMOTIONS
        for number in range(1, UTTERANCES_PER_EMOTION + 1)
    ]


def _write(folder: Path) -> None:
    """Write all recordings to a temporary folder and rename it, so that an incomplete folder never exists."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as scratch:
        half = Path(scratch) / folder.name
        half.mkdir()
        for name, speaker, emotion, number in _plan():
            _write_sound(half / f"{name}.wav", synthesise(speaker, emotion, number))
        (half / _COMPLETE).write_text(_digest(half), encoding="ascii")
        if folder.exists() and not _is_whole(folder):
            shutil.rmtree(folder)  # a rename needs an empty place
        try:
            half.replace(folder)
        except OSError:
            if not (folder / _COMPLETE).is_file():  # else another process was faster, with the same files
                raise


def _write_sound(path: Path, samples: np.ndarray) -> None:
    with path.open("wb") as file:  # soundfile refuses names that the system's encoding cannot write
        soundfile.write(file, samples, SAMPLE_RATE_HZ, "PCM_16", format="WAV")


def write_unseen(folder: Path) -> Sequence[Path]:
    """Write a recording of each emotion by a speaker who is not in the corpus, beside the corpus's folder.

    Args:
        folder: The corpus's.

    Returns:
        The recordings, that of anger first.
    """
    beside = folder.with_name(f"{folder.name}-unseen")
    beside.mkdir(exist_ok=True)
    paths = [beside / f"{speaker}_{emotion}_1.wav" for speaker in _UNSEEN for emotion in EMOTIONS]
    for path in paths:
        if not path.exists():
            speaker, emotion, number = path.stem.split("_")
            part = path.with_suffix(f".{os.getpid()}")
            _write_sound(part, synthesise(speaker, emotion, int(number)))
            part.replace(path)
    return paths


@dataclass(frozen=True, slots=True)
class _Manner:
    """The manner in which an utterance is spoken."""

    strength: float
    """The strength of the emotion, 0.4 to 1.2."""
    values: np.ndarray
    """Differences from neutral speech, in the order of `_EMOTION_SHIFTS`, shape (7,)."""


def _manner(speaker: str, emotion: str, number: int) -> tuple[_Manner, np.random.Generator]:
    """The manner of an utterance, and the generator that draws everything else of its sound."""
    # Numbers from 1: a seed sequence takes a missing number for 0.
    seed, row = (VERSION, int(speaker[1:])), EMOTIONS.index(emotion)
    own = np.random.default_rng(seed).uniform(0.65, 1.35, size=(len(EMOTIONS), len(_UTTERANCE_SPREAD)))
    rng = np.random.default_rng((*seed, row + 1, number))
    strength = rng.uniform(*_STRENGTHS)
    shifts = strength * own[row] * _EMOTION_SHIFTS[emotion]
    return _Manner(strength, shifts + rng.normal(0.0, _UTTERANCE_SPREAD)), rng


def _annotation(speaker: str, emotion: str, number: int) -> Annotation:
    """The simulated annotators' judgements on an utterance."""
    manner, _ = _manner(speaker, emotion, number)
    parameters = np.array([manner.values[place] / highest for place, highest in DIMENSIONS.values()])
    rng = np.random.default_rng((VERSION, int(speaker[1:]), EMOTIONS.index(emotion) + 1, number, 1))
    # Neutral speech sounds the same at every strength
    strength = manner.strength if any(_EMOTION_SHIFTS[emotion]) else _MEAN_STRENGTH
    found = judge(emotion, strength, parameters, rng)
    heard = {name: found.votes.get(name, 0) + found.secondary.get(name, 0) for name in EMOTIONS}
    return Annotation(
        votes=tuple(sorted(found.votes.items())),
        secondary=tuple(sorted(found.secondary.items())),
        emotions=tuple(name for name, annotators in heard.items() if annotators >= HEARD_BY),
        dimensions=tuple(zip(DIMENSIONS, found.ratings.mean(axis=0).tolist(), strict=True)),
        ratings=tuple(map(tuple, found.ratings.tolist())),
        annotators=len(ANNOTATORS),
    )


def synthesise(speaker: str, emotion: str, number: int) -> np.ndarray:
    """Speak one utterance.

    Args:
        speaker: `s1` to `s6`, or `s7`, who is not in the corpus.
        emotion: One of `EMOTIONS`.
        number: Number of the utterance, from 1, among the speaker's utterances of this emotion.

    Returns:
        Samples, shape (N,), int16, 16 kHz, 1.0 to 1.6 s.
    """
    from scipy import signal

    voice = (_VOICES | _UNSEEN)[speaker]
    manner, rng = _manner(speaker, emotion, number)
    pitch, span, rate, bright_db, breath_db, abrupt, level_db = manner.values
    edges, total = syllables(rng, voice.syllables_per_s * 2.0**rate)
    semitones = pitch + intonation(rng, edges, total, 2.5 * 2.0**span, 2.0**abrupt)
    source = glottis(rng, voice.pitch_hz * 2 ** (semitones / 12), breath_db - 30.0)
    speech = np.zeros(total)
    vowels = rng.permutation(len(_VOWEL_FORMANTS_HZ))
    for position, (start, stop) in enumerate(edges):
        formants_hz = _VOWEL_FORMANTS_HZ[vowels[position % len(vowels)]] * voice.formant_scale
        formants_hz *= rng.normal(1.0, 0.03, size=4)
        vowel = signal.sosfilt(resonators(formants_hz, _FORMANT_BANDWIDTHS_HZ), source[start:stop])
        vowel *= envelope(stop - start, 2.0**abrupt) * rng.uniform(0.6, 1.0) / np.sqrt(np.mean(vowel**2))
        speech[start:stop] += vowel
        # The consonant before it: a burst of noise that reaches a little into the vowel.
        length = int(rng.uniform(0.04, 0.08) * SAMPLE_RATE_HZ)
        burst = rng.normal(size=length) * np.hanning(length) * rng.uniform(0.1, 0.5)
        place_hz = np.array([rng.uniform(2200.0, 5500.0)])
        burst = signal.sosfilt(resonators(place_hz, np.array([900.0])), burst)
        onset = start - length // 2
        speech[onset : onset + length] += burst
    speech = shelf(speech, voice.brightness_db + bright_db)
    gain = 10 ** ((voice.level_db + level_db) / 20) / np.sqrt(np.mean(speech**2))
    noise = 10 ** ((voice.level_db + voice.noise_db + 14.0) / 20) * rng.normal(size=total)
    recording = gain * speech + noise
    recording *= min(1.0, 0.98 / np.abs(recording).max())
    return np.asarray(np.round(recording * 32767)).astype(np.int16)


_EVERY = Subset(
    "every utterance, four emotions",
    emotion_counts=dict.fromkeys(EMOTIONS, len(_VOICES) * UTTERANCES_PER_EMOTION),
    speaker_counts=dict.fromkeys(_VOICES, len(EMOTIONS) * UTTERANCES_PER_EMOTION),
)
CORPUS = CorpusSource(
    name="demo",
    read=read,
    citation="ser_tune's own synthetic speech; nothing to cite",
    licence="MIT, like the program that makes it",
    speakers=tuple(_VOICES),
    folds=6,
    subsets={
        "all": _EVERY,
        "heard": Subset(
            "emotion of most votes of seven simulated annotators, ties left out",
            emotion_counts={"anger": 24, "happiness": 30, "neutral": 33, "sadness": 25},
            by_plurality=True,
        ),
        "votes": replace(
            _EVERY, description="votes of seven simulated annotators", defaults={"task.name": "distribution"}
        ),
        "dimensions": replace(
            _EVERY,
            description="energy, pitch range and rate of the synthesiser as simulated annotators rate them; no arousal "
            "or valence",
            defaults={"task.name": "dimensions"},
        ),
        "several": replace(
            _EVERY,
            description="emotions that two or more of seven simulated annotators heard",
            defaults={"task.name": "multilabel"},
        ),
    },
    scales=dict.fromkeys(DIMENSIONS, SCALE),
    unseen=write_unseen,
    defaults={
        # Small enough for a search in minutes on two cores: an utterance is one segment, networks are narrow
        "features.hop_s": 0.02,
        "features.n_mels": 64,
        "segments.frames": 80,
        "model.width": 0.125,
        "training.batch_size": 16,
        "training.epochs": 12,
    },
)
