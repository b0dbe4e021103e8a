"""`status`, `sync` and `pages`: the state of a project's studies and stores."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

from .. import coordination, tracking
from .. import report as reports
from ..errors import RegistryError
from ..stored_names import refuse_unknown_study
from .arguments import Argument, located

if TYPE_CHECKING:
    from ..coordination import StudyStatus
    from ..project import Project
    from ..tracking import StudyPages

__all__ = ["Synced", "live_page", "pages", "status", "sync"]


@dataclass(frozen=True, slots=True)
class Synced:
    """Numbers of trials by study's name; 0 where only the study's totals are delivered or wait."""

    delivered: Mapping[str, int]
    waiting: Mapping[str, int]
    """For another tracking store: this store has no run of the study."""
    closed: Sequence[str] = ()
    """Names of runs that killed processes had left open in MLflow."""
    restored: Sequence[str] = ()
    """Names of runs that had been deleted."""
    deleted: Mapping[str, str] = field(default_factory=dict)
    """Deleted runs, and how to restore them, of studies that wait for it."""


def status(
    name: Annotated[str | None, Argument(metavar="[STUDY]", completes="study")] = None,
    *,
    project: "Project | None" = None,
) -> "Sequence[StudyStatus]":
    """Show how far studies are: trials by state, running trials, failures, estimated end, what waits for MLflow.

    Reads Optuna's database and the outbox; MLflow is not asked.

    Args:
        name: One study, in detail; default: all.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StudyError: There is no such study.
        StorageError: The database cannot be read.
    """
    project = located(project)
    if name is not None:
        refuse_unknown_study(name, project)
    return [
        replace(found, undelivered=len(tracking.waiting_trials(project.outbox, found.study_id)))
        for found in coordination.read_statuses(project, name)
    ]


def live_page(
    statuses: "Sequence[StudyStatus]", *, refresh_s: int | None = None, project: "Project | None" = None
) -> str:
    """Write one page of HTML about studies that run: progress, best score, folds of running trials, curves.

    Args:
        statuses: What `status` returned.
        refresh_s: Seconds after which a browser loads the page again; None of a page that is not written again.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The database cannot be read.
    """
    courses = coordination.read_courses(located(project), [status.name for status in statuses])
    return reports.live_page(statuses, courses, refresh_s=refresh_s)


def sync(
    *, restore: Annotated[str | None, Argument(metavar="STUDY")] = None, project: "Project | None" = None
) -> Synced:
    """Deliver to MLflow the trials that wait in the outbox, because its server was away when they ended.

    A study does so while it runs, and so does every command that reads its trials. Runs that killed commands left
    RUNNING in MLflow are closed.

    Args:
        restore: First restore the runs of this study that were deleted in MLflow's pages.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails; undelivered records stay in the outbox.
    """
    workspace = tracking.Workspace(located(project))
    with workspace.errors():
        restored = tracking.restore_study(workspace, restore) if restore is not None else ()
    if restore is not None and not restored:
        raise RegistryError(f"there is nothing to restore: MLflow has no deleted run of a study '{restore}'")
    delivered = tracking.deliver_waiting(workspace)
    with workspace.errors():
        closed = tracking.close_abandoned(workspace)
    left = Counter[str]()
    for folder in tracking.waiting(workspace.project.outbox):
        if (record := tracking.read_record(folder)) is not None:
            left[record.study] += record.is_trial
    with workspace.errors():
        deleted = {study: tracking.what_was_deleted(workspace, study) for study in left}
    return Synced(
        delivered=delivered,
        waiting=left,
        closed=[tracking.name_of(run) for run in closed],
        restored=[tracking.name_of(run) for run in restored],
        deleted={study: text for study, text in deleted.items() if text},
    )


def pages(*, newest: int | None = None, project: "Project | None" = None) -> "Sequence[StudyPages]":
    """Addresses of studies' run tables and comparisons, the newest study first, after MLflow's own address.

    Args:
        newest: Of so many studies; None is all. Studies without a saved view receive it in any case.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails.
    """
    workspace = tracking.open_delivered(located(project))
    with workspace.errors():
        return tracking.study_pages(workspace, newest)
