"""Files of registered versions, which are loaded only as they were promoted."""

from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..errors import RegistryError
from ..tracking import FILES_TAG, MODEL_TAG, refuse_changed

__all__ = ["refuse_changed_model", "version_folder"]


def version_folder(version: ModelVersion) -> Path:
    """The folder of a version's files, downloaded where they are elsewhere; nothing in it has run.

    Raises:
        RegistryError: A file differs from the promoted one, the files are gone, or their digests are unknown.
    """
    reference = f"{version.name}/{version.version}"
    try:
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{reference}"))
        refuse_changed(folder, version.tags, reference)
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RegistryError(f"the files of registered model '{reference}' cannot be read: {reason}") from None
    return folder


def refuse_changed_model(client: MlflowClient, model_id: str) -> None:
    """Refuse a logged model that a version consists of, where a file differs from the promoted one.

    Versions of earlier ser-tunes have no digests and are not compared: the code among their files does not run here.

    Raises:
        RegistryError: A file differs; the message names it.
    """
    for version in client.search_model_versions(f"tags.`{MODEL_TAG}` = '{model_id}'"):
        if version.source == f"models:/{model_id}" and FILES_TAG in version.tags:
            version_folder(version)
