"""Names that the shell completes, read from source files and databases: importing torch and MLflow takes seconds."""

import ast
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.metadata import entry_points
from pathlib import Path

import typer

__all__ = ["completion_of"]

ANSWER_S = 0.5
"""Timeout for a database that another process is writing."""


CATALOGUES = {
    "executors": "execution/catalogue.py",
    "pruners": "search/pruners/__init__.py",
    "samplers": "search/samplers/__init__.py",
}
"""The file of this package with the catalogue of a kind of components, unless it is the room of that name."""


def completion_of(kind: str) -> Callable[..., list[str]]:
    """The function that completes names.

    Args:
        kind: `study`, `model` or `result` (a study or a model), of databases on disk, not of servers; or a kind of
            components, as entry points name it, such as `architectures`.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        names: list[str] = []
        if kind in ("study", "result"):
            names += _studies(ctx)
        if kind in ("model", "result"):
            names += _models(ctx)
        if kind not in ("study", "model", "result"):
            names += _components(kind)
        return sorted({name for name in names if name.startswith(incomplete)})

    return complete


def _components(kind: str) -> list[str]:
    """Components, built in or of an installed package."""
    source = (Path(__file__).parents[1] / CATALOGUES.get(kind, f"{kind}/__init__.py")).read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(source))
    tables = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "modules"]
    built_in = [name for table in tables for name in ast.literal_eval(table)]
    return [*built_in, *(entry.name for entry in entry_points(group=f"ser_tune.{kind}"))]


def _studies(ctx: typer.Context) -> list[str]:
    """Names of studies."""
    from ..config import Project

    return _read(Project.locate(storage_url=ctx.params.get("storage")).storage_url, "SELECT study_name FROM studies")


def _models(ctx: typer.Context) -> list[str]:
    """Registered models, plain and with each alias."""
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
