"""`CorpusSettings`: a corpus by itself, or a union of several corpora, as users write it."""

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from ..errors import ConfigError
from .base import Settings
from .roles import Flag, Role

__all__ = ["UNION", "CorpusPart", "CorpusSettings", "label_of"]

UNION = "union"
"""`corpus.name` of a union of corpora."""
TABLE = "manifest"
"""The corpus that is a table of the user's, and is called by the table's file name."""
LABEL = r"[\w.-]+"
"""Letters, digits, `_`, `.` and `-`: what a label is made of."""


@dataclass(frozen=True, slots=True)
class CorpusPart:
    """A corpus of a union, as users write it: `NAME[:TASK][=DATA]`."""

    name: str
    """The reader, of `ser-tune corpus list`."""
    task: str | None = None
    """One of the corpus's tasks; None is its first."""
    data: Path | None = None
    """The corpus's folder, or the table of a manifest."""

    @classmethod
    def read(cls, text: str) -> "CorpusPart":
        """Read `NAME[:TASK][=DATA]`.

        >>> CorpusPart.read("emodb=corpora/emodb").label, CorpusPart.read("manifest=tables/urdu.csv").label
        ('emodb', 'urdu')

        Raises:
            ConfigError: It has no name, or nothing follows `:` or `=`.
        """
        named, equals, data = text.partition("=")
        name, colon, task = named.partition(":")
        if not name.strip() or (equals and not data.strip()) or (colon and not task.strip()):
            raise ConfigError(f"corpus '{text}' is not NAME[:TASK][=DATA], such as emodb=corpora/emodb")
        return cls(name.strip(), task.strip() or None, Path(data.strip()) if equals else None)

    @property
    def label(self) -> str:
        """The short name of the corpus: its name, or that of the table without the ending."""
        return label_of(self.name, self.data)

    def __str__(self) -> str:
        """The text that `read` reads.

        >>> str(CorpusPart.read("iemocap:merged=IEMOCAP"))
        'iemocap:merged=IEMOCAP'
        """
        task = "" if self.task is None else f":{self.task}"
        return f"{self.name}{task}{'' if self.data is None else f'={self.data}'}"


class CorpusSettings(Settings):
    """The corpus: its name, its folder and its task. Or the corpora of a union."""

    name: Annotated[str, Flag("--corpus", metavar="NAME[:TASK][=DATA]", completes="corpora", repeatable=True)] = "demo"
    """The corpus, of `ser-tune corpus list`; several are a union."""
    data: Annotated[Path | None, Role.RESUMABLE, Flag("--data")] = None
    """The corpus's folder, or for manifest its CSV file; the demo corpus needs none."""
    task: Annotated[str | None, Flag("--task")] = None
    """A task of the corpus, of `ser-tune corpus list`, such as iemocap's improvised or merged; none means its first."""
    label: Annotated[Annotated[str, Field(pattern=rf"^{LABEL}$")] | None, Role.ADDED, Role.RESUMABLE] = None
    """The name of the corpus in studies, models, experiments and reports; none means the corpus's name, of a manifest
    the name of its table without the ending, of a union the labels of its corpora joined by +."""
    union: Annotated[tuple[str, ...], Role.ADDED, Role.RESUMABLE] = ()
    """Several corpora that a study trains on, each as NAME[:TASK][=DATA], such as emodb=corpora/emodb. Speakers, texts
    and sessions of different corpora are never the same."""
    mapping: Annotated[str | None, Role.ADDED, Flag("--mapping", metavar="TABLE")] = None
    """The table that maps the emotions of a union's corpora to classes: four, six, seven, valence or arousal, or a CSV
    file corpus,emotion,class. None means the emotions that all corpora have, by their usual names and merges."""
    unlabelled: Annotated[Path | None, Role.ADDED, Role.RESUMABLE, Flag("--unlabelled", metavar="DIR")] = None
    """A folder with recordings of the target, of which no label is used; `alignment.kind` adapts the model to them."""
    names_as_written: tuple[str, ...] = ()
    """Names of speakers, emotions and sessions that are taken as they are: of spellings such as anna and Anna that are
    two speakers after all, all but one at least; and a speaker whose name is that of a placeholder, such as Nan. In a
    union they begin with the corpus's label, such as urdu:Nan."""

    @field_validator("names_as_written")
    @classmethod
    def _in_any_order(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(names)))

    @property
    def parts(self) -> tuple[CorpusPart, ...]:
        """The corpora of a union, in the order of writing; a single one otherwise."""
        return tuple(map(CorpusPart.read, self.union)) or (CorpusPart(self.name, self.task, self.data),)

    @property
    def shown(self) -> str:
        """The name of the corpus in studies, models, experiments and reports."""
        return self.label or ("+".join(part.label for part in self.parts) if self.union else self.name)

    @property
    def options(self) -> str:
        """The options of a command that name the same corpus, or the same corpora."""
        several = " ".join(f"--corpus {shlex.quote(str(part))}" for part in self.parts)
        return several if self.mapping is None else f"{several} --mapping {shlex.quote(self.mapping)}"

    @model_validator(mode="after")
    def _is_alone_or_a_union(self) -> Self:
        if not self.union:
            if self.name == UNION:
                raise ValueError("corpus.name is union, but corpus.union is empty; expected NAME=DATA of each corpus")
            if self.mapping is not None:
                raise ValueError(
                    f"corpus.mapping is {self.mapping} of a single corpus; expected several corpora in corpus.union, "
                    "or protocol.merge and protocol.emotions"
                )
            return self
        if self.name != UNION:
            raise ValueError(f"corpus.name is {self.name} beside corpus.union; expected one of the two")
        if given := [name for name in ("data", "task") if getattr(self, name) is not None]:
            raise ValueError(
                f"corpus.{given[0]} is {getattr(self, given[0])} beside corpus.union; expected it in corpus.union, as "
                "NAME[:TASK][=DATA]"
            )
        if len(self.union) < 2:
            raise ValueError(f"corpus.union has {self.union[0]} alone; expected two corpora or more")
        try:
            labels = Counter(part.label for part in self.parts)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if double := [label for label, count in labels.items() if count > 1]:
            raise ValueError(
                f"two corpora of corpus.union are called {double[0]}: {', '.join(self.union)}; expected a different "
                "name of each, as tables with different file names have"
            )
        return self


def label_of(name: str, data: Path | None) -> str:
    """The label of a corpus: its name, or that of a table, whose signs that no label has are `_`.

    >>> label_of("emodb", None), label_of("manifest", Path("my calls.csv")), label_of("manifest", None)
    ('emodb', 'my_calls', 'manifest')
    """
    written = "" if name != TABLE or data is None else re.sub(rf"(?!{LABEL}).", "_", data.stem)
    return written.strip("_.-") or name
