"""Interactive Emotional Dyadic Motion Capture: 10,039 turns, 10 actors in 5 sessions of two, English."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, subfolder
from .selection import Subset
from .utterance import Annotation, Utterance, normalised_text

__all__ = ["CORPUS", "DIMENSIONS", "EMOTIONS", "EMOTION_COUNTS", "IMPROVISED_COUNTS", "MERGED_COUNTS", "SPEAKERS"]

EMOTIONS = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "oth": "other",
    "sad": "sadness",
    "sur": "surprise",
}
NO_MAJORITY = "xxx"
"""The annotators did not agree: 2,507 turns that have votes and dimensions, and no emotion."""
STYLES = {"impro": "improvised", "script": "scripted"}
SPEAKERS = ("1F", "1M", "2F", "2M", "3F", "3M", "4F", "4M", "5F", "5M")
EMOTION_COUNTS = {
    "anger": 1103,
    "disgust": 2,
    "excitement": 1041,
    "fear": 40,
    "frustration": 1849,
    "happiness": 595,
    "neutral": 1708,
    "other": 3,
    "sadness": 1084,
    "surprise": 107,
}
IMPROVISED_COUNTS = {"anger": 289, "happiness": 284, "neutral": 1099, "sadness": 608}
MERGED_COUNTS = {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}

DIMENSIONS = {"val": "valence", "act": "arousal", "dom": "dominance"}
"""Annotators' abbreviation to dimension, in the order of the turns' lines."""
_SPELLINGS = {
    **{spelling: emotion for code, emotion in EMOTIONS.items() for spelling in (code, emotion)},
    "angry": "anger",
    "disgusted": "disgust",
    "excited": "excitement",
    "fearful": "fear",
    "happy": "happiness",
    "frustrated": "frustration",
    "neutral state": "neutral",
    "surprised": "surprise",
}
"""Annotators' spelling of an emotion, in lower case, to the emotion."""

_TURN = re.compile(r"\[\d+\.\d+ - \d+\.\d+\]\t(\w+)\t(\w+)\t\[(.*)\]")
_ID = re.compile(r"Ses0([1-5])[FM]_(impro|script)\w*_([FM])\d+")
"""The first letter is the speaker with the markers; the last is the speaker of the turn."""
_CHOICE = re.compile(r"C-E\d*:([^(]*)", re.IGNORECASE)
"""The emotions that an annotator named, without the remark; `C-F1` and `C-M1` are the actors themselves."""
_RATING = re.compile(r"A-E\d*:([^(]*)", re.IGNORECASE)
_WORDS = re.compile(r"(\w+) \[[\d.]+ ?- ?[\d.]+\]:(.*)")


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read every turn of the sessions that are there.

    Args:
        data: The corpus's root, with `Session1` to `Session5`, or some of them.
        cache: Not used; every reader is handed it.

    Returns:
        Turns called by their id, of speakers such as `1F`, in groups such as `Session1`, with the words of
        `dialog/transcriptions` as text where that folder is there. Votes are of the annotators alone, without the
        actors' judgements of themselves; one who named several emotions chose each. Dimensions are the means of the
        turn's line.

    Raises:
        CorpusError: A folder is missing, a label file is not as described, or a turn has no recording.
    """
    folder = corpus_folder("iemocap", data, "Session1 to Session5")
    sessions = sorted(path for path in folder.iterdir() if re.fullmatch(r"session[1-5]", path.name.lower()))
    if not sessions:
        raise CorpusError(f"corpus iemocap: no session in '{folder}'; expected folders Session1 to Session5")
    return [utterance for session in sessions for utterance in _session(session)]


def _session(folder: Path) -> Iterator[Utterance]:
    labels = _inside(folder, "dialog", "EmoEvaluation")
    # Beside the label files lie folders of each annotator's labels, and hidden files with the same names
    dialogs = sorted(path for path in labels.glob("Ses*.txt") if path.is_file())
    if not dialogs:
        raise CorpusError(f"corpus iemocap: no label files in '{labels}'; expected names such as Ses01F_impro01.txt")
    recordings = _inside(folder, "sentences", "wav")
    for dialog in dialogs:
        words = _words(labels.parent, dialog.name)
        yield from _dialog(dialog, recordings / dialog.stem, folder.name[-1], words)


def _inside(folder: Path, *names: str) -> Path:
    """Descend, whatever the case of the folders' names."""
    for name in names:
        found = subfolder(folder, name)
        if found is None:
            raise CorpusError(f"corpus iemocap: '{folder}' has no folder '{name}'; expected it in every session")
        folder = found
    return folder


def _words(dialogs: Path, name: str) -> dict[str, str]:
    """The text of a dialog's turns, by their ids; empty where the dialog has no transcription."""
    found = [folder / name for folder in dialogs.iterdir() if folder.name.lower() == "transcriptions"]
    if not found or not found[0].is_file():
        return {}
    lines = found[0].read_text(encoding="utf-8", errors="replace").splitlines()
    return {turn[1]: normalised_text(turn[2]) for line in lines if (turn := _WORDS.match(line))}


@dataclass(slots=True)
class _Turn:
    """A turn's line, and the lines of its annotators."""

    where: str
    """File and line, for error messages."""
    line: str
    choices: list[frozenset[str]] = field(default_factory=list)
    """The emotions that each annotator named."""
    ratings: list[Mapping[str, float]] = field(default_factory=list)
    """The ratings of each annotator, by dimension."""

    def annotation(self, means: str) -> Annotation:
        """The annotators' judgements.

        Args:
            means: Valence, arousal and dominance of the turn's line.

        Raises:
            CorpusError: The means are not three numbers.
        """
        numbers = [_number(cell) for cell in means.split(",")]
        if len(numbers) != len(DIMENSIONS) or any(number is None or math.isnan(number) for number in numbers):
            raise CorpusError(f"{self.where}: '[{means}]' is not [valence, arousal, dominance], three numbers")
        named = zip(DIMENSIONS.values(), numbers, strict=True)
        dimensions = tuple(sorted((name, number) for name, number in named if number is not None))
        named_by = [choice for choice in self.choices if choice]
        return Annotation(
            votes=tuple(sorted(Counter(emotion for choice in named_by for emotion in choice).items())),
            dimensions=dimensions,
            ratings=tuple(tuple(rating[name] for name, _ in dimensions) for rating in self.ratings),
            annotators=len(named_by) or len(self.ratings),
        )


def _turns(labels: Path) -> Iterator[_Turn]:
    """The turns of a label file, each with its annotators' lines, which follow it."""
    # Annotators' remarks hold characters of other encodings; labels are plain ASCII
    turn = None
    for number, text in enumerate(labels.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
        line, where = text.strip(), f"{labels}, line {number}"
        if text.startswith("["):
            if turn:
                yield turn
            turn = _Turn(where, line)
        elif turn and (choice := _CHOICE.match(line)):
            turn.choices.append(_choice(choice[1], where))
        elif turn and (rating := _RATING.match(line)):
            turn.ratings.append(_rating(rating[1], where))
    if turn is None:
        raise CorpusError(f"{labels} labels no turn; expected lines such as [6.29 - 8.23]<TAB>id<TAB>neu<TAB>[v, a, d]")
    yield turn


def _choice(text: str, where: str) -> frozenset[str]:
    """The emotions of `Neutral; Anger;`."""
    names = [name for part in text.split(";") if (name := " ".join(part.split()).lower())]
    for name in names:
        if name not in _SPELLINGS:
            expected = ", ".join(sorted(set(EMOTIONS.values())))
            raise CorpusError(f"{where}: an annotator named '{name}'; expected one or more of {expected}")
    return frozenset(_SPELLINGS[name] for name in names)


def _rating(text: str, where: str) -> Mapping[str, float]:
    """The ratings of `val 3; act 2; dom  ;`, NaN where one was left out."""
    ratings = dict.fromkeys(DIMENSIONS.values(), math.nan)
    for part in text.split(";"):
        name, _, value = part.strip().partition(" ")
        number = _number(value) if value.strip() else math.nan
        if name and (name.lower() not in DIMENSIONS or number is None):
            raise CorpusError(f"{where}: an annotator rated '{part.strip()}'; expected val, act or dom, and a number")
        if name and number is not None:
            ratings[DIMENSIONS[name.lower()]] = number
    return ratings


def _number(text: str) -> float | None:
    """A number, which may be NaN; None where the text is none, or infinite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isinf(number) else number


def _dialog(labels: Path, folder: Path, session: str, words: Mapping[str, str]) -> Iterator[Utterance]:
    recordings = {}
    if folder.is_dir():
        recordings = {path.stem: path for path in folder.iterdir() if path.suffix.lower() == ".wav"}
    for turn in _turns(labels):
        fields = _TURN.fullmatch(turn.line)
        if not fields:
            raise CorpusError(f"{turn.where}: '{turn.line}' is not [start - end]<TAB>id<TAB>label<TAB>[v, a, d]")
        identifier, label, means = fields.groups()
        if label != NO_MAJORITY and label not in EMOTIONS:
            raise CorpusError(
                f"{turn.where}: unknown label '{label}'; expected one of {', '.join(EMOTIONS)} or {NO_MAJORITY}"
            )
        named = _ID.fullmatch(identifier)
        if not named or named[1] != session or not identifier.startswith(f"{labels.stem}_"):
            raise CorpusError(f"{turn.where}: '{identifier}' is no turn of dialog {labels.stem} in session {session}")
        if identifier not in recordings:
            raise CorpusError(f"{turn.where}: turn '{identifier}' has no recording; expected {folder / identifier}.wav")
        yield Utterance(
            id=identifier,
            path=recordings[identifier],
            speaker=session + named[3],
            attributes=(("gender", "female" if named[3] == "F" else "male"),),
            emotion=EMOTIONS.get(label, ""),
            group=f"Session{session}",
            style=STYLES[named[2]],
            text=words.get(identifier, ""),
            annotation=turn.annotation(means),
            language="en",
        )


CORPUS = CorpusSource(
    name="iemocap",
    languages=("en",),
    on_request=True,
    read=read,
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. S. Narayanan: "
        "IEMOCAP: Interactive emotional dyadic motion capture database, Language Resources and Evaluation 42, 2008"
    ),
    licence="academic use, after a signed request to the University of Southern California",
    home="https://sail.usc.edu/iemocap",
    speakers=SPEAKERS,
    folds=10,
    subsets={
        "improvised": Subset(
            "improvised turns, four emotions, excitement left out",
            emotions=tuple(IMPROVISED_COUNTS),
            styles=("improvised",),
            emotion_counts=IMPROVISED_COUNTS,
        ),
        "merged": Subset(
            "improvised and scripted turns, four emotions, excitement counted as happiness",
            emotions=tuple(MERGED_COUNTS),
            merge={"excitement": "happiness"},
            emotion_counts=MERGED_COUNTS,
        ),
        "all": Subset("every turn that has a label, ten emotions", emotion_counts=EMOTION_COUNTS),
        "votes": Subset("votes of three annotators for ten emotions", defaults={"task.name": "distribution"}),
        "dimensions": Subset("arousal, dominance and valence, from 1 to 5", defaults={"task.name": "dimensions"}),
        "several": Subset("emotions that annotators named, ten", defaults={"task.name": "multilabel"}),
    },
    scales=dict.fromkeys(DIMENSIONS.values(), (1.0, 5.0)),
)
