"""Berlin Database of Emotional Speech: 535 utterances, 10 actors, 7 emotions, German."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource, Utterance

__all__ = ["CORPUS", "EMOTIONS"]

EMOTIONS = {
    "A": "fear",
    "E": "disgust",
    "F": "happiness",
    "L": "boredom",
    "N": "neutral",
    "T": "sadness",
    "W": "anger",
}
"""The sixth character of a file name is the emotion's German initial."""

UTTERANCES = 535
SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `SStttEv.wav` files: speaker, text, emotion, version.

    Args:
        data: The corpus's root or its `wav/` folder.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such files, or a name does not follow the scheme.
    """
    if data is None:
        raise CorpusError("corpus emodb needs its folder; pass --data DIR, the folder that holds wav/")
    if not data.is_dir():
        raise CorpusError(f"corpus emodb: '{data}' is not a folder; expected the folder that holds wav/")
    folder = data / "wav" if (data / "wav").is_dir() else data
    paths = sorted(path for path in folder.glob("*.wav") if not path.name.startswith("."))
    if not paths:
        raise CorpusError(f"corpus emodb: no .wav files in '{folder}'; expected names such as 03a01Fa.wav")
    return [_utterance(path) for path in paths]


def _utterance(path: Path) -> Utterance:
    stem = path.stem
    if len(stem) not in (6, 7) or not stem[:2].isdigit():
        raise CorpusError(f"{path}: '{stem}' does not follow SStttEv (speaker, text, emotion, version)")
    if stem[5] not in EMOTIONS:
        raise CorpusError(f"{path}: unknown emotion letter '{stem[5]}'; expected one of {', '.join(EMOTIONS)}")
    return Utterance(id=stem, path=path, speaker=stem[:2], emotion=EMOTIONS[stem[5]])


CORPUS = CorpusSource(
    name="emodb",
    read=read,
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss: A Database of German Emotional Speech, "
        "Interspeech 2005"
    ),
    licence="free use, by its authors",
    folds=10,
)
