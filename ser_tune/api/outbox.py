"""`sync`: deliver what waits in the outbox."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..config import Project
from ..errors import RegistryError
from ..tracking import (
    Workspace,
    close_abandoned,
    deliver_waiting,
    name_of,
    read_record,
    restore_study,
    waiting,
    what_was_deleted,
)

__all__ = ["Synced", "sync"]


@dataclass(frozen=True, slots=True)
class Synced:
    """How many trials were delivered and how many wait on, by study's name; 0 where only its totals do."""

    delivered: Mapping[str, int]
    waiting: Mapping[str, int]
    """For another tracking store: this one has no run of the study."""
    closed: Sequence[str] = ()
    """Names of runs that killed processes had left open in MLflow."""
    restored: Sequence[str] = ()
    """Names of runs that had been deleted."""
    deleted: Mapping[str, str] = field(default_factory=dict)
    """Of studies that wait because somebody deleted their runs: what was deleted, and how to restore it."""


def sync(*, restore: str | None = None, project: Project | None = None) -> Synced:
    """Deliver to MLflow the trials that wait in the outbox, and close the runs that killed processes left open.

    Args:
        restore: A study whose runs somebody deleted in MLflow, to restore them first.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails; undelivered records stay in the outbox.
    """
    project = project or Project.locate()
    workspace = Workspace(project)
    with workspace.errors():
        restored = restore_study(workspace, restore) if restore is not None else ()
    if restore is not None and not restored:
        raise RegistryError(f"there is nothing to restore: MLflow has no deleted run of a study '{restore}'")
    delivered = deliver_waiting(workspace)
    with workspace.errors():
        closed = close_abandoned(workspace)
    left = Counter[str]()
    for folder in waiting(project.outbox):
        if (record := read_record(folder)) is not None:
            left[record.study] += record.is_trial
    with workspace.errors():
        told = {study: what_was_deleted(workspace, study) for study in left}
    return Synced(
        delivered=delivered,
        waiting=left,
        closed=[name_of(run) for run in closed],
        restored=[name_of(run) for run in restored],
        deleted={study: text for study, text in told.items() if text},
    )
