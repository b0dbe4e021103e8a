"""`sync`: deliver what waits in the outbox."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..config import Project
from ..tracking import deliver_waiting, open_tracking, read_record, waiting

__all__ = ["Synced", "sync"]


@dataclass(frozen=True, slots=True)
class Synced:
    """How many trials were delivered and how many wait on, by study's name; 0 where only its totals do."""

    delivered: Mapping[str, int]
    waiting: Mapping[str, int]
    """For another tracking store: this one has no run of the study."""


def sync(*, project: Project | None = None) -> Synced:
    """Deliver to MLflow the trials that wait in the outbox, because its server was away when they ended.

    Args:
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails; undelivered records stay in the outbox.
    """
    project = project or Project.locate()
    delivered = deliver_waiting(open_tracking(project), project)
    left = Counter[str]()
    for folder in waiting(project.outbox):
        if (record := read_record(folder)) is not None:
            left[record.study] += record.is_trial
    return Synced(delivered=delivered, waiting=left)
