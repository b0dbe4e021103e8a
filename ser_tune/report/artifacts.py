"""The pictures of a report as artifacts of its run, where MLflow's pages show them."""

import tempfile
from pathlib import Path

from mlflow import MlflowClient

from ..errors import StorageError
from ..tracking import tracking_errors
from .report import Report

__all__ = ["FOLDER", "log_pictures"]

FOLDER = "report"
"""In the run's artifacts."""


def log_pictures(client: MlflowClient, report: Report) -> None:
    """Store every picture as SVG; pictures of an earlier report are replaced.

    Raises:
        StorageError: The tracking store fails.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary, tracking_errors(client.tracking_uri):
        for name, picture in report.pictures.items():
            Path(temporary, f"{name}.svg").write_bytes(picture.svg)
            if picture.names:
                Path(temporary, f"{name}.labels.txt").write_text(picture.names, encoding="utf-8")
        try:
            client.log_artifacts(report.run_id, temporary, FOLDER)
        except OSError as error:
            raise StorageError(f"the pictures cannot be stored in MLflow: {error.strerror or error}") from None
