"""`status`: how far studies are."""

from collections.abc import Sequence
from dataclasses import replace

from ..config import Project
from ..coordination import StudyStatus, read_statuses
from ..tracking import waiting_trials

__all__ = ["status"]


def status(name: str | None = None, *, project: Project | None = None) -> Sequence[StudyStatus]:
    """The state of studies: trials by state, running ones with fold and heartbeat, rate, estimated end, outbox.

    Reads Optuna's database and the outbox, and changes nothing; MLflow is not asked.

    Args:
        name: Of one study; None is all of the project.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StudyError: There is no such study.
        StorageError: The database cannot be read.
    """
    project = project or Project.locate()
    found = read_statuses(project, name)
    return [replace(one, undelivered=len(waiting_trials(project.outbox, one.study_id))) for one in found]
