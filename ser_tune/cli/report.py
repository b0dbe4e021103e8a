"""`report`: a page about a result, and its tables."""

from pathlib import Path

from .. import api
from ..config import Project
from ..errors import ConfigError, StorageError
from ..spreadsheets import safe_cell
from .console import notes, results
from .rows import written

__all__ = ["write_report"]


def write_report(
    reference: str,
    *,
    out: Path,
    csv: Path | None,
    latex: Path | None,
    data: Path | None,
    audio: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Write the page, and tables where they are asked for; print where they are.

    Raises:
        ConfigError: A file's folder does not exist.
    """
    for option, path in (("--out", out), ("--csv", csv), ("--latex", latex)):
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise ConfigError(f"{option} is '{path}'; expected a file's name in an existing folder")
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    found = api.report(reference, data=data, with_audio=audio, project=project)
    with written(out) as file:
        file.write(found.html)
    if found.missing:
        notes.print(f"note: without recordings and the audit of the folds: {found.missing}", markup=False)
    elif audio and found.mistakes:
        licence = found.recordings.licence if found.recordings else ""
        notes.print(
            f"note: the page contains recordings (licence: {licence}); --no-audio leaves them out", markup=False
        )
    results.print(f"report: {out}", markup=False)
    if csv is not None:
        with written(csv, "--csv") as file:
            found.trials.rename(columns=safe_cell).map(safe_cell).to_csv(file)
        results.print(f"trials: {csv}", markup=False)
    if latex is not None:
        with written(latex, "--latex") as file:
            file.write(found.latex)
        results.print(f"tables: {latex}", markup=False)
    try:
        api.log_pictures(found, project=project)
    except StorageError as error:  # of somebody else's server, perhaps: the page is written
        notes.print(f"note: the pictures are not in MLflow: {error}", markup=False)
