"""`make`: the table of a folder of recordings."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..errors import ConfigError, CorpusError, UnknownNameError
from .arguments import Argument, Data, located, path_or_none
from .corpus_checks import CheckedCorpus, check

if TYPE_CHECKING:
    from ..corpora.layouts import Layout
    from ..corpora.made_table import MadeTable
    from ..project import Project

__all__ = ["MadeCorpus", "make"]

LAYOUTS = {"audformat": ("db.yaml",), "huggingface": ("metadata.csv", "dataset_dict.json", "state.json")}
"""Layouts beside those of corpora, to files of a folder that has them."""


@dataclass(frozen=True, slots=True)
class MadeCorpus:
    """A table of recordings, written and checked."""

    file: Path
    table: "MadeTable"
    """Its rows, and the files that are left out."""
    checked: CheckedCorpus
    """Counts and problems of its recordings."""


def make(
    folder: Annotated[Path | str, Argument(metavar="FOLDER")],
    *,
    pattern: str | None = None,
    layout: Annotated[str | None, Argument(option="--from", metavar="LAYOUT", completes="corpora")] = None,
    columns: Annotated[Mapping[str, str] | None, Argument(option="--column", metavar="NAME=COLUMN")] = None,
    out: Data = None,
    overwrite: bool = False,
    mapping: Annotated[Mapping[str, str] | None, Argument(option="--map", metavar="OLD=NEW")] = None,
    project: "Project | None" = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> MadeCorpus:
    r"""Write the table of a folder of recordings, from their names or from a known layout, and check it.

    Lists the recordings of each speaker and emotion, where the columns come from, what is not used, and the files that
    are left out. The table is a corpus: `--corpus manifest=FILE`.

    Args:
        folder: With the recordings, however deep; WAV, FLAC, Ogg, MP3, AIFF and the like.
        pattern: The last parts of a recording's path in the folder, such as {speaker}_{emotion}_{n}.wav or
            {emotion}/{speaker}-*.wav. Columns are speaker, emotion, text, gender, session, language, split and
            meta_NAME; other fields, and *, are any text. {speaker:[FM]\d\d} limits a field by a regular expression.
        layout: In place of a pattern: a corpus of `ser-tune corpus list`, such as ravdess; audformat, for a database
            with db.yaml; huggingface, for a data set on disk. The last two need the extra `layouts`.
        columns: Column of the table, such as speaker or meta_age, to the column of the database or data set, where it
            has another name than is usual; repeatable.
        out: The table; default: FOLDER.csv beside the folder. It lies in the folder or above it.
        overwrite: Replace another table of that name.
        mapping: Write an emotion by another name, such as W=anger; nothing after = leaves it out; repeatable.
        project: Where things are; None is `Project.locate()`.
        progressed: Receives how many recordings are decoded, of how many.

    Raises:
        SerTuneError: The pattern is wrong or describes no recording, the folder does not have the layout, or there is
            another table already.
    """
    from ..corpora.layouts import table_of
    from ..corpora.made_table import default_table, write_table
    from ..corpora.making import make_table

    place, where = Path(folder), located(project)
    file = path_or_none(out) or default_table(place)
    if layout is not None:
        if pattern is not None:
            raise ConfigError("pass --pattern or --from, not both")
        known = _known_layout(place, layout, columns or {}, where, file, overwrite=overwrite)
        table = table_of(known, place, file, mapping=mapping)
    elif columns:
        raise ConfigError("--column is for --from audformat and --from huggingface; a pattern names its columns")
    elif pattern is None:
        raise _without_pattern(place, where)
    else:
        table = make_table(place, pattern, file, mapping=mapping)
    write_table(file, table, overwrite=overwrite)
    return MadeCorpus(file, table, check("manifest", data=file, project=where, progressed=progressed))


def _known_layout(
    folder: Path, name: str, columns: Mapping[str, str], project: "Project", table: Path, *, overwrite: bool
) -> "Layout":
    """The utterances of a folder that has a known layout."""
    from ..corpora import CORPORA
    from ..corpora.layouts import COLUMNS, META, own_layout

    name = {"hf": "huggingface", "hugging_face": "huggingface"}.get(name.casefold(), name.casefold())
    for column in columns:
        if column not in COLUMNS and not column.startswith(META):
            raise UnknownNameError("column of a table", column, [*COLUMNS, f"{META}NAME"])
    if name == "audformat":
        from ..corpora.audformat_layout import read_audformat

        return read_audformat(folder, columns)
    if name == "huggingface":
        from ..corpora.huggingface_layout import read_huggingface

        return read_huggingface(folder, columns, table.with_name(f"{table.stem}_recordings"), overwrite=overwrite)
    owned = [known for known in CORPORA.names() if known not in ("demo", "manifest")]
    if name not in owned:
        raise UnknownNameError("layout", name, [*owned, *LAYOUTS])
    if columns:
        raise ConfigError(f"--column is for --from {' and --from '.join(LAYOUTS)}; corpus {name} has its own columns")
    return own_layout(CORPORA.get(name), folder, project.cache)


def _without_pattern(folder: Path, project: "Project") -> CorpusError:
    """The error where no pattern is given: the names of recordings, or the layout that the folder has."""
    from ..corpora import CORPORA
    from ..corpora.making import first_names, recordings_of

    place = shlex.quote(str(folder))
    for layout, files in LAYOUTS.items():
        if found := next((own for name in files for own in folder.rglob(name)), None):
            return CorpusError(f"'{found}' is of a known layout; type `ser-tune corpus make {place} --from {layout}`")
    paths = recordings_of(folder)
    listed = f"the first of {len(paths)} recordings are {first_names(folder, paths)}"
    for source in map(CORPORA.get, CORPORA.names()):
        with suppress(CorpusError):
            if source.home and source.read(folder, project.cache):
                return CorpusError(
                    f"{listed}, as corpus {source.name} has them; type `ser-tune corpus check {source.name} --data "
                    f"{place}`; for a table pass --from {source.name}, or --pattern"
                )
    return CorpusError(f"{listed}; pass --pattern, such as '{{speaker}}_{{emotion}}_{{n}}.wav'")
