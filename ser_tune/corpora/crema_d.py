"""Crowd-sourced Emotional Multimodal Actors Dataset: 7,442 utterances, 91 actors, 6 emotions, English.

The published `1076_MTI_SAD_XX.wav` has no sound; it is refused as silent until it is removed.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource, Subset
from .folder import corpus_folder, read_recordings
from .utterance import Utterance

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS", "SPEAKERS"]

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
EMOTION_COUNTS = {emotion: 1087 if emotion == "neutral" else 1271 for emotion in EMOTIONS.values()}
SPEAKERS = tuple(str(number) for number in range(1001, 1092))

_NAME = re.compile(r"(10\d\d)_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")
"""Earlier copies have a single X in `1040_ITH_SAD_X.wav`."""


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `1001_DFA_ANG_XX.wav` files: speaker, sentence, intended emotion, level (XX: none was asked for).

    Args:
        data: The corpus's root, or its `AudioWAV/` folder.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such files, a name does not follow the scheme, or two
            recordings of one name differ.
    """
    folder = corpus_folder("crema_d", data, "AudioWAV/")
    return read_recordings("crema_d", folder, _utterance, example="1001_DFA_ANG_XX.wav")


def _utterance(path: Path) -> Utterance:
    name = _NAME.fullmatch(path.stem)
    if not name or name[1] not in SPEAKERS:
        raise CorpusError(
            f"{path}: '{path.stem}' does not follow SSSS_TTT_EEE_LL (speaker 1001 to 1091, sentence, emotion, "
            "level LO, MD, HI or XX)"
        )
    speaker, sentence, emotion, level = name.groups()
    if emotion not in EMOTIONS:
        raise CorpusError(f"{path}: unknown emotion '{emotion}'; expected one of {', '.join(EMOTIONS)}")
    return Utterance(
        id=f"{speaker}_{sentence}_{emotion}_{'XX' if level == 'X' else level}",
        path=path,
        speaker=speaker,
        emotion=EMOTIONS[emotion],
        text=sentence,
    )


CORPUS = CorpusSource(
    name="crema_d",
    read=read,
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma: CREMA-D: Crowd-sourced Emotional "
        "Multimodal Actors Dataset, IEEE Transactions on Affective Computing 5(4), 2014"
    ),
    licence="Open Database License 1.0",
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    speakers=SPEAKERS,
    subsets={"all": Subset("every utterance, six emotions as intended", emotion_counts=EMOTION_COUNTS)},
)
