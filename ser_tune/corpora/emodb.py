"""Berlin Database of Emotional Speech: 535 utterances, 10 actors, 7 emotions, German."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import Archive, CorpusSource
from .folder import corpus_folder, read_recordings
from .selection import Subset
from .utterance import Utterance

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS", "SPEAKER_COUNTS"]

EMOTIONS = {
    "A": "fear",
    "E": "disgust",
    "F": "happiness",
    "L": "boredom",
    "N": "neutral",
    "T": "sadness",
    "W": "anger",
}
"""Emotions by the sixth character of a file name, the initial of the German word."""

EMOTION_COUNTS = {
    "anger": 127,
    "boredom": 81,
    "disgust": 46,
    "fear": 69,
    "happiness": 71,
    "neutral": 79,
    "sadness": 62,
}
SPEAKER_COUNTS = {
    "03": 49,
    "08": 58,
    "09": 43,
    "10": 38,
    "11": 55,
    "12": 35,
    "13": 61,
    "14": 69,
    "15": 56,
    "16": 71,
}
MALE = ("03", "10", "11", "12", "15")
"""The other five speakers are women."""
DIGEST = "271fc7289a43a790274066c89c4bcf9531bc2dfc0d19ebc8b6a3610f9bdb68a2"


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `SStttEv.wav` files: speaker, text, emotion, version.

    Args:
        data: The corpus's root or its `wav/` folder.
        cache: Not used; part of the interface of `CorpusSource.read`.

    Raises:
        CorpusError: The folder is missing or has no such files, or a name does not follow the scheme.
    """
    folder = corpus_folder("emodb", data, "wav/")
    folder = folder / "wav" if (folder / "wav").is_dir() else folder
    return read_recordings("emodb", folder, _utterance, example="03a01Fa.wav")


def _utterance(path: Path) -> Utterance:
    stem = path.stem
    if len(stem) not in (6, 7) or not stem[:2].isdigit():
        raise CorpusError(f"{path}: '{stem}' does not follow SStttEv (speaker, text, emotion, version)")
    if stem[5] not in EMOTIONS:
        raise CorpusError(f"{path}: unknown emotion letter '{stem[5]}'; expected one of {', '.join(EMOTIONS)}")
    return Utterance(
        id=stem,
        path=path,
        speaker=stem[:2],
        emotion=EMOTIONS[stem[5]],
        text=stem[2:5],
        attributes=(("gender", "male" if stem[:2] in MALE else "female"),),
        language="de",
    )


CORPUS = CorpusSource(
    name="emodb",
    languages=("de",),
    read=read,
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss: A Database of German Emotional Speech, "
        "Interspeech 2005"
    ),
    licence="free use, by its authors",
    home="http://emodb.bilderbar.info",
    archive=Archive("http://emodb.bilderbar.info/download/download.zip", sha256=None, digest=DIGEST),
    speakers=tuple(SPEAKER_COUNTS),
    folds=10,
    subsets={
        "all": Subset("every utterance, seven emotions", emotion_counts=EMOTION_COUNTS, speaker_counts=SPEAKER_COUNTS)
    },
)
