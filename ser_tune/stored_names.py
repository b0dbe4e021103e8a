"""Names in a project's SQLite databases, read without MLflow and Optuna, and refusals of names that they do not have.

Both take longer to import than a user waits for the answer to a typing mistake. Servers and journals are not read, and
neither is a database that cannot be read: the names in them are refused later, with the same sentences.
"""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import RegistryError, StudyError, valid_names

if TYPE_CHECKING:
    from .project import Project

__all__ = [
    "STUDY_NAME_TAG",
    "database_of",
    "inner_name",
    "model_names",
    "model_of_result",
    "model_references",
    "opened",
    "refuse_unknown_model",
    "refuse_unknown_result",
    "refuse_unknown_study",
    "study_names",
    "unknown_model",
    "unknown_result",
    "unknown_run",
    "unknown_study",
]

STUDY_NAME_TAG = "ser_tune.study"
"""On a run of MLflow: the name of its study."""
STUDIES = "SELECT study_name FROM studies ORDER BY study_name"
MODELS = """
SELECT name FROM registered_models
WHERE name NOT IN (SELECT name FROM registered_model_tags WHERE key = 'mlflow.prompt.is_prompt')
ORDER BY name
"""
"""Prompts for language models share MLflow's table."""
ALIASES = "SELECT name || '@' || alias FROM registered_model_aliases"
RUNS = "SELECT run_uuid FROM runs WHERE run_uuid = ?"
TRACKED = """
SELECT DISTINCT value FROM tags JOIN runs USING (run_uuid)
WHERE key = ? AND lifecycle_stage IN (?, 'active') ORDER BY value
"""
LOCKED_S = 60.0
"""Seconds until a database that another program keeps locked is given up."""


def database_of(url: str) -> Path | None:
    """The file of an SQLite database's URL; None for any other.

    >>> database_of("sqlite:///mlflow.db?timeout=60"), database_of("http://tracking.example")
    (PosixPath('mlflow.db'), None)
    """
    prefix = "sqlite:///"
    return Path(url.removeprefix(prefix).partition("?")[0]) if url.startswith(prefix) else None


def opened(database: Path, *, timeout_s: float = LOCKED_S) -> "closing[sqlite3.Connection]":
    """A database that is only read, whose transactions its user begins; closed at the end of the context.

    Args:
        database: The file; it is not made where it is missing.
        timeout_s: Seconds to wait while another program keeps it locked.

    Raises:
        sqlite3.Error: It is missing or no database.
    """
    address = f"{database.absolute().as_uri()}?mode=ro"
    return closing(sqlite3.connect(address, uri=True, timeout=timeout_s, isolation_level=None))


def inner_name(study: str, number: int) -> str:
    """Name the search of a nested study that never sees the speakers of an outer fold."""
    return f"{study}-outer{number:02d}"


def study_names(url: str, *, timeout_s: float = LOCKED_S) -> list[str] | None:
    """The studies in Optuna's database, sorted; none where its file is missing; None where it cannot be read here."""
    return _column(url, STUDIES, timeout_s=timeout_s)


def model_names(url: str, *, timeout_s: float = LOCKED_S) -> list[str] | None:
    """The registered models in MLflow's database, sorted; the rest as of `study_names`."""
    return _column(url, MODELS, timeout_s=timeout_s)


def model_references(url: str, *, timeout_s: float = LOCKED_S) -> list[str]:
    """The registered models, plain and with each alias; none where the database cannot be read here."""
    names = model_names(url, timeout_s=timeout_s) or []
    aliases = (_column(url, ALIASES, timeout_s=timeout_s) or []) if names else []
    return [*names, *(alias for alias in aliases if alias.rpartition("@")[0] in names)]


def refuse_unknown_study(name: str, project: "Project") -> None:
    """Raise where Optuna's database has no study of a name.

    Raises:
        StudyError: There is no such study.
    """
    names = study_names(project.storage_url)
    if names is not None and name not in names:
        raise unknown_study(name, project.storage_url, names)


def refuse_unknown_model(reference: str, project: "Project", *, or_study: bool = False) -> None:
    """Raise where MLflow's database has no model of a reference's name.

    Args:
        reference: `name` (its champion), `name@alias` or `name/version`.
        project: The project.
        or_study: The reference may also be the name of a study that MLflow has, or once had.

    Raises:
        RegistryError: There is no such model.
    """
    models = model_names(project.tracking_uri)
    if models is None or _model_of(reference) in models:
        return
    if not (or_study and _may_be_tracked(reference, project)):
        raise unknown_model(_model_of(reference), models)


def refuse_unknown_result(reference: str, project: "Project") -> None:
    """Raise where MLflow's database has no result of a reference.

    Args:
        reference: A registered model, a study, `STUDY:TRIAL` or a run's identifier.
        project: The project.

    Raises:
        RegistryError: There is no such result.
    """
    url = project.tracking_uri
    models = model_names(url)
    if models is None or model_of_result(reference) in models or _waits(project):
        return
    if re.fullmatch("[0-9a-f]{32}", reference):
        if _column(url, RUNS, reference) == []:
            raise unknown_run(reference, url)
        return
    study, _, number = reference.rpartition(":")
    if not (_may_be_tracked(reference, project) or (number.isdecimal() and _may_be_tracked(study, project))):
        raise unknown_result(reference, models, _column(url, TRACKED, STUDY_NAME_TAG, "active") or ())


def model_of_result(reference: str) -> str:
    """The model's name in a result's reference; empty where the reference has not the form of a model's.

    >>> model_of_result("ser-emodb-light_cnn@champion"), model_of_result("first/second")
    ('ser-emodb-light_cnn', '')
    """
    return _model_of(reference) if re.fullmatch(r"[^@/]+(@.+|/\d+)?", reference) else ""


def unknown_study(name: str, url: str, names: Sequence[str]) -> StudyError:
    """The error of a name that no study in a storage has."""
    return StudyError(f"no study '{name}' in {url}; it has: {valid_names(name, names)}")


def unknown_model(name: str, models: Sequence[str]) -> RegistryError:
    """The error of a name that no registered model has."""
    return RegistryError(f"no registered model '{name}'; there are: {valid_names(name, models)}")


def unknown_run(run_id: str, store: str) -> RegistryError:
    """The error of an identifier that no run in a tracking store has."""
    return RegistryError(f"no run '{run_id}' in {store}")


def unknown_result(reference: str, models: Sequence[str], studies: Iterable[str]) -> RegistryError:
    """The error of a reference that fits nothing in a tracking store with these models and studies."""
    return RegistryError(
        f"'{reference}' is no registered model, study or run; models: {valid_names(reference, models)}; "
        f"studies: {valid_names(reference, studies)}"
    )


def _model_of(reference: str) -> str:
    return re.split("[@/]", reference)[0]


def _may_be_tracked(study: str, project: "Project") -> bool:
    """Whether MLflow's database has runs of a study, deleted ones included, or may receive some from the outbox."""
    names = _column(project.tracking_uri, TRACKED, STUDY_NAME_TAG, "deleted")
    return names is None or study in names or _waits(project)


def _waits(project: "Project") -> bool:
    """Whether trials wait in the outbox, which the commands deliver before they look for a name."""
    return any(project.outbox.glob("*/*.json"))


def _column(url: str, query: str, *values: str, timeout_s: float = LOCKED_S) -> list[str] | None:
    """The first column of a query; nothing of a file that is missing, None of a database that cannot be read here."""
    if (database := database_of(url)) is None:
        return None
    if not database.exists():
        return []
    try:
        with opened(database, timeout_s=timeout_s) as connection:
            return [str(row[0]) for row in connection.execute(query, values)]
    except sqlite3.Error:
        return None
