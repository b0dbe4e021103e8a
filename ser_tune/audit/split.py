"""`Split`: the rows of a split's file, and the folds that they make."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from ..corpora import Utterance
from ..corpora.stretches import WHOLE, Stretch
from ..errors import CorpusError
from ..folds import Fold

__all__ = ["SIDE_PAIRS", "SPLIT_COLUMNS", "SPLIT_SIDES", "WORDS", "Row", "Split", "side_named"]

SPLIT_SIDES = ("train", "validation", "test")
SIDE_PAIRS = tuple(combinations(SPLIT_SIDES, 2))
SPLIT_COLUMNS = ("path", "utterance", "speaker", "emotion", "text", "prediction")
"""Columns of a split's CSV beside fold and side; the first two name the utterance."""
WORDS: Mapping[str, str] = {"train": "training", "validation": "validation", "test": "test"}
"""Each side in a sentence."""
_OTHER_NAMES: Mapping[str, str] = {
    "training": "train",
    **dict.fromkeys(("valid", "val", "dev", "devel", "development"), "validation"),
    **dict.fromkeys(("testing", "eval", "evaluation"), "test"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a split's file as written. Text that the file lacks is empty."""

    path: str
    base: Path
    """The folder that a relative path starts at."""
    emotion: str
    speaker: str = ""
    dialogue: bool = False
    """Whether the speaker may be that of a whole dialogue, so that a known corpus's naming scheme wins."""
    stretch: Stretch = WHOLE
    text: str = ""
    fold: str = ""
    side: str = ""
    """One of `SPLIT_SIDES`; empty where the file has folds alone: a row is tested in its fold and trains in others."""
    prediction: str = ""
    """An emotion."""
    rated: tuple[tuple[str, float], ...] = ()
    """Dimension and its true rating, sorted."""
    predicted: tuple[tuple[str, float], ...] = ()
    """Dimension and its prediction, sorted."""


@dataclass(frozen=True, slots=True)
class Split:
    """All rows of a split, and the folds that they make."""

    source: str
    """The file, as the user named it."""
    utterances: tuple[Utterance, ...]
    """The utterance of every row. A recording of several folds has several rows."""
    predictions: tuple[str, ...]
    """The predicted emotion of every row; empty where there is none."""
    recordings: np.ndarray
    """Number of each row's recording, shape (rows,), int64: rows of one stretch of one file have one number."""
    folds: tuple[Fold, ...]
    """Numbers of the rows on each side."""
    fold_names: tuple[str, ...]
    """As the file has them; one empty name where it has no folds."""
    ignored: tuple[str, ...] = ()
    """Columns that are not read, as sentences name them."""
    predicted_ratings: tuple[tuple[tuple[str, float], ...], ...] = ()
    """The predicted dimensions of every row; empty where the file has none."""

    @classmethod
    def of(
        cls, source: str, rows: Sequence[Row], utterances: Sequence[Utterance], *, ignored: tuple[str, ...] = ()
    ) -> "Split":
        """Collect rows to folds.

        Args:
            source: The file's name, for error messages.
            rows: All have a side, or none has one.
            utterances: Of each row.
            ignored: Columns that were not read.

        Raises:
            CorpusError: A fold has no training or no test rows, or a prediction is not an emotion of the file.
        """
        names = tuple(sorted({row.fold for row in rows}, key=_by_number))
        fold_of = np.array([row.fold for row in rows], dtype=object)
        sides = np.array([row.side for row in rows])
        folds = []
        for number, name in enumerate(names):
            inside = fold_of == name
            if (sides == "").any():
                masks = {"train": ~inside, "validation": np.zeros_like(inside), "test": inside}
            else:
                masks = {side: inside & (sides == side) for side in SPLIT_SIDES}
            rows_of = {side: np.flatnonzero(mask) for side, mask in masks.items()}
            for side in ("train", "test"):
                if not len(rows_of[side]):
                    where = f", fold '{name}'" if name else ""
                    raise CorpusError(f"{source}{where} has no {side} rows; expected some of train and of test")
            validating, tested = (
                tuple(sorted({utterances[row].speaker for row in rows_of[side].tolist()}))
                for side in ("validation", "test")
            )
            folds.append(Fold(number, validating, tested, rows_of["train"], rows_of["validation"], rows_of["test"]))
        emotions = {utterance.emotion for utterance in utterances}
        if foreign := sorted({row.prediction for row in rows} - emotions - {""}):
            raise CorpusError(
                f"{source}: the prediction '{foreign[0]}' is no emotion of it; it has {', '.join(sorted(emotions))}"
            )
        stretches = [(str(spoken.path), spoken.start_s, spoken.end_s or math.inf) for spoken in utterances]
        return cls(
            source=source,
            utterances=tuple(utterances),
            predictions=tuple(row.prediction for row in rows),
            recordings=_numbered(stretches),
            folds=tuple(folds),
            fold_names=names,
            ignored=ignored,
            predicted_ratings=tuple(row.predicted for row in rows) if any(row.predicted for row in rows) else (),
        )

    @property
    def emotions(self) -> tuple[str, ...]:
        """Every emotion of the file, sorted; none where it has dimensions alone."""
        return tuple(sorted({utterance.emotion for utterance in self.utterances} - {""}))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Every rated dimension of the file, sorted."""
        return tuple(sorted({name for utterance in self.utterances for name, _ in utterance.annotation.dimensions}))

    @property
    def files(self) -> np.ndarray:
        """Number of each row's file, shape (rows,), int64: stretches of one file have one number."""
        return _numbered([str(utterance.path) for utterance in self.utterances])

    @property
    def has_stretches(self) -> bool:
        """Whether any row is a part of its file."""
        return any(utterance.start_s or utterance.end_s is not None for utterance in self.utterances)

    @property
    def first_utterances(self) -> list[Utterance]:
        """The first row's utterance of every recording, in the order of the recordings' numbers."""
        first = np.unique(self.recordings, return_index=True)[1]
        return [self.utterances[row] for row in first.tolist()]

    def sides_of_folds(self) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
        """The rows on each side of every fold, after words such as "fold 1: ", empty where the file has no folds."""
        for fold, name in zip(self.folds, self.fold_names, strict=True):
            yield f"fold {name}: " if name else "", {side: getattr(fold, side) for side in SPLIT_SIDES}


def side_named(name: str) -> str | None:
    """The side of `SPLIT_SIDES` with this name or another usual name; None of an unknown name.

    >>> side_named("Dev"), side_named("train"), side_named("holdout")
    ('validation', 'train', None)
    """
    name = name.strip().lower().rstrip("0123456789")  # MSP-Podcast has Test1, Test2, Test3
    name = _OTHER_NAMES.get(name, name)
    return name if name in SPLIT_SIDES else None


def _numbered(keys: Sequence[Hashable]) -> np.ndarray:
    """Number equal keys alike, in the order in which they first occur, shape (keys,), int64."""
    number_of: dict[Hashable, int] = {}
    return np.array([number_of.setdefault(key, len(number_of)) for key in keys], dtype=np.int64)


def _by_number(name: str) -> tuple[float, str]:
    """Order 2 before 10, and numbers before words."""
    return (float(name), name) if name.isdigit() else (float("inf"), name)
