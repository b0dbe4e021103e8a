"""Files of registered versions, which are loaded only as they were promoted."""

import logging
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..errors import RegistryError
from ..tracking import (
    FILES_TAG,
    MODEL_TAG,
    Workspace,
    download,
    is_missing,
    model_versions,
    reason_of,
    refuse_changed,
)

__all__ = ["has_files", "refuse_changed_model", "version_folder"]


_log = logging.getLogger(__name__)


def version_folder(registered: ModelVersion) -> Path:
    """The folder of a version's files, downloaded where they are elsewhere; nothing in it has run.

    Raises:
        RegistryError: A file differs from the promoted one, the files are gone, or their digests are unknown.
    """
    reference, tags = f"{registered.name}/{registered.version}", registered.tags
    try:
        folder = download(f"models:/{reference}")
        refuse_changed(folder, tags, reference)
    except (MlflowException, OSError) as error:
        if not is_missing(error):
            reason = reason_of(error)
            raise RegistryError(f"the files of registered model '{reference}' cannot be read: {reason}") from None
        again = f"ser-tune promote {shlex.quote(tags.get('study', 'STUDY'))} --as {registered.name}"
        again += f" --trial {tags['trial']}" if "trial" in tags else ""
        raise RegistryError(
            f"the files of registered model '{reference}' were deleted; put them back from a copy, or register the "
            f"trial's own model again: `{again}`"
        ) from None
    _note_other_versions(folder, reference)
    return folder


def has_files(workspace: Workspace, registered: ModelVersion) -> bool:
    """Whether the files of a version are still there, as far as its logged model is concerned."""
    source = str(registered.source)
    if not source.startswith("models:/m-"):
        return True
    try:
        return bool(workspace.client.list_logged_model_artifacts(source.removeprefix("models:/")))
    except (MlflowException, OSError):
        return False


def _note_other_versions(folder: Path, reference: str) -> None:
    """Log the packages whose installed version differs from the version at registration."""
    file, others = folder / "requirements.txt", []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        package, _, wanted = line.partition("==")
        try:
            here = version(package).partition("+")[0]
        except PackageNotFoundError:
            here = "none"
        if wanted and here != wanted:
            others.append(f"{package} {wanted} (here {here})")
    if others:
        _log.warning("note: %s was made with %s", reference, ", ".join(others))


def refuse_changed_model(workspace: Workspace, model_id: str) -> None:
    """Refuse a logged model that versions consist of, where a file differs from the promoted one.

    Raises:
        RegistryError: A file differs, or no version has digests. A version without them does not count beside another
            that has them, because registering the trial again, as the message asks, leaves the first version there.
    """
    versions = [
        registered
        for registered in model_versions(workspace, tags={MODEL_TAG: model_id})
        if registered.source == f"models:/{model_id}"
    ]
    for registered in [registered for registered in versions if FILES_TAG in registered.tags] or versions:
        version_folder(registered)
