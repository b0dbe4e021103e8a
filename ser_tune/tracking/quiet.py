"""MLflow without telemetry, progress bars, warnings and notes on its own work."""

import logging
import os
import sys
import warnings
from functools import cache

__all__ = ["quiet_mlflow"]

VARIABLES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Seven tries are four minutes without a message before a study starts; a study that runs has its outbox
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}
"""Environment variables that MLflow reads; those that the user has set stay."""

LEVELS = {
    # Forty database migrations at the first use, four tries of every request to a server that is away
    "alembic": logging.ERROR,
    "matplotlib": logging.ERROR,  # a home that cannot be written
    "mlflow.store": logging.ERROR,
    "mlflow.utils.databricks_utils": logging.ERROR,
    "mlflow.utils.environment": logging.ERROR,
    "urllib3.connectionpool": logging.ERROR,
    # The traceback of every error, which MLflow also raises
    "mlflow.store.db.utils": logging.CRITICAL,
}
"""Least level of the messages of loggers."""


WARNINGS = (
    "The ``noload`` loader strategy is deprecated",  # SQLAlchemy 2.1, of MLflow's queries
    ".*Any type hint is inferred as AnyType",  # MLflow's, on importing mlflow.pyfunc
)
"""Beginnings of warnings that MLflow causes: under `python -W error` they would end a command."""


@cache
def quiet_mlflow() -> None:
    """Change MLflow's settings of this process, once: before the first store is opened, or earlier.

    MLflow reads its telemetry setting on import; if MLflow is already imported, the setting is applied again.
    """
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message)
    if "mlflow" in sys.modules:
        from .mlflow_internals import decide_telemetry

        decide_telemetry()
