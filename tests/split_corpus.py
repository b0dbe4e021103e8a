"""A corpus from outside with an official split, unknown speakers, a test set with withheld labels, and a challenge."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ser_tune.corpora import Annotation, Challenge, CorpusSource, Utterance
from ser_tune.corpora.manifest import CORPUS as MANIFEST

__all__ = ["CORPUS", "SPLITS", "write_split"]

SPLITS = {
    "train": ("ada", "bob", "cyd"),
    "validation": ("dan", "eve"),
    "test1": ("fay", "gus"),
    "test2": ("hal", "ida"),
    "test3": ("jan",),
}
"""Side to its speakers. The labels of the last are withheld."""
UNKNOWN = {"kim": "train", "lea": "test1"}
"""Speakers whom the corpus calls unknown, and their side."""
_SIDE = {speaker: side for side, speakers in SPLITS.items() for speaker in speakers} | UNKNOWN
_RATINGS = {"anger": (5.5, 2.0), "joy": (4.5, 6.0)}
"""Arousal and valence of an emotion."""


def write_split(table: Path) -> Path:
    """Add the column with the side to a table of the tiny corpus's form."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["path", "speaker", "emotion", "meta_side"])
        writer.writeheader()
        for row in rows:
            speaker = "Unknown" if row["speaker"] in UNKNOWN else row["speaker"]
            writer.writerow(row | {"speaker": speaker, "meta_side": _SIDE[row["speaker"]]})
    return table


def _read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    return [_with_side(utterance) for utterance in MANIFEST.read(data, cache)]


def _with_side(utterance: Utterance) -> Utterance:
    side = dict(utterance.attributes)["side"]
    if side == "test3":
        return replace(utterance, split=side, emotion="", attributes=())
    ratings = zip(("arousal", "valence"), _RATINGS[utterance.emotion], strict=True)
    return replace(utterance, split=side, attributes=(), annotation=Annotation(dimensions=tuple(ratings)))


CORPUS = CorpusSource(
    name="podcasts",
    read=_read,
    citation="made by tests",
    licence="none",
    scales={"arousal": (1.0, 7.0), "valence": (1.0, 7.0)},
    challenge=Challenge(
        file="FileName",
        file_of=lambda utterance: utterance.path.name,
        answer="EmoClass",
        codes={"anger": "A", "joy": "H"},
        dimensions={"arousal": "EmoAct", "valence": "EmoVal"},
    ),
)
