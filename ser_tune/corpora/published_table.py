"""Tables of a corpus's owners: comma-separated, with a header that is known, and up to millions of rows.

Tables that users write are read by `read_table`, which finds out their form.
"""

import csv
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from ..errors import CorpusError

__all__ = ["PublishedTable"]


class PublishedTable:
    """A table on disk, whose rows are read one at a time."""

    def __init__(self, file: Path) -> None:
        """Read the header.

        Raises:
            CorpusError: The file cannot be read, or is empty.
        """
        self.file = file
        header = next(self._lines(), (0, None))[1]
        if header is None:
            raise CorpusError(f"{file} is empty; expected a table with a header")
        self.columns = tuple(name.strip() for name in header)

    def rows(self, *names: str) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield the line of the file that each row ends on, and its cells in these columns.

        Args:
            names: At least two columns, as the header has them. An empty name is the column of row numbers.

        Raises:
            CorpusError: The header lacks a column, a row is short, or the file is not valid CSV.
        """
        if missing := [name for name in names if name not in self.columns]:
            listed = ", ".join(f"'{name}'" for name in missing)
            raise CorpusError(f"{self.file} lacks column(s) {listed}; it has {', '.join(filter(None, self.columns))}")
        width, pick = len(self.columns), itemgetter(*(self.columns.index(name) for name in names))
        lines = self._lines()
        next(lines)
        for number, cells in lines:
            if len(cells) != width:
                if not any(map(str.strip, cells)):
                    continue
                raise CorpusError(f"{self.file}, line {number}: the row has {len(cells)} cells; expected {width}")
            yield number, pick(cells)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        try:
            # Free text of annotators may be in another encoding; names and labels are plain ASCII
            with self.file.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                reader = csv.reader(file, skipinitialspace=True)
                try:
                    for cells in reader:
                        yield reader.line_num, cells
                except csv.Error as error:
                    raise CorpusError(f"{self.file}, line {reader.line_num} is not valid CSV: {error}") from None
        except OSError as error:
            raise CorpusError(f"{self.file} cannot be read: {error.strerror}") from None
