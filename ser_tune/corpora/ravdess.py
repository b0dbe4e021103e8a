"""Ryerson Audio-Visual Database of Emotional Speech and Song: 1,440 spoken and 1,012 sung utterances, 24 actors."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, read_recordings
from .selection import Subset
from .utterance import Utterance

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS", "SPEAKERS", "SPEECH_COUNTS"]

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
STYLES = {"01": "speech", "02": "song"}
SPEAKERS = tuple(f"{number:02}" for number in range(1, 25))
SPEECH_COUNTS = {emotion: 96 if emotion == "neutral" else 192 for emotion in sorted(EMOTIONS.values())}
SUNG = ("anger", "calm", "fear", "happiness", "neutral", "sadness")
"""By 23 actors: of actor 18 there is no song."""
EMOTION_COUNTS = {
    emotion: count + (0 if emotion not in SUNG else 92 if emotion == "neutral" else 184)
    for emotion, count in SPEECH_COUNTS.items()
}

_NAME = re.compile(r"03-(0[12])-(0[1-8])-0[12]-(0[12])-0[12]-(0[1-9]|1\d|2[0-4])")


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `03-01-05-01-02-01-12.wav` files.

    The parts are modality (03 is sound alone), vocal channel, emotion, intensity, statement, repetition and actor.

    Args:
        data: A folder with `Actor_01` to `Actor_24`, or above or below them.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such files, a name does not follow the scheme, or two
            recordings of one name differ.
    """
    folder = corpus_folder("ravdess", data, "Actor_01 to Actor_24")
    return read_recordings("ravdess", folder, _utterance, example="03-01-05-01-02-01-12.wav")


def _utterance(path: Path) -> Utterance:
    name = _NAME.fullmatch(path.stem)
    if not name:
        raise CorpusError(
            f"{path}: '{path.stem}' does not follow 03-CC-EE-II-SS-RR-AA (03 for sound alone, channel 01 or 02, "
            "emotion 01 to 08, intensity, statement and repetition 01 or 02, actor 01 to 24)"
        )
    channel, emotion, statement, actor = name.groups()
    return Utterance(
        id=path.stem,
        path=path,
        speaker=actor,
        emotion=EMOTIONS[emotion],
        style=STYLES[channel],
        text=statement,
        attributes=(("gender", "male" if int(actor) % 2 else "female"),),
        language="en",
    )


CORPUS = CorpusSource(
    name="ravdess",
    languages=("en",),
    read=read,
    citation=(
        "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), "
        "PLoS ONE 13(5), 2018"
    ),
    licence="CC BY-NC-SA 4.0",
    home="https://doi.org/10.5281/zenodo.1188976",
    speakers=SPEAKERS,
    subsets={
        "speech": Subset(
            "speech alone, eight emotions",
            styles=("speech",),
            emotion_counts=SPEECH_COUNTS,
            speaker_counts=dict.fromkeys(SPEAKERS, 60),
        ),
        "all": Subset(
            "speech and song, eight emotions",
            emotion_counts=EMOTION_COUNTS,
            speaker_counts={speaker: 60 if speaker == "18" else 104 for speaker in SPEAKERS},
        ),
    },
)
