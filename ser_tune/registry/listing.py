"""Listing registered versions. The project's own database is read as it is, because importing MLflow takes seconds."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..project import Project
from ..stored_names import database_of, opened

if TYPE_CHECKING:
    from ..tracking import Workspace

__all__ = ["RegisteredVersion", "list_versions", "listed_versions"]

VERSIONS = """
SELECT name, version FROM model_versions
WHERE COALESCE(current_stage, '') != 'Deleted_Internal'
AND name NOT IN (SELECT name FROM registered_model_tags WHERE key = 'mlflow.prompt.is_prompt')
ORDER BY name, version DESC
"""
"""Deleted versions stay in MLflow's table, and prompts for language models share it."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of a registered model."""

    name: str
    version: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def listed_versions(project: Project) -> list[RegisteredVersion]:
    """Every version of every registered model, by name and then newest first.

    Raises:
        StorageError: The tracking store cannot be opened or fails.
    """
    if project.embedded_tracking and (database := database_of(project.tracking_uri)) is not None:
        with suppress(sqlite3.Error):  # a missing or foreign database: MLflow creates it, or raises, below
            return _versions_in(database)
    from ..tracking import Workspace

    return list_versions(Workspace(project))


def list_versions(workspace: "Workspace") -> list[RegisteredVersion]:
    """The same of any store or server, read through MLflow."""
    from ..tracking import model_versions, registered_models

    with workspace.errors():
        aliases = [
            (model.name, str(version), alias)
            for model in registered_models(workspace)
            for alias, version in model.aliases.items()
        ]
        found = sorted(model_versions(workspace), key=lambda version: (version.name, -int(version.version)))
    tags = {(version.name, str(version.version)): dict(version.tags) for version in found}
    return _with_aliases(tags, aliases)


def _versions_in(database: Path) -> list[RegisteredVersion]:
    with opened(database) as connection:
        tags: dict[tuple[str, str], dict[str, str]] = {
            (name, str(version)): {} for name, version in connection.execute(VERSIONS)
        }
        aliases = [
            (name, str(version), alias)
            for name, version, alias in connection.execute("SELECT name, version, alias FROM registered_model_aliases")
        ]
        for name, version, key, value in connection.execute("SELECT name, version, key, value FROM model_version_tags"):
            if (name, str(version)) in tags:  # else of a deleted version
                tags[name, str(version)][key] = value
    return _with_aliases(tags, aliases)


def _with_aliases(
    tags: Mapping[tuple[str, str], Mapping[str, str]], aliases: Iterable[tuple[str, str, str]]
) -> list[RegisteredVersion]:
    """Versions with their sorted aliases, in the order of their tags."""
    aliases_of: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, version, alias in sorted(aliases):
        aliases_of[name, version].append(alias)
    return [RegisteredVersion(*key, aliases=tuple(aliases_of[key]), tags=tags[key]) for key in tags]
