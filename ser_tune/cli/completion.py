"""Names that the shell completes, read from source files and databases: importing torch and MLflow takes seconds."""

import ast
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from importlib.metadata import entry_points
from pathlib import Path

import click

__all__ = ["complete_component", "complete_model", "complete_result", "complete_study"]

ANSWER_S = 0.5
"""Time that a database that is being written has to answer."""


def complete_component(kind: str, folder: str = "") -> Callable[[str], list[str]]:
    """Completion of the components of a kind, built in or of an installed package.

    Args:
        kind: As entry points name it, such as `architectures`.
        folder: Where the catalogue is, in this package; empty where it is the kind's name.
    """

    def complete(incomplete: str) -> list[str]:
        source = (Path(__file__).parents[1] / (folder or kind) / "__init__.py").read_text(encoding="utf-8")
        tables = [
            one.value for one in ast.walk(ast.parse(source)) if isinstance(one, ast.keyword) and one.arg == "modules"
        ]
        built_in = [name for table in tables for name in ast.literal_eval(table)]
        return _starting(incomplete, [*built_in, *(one.name for one in entry_points(group=f"ser_tune.{kind}"))])

    return complete


def complete_study(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of studies in an Optuna database on disk; none of a server's."""
    return _starting(incomplete, _studies(ctx))


def complete_model(ctx: click.Context, incomplete: str) -> list[str]:
    """Registered models in an MLflow database on disk, plain and with each alias; none of a server's."""
    return _starting(incomplete, _models(ctx))


def complete_result(ctx: click.Context, incomplete: str) -> list[str]:
    """Studies and registered models."""
    return _starting(incomplete, [*_studies(ctx), *_models(ctx)])


def _studies(ctx: click.Context) -> list[str]:
    from ..config import Project

    return _read(Project.locate(storage_url=ctx.params.get("storage")).storage_url, "SELECT study_name FROM studies")


def _models(ctx: click.Context) -> list[str]:
    from ..config import Project

    return _read(
        Project.locate(tracking_uri=ctx.params.get("tracking_uri")).tracking_uri,
        "SELECT name FROM registered_models UNION SELECT name || '@' || alias FROM registered_model_aliases",
    )


def _read(url: str, query: str) -> list[str]:
    """The first column of a query; nothing where the database is missing, busy, broken or on a server."""
    if not url.startswith("sqlite:///"):
        return []
    with suppress(sqlite3.Error):
        address = f"{Path(url.removeprefix('sqlite:///')).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=ANSWER_S)) as connection:
            return [str(row[0]) for row in connection.execute(query)]
    return []


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
