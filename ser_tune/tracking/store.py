"""Opening MLflow: the client of a project's tracking store, and delivery before reading."""

from collections.abc import Mapping

from mlflow import MlflowClient

from ..config import Project
from ..errors import StorageError
from .outbox import waiting
from .workspace import Workspace

__all__ = ["deliver_waiting", "experiment_of", "open_delivered", "open_tracking"]


def open_tracking(project: Project) -> MlflowClient:
    """A client of the project's tracking server or database, which is created where it is missing.

    Raises:
        TrackingError: The database cannot be created or the server does not answer.
    """
    return Workspace(project).client


def open_delivered(project: Project) -> MlflowClient:
    """The same, after what waits in the project's outbox is delivered: for whatever reads runs.

    Raises:
        StorageError: The store cannot be opened, or fails.
    """
    client = open_tracking(project)
    deliver_waiting(client, project)
    return client


def deliver_waiting(client: MlflowClient, project: Project, study_id: str | None = None) -> Mapping[str, int]:
    """Deliver what waits in the outbox.

    Args:
        client: MLflow.
        project: Whose outbox.
        study_id: Of one study; None is all that the tracking store has.

    Returns:
        How many trials were delivered, by study's name.

    Raises:
        StorageError: The store fails; undelivered records stay in the outbox.
    """
    if not waiting(project.outbox, study_id):
        return {}
    from .delivery import Delivery  # torch: most often, there is nothing to do

    try:
        return Delivery(client, project).deliver(study_id)
    except StorageError as error:
        left = len(waiting(project.outbox, study_id))
        raise StorageError(f"{error}; {left} records wait in '{project.outbox}' for `ser-tune sync`") from None


def experiment_of(client: MlflowClient, project: Project, corpus: str) -> str:
    """The identifier of a corpus's experiment, which is created where it is missing."""
    workspace = Workspace(project)
    workspace.client = client
    return workspace.experiment(corpus)
