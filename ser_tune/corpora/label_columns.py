"""Labels beyond one emotion, as columns of a table: votes, several emotions, dimensions, and the split."""

import math
import re
from collections.abc import Iterable

from .table import Line, Table
from .times import decimal_comma
from .utterance import Annotation

__all__ = ["COLUMNS", "DIMENSIONS", "PREDICTION", "TARGET", "LabelColumns", "side_of"]

VOTES, TARGET, PREDICTION = "votes_", "target_", "prediction_"
"""Starts of the names of columns: of the votes for an emotion, of a dimension, and of a predicted dimension."""
DIMENSIONS = ("arousal", "valence", "dominance")
SEVERAL, SPLIT = "emotions", "split"
COLUMNS = (SEVERAL, f"{VOTES}?*", *DIMENSIONS, f"{TARGET}?*")
"""Columns of labels beside the column of one emotion, as `read_table` takes them."""

MOST_VOTES, LARGEST = 1_000_000, 1e9
"""A larger number of votes or size of a rating is a mistake; sums of squares would lose digits or overflow."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SIDES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "development", "devel", "dev"), "validation"),
}
_TEST = re.compile(r"test(?:ing)?[\s_-]*(\w*)")


def side_of(written: str) -> str:
    """The side of a split: `train`, `validation`, or a test set such as `test` or `test1`; empty where it is none.

    >>> side_of("Dev"), side_of("Test-2"), side_of("other")
    ('validation', 'test2', '')
    """
    key = written.casefold()
    test = _TEST.fullmatch(key)
    return f"test{test[1]}" if test else _SIDES.get(key, "")


class LabelColumns:
    """Reads the annotations and the split of a table's lines; problems are added to the table's."""

    def __init__(self, table: Table) -> None:
        """Find out which labels the table has, and how it writes its numbers."""
        self.problems = table.problems
        self.votes = {name: name.removeprefix(VOTES) for name in table.columns if name.startswith(VOTES)}
        self.dimensions = {name: name for name in table.columns if name in DIMENSIONS}
        self.dimensions |= {name: name.removeprefix(TARGET) for name in table.columns if name.startswith(TARGET)}
        self.predicted = {name: name.removeprefix(PREDICTION) for name in table.columns if name.startswith(PREDICTION)}
        self.several = SEVERAL in table.columns
        self.split = SPLIT in table.columns
        numbers = (*self.votes, *self.dimensions, *self.predicted)
        cells = [line.cells.get(name, "") for line in table.lines for name in numbers]
        self.comma = decimal_comma((cell.lstrip("+-") for cell in cells), separator=table.separator)
        for name in sorted(_repeated(self.dimensions.values())):
            sentence = f"the header has '{name}' and '{TARGET}{name}'; expected one of them"
            self.problems.add(f"repeated {name}", 0, sentence)

    def __bool__(self) -> bool:
        """Whether the table has labels beyond one emotion."""
        return bool(self.votes or self.dimensions or self.several)

    def annotation(self, line: Line) -> Annotation:
        """The labels of a line; those with problems are left out."""
        votes = {emotion: self._votes(column, line) for column, emotion in self.votes.items()}
        ratings = {name: self._rating(column, line) for column, name in self.dimensions.items()}
        return Annotation(
            votes=tuple(sorted((emotion, count) for emotion, count in votes.items() if count)),
            emotions=self._emotions(line) if self.several else (),
            dimensions=tuple(sorted((name, rating) for name, rating in ratings.items() if rating is not None)),
            annotators=sum(votes.values()),
        )

    def predictions(self, line: Line) -> tuple[tuple[str, float], ...]:
        """The predicted dimensions of a line, where the table has them, sorted."""
        found = {name: self._rating(column, line) for column, name in self.predicted.items()}
        return tuple(sorted((name, rating) for name, rating in found.items() if rating is not None))

    def side(self, line: Line) -> str:
        """The side of the split: `train`, `validation`, or a test set such as `test` or `test1`; empty without."""
        if not self.split:
            return ""
        side = side_of(line.cells[SPLIT])
        if not side:
            self._refuse(SPLIT, line, "train, validation, or a test set such as test or test1, in every row")
        return side

    def _votes(self, column: str, line: Line) -> int:
        """The votes of a cell; none where it is empty."""
        text = line.cells[column]
        if not text:
            return 0
        number = self._number(text)
        if number is None or not 0 <= number <= MOST_VOTES or number != round(number):
            expected = f"the number of annotators who chose the emotion, 0 to {MOST_VOTES}, or an empty cell"
            self._refuse(column, line, expected)
            return 0
        return round(number)

    def _rating(self, column: str, line: Line) -> float | None:
        """The rating of a cell; None where it is empty."""
        text = line.cells[column]
        rating = self._number(text)
        if text and rating is None:
            self._refuse(column, line, f"a number, or an empty cell; a column of words may be called 'meta_{column}'")
        if rating is not None and abs(rating) > LARGEST:
            self._refuse(column, line, f"a number from {-LARGEST:g} to {LARGEST:g}, or an empty cell")
            return None
        return rating

    def _number(self, text: str) -> float | None:
        """The finite number of a cell; None where it is none."""
        written = text.replace(",", ".") if self.comma and text.count(",") == 1 else text
        number = float(written) if _NUMBER.fullmatch(written) else math.inf
        return number if math.isfinite(number) else None

    def _emotions(self, line: Line) -> tuple[str, ...]:
        """The emotions of a cell, separated by `|`; none where it is empty."""
        text = line.cells[SEVERAL]
        names = [name.strip() for name in text.split("|")] if text else []
        if "" in names or len(set(names)) < len(names):
            self._refuse(SEVERAL, line, "names separated by '|', none of them empty or there twice")
            return ()
        return tuple(sorted(names))

    def _refuse(self, column: str, line: Line, expected: str) -> None:
        self.problems.add(f"cell {column}", line.number, f"'{column}' is '{line.cells[column]}'; expected {expected}")


def _repeated(names: Iterable[str]) -> set[str]:
    listed = list(names)
    return {name for name in listed if listed.count(name) > 1}
