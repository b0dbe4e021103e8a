"""Addresses of studies on MLflow's pages."""

from collections.abc import Sequence

from ..config import Project
from ..tracking import StudyPages, open_delivered, study_pages

__all__ = ["pages"]


def pages(*, newest: int | None = None, project: Project | None = None) -> Sequence[StudyPages]:
    """Addresses of studies' run tables and comparisons, the newest study first, after MLflow's own address.

    Args:
        newest: Of so many studies; None is all. Studies without a saved view are given one in any case.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails.
    """
    project = project or Project.locate()
    workspace = open_delivered(project)
    with workspace.errors():
        return study_pages(workspace, newest)
