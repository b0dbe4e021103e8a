"""MSP-Podcast, releases 1.6 to 2.0: up to 264,705 turns of podcasts, natural emotions, a fixed official split, English.

Every turn has the judgements of five annotators or more. The owners keep the labels of the third test set.
"""

import gc
import math
import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .challenge import Challenge
from .folder import corpus_folder, subfolder
from .msp_podcast_votes import class_of, rating_of, read_annotations
from .names import is_placeholder
from .published_table import PublishedTable
from .selection import Subset
from .utterance import Annotation, Utterance, normalised_text

__all__ = ["CODES", "CORPUS", "MISSING", "UNKNOWN"]

UNKNOWN = "Unknown"
"""Speaker of turns whose speaker nobody identified."""
MISSING = "MSP-PODCAST_1909_1017.wav"
"""A recording that release 2.0 lists and does not have."""
CODES = {
    "anger": "A",
    "contempt": "C",
    "disgust": "D",
    "fear": "F",
    "happiness": "H",
    "neutral": "N",
    "sadness": "S",
    "surprise": "U",
}
"""The classes of the challenges at Odyssey 2024 and Interspeech 2025, and their codes."""
NO_AGREEMENT = "x"
_TABLES = ("labels_consensus.csv", "labels_concensus.csv")
"""Names of the table of consensus labels; releases before 1.10 have the second."""
_DIMENSIONS = {"arousal": "EmoAct", "dominance": "EmoDom", "valence": "EmoVal"}
"""Dimension to its column, in the order of `Annotation.dimensions`."""
_COLUMNS = ("FileName", "SpkrID", "Gender", "Split_Set", "EmoClass", *_DIMENSIONS.values())
_SIDE = re.compile(r"train|(development|validation)|test\d*")
_GENDERS = {"male": (("gender", "male"),), "female": (("gender", "female"),)}


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read every turn of `Labels/labels_consensus.csv`, and turns of test sets whose labels are withheld.

    Args:
        data: The corpus's root, with `Audios/` and `Labels/`. Votes are read from `Labels/labels_detailed.csv`, texts
            from `Transcripts/`, and turns without labels from `Partitions.txt` and `Speaker_ids.txt`, where these are
            there.
        cache: Not used; every reader is handed it.

    Returns:
        Turns called by their file without its ending. The emotion is empty where the annotators did not agree; where
        the labels are withheld, the annotation is empty too.

    Raises:
        CorpusError: A folder, table or recording is missing, or a table is not as described.
    """
    folder = corpus_folder("msp_podcast", data, "Audios/ and Labels/")
    labels = subfolder(folder, "Labels", "Label")
    table = next((labels / name for name in _TABLES if labels and (labels / name).is_file()), None)
    if labels is None or table is None:
        raise CorpusError(f"corpus msp_podcast: no {_TABLES[0]} in '{labels or folder}'; expected it in Labels/")
    with _no_collections():
        return _read(folder, table, labels / "labels_detailed.csv")


@contextmanager
def _no_collections() -> Iterator[None]:
    """Make millions of objects, none of them in a cycle, without looking for cycles among them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(folder: Path, table: Path, detailed: Path) -> Sequence[Utterance]:
    """Read the turns of a table of consensus labels, and those without labels.

    Args:
        folder: The corpus's root.
        table: Of consensus labels.
        detailed: The table of annotators' judgements, which may be missing.
    """
    files = _Files(_recordings(folder), _transcripts(folder))
    annotations = read_annotations(detailed) if detailed.is_file() else {}
    turns: dict[str, Utterance] = {}
    missing = []
    for number, (name, speaker, gender, split, emotion_class, *cells) in PublishedTable(table).rows(*_COLUMNS):
        if name not in files.recordings:
            missing += [name] if name != MISSING else []
            continue
        try:
            if name in turns:
                raise ValueError(f"a second row of '{name}'; expected one")
            emotion, annotation = _labels(emotion_class, cells, annotations.get(name, Annotation()))
            turns[name] = files.turn(name, (speaker, gender, split), emotion, annotation)
        except ValueError as error:
            raise CorpusError(f"{table}, line {number}: {error}") from None
    if missing:
        raise CorpusError(
            f"corpus msp_podcast: {len(missing)} recording(s) of {table} are not in '{folder}', such as {missing[0]}; "
            "expected them in Audios/"
        )
    return [*turns.values(), *_withheld(folder, files, turns)]


@dataclass(frozen=True, slots=True)
class _Files:
    """The recordings and transcripts of the corpus."""

    recordings: Mapping[str, Path]
    """Name of a recording to its folder."""
    transcripts: Mapping[str, str]
    """Name of a turn to the file of its words."""

    def turn(
        self,
        name: str,
        facts: tuple[str, str, str],
        emotion: str = "",
        annotation: Annotation = Annotation(),  # noqa: B008 - frozen
    ) -> Utterance:
        """The turn of a recording.

        Args:
            name: Of the recording.
            facts: Speaker, gender and side of the split, as written.
            emotion: Of the turn, empty where there is none.
            annotation: Of the turn.

        Raises:
            ValueError: There is no such side.
        """
        speaker, gender, split = facts
        identifier = name.removesuffix(".wav")
        transcript = self.transcripts.get(identifier)
        return Utterance(
            id=identifier,
            path=self.recordings[name] / name,
            speaker=_speaker(speaker),
            emotion=emotion,
            text=_words(transcript) if transcript else "",
            attributes=_GENDERS.get(gender.strip().lower(), ()),
            annotation=annotation,
            split=_side(split),
            language="en",
        )


def _recordings(folder: Path) -> Mapping[str, Path]:
    """Name of every recording to its folder; an archive may be unpacked into a folder of its own."""
    audios = subfolder(folder, "Audios", "Audio")
    if audios is None:
        raise CorpusError(f"corpus msp_podcast: '{folder}' has no folder 'Audios'; expected the recordings there")
    return {
        name: place
        for place, names in ((Path(place), names) for place, _, names in os.walk(audios))
        for name in names
        if name.endswith(".wav")
    }


def _transcripts(folder: Path) -> Mapping[str, str]:
    """Name of every turn that has a transcript to the file of its words."""
    transcripts = subfolder(folder, "Transcripts")
    return {
        name.removesuffix(".txt"): f"{place}/{name}"
        for place, _, names in (os.walk(transcripts) if transcripts else ())
        for name in names
        if name.endswith(".txt")
    }


def _words(transcript: str) -> str:
    try:
        with open(transcript, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - a path takes longer
            return normalised_text(file.read())
    except OSError as error:
        raise CorpusError(f"{transcript} cannot be read: {error.strerror}") from None


@cache
def _side(written: str) -> str:
    side = _SIDE.fullmatch(written.strip().lower())
    if not side:
        raise ValueError(f"'{written}' is no side of the split; expected Train, Development or Test1 to Test3")
    return "validation" if side[1] else side[0]


@cache
def _speaker(written: str) -> str:
    """A speaker's number, written alike in all tables; speakers whom nobody identified have one name."""
    name = written.strip().removeprefix("Speaker_").removesuffix(".0")
    if is_placeholder(name):
        return UNKNOWN
    return str(int(name)) if name.isdecimal() else name


_is_withheld = cache(is_placeholder)


def _labels(emotion_class: str, cells: Sequence[str], found: Annotation) -> tuple[str, Annotation]:
    """The emotion and annotation of a turn; both are empty where its labels are withheld.

    Args:
        emotion_class: As written.
        cells: Mean ratings, as written.
        found: The annotation without the means.

    Raises:
        ValueError: The class is unknown, or a rating is no number.
    """
    code = emotion_class.strip().lower()
    if _is_withheld(code):
        return "", Annotation()
    emotion = "" if code == NO_AGREEMENT else class_of(code)
    if emotion is None:
        raise ValueError(f"unknown class '{emotion_class}'; expected A, C, D, F, H, N, O, S, U or X")
    means = tuple(map(rating_of, cells))
    rated = not math.isnan(sum(means))
    return emotion, Annotation(
        votes=found.votes,
        secondary=found.secondary,
        dimensions=tuple(zip(_DIMENSIONS, means, strict=True)) if rated else (),
        ratings=found.ratings if rated else (),
        annotators=found.annotators,
    )


def _withheld(folder: Path, files: _Files, labelled: Container[str]) -> Iterator[Utterance]:
    """The recorded turns of test sets that `Partitions.txt` lists and no table of labels does."""
    speakers = dict(_pairs(folder / "Speaker_ids.txt"))
    for name, split in _pairs(folder / "Partitions.txt"):
        if name in files.recordings and name not in labelled and split.lower().startswith("test"):
            speaker = speakers.get(name, UNKNOWN)
            yield files.turn(name, (speaker, speakers.get(f"Speaker_{speaker}", ""), split))


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    """Name and value of lines such as `Test3; NAME.wav`, `NAME.wav; 127` and `Speaker_127; Male`."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            first, separator, second = (part.strip() for part in line.partition(";"))
            if separator:
                yield (second, first) if second.endswith(".wav") else (first, second)


CORPUS = CorpusSource(
    name="msp_podcast",
    languages=("en",),
    on_request=True,
    read=read,
    citation=(
        "R. Lotfian, C. Busso: Building naturalistic emotionally balanced speech corpus by retrieving emotional speech "
        "from existing podcast recordings, IEEE Transactions on Affective Computing 10(4), 2019"
    ),
    licence="academic use, after a signed agreement with the University of Texas at Dallas",
    home="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    subsets={
        "categorical": Subset(
            "turns whose annotators agreed on one of eight emotions, the classes of the challenges",
            emotions=tuple(CODES),
        ),
        "dimensions": Subset("arousal, dominance and valence, from 1 to 7", defaults={"task.name": "dimensions"}),
        "votes": Subset(
            "votes of annotators for the eight emotions of the challenges",
            emotions=tuple(CODES),
            defaults={"task.name": "distribution"},
        ),
        "several": Subset(
            "emotions that annotators chose or heard beside, 17 with `other`", defaults={"task.name": "multilabel"}
        ),
    },
    scales=dict.fromkeys(_DIMENSIONS, (1.0, 7.0)),
    challenge=Challenge(
        file="FileName",
        file_of=lambda turn: turn.path.name,
        answer="EmoClass",
        codes=CODES,
        dimensions={name: _DIMENSIONS[name] for name in ("arousal", "valence", "dominance")},
    ),
)
