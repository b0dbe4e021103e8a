"""The utterances that a study's trials most often get wrong, and a short clip of each: spectrogram and sound."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from ..audio import SAMPLE_RATE_HZ, read_speech
from ..corpora import Utterance
from ..tracking import Predictions

__all__ = ["Clip", "Mistake", "clip_of", "mel_decibels", "mistakes_of"]

LISTED = 10
LONGEST_S = 6.0
"""Seconds of a recording that a page contains, from its start: ten of them are less than a megabyte."""
BANDS, HOP, WINDOW, DFT = 64, 160, 640, 1024


@dataclass(frozen=True, slots=True)
class Mistake:
    """An utterance, and how often it was taken for another class while it was held out."""

    utterance: str
    speaker: str
    truth: str
    predicted: str
    """By the reported result, on validation speakers; the truth where it is right."""
    probability: float
    """That the reported result gives the truth; NaN where it is not known."""
    wrong: int
    """Trials that are wrong."""
    trials: int
    """All trials that were read, the reported one among them."""
    usual: str
    """The most frequent wrong prediction."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or its beginning, as a page shows and plays it."""

    spectrogram: bytes
    """PNG."""
    sound: bytes
    """MP3, mono, 16 kHz."""
    seconds: float
    is_whole: bool


def mistakes_of(reported: Predictions, others: Sequence[Predictions]) -> list[Mistake]:
    """At most ten utterances that are wrong most often, of equal ones the lower probability of the truth first.

    Args:
        reported: Validation predictions of the result, which are classes.
        others: Of the study's other complete trials; trials that judged other utterances are left out.
    """
    read = [reported, *(other for other in others if other.utterances == reported.utterances)]
    predicted = np.stack([predictions.predicted for predictions in read])
    wrong = (predicted != reported.truth).sum(axis=0)
    rows = np.arange(len(reported.truth))
    has = reported.shown.size > 0
    probability = reported.shown[rows, reported.truth] if has else np.full(len(rows), np.nan)
    order = sorted(rows, key=lambda row: (-wrong[row], np.nan_to_num(probability[row]), reported.utterances[row]))
    found = []
    for row in order[:LISTED]:
        if not wrong[row]:
            break
        counts = np.bincount(predicted[:, row], minlength=len(reported.names))
        counts[reported.truth[row]] = 0
        found.append(
            Mistake(
                utterance=reported.utterances[row],
                speaker=reported.speakers[row],
                truth=reported.names[reported.truth[row]],
                predicted=reported.names[reported.predicted[row]],
                probability=float(probability[row]),
                wrong=int(wrong[row]),
                trials=len(read),
                usual=reported.names[int(counts.argmax())],
            )
        )
    return found


def clip_of(utterance: Utterance) -> Clip:
    """Decode a recording, and make its spectrogram and a short MP3.

    Raises:
        AudioError: It cannot be decoded any more.
    """
    speech = read_speech(utterance.path, start_s=utterance.start_s, end_s=utterance.end_s)
    cut = speech[: int(LONGEST_S * SAMPLE_RATE_HZ)]
    file = io.BytesIO()
    loud = cut / max(1.0, float(np.abs(cut).max()))
    soundfile.write(file, loud, SAMPLE_RATE_HZ, format="MP3", compression_level=0.7)
    return Clip(_spectrogram(cut), file.getvalue(), len(cut) / SAMPLE_RATE_HZ, len(cut) == len(speech))


def mel_decibels(speech: np.ndarray) -> np.ndarray:
    """Log Mel spectrogram (bands, frames) of speech (N,) at 16 kHz, 70 dB deep, a frame every 10 ms."""
    import librosa  # a second

    speech = np.pad(speech, (0, max(0, DFT - len(speech))))  # librosa warns about shorter input
    power = librosa.feature.melspectrogram(
        y=speech, sr=SAMPLE_RATE_HZ, n_fft=DFT, win_length=WINDOW, hop_length=HOP, n_mels=BANDS
    )
    decibels: np.ndarray = librosa.power_to_db(power, ref=np.max, top_db=70.0)
    return decibels


def _spectrogram(speech: np.ndarray) -> bytes:
    """Log Mel spectrogram as PNG."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, mel_decibels(speech)[::-1], cmap="magma", format="png")
    return file.getvalue()
