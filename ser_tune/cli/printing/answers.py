"""A model's answers as rows: columns, numbers, and cells of a table for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...prediction import Prediction
    from ...tasks import StatedSets
    from ...tracking import LoadedModel

__all__ = ["Answers", "Row"]

Row = dict[str, object]


class Answers:
    """The form of the answers of one model: the answer's name, where it has one, and the number of each output."""

    def __init__(
        self,
        model: "LoadedModel",
        *,
        timed: bool = False,
        with_errors: bool = False,
        sets: "StatedSets | None" = None,
        of_speaker: bool = False,
    ) -> None:
        """Describe a model's answers.

        Args:
            model: Loaded.
            timed: Whether rows have start and end, in seconds.
            with_errors: Whether rows have the error of each output, where the model has it.
            sets: Prediction sets of the answers, in place of errors.
            of_speaker: Whether rows have the basis of answers for a named speaker, such as `causal`.
        """
        self._task, self._labels, self._scales = model.task, model.labels, model.scales
        self._sets = sets
        self._basis = ("basis",) if of_speaker else ()
        self._errors = model.errors if with_errors and sets is None else {}
        self._times = ("start_s", "end_s") if timed else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys of rows, in order."""
        return (
            "file",
            *self._times,
            *self._named,
            *self._labels,
            *self._error_columns,
            *self._set_columns,
            *self._basis,
        )

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles of a table's columns: those of outputs have their scale, and their cells have the error."""
        scales = {name: f"{name} ({low:g} to {high:g})" for name, (low, high) in self._scales.items()}
        titles = (*self._named, *(scales.get(name, name) for name in self._labels), *self._set_titles, *self._basis)
        return ("file", *self._times, *titles)

    @property
    def note(self) -> str:
        """A sentence on the errors, or the sets, of a table's cells; empty without."""
        if self._sets is not None:
            share = f"{'at most' if self._sets.guaranteed else 'about'} {100 * self._sets.error_rate:g} %"
            return (
                f"prediction sets lack the true answer in {share} of the utterances of new speakers of the training's "
                "corpus; in other recordings more often"
            )
        if not self._errors:
            return ""
        return "±: root mean squared error on the validation speakers, who also chose the epochs and the trial"

    def whole(self, found: "Prediction") -> Row:
        """The answer for an utterance, with its prediction set if it has one."""
        row = self.row(found.source, found.label, found.numbers)
        columns = {} if self._sets is None else self._sets.columns(found.numbers, found.label)
        return row | {name: columns[name] for name in self._set_columns} | dict.fromkeys(self._basis, found.basis)

    def row(
        self, source: str, label: str, numbers: Mapping[str, float], *, start_s: float = 0.0, end_s: float = 0.0
    ) -> Row:
        """An answer, with all digits of its numbers."""
        times = zip(self._times, (round(start_s, 3), round(end_s, 3)), strict=False)
        named = dict.fromkeys(self._named, label)
        errors = {column: self._errors[name] for column, name in self._error_columns.items()}
        return {"file": source, **dict(times), **named, **numbers, **errors}

    def cells(self, row: Row) -> list[str]:
        """A row of the table."""
        shown = ("file", *self._times, *self._named, *self._labels, *self._set_titles, *self._basis)
        return [self._cell(row, column) for column in shown]

    def _cell(self, row: Row, column: str) -> str:
        value = row[column]
        if not isinstance(value, float):
            return str(value)
        if column not in self._labels or self._task.named:
            return f"{value:.3f}"
        if f"{column}_low" in row:
            return f"{value:.2f} [{row[f'{column}_low']:.2f}, {row[f'{column}_high']:.2f}]"
        return f"{value:.2f} ± {self._errors[column]:.2f}" if column in self._errors else f"{value:.2f}"

    @property
    def _set_titles(self) -> tuple[str, ...]:
        """The column of sets of classes in a table; none for ratings, whose ranges are in the ratings' columns."""
        return self._set_columns if self._sets is not None and self._sets.has_members else ()

    @property
    def _set_columns(self) -> tuple[str, ...]:
        """Keys of the prediction set in a row."""
        return () if self._sets is None else self._sets.column_names(self._labels)

    @property
    def _named(self) -> tuple[str, ...]:
        """The column of the answer's name."""
        return (self._task.answer,) if self._task.named else ()

    @property
    def _error_columns(self) -> dict[str, str]:
        """Columns of errors, and the outputs that they are of."""
        return {f"{name}_error": name for name in self._errors if f"{name}_error" not in self._labels}
