"""Listing registered versions. The project's own database is read as it is, because importing MLflow takes seconds."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..errors import RegistryError, valid_names

if TYPE_CHECKING:
    from ..tracking import Workspace

__all__ = ["RegisteredVersion", "list_versions", "listed_versions", "refuse_unknown_model", "unknown_model"]

VERSIONS = """
SELECT name, version FROM model_versions
WHERE COALESCE(current_stage, '') != 'Deleted_Internal'
AND name NOT IN (SELECT name FROM registered_model_tags WHERE key = 'mlflow.prompt.is_prompt')
ORDER BY name, version DESC
"""
"""Deleted versions stay in MLflow's table, and prompts for language models share it."""
MODELS = """
SELECT name FROM registered_models
WHERE name NOT IN (SELECT name FROM registered_model_tags WHERE key = 'mlflow.prompt.is_prompt')
ORDER BY name
"""
LOCKED_S = 60.0
"""For how long a database is waited for that another program holds locked."""


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
    if project.embedded_tracking:
        with suppress(sqlite3.Error):  # a missing or foreign database: MLflow creates it, or raises, below
            return _versions_in(Path(project.tracking_uri.removeprefix("sqlite:///")))
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


def refuse_unknown_model(reference: str, project: Project) -> None:
    """Raise where the project's own database has no model of a reference's name; other stores are not read.

    Commands call it first: MLflow takes longer to import than a user waits for the answer to a typing mistake.

    Args:
        reference: `name` (its champion), `name@alias` or `name/version`.
        project: The project.

    Raises:
        RegistryError: There is no such model.
    """
    if not project.embedded_tracking:
        return
    name = re.split("[@/]", reference)[0]
    with suppress(sqlite3.Error), _opened(Path(project.tracking_uri.removeprefix("sqlite:///"))) as connection:
        models = [str(row[0]) for row in connection.execute(MODELS)]
        if name not in models:
            raise unknown_model(name, models)


def unknown_model(name: str, models: Sequence[str]) -> RegistryError:
    """The error of a name that no registered model has."""
    return RegistryError(f"no registered model '{name}'; there are: {valid_names(name, models)}")


def _opened(database: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=LOCKED_S))


def _versions_in(database: Path) -> list[RegisteredVersion]:
    with _opened(database) as connection:
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
