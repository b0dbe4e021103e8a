"""Surrey Audio-Visual Expressed Emotion: 480 utterances, 4 men, 7 emotions, English."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, read_recordings
from .selection import Subset
from .utterance import Utterance

__all__ = ["COMMON_TEXTS", "CORPUS", "EMOTIONS", "EMOTION_COUNTS", "SPEAKERS"]

EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
EMOTION_COUNTS = {emotion: 120 if emotion == "neutral" else 60 for emotion in EMOTIONS.values()}
SPEAKERS = ("DC", "JE", "JK", "KL")
COMMON_TEXTS = ("01", "02", "03")
"""Numbers of the sentences that are spoken in every emotion."""

_NAME = re.compile(r"(?:([A-Z]{2})_)?([A-Z]+)(\d\d)", re.IGNORECASE)


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `DC_a01.wav` files, or `a01.wav` in a folder `DC`: speaker, emotion, number.

    Numbers 01 to 03 are three sentences common to all emotions; any other text belongs to one emotion.

    Args:
        data: The corpus's root, its `AudioData/`, or a folder of all files.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such files, a name does not follow the scheme, or two
            recordings of one name differ.
    """
    folder = corpus_folder("savee", data, "DC/, JE/, JK/ and KL/")
    return read_recordings("savee", folder, _utterance, example="DC_a01.wav or DC/a01.wav")


def _utterance(path: Path) -> Utterance:
    name = _NAME.fullmatch(path.stem)
    if not name:
        raise CorpusError(f"{path}: '{path.stem}' does not follow SS_E00 or SS/E00 (speaker, emotion, number)")
    # The current folder's own name counts where --data is a relative path to one speaker
    speaker, emotion = (name[1] or path.absolute().parent.name).upper(), name[2].lower()
    if speaker not in SPEAKERS:
        raise CorpusError(f"{path}: unknown speaker '{speaker}'; expected one of {', '.join(SPEAKERS)}")
    if emotion not in EMOTIONS:
        raise CorpusError(f"{path}: unknown emotion letter '{emotion}'; expected one of {', '.join(EMOTIONS)}")
    return Utterance(
        id=f"{speaker}_{emotion}{name[3]}",
        path=path,
        speaker=speaker,
        emotion=EMOTIONS[emotion],
        text=name[3] if name[3] in COMMON_TEXTS else f"{emotion}{name[3]}",
        attributes=(("gender", "male"),),
        language="en",
    )


CORPUS = CorpusSource(
    name="savee",
    languages=("en",),
    on_request=True,
    read=read,
    citation="S. Haq, P. J. B. Jackson: Speaker-dependent audio-visual emotion recognition, AVSP 2009",
    licence="research use, after registering with the University of Surrey",
    home="http://kahlan.eps.surrey.ac.uk/savee",
    speakers=SPEAKERS,
    subsets={
        "all": Subset(
            "every utterance, seven emotions",
            emotion_counts=EMOTION_COUNTS,
            speaker_counts=dict.fromkeys(SPEAKERS, 120),
        )
    },
)
