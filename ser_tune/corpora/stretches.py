"""Stretches of recordings, as the columns `start` and `end`, or `start` and `duration`, have them."""

from dataclasses import dataclass

from .table import Line, Table
from .times import decimal_comma, is_unknown, seconds

__all__ = ["WHOLE", "Stretch", "Stretches"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording, or all of it."""

    start_s: float = 0.0
    end_s: float | None = None
    """None is the end of the recording."""
    name: str = ""
    """To add to the recording's name; empty for all of it."""


WHOLE = Stretch()


class Stretches:
    """Reads the stretches of a table's lines; problems are added to the table's."""

    def __init__(self, table: Table) -> None:
        """Find out how the table writes its numbers."""
        self.problems = table.problems
        columns = set(table.columns)
        self.given = "start" in columns and bool(columns & {"end", "duration"})
        self.column = "end" if "end" in columns else "duration"
        cells = [line.cells[column] for line in table.lines for column in ("start", self.column) if self.given]
        self.comma = decimal_comma(cells, separator=table.separator)

    def of(self, line: Line) -> Stretch | None:
        """The stretch of a line; None where something is wrong with it."""
        start, end = (line.cells[column] if self.given else "" for column in ("start", self.column))
        try:
            return self._stretch(start, "" if is_unknown(end) else end, open_end=is_unknown(end))
        except ValueError as error:
            sentence = str(error)
            self.problems.add(sentence.partition("expected")[2], line.number, sentence)
            return None

    def _stretch(self, start: str, end: str, *, open_end: bool) -> Stretch:
        """The stretch between two cells, or a ValueError."""
        if not start and not end:
            return WHOLE
        if not start:
            raise ValueError(f"'{self.column}' is {end} but 'start' is empty; expected both or neither")
        start_s = self._seconds("start", start)
        if not end:
            # audformat writes the end of the recording like this
            if not open_end and start_s > 0 and "day" not in start:
                raise ValueError(f"'start' is {start} but '{self.column}' is empty; expected both or neither")
            return Stretch(start_s, None, f"[{start}-]" if start_s else "")
        end_s = self._seconds(self.column, end)
        if self.column == "duration":
            end_s, end = start_s + end_s, f"{start_s + end_s:g}"
        if end_s <= start_s:
            raise ValueError(f"'end' is {end}; expected more than 'start', which is {start}")
        return Stretch(start_s, end_s, f"[{start}-{end}]")

    def _seconds(self, column: str, text: str) -> float:
        value = seconds(text, comma=self.comma)
        if value is None:
            ambiguous = seconds(text, comma=True) is not None
            cause = "; its comma may be decimal or between thousands" if ambiguous else ", 0 or more"
            raise ValueError(f"'{column}' is '{text}'; expected a number of seconds{cause}")
        return value
