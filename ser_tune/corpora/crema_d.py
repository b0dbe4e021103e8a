"""Crowd-sourced Emotional Multimodal Actors Dataset: 7,442 utterances, 91 actors, 6 emotions, English.

A clip's name has the emotion that the actor was asked for; listeners heard it in 47.9 % of the clips (ties counted).
`processedResults/tabulatedVotes.csv` has their votes.

The published `1076_MTI_SAD_XX.wav` has no sound; it is refused as silent until it is removed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, near_recordings, read_recordings
from .published_table import PublishedTable
from .selection import Subset
from .utterance import Annotation, Utterance

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS", "HEARD_COUNTS", "SPEAKERS", "read_votes"]

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
EMOTION_COUNTS = {emotion: 1087 if emotion == "neutral" else 1271 for emotion in EMOTIONS.values()}
HEARD_COUNTS = {"anger": 986, "disgust": 547, "fear": 645, "happiness": 353, "neutral": 3897, "sadness": 370}
"""Clips by the emotion with the most votes of those who only listened; 644 more have a tie."""
SPEAKERS = tuple(str(number) for number in range(1001, 1092))

_NAME = re.compile(r"(10\d\d)_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")
"""Earlier copies have a single X in `1040_ITH_SAD_X.wav`."""
_VOTES = ("tabulatedVotes.csv", "processedResults/tabulatedVotes.csv")
_ACTORS = ("VideoDemographics.csv", "processedResults/VideoDemographics.csv")
_VOICE = "1"
"""First digit of the numbers of rows whose listeners had the voice alone; 2 is the face alone, 3 is both."""
_DEMOGRAPHICS = {"Age": "age", "Sex": "gender", "Race": "race", "Ethnicity": "ethnicity"}
"""Column of `VideoDemographics.csv` to attribute."""


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read `1001_DFA_ANG_XX.wav` files: speaker, sentence, intended emotion, level (XX: none was asked for).

    Votes are those of listeners without the video. They are read from `processedResults/tabulatedVotes.csv`, and the
    actors' age, gender, race and ethnicity from `VideoDemographics.csv`, where these are in the folder or beside it.

    Args:
        data: The corpus's root, or its `AudioWAV/` folder.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such files, a name does not follow the scheme, two recordings of
            one name differ, or a table is not as described.
    """
    folder = corpus_folder("crema_d", data, "AudioWAV/")
    utterances = read_recordings("crema_d", folder, _utterance, example="1001_DFA_ANG_XX.wav")
    votes_file, actors_file = near_recordings(folder, _VOTES), near_recordings(folder, _ACTORS)
    votes = read_votes(votes_file) if votes_file else {}
    actors = _read_actors(actors_file) if actors_file else {}
    return [
        replace(
            utterance,
            annotation=votes.get(utterance.id, utterance.annotation),
            attributes=actors.get(utterance.speaker, ()),
        )
        for utterance in utterances
    ]


def read_votes(file: Path) -> Mapping[str, Annotation]:
    """Read the votes of those who heard the voice alone, by the names of the clips.

    Args:
        file: `tabulatedVotes.csv`, which has three rows a clip.

    Raises:
        CorpusError: The table is not as described.
    """
    table = PublishedTable(file)
    emotion_of = {code[0]: emotion for code, emotion in EMOTIONS.items()}
    annotations: dict[str, Annotation] = {}
    for number, (row, clip, *cells) in table.rows(table.columns[0], "fileName", *emotion_of):
        if not row.startswith(_VOICE):
            continue
        name = _complete(clip)
        for letter, cell in zip(emotion_of, cells, strict=True):
            if not (cell.isascii() and cell.isdecimal()):
                raise CorpusError(f"{file}, line {number}: '{letter}' is '{cell}'; expected a number of votes")
        if name in annotations:
            raise CorpusError(f"{file}, line {number}: a second row of '{clip}' with the voice alone")
        counts = zip(emotion_of.values(), map(int, cells), strict=True)
        votes = tuple(sorted((emotion, count) for emotion, count in counts if count))
        annotations[name] = Annotation(votes=votes, annotators=sum(count for _, count in votes))
    return annotations


def _read_actors(file: Path) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """The attributes of every speaker; a value that is not known is left out."""
    return {
        speaker: tuple(
            (attribute, value.casefold() if attribute == "gender" else value)
            for attribute, value in zip(_DEMOGRAPHICS.values(), values, strict=True)
            if value not in ("", "Unknown")
        )
        for _, (speaker, *values) in PublishedTable(file).rows("ActorID", *_DEMOGRAPHICS)
    }


def _complete(name: str) -> str:
    """The name of a clip, with its level as all others have it."""
    return f"{name}X" if name.endswith("_X") else name


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
        id=_complete(f"{speaker}_{sentence}_{emotion}_{level}"),
        path=path,
        speaker=speaker,
        emotion=EMOTIONS[emotion],
        text=sentence,
        language="en",
    )


CORPUS = CorpusSource(
    name="crema_d",
    languages=("en",),
    read=read,
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma: CREMA-D: Crowd-sourced Emotional "
        "Multimodal Actors Dataset, IEEE Transactions on Affective Computing 5(4), 2014"
    ),
    licence="Open Database License 1.0",
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    speakers=SPEAKERS,
    subsets={
        "all": Subset("every utterance, six emotions as acted", emotion_counts=EMOTION_COUNTS),
        "heard": Subset(
            "six emotions as most listeners without the video heard them, ties left out",
            by_plurality=True,
            emotion_counts=HEARD_COUNTS,
        ),
        "votes": Subset("votes of listeners without the video", defaults={"task.name": "distribution"}),
        "several": Subset("emotions that listeners without the video heard", defaults={"task.name": "multilabel"}),
    },
)
