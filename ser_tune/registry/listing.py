"""Listing registered versions. The project's own database is read as it is, because importing MLflow takes seconds."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ..config import Project
from ..tracking import Workspace

__all__ = ["RegisteredVersion", "listed_versions"]

VERSIONS = """
SELECT name, version FROM model_versions
WHERE COALESCE(current_stage, '') != 'Deleted_Internal'
AND name NOT IN (SELECT name FROM registered_model_tags WHERE key = 'mlflow.prompt.is_prompt')
ORDER BY name, version DESC
"""
"""Deleted versions stay in MLflow's table, and prompts for language models share it."""
LOCKED_S = 60.0
"""For how long a database is waited for that another program holds locked."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model."""

    name: str
    version: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def listed_versions(project: Project) -> list[RegisteredVersion]:
    """Every version of every registered model, by name and then newest first.

    Raises:
        StorageError: The tracking store cannot be opened or fails.
    """
    if project.embedded_tracking:
        with suppress(sqlite3.Error):  # there is none yet, or one of another MLflow: MLflow makes it, or says so
            return _versions_in(Path(project.tracking_uri.removeprefix("sqlite:///")))
    from .versions import list_versions

    return list_versions(Workspace(project))


def _versions_in(database: Path) -> list[RegisteredVersion]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=LOCKED_S)) as connection:
        versions = [(name, str(version)) for name, version in connection.execute(VERSIONS)]
        aliases: dict[tuple[str, str], list[str]] = {}
        for name, version, alias in connection.execute("SELECT name, version, alias FROM registered_model_aliases"):
            aliases.setdefault((name, str(version)), []).append(alias)
        tags: dict[tuple[str, str], dict[str, str]] = {}
        for name, version, key, value in connection.execute("SELECT name, version, key, value FROM model_version_tags"):
            tags.setdefault((name, str(version)), {})[key] = value
    return [
        RegisteredVersion(*one, aliases=tuple(sorted(aliases.get(one, ()))), tags=tags.get(one, {})) for one in versions
    ]
