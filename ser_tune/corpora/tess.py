"""Toronto Emotional Speech Set: 2,800 utterances, 2 women, 7 emotions, English."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, read_recordings
from .selection import Subset
from .utterance import Utterance

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS", "SPEAKERS"]

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
"""`ps` is pleasant surprise."""
EMOTION_COUNTS = dict.fromkeys(EMOTIONS.values(), 400)
SPEAKERS = ("OAF", "YAF")

_NAME = re.compile(r"(OAF?|YAF)_([A-Z]+)_([A-Z]+)", re.IGNORECASE)
"""`OA_bite_neutral.wav` is the older woman's, misnamed in the published set."""


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `OAF_back_angry.wav` files: the older or the younger woman, word, emotion.

    Folders repeat what the names say, in an inconsistent manner, so they are not looked at. The word is the text: the
    phrase before it, "Say the word", is always the same.

    Args:
        data: Any folder above the recordings.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such files, a name does not follow the scheme, or two
            recordings of one name differ.
    """
    folder = corpus_folder("tess", data, "OAF_Fear/ and the like")
    return read_recordings("tess", folder, _utterance, example="OAF_back_angry.wav")


def _utterance(path: Path) -> Utterance:
    name = _NAME.fullmatch(path.stem)
    if not name:
        raise CorpusError(f"{path}: '{path.stem}' does not follow SSS_word_emotion (speaker OAF or YAF)")
    speaker = "YAF" if name[1].upper() == "YAF" else "OAF"
    word, emotion = name[2].lower(), name[3].lower()
    if emotion not in EMOTIONS:
        raise CorpusError(f"{path}: unknown emotion '{emotion}'; expected one of {', '.join(EMOTIONS)}")
    return Utterance(
        id=f"{speaker}_{word}_{emotion}",
        path=path,
        speaker=speaker,
        emotion=EMOTIONS[emotion],
        text=word,
        attributes=(("gender", "female"),),
        language="en",
    )


CORPUS = CorpusSource(
    name="tess",
    languages=("en",),
    read=read,
    citation=(
        "M. K. Pichora-Fuller, K. Dupuis: Toronto emotional speech set (TESS), Borealis, 2020, doi 10.5683/SP2/E8H2MF"
    ),
    licence="CC BY-NC-ND 4.0",
    home="https://doi.org/10.5683/SP2/E8H2MF",
    speakers=SPEAKERS,
    subsets={
        "all": Subset(
            "every utterance, seven emotions",
            emotion_counts=EMOTION_COUNTS,
            speaker_counts=dict.fromkeys(SPEAKERS, 1400),
        )
    },
)
