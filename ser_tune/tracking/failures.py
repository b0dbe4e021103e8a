"""Failures of MLflow's stores, in one short sentence with the remedy; and a client whose failures are no deletions.

MLflow answers a question about what does not exist with the class of exception that it raises where its server refuses
to answer. Callers of the client below catch `MlflowException` for the former; the latter is a `TrackingError`.
"""

import functools
import inspect
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import requests
from google.protobuf.json_format import Error as JsonProtobufError  # type: ignore[import-untyped]
from google.protobuf.message import Error as ProtobufError  # type: ignore[import-untyped]
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from ..errors import TrackingError
from ..project import full_disk
from .mlflow_internals import is_older_schema

__all__ = ["TrackingClient", "download", "is_missing", "named", "reason_of", "tracking_errors"]

ANSWERS = frozenset(
    {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"}
)
"""MLflow's codes of answers about what was asked; all others are failures."""
FAILURES = (
    *(MlflowException, SQLAlchemyError, ProtobufError, JsonProtobufError, json.JSONDecodeError),
    *(requests.RequestException, sqlite3.Error),
)
"""Errors of a store, a server or an artifact store."""
PATIENCE = "?timeout=60"
"""Option of SQLite's driver in a store's address: seconds to wait for a database that another program holds locked.
Without it the driver waits five seconds."""
LONGEST = 200
"""Characters kept of a vendor's message."""
REMEDIES: tuple[tuple[str, str], ...] = (
    (r"database is locked", "another program holds the database locked; end it, or try again later"),
    (
        r"filesystem tracking backend",
        "MLflow has given up folder stores; `mlflow migrate-filestore` makes a database",
    ),
    (
        r"Databricks (credential|authentication)|default auth",
        "there are no credentials for Databricks; set DATABRICKS_HOST and DATABRICKS_TOKEN",
    ),
    (r"Can't locate revision", "its tables are another program's, or a newer MLflow's; expected MLflow's database"),
    (r"unsupported URI|Unity Catalog", "it is no store; expected sqlite:///FILE, postgresql://… or http://…"),
    (r"No module named '?(\S+?)'?$", r"its driver is missing; pip install the package that has \1"),
    (r"API request to (\S+) failed with exception", r"no answer from \1"),
    (
        r"not in a valid JSON format|Failed to parse|JSONDecodeError",
        "it answers as no MLflow server does; check its address",
    ),
)
"""Pattern of a message, and its replacement."""
REFUSALS = {
    401: "the server asks who you are (401); set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD",
    403: "the server refuses access (403); ask its owner for permission, or check the credentials",
    404: "the server has no such page (404); check its address",
    413: "the server takes nothing that large (413)",
    429: "the server's quota is used up (429); try again later",
}
"""Sentences on the status of a server's answer."""


def named(uri: str) -> str:
    """A store's address without the password in it, and without options of its driver.

    >>> named("postgresql://anna:secret@host/db")
    'postgresql://anna:***@host/db'
    """
    return re.sub(r"(://[^/:@]*):[^/@]*@", r"\1:***@", uri).removesuffix(PATIENCE)


def reason_of(error: BaseException) -> str:
    """Why a store failed, in one short sentence; never empty."""
    text = " ".join(str(error).split())
    if found := re.search(r"out-of-date database schema \(found version (\w+)", text):
        return _other_version(found[1])
    if (status := _status_of(error)) in REFUSALS:
        return REFUSALS[status]
    for pattern, told in REMEDIES:
        if match := re.search(pattern, text):
            return match.expand(told)
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    first = re.sub(r"^\(\w+\.\w+\) ", "", first)  # SQLAlchemy names the driver's class
    if not first:
        return f"it gave no reason ({getattr(error, 'error_code', None) or type(error).__name__})"
    return first if len(first) <= LONGEST else f"{first[: LONGEST - 1]}…"


def _status_of(error: BaseException) -> int:
    """The status of a server's answer; 0 where there was none."""
    if isinstance(error, requests.RequestException):
        return 0 if error.response is None else error.response.status_code
    if found := re.search(r"failed with error code (\d{3})|too many (\d{3}) error responses", str(error)):
        return int(found[1] or found[2])
    code = getattr(error, "error_code", None)
    known = {"PERMISSION_DENIED": 403, "UNAUTHENTICATED": 401, "CUSTOMER_UNAUTHORIZED": 401, "RESOURCE_EXHAUSTED": 429}
    return (known | {"REQUEST_LIMIT_EXCEEDED": 429, "ENDPOINT_NOT_FOUND": 404}).get(str(code), 0)


def _other_version(revision: str) -> str:
    """The remedy for a database of another MLflow."""
    if is_older_schema(revision):
        return "the database is of an older MLflow; copy it, then run `mlflow db upgrade` with its address"
    return f"the database is of a newer MLflow than the {mlflow.__version__} that is installed; install that version"


def _is_answer(error: BaseException) -> bool:
    """Whether the error is about the requested object: it does not exist, exists already, or is invalid."""
    if isinstance(error, requests.RequestException):
        return _status_of(error) == 404
    return isinstance(error, MlflowException) and error.error_code in ANSWERS


def is_missing(error: BaseException) -> bool:
    """Whether it is the answer that something does not exist, or not any more."""
    if isinstance(error, MlflowException):
        return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
    return isinstance(error, FileNotFoundError | NotADirectoryError) or _status_of(error) == 404


@contextmanager
def tracking_errors(uri: str, doing: str = "failed") -> Iterator[None]:
    """Say that the tracking store failed, and why, instead of showing MLflow's traceback.

    Args:
        uri: The store's.
        doing: What became of it.

    Raises:
        TrackingError: In place of what MLflow raised; its complaints about what we passed are ours, and stay.
    """
    try:
        yield
    except FAILURES as error:
        if isinstance(error, MlflowException) and error.error_code == "INVALID_PARAMETER_VALUE":
            raise
        raise _failed(uri, error, doing) from None


def _failed(uri: str, error: BaseException, doing: str = "failed") -> TrackingError:
    return TrackingError(f"the tracking store '{named(uri)}' {doing}: {reason_of(error)}{full_disk(uri)}")


def _only_answers(name: str) -> Callable[..., Any]:
    @functools.wraps(getattr(MlflowClient, name))
    def call(self: MlflowClient, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - those of the method
        try:
            return getattr(super(TrackingClient, self), name)(*arguments, **keywords)
        except (*FAILURES, PermissionError) as error:
            if _is_answer(error):
                raise
            raise _failed(str(self.tracking_uri), error) from None

    return call


class TrackingClient(MlflowClient):
    """MLflow's client. Where a store fails or refuses, its methods raise `TrackingError`.

    `MlflowException` and `OSError` are left for answers: something does not exist, exists already, or cannot be.
    """


for _name, _ in inspect.getmembers(MlflowClient, inspect.isfunction):
    if not _name.startswith("_"):
        setattr(TrackingClient, _name, _only_answers(_name))


def download(uri: str, folder: str | None = None) -> Path:
    """Download the artifacts of a model's or version's URI; failures and missing artifacts raise different errors.

    Args:
        uri: Such as `models:/m-0123…`.
        folder: Where to; None is where they are, or MLflow's own place.

    Raises:
        TrackingError: The store fails or refuses.
        MlflowException: There is nothing of that name.
        OSError: The same, or the disk is full.
    """
    try:
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
    except (*FAILURES, PermissionError) as error:
        if _is_answer(error):
            raise
        raise _failed(str(mlflow.get_tracking_uri()), error) from None
