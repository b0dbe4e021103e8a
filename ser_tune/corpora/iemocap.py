"""Interactive Emotional Dyadic Motion Capture: 10,039 turns, 10 actors in 5 sessions of two, English."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource, Subset
from .folder import corpus_folder
from .utterance import Utterance, normalised_text

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS", "IMPROVISED_COUNTS", "MERGED_COUNTS", "SPEAKERS"]

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
"""The annotators did not agree: 2,507 turns that have no label."""
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

_TURN = re.compile(r"\[\d+\.\d+ - \d+\.\d+\]\t(\w+)\t(\w+)\t\[.*\]")
_ID = re.compile(r"Ses0([1-5])[FM]_(impro|script)\w*_([FM])\d+")
"""The first letter is the speaker with the markers; the last is the speaker of the turn."""
_WORDS = re.compile(r"(\w+) \[[\d.]+ ?- ?[\d.]+\]:(.*)")


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read every labelled turn of the sessions that are there.

    Args:
        data: The corpus's root, with `Session1` to `Session5`, or some of them.
        cache: Not used; every reader is handed it.

    Returns:
        Turns called by their id, of speakers such as `1F`, in groups such as `Session1`, with the words of
        `dialog/transcriptions` as text where that folder is there.

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
        found = [path for path in folder.iterdir() if path.name.lower() == name.lower() and path.is_dir()]
        if not found:
            raise CorpusError(f"corpus iemocap: '{folder}' has no folder '{name}'; expected it in every session")
        folder = found[0]
    return folder


def _words(dialogs: Path, name: str) -> dict[str, str]:
    """The text of a dialog's turns, by their ids; empty where the dialog has no transcription."""
    found = [folder / name for folder in dialogs.iterdir() if folder.name.lower() == "transcriptions"]
    if not found or not found[0].is_file():
        return {}
    lines = found[0].read_text(encoding="utf-8", errors="replace").splitlines()
    return {turn[1]: normalised_text(turn[2]) for line in lines if (turn := _WORDS.match(line))}


def _dialog(labels: Path, folder: Path, session: str, words: Mapping[str, str]) -> Iterator[Utterance]:
    recordings = {}
    if folder.is_dir():
        recordings = {path.stem: path for path in folder.iterdir() if path.suffix.lower() == ".wav"}
    # Annotators' remarks hold characters of other encodings; labels are plain ASCII
    lines = labels.read_text(encoding="utf-8", errors="replace").split("\n")
    turns = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.startswith("[")]
    if not turns:
        raise CorpusError(f"{labels} labels no turn; expected lines such as [6.29 - 8.23]<TAB>id<TAB>neu<TAB>[v, a, d]")
    for number, line in turns:
        where = f"{labels}, line {number}"
        turn = _TURN.fullmatch(line)
        if not turn:
            raise CorpusError(f"{where}: '{line}' is not [start - end]<TAB>id<TAB>label<TAB>[v, a, d]")
        identifier, label = turn.groups()
        if label == NO_MAJORITY:
            continue
        if label not in EMOTIONS:
            raise CorpusError(
                f"{where}: unknown label '{label}'; expected one of {', '.join(EMOTIONS)} or {NO_MAJORITY}"
            )
        named = _ID.fullmatch(identifier)
        if not named or named[1] != session or not identifier.startswith(f"{labels.stem}_"):
            raise CorpusError(f"{where}: '{identifier}' is no turn of dialog {labels.stem} in session {session}")
        if identifier not in recordings:
            raise CorpusError(f"{where}: turn '{identifier}' has no recording; expected {folder / identifier}.wav")
        yield Utterance(
            id=identifier,
            path=recordings[identifier],
            speaker=session + named[3],
            attributes=(("gender", "female" if named[3] == "F" else "male"),),
            emotion=EMOTIONS[label],
            group=f"Session{session}",
            style=STYLES[named[2]],
            text=words.get(identifier, ""),
        )


CORPUS = CorpusSource(
    name="iemocap",
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
    },
)
