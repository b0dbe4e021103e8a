"""`make`: the table of a folder of recordings."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..errors import CorpusError
from .arguments import Argument, Data, located, path_or_none
from .corpus_checks import CheckedCorpus, check

if TYPE_CHECKING:
    from ..config import Project
    from ..corpora.making import MadeTable

__all__ = ["MadeCorpus", "make"]


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
    out: Data = None,
    overwrite: bool = False,
    mapping: Annotated[Mapping[str, str] | None, Argument(option="--map", metavar="OLD=NEW")] = None,
    project: "Project | None" = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> MadeCorpus:
    r"""Write the table of a folder of recordings from the names of its files and folders, and check it.

    Lists the recordings of each speaker and emotion, the fields that are not used, and the files that the pattern
    does not describe. The table is a corpus: `--corpus manifest=FILE`.

    Args:
        folder: With the recordings, however deep; WAV, FLAC, Ogg, MP3, AIFF and the like.
        pattern: The last parts of a recording's path in the folder, such as {speaker}_{emotion}_{n}.wav or
            {emotion}/{speaker}-*.wav. Columns are speaker, emotion, text, gender, session, language, split and
            meta_NAME; other fields, and *, are any text. {speaker:[FM]\d\d} limits a field by a regular expression.
        out: The table; default: FOLDER.csv beside the folder. It lies in the folder or above it.
        overwrite: Replace another table of that name.
        mapping: Write an emotion of the names by another name, such as W=anger; nothing after = leaves it out;
            repeatable.
        project: Where things are; None is `Project.locate()`.
        progressed: Receives how many recordings are decoded, of how many.

    Raises:
        SerTuneError: The pattern is wrong or describes no recording, or there is another table already.
    """
    from ..corpora.making import default_table, make_table, write_table

    place = Path(folder)
    if pattern is None:
        raise _without_pattern(place, located(project))
    file = path_or_none(out) or default_table(place)
    table = make_table(place, pattern, file, mapping=mapping)
    write_table(file, table, overwrite=overwrite)
    return MadeCorpus(file, table, check("manifest", data=file, project=project, progressed=progressed))


def _without_pattern(folder: Path, project: "Project") -> CorpusError:
    """The error where no pattern is given: the names of recordings, or the corpus that has such names."""
    from ..corpora import CORPORA
    from ..corpora.making import first_names, recordings_of

    paths = recordings_of(folder)
    listed = f"the first of {len(paths)} recordings are {first_names(folder, paths)}"
    for source in map(CORPORA.get, CORPORA.names()):
        with suppress(CorpusError):
            if source.home and source.read(folder, project.cache):
                place = shlex.quote(str(folder))
                return CorpusError(
                    f"{listed}, as corpus {source.name} has them; type `ser-tune corpus check {source.name} --data "
                    f"{place}`, or pass --pattern"
                )
    return CorpusError(f"{listed}; pass --pattern, such as '{{speaker}}_{{emotion}}_{{n}}.wav'")
