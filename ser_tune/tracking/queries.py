"""Searches in MLflow: quoted names in filters, and results from all pages.

MLflow 3.17 strips the quotes around a value and has no way to escape one inside. A value with quotes or backslashes is
asked for by a pattern, `LIKE` with a wildcard in their place, and what else meets the pattern is left out here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from mlflow.entities import LoggedModel, Run, ViewType
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from .mlflow_internals import PagedList
from .run_tables import read_runs
from .workspace import Workspace

__all__ = ["experiments_of", "has_metric", "logged_models", "model_versions", "registered_models", "search_runs"]

PAGE = 1000
"""Entries of an answer; the most that MLflow gives."""
UNQUOTABLE = frozenset("'\"\\`")
"""Characters that MLflow's grammar, or the one of its parser, has another use for."""

T = TypeVar("T")


def _every(search: Callable[..., PagedList[T]], *arguments: Any, **keywords: Any) -> Iterator[T]:  # noqa: ANN401
    """All that a search finds, page by page."""
    token = None
    while True:
        page = search(*arguments, **keywords, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _equals(field: str, value: str) -> str:
    """The condition that a field has a value, or meets a pattern that fits it: what is found must be compared."""
    if not UNQUOTABLE.intersection(value):
        return f"{field} = '{value}'"
    pattern = "".join("_" if character in UNQUOTABLE else character for character in value)
    return f"{field} LIKE '{pattern}'"


def _conditions(condition: str, tags: Mapping[str, str], **fields: str | None) -> str:
    given = {name: value for name, value in fields.items() if value is not None}
    parts = [_equals(name, value) for name, value in given.items()]
    parts += [_equals(f"tags.`{key}`", value) for key, value in tags.items()]
    return " and ".join([condition, *parts] if condition else parts)


def has_metric(name: str) -> str:
    """The condition that a run has a metric, whatever its number.

    MLflow cannot ask whether a run has a metric, but compares numbers down to -1e308; NaN is none.

    >>> has_metric("validation_ccc")
    'metrics.`validation_ccc` > -1e308'
    """
    return f"metrics.`{name}` > -1e308"


def search_runs(
    workspace: Workspace,
    condition: str = "",
    experiments: Sequence[str] | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    having: Sequence[str] = (),
    finished: bool = False,
    deleted: bool = False,
) -> Iterator[Run]:
    """Runs that meet a condition and have some tags, newest first; without their datasets.

    Args:
        workspace: The project's stores.
        condition: In MLflow's language; it contains nothing that a user or a file named.
        experiments: Identifiers of the experiments that are searched; None is all.
        tags: Tags of the runs; values can be any text.
        having: Names of tags that the runs have, whatever their value.
        finished: Whether the runs must have ended well.
        deleted: Search deleted runs that MLflow still has, instead of the others.
    """
    where = list(experiments) if experiments is not None else experiments_of(workspace)
    tags = tags or {}
    if not condition and not deleted and (database := workspace.tables) is not None:
        with workspace.errors():
            yield from read_runs(database, where, tags=tags, having=having, finished=finished)
        return
    parts = [
        condition,
        "attributes.status = 'FINISHED'" if finished else "",
        *(f"tags.`{key}` LIKE '%'" for key in having),
    ]
    view = {"run_view_type": ViewType.DELETED_ONLY} if deleted else {}
    asked = _conditions(" and ".join(filter(None, parts)), tags)
    for run in _every(workspace.client.search_runs, where, asked, max_results=PAGE, **view):
        if not tags or tags.items() <= run.data.tags.items():
            yield run


def experiments_of(workspace: Workspace, *, deleted: bool = False) -> list[str]:
    """The identifiers of all experiments, with `deleted` of deleted ones too."""
    view = {"view_type": ViewType.ALL} if deleted else {}
    found = _every(workspace.client.search_experiments, max_results=PAGE, **view)
    return [str(experiment.experiment_id) for experiment in found]


def registered_models(workspace: Workspace) -> Iterator[RegisteredModel]:
    """All registered models, by name."""
    return _every(workspace.client.search_registered_models, max_results=PAGE)


def model_versions(
    workspace: Workspace,
    *,
    name: str | None = None,
    run_id: str | None = None,
    source: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[ModelVersion]:
    """Versions of registered models; without conditions, all. Names and values of tags can be any text.

    `source` is the URI of the version's files, `run_id` its run's.
    """
    tags = tags or {}
    condition = _conditions("", tags, name=name, run_id=run_id, source_path=source)
    for found in _every(workspace.client.search_model_versions, condition, max_results=PAGE):
        if name in (None, found.name) and source in (None, found.source) and tags.items() <= found.tags.items():
            yield found


def logged_models(
    workspace: Workspace, experiments: Sequence[str] | None = None, *, tags: Mapping[str, str]
) -> Iterator[LoggedModel]:
    """Logged models of some experiments, or of all, that have some tags."""
    where = list(experiments) if experiments is not None else experiments_of(workspace)
    for model in _every(workspace.client.search_logged_models, where, _conditions("", tags)):
        if tags.items() <= model.tags.items():
            yield model
