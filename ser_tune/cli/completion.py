"""Names that the shell completes, read from source files and databases: importing torch and MLflow takes seconds."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from ..components import plugin_names

__all__ = ["COMPONENTS", "completion_of", "component_names", "spelled"]

COMPONENTS = ("architectures", "corpora", "features")
"""Kinds of components whose names people write in another case, and which help texts list."""
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
            names += component_names(kind)
        return sorted({name for name in names if name.startswith(incomplete)})

    return complete


def spelled(value: Any, kind: str) -> Any:  # noqa: ANN401 - of an option
    """A component's name as its catalogue has it, such as `ravdess` for `RAVDESS`; other values as they are.

    Args:
        value: Of an option; of a text such as `NAME=DATA` the name before `=`.
        kind: The kind of components that the option names; empty where it names none.
    """
    if isinstance(value, list):
        return [spelled(item, kind) for item in value]
    if kind not in COMPONENTS or not isinstance(value, str):
        return value
    name, *rest = re.split(r"(?=[=:\[])", value, maxsplit=1)
    names = {_folded(known): known for known in component_names(kind)}
    return "".join([names.get(_folded(name), name), *rest])


def _folded(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


def component_names(kind: str) -> list[str]:
    """The names of components of a kind, built in or of an installed package."""
    source = (Path(__file__).parents[1] / CATALOGUES.get(kind, f"{kind}/__init__.py")).read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(source))
    tables = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "modules"]
    built_in = [name for table in tables for name in ast.literal_eval(table)]
    return [*built_in, *plugin_names(f"ser_tune.{kind}")]


def _studies(ctx: typer.Context) -> list[str]:
    """Names of studies."""
    from ..project import Project
    from ..stored_names import study_names

    return study_names(Project.locate(storage_url=ctx.params.get("storage")).storage_url, timeout_s=ANSWER_S) or []


def _models(ctx: typer.Context) -> list[str]:
    """Registered models, plain and with each alias."""
    from ..project import Project
    from ..stored_names import model_references

    return model_references(
        Project.locate(tracking_uri=ctx.params.get("tracking_uri")).tracking_uri, timeout_s=ANSWER_S
    )
