"""Databases in audformat (https://audeering.github.io/audformat): emotions, ratings, speakers, texts and sides.

Tables and columns are found by their names and those of their schemes. Read through the package audformat.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CorpusError, SerTuneError, UnknownNameError, reason_in
from .columns import read_header
from .label_columns import DIMENSIONS, SEVERAL, side_of
from .layouts import COLUMNS, META, Layout, ratings_in
from .utterance import Annotation, Utterance

if TYPE_CHECKING:
    import audformat
    import pandas as pd

__all__ = ["read_audformat"]

HEADER = "db.yaml"
LABELS = ("emotion", *DIMENSIONS)
OF_SPEAKERS = ("gender", "language", "age")
"""Facts of a speaker that a scheme of speakers may have."""
WHOLE = (0.0, None)
"""Start and end of a whole file."""
Key = tuple[str, float, float | None]
"""File as the database has it, start and end in seconds; of a whole file 0 and None."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A column of a database, whose cells are those of a column of the table."""

    table: str
    column: str

    def __str__(self) -> str:
        """The table and the column, as users write them."""
        return f"{self.table}.{self.column}"


def read_audformat(folder: Path, columns: Mapping[str, str]) -> Layout:
    """Read the labelled files and segments of a database.

    Args:
        folder: With `db.yaml`; files are relative to it.
        columns: Column of the table to the column of the database, as `TABLE.COLUMN` or `COLUMN`.

    Raises:
        CorpusError: It is no such database, the package is not installed, several columns differ that may have the
            same label, or no column has a label or the speaker.
    """
    try:
        import audformat
    except ImportError:
        raise CorpusError(
            "--from audformat needs the package audformat; install it with pip install 'ser-tune[layouts]'"
        ) from None
    if not (folder / HEADER).is_file():
        raise CorpusError(f"'{folder}' is no database in audformat; expected a folder with {HEADER}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of audformat's calls of pandas
        try:
            return _Reader(folder, audformat.Database.load(str(folder)), columns).layout()
        except SerTuneError:
            raise
        except Exception as error:  # of many kinds; tables are read when their cells are
            raise CorpusError(f"'{folder / HEADER}' cannot be read: {reason_in(error)}") from None


class _Reader:
    """Finds the columns of a database, and their cells."""

    def __init__(self, folder: Path, database: "audformat.Database", columns: Mapping[str, str]) -> None:
        self.folder, self.database = folder, database
        self.sources = {
            name: self._sources(name, columns.get(name))
            for name in dict.fromkeys((*COLUMNS, *columns))
            if name != SEVERAL
        }
        if not any(self.sources[name] for name in LABELS):
            raise self._missing("emotion")
        if not self.sources["speaker"]:
            raise self._missing("speaker")

    def layout(self) -> Layout:
        """The utterances of the database."""
        cells = {name: self._cells(name) for name in self.sources}
        facts = self._facts_of_speakers()
        sides = self._sides()
        labelled = {key for name in LABELS for key in cells[name]}
        in_parts = {key[0] for key in labelled if key[1:] != WHOLE}  # whose stretches have the labels of the file too
        keys = sorted(
            {key for key in labelled if key[1:] != WHOLE or key[0] not in in_parts},
            key=lambda key: (key[0], key[1], key[2] or 0.0),
        )
        languages = self.database.languages
        language = str(languages[0]) if len(languages) == 1 else ""

        def _utterance(key: Key) -> Utterance:
            found = {name: own.get(key) or own.get((key[0], *WHOLE)) or "" for name, own in cells.items()}
            known = {**facts.get(found["speaker"], {}), **{name: found[name] for name in found if found[name]}}
            further = [name for name in known if name not in COLUMNS]
            return Utterance(
                id=str(key),
                path=self.folder / key[0],
                speaker=found["speaker"],
                emotion=found["emotion"],
                group=found["session"],
                start_s=key[1],
                end_s=key[2],
                text=found["text"],
                attributes=tuple(
                    (name.removeprefix(META), known[name]) for name in ("gender", *further) if known.get(name)
                ),
                annotation=Annotation(dimensions=ratings_in(found, self.folder / key[0])),
                split=sides.get(key) or sides.get((key[0], *WHOLE)) or "",
                language=_language(known.get("language") or language),
            )

        understood = {name: ", ".join(map(str, own)) for name, own in self.sources.items() if own}
        understood |= dict.fromkeys(self._speaker_facts(), f"the scheme of {self.sources['speaker'][0]}")
        read = {str(own) for own_sources in self.sources.values() for own in own_sources}
        unread = [str(own) for own in self._all() if str(own) not in read]
        return Layout(list(map(_utterance, keys)), understood, tuple(unread))

    def _all(self) -> Iterator[_Source]:
        """Every column of every table."""
        for table in sorted(self.database.tables):
            for column in sorted(self.database.tables[table].columns):
                yield _Source(table, column)

    def _sources(self, name: str, written: str | None) -> Sequence[_Source]:
        """The columns of the database that are a column of the table."""
        if written is not None:
            found = [own for own in self._all() if written in (str(own), own.column)]
            if not found:
                raise UnknownNameError("column of the database", written, map(str, self._all()))
            return found
        return [own for own in self._all() if name in (_meaning(own.column), _meaning(self._scheme(own)))]

    def _scheme(self, source: _Source) -> str:
        return str(self.database.tables[source.table].columns[source.column].scheme_id or "")

    def _cells(self, name: str) -> Mapping[Key, str]:
        """The cells of a column by file and stretch.

        Raises:
            CorpusError: Two columns of the database differ.
        """
        cells: dict[Key, str] = {}
        first: dict[Key, _Source] = {}
        for source in self.sources[name]:
            values = self.database.tables[source.table].columns[source.column].get()
            for key, value in zip(_keys(values.index), values.astype(object), strict=True):
                cell = _cell(value)
                if cells.get(key, cell) != cell and cells[key] and cell:
                    raise CorpusError(
                        f"'{name}' of {key[0]} is '{cells[key]}' in {first[key]} and '{cell}' in {source}; name the "
                        f"column to be read with --column {name}=TABLE.COLUMN"
                    )
                if cell:
                    cells[key], first[key] = cell, source
        return cells

    def _sides(self) -> Mapping[Key, str]:
        """The side of each file or stretch that a table of labels has for a split."""
        sides: dict[Key, set[str]] = defaultdict(set)
        for name in LABELS:
            for source in self.sources[name]:
                table = self.database.tables[source.table]
                if table.split_id is not None:
                    side = side_of(str(self.database.splits[table.split_id].type))
                    for key in _keys(table.index):
                        sides[key].add(side)
        return {key: own.pop() if len(own) == 1 else "" for key, own in sides.items()}

    def _speaker_facts(self) -> Sequence[str]:
        """Names of the facts that the scheme of the speakers has."""
        source = self.sources["speaker"][0]
        scheme = self.database.schemes.get(self._scheme(source)) if self._scheme(source) else None
        labels: Any = scheme.labels if scheme is not None else None
        if isinstance(labels, str):
            there = set(self.database.misc_tables[labels].columns)
        else:
            there = {key for own in (labels or {}).values() for key in own} if _has_facts(labels) else set()
        return [name for name in OF_SPEAKERS if name in there and not self.sources.get(name)]

    def _facts_of_speakers(self) -> Mapping[str, Mapping[str, str]]:
        """The facts of each speaker that the scheme of the speakers has."""
        facts: dict[str, dict[str, str]] = defaultdict(dict)
        source = self.sources["speaker"][0]
        column = self.database.tables[source.table].columns[source.column]
        for name in self._speaker_facts():
            for speaker, value in zip(column.get(), column.get(map=name), strict=True):
                if cell := _cell(value):
                    facts[_cell(speaker)][name] = cell
        return facts

    def _missing(self, name: str) -> CorpusError:
        listed = ", ".join(map(str, self._all()))
        return CorpusError(
            f"no column of '{self.folder / HEADER}' is called {name}; name it with --column {name}=TABLE.COLUMN, one "
            f"of {listed or 'none'}"
        )


def _has_facts(labels: object) -> bool:
    return isinstance(labels, dict) and all(isinstance(own, dict) for own in labels.values())


def _meaning(name: str) -> str:
    """The column of a table that a name is usual for; empty where it is for none."""
    return next(iter(read_header([name], required=(), optional=COLUMNS).columns), "") if name else ""


def _cell(value: Any) -> str:  # noqa: ANN401 - of any column
    """The text of a value; empty where there is none."""
    import pandas as pd

    if pd.isna(value):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _language(name: str) -> str:
    """The two letters of a language, where there are two; else as written."""
    import iso639  # of audformat

    try:
        return str(iso639.Lang(name).pt1) or name
    except iso639.exceptions.InvalidLanguageValue:
        return name


def _keys(index: "pd.Index") -> list[Key]:
    """The file, start and end of every row."""
    if index.nlevels == 1:
        return [(str(file), *WHOLE) for file in index]
    return [
        (str(file), start.total_seconds(), None if end != end else end.total_seconds()) for file, start, end in index
    ]
