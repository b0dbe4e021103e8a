"""The champion's alias: read, compared and set without another promotion in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock

from ..config import Project
from ..errors import StorageError
from ..tracking import Workspace
from .verdict import Verdict
from .versions import CHAMPION, aliases_of

__all__ = ["claim_alias", "promotion_lock"]


@contextmanager
def promotion_lock(project: Project) -> Iterator[None]:
    """Keep the project's other processes from promoting.

    Raises:
        StorageError: The lock file cannot be written.
    """
    lock = FileLock(project.root / "mlruns" / ".promotion.lock")
    try:
        (project.root / "mlruns").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise StorageError(f"'{lock.lock_file}' cannot be locked: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def claim_alias(
    workspace: Workspace, name: str, version: str, verdict: Verdict, decide_again: Callable[[], Verdict]
) -> Verdict:
    """Give a version the alias of its verdict, unless the champion has changed since the comparison.

    Other machines that share the tracking server do not see `promotion_lock`, and MLflow cannot set an alias on a
    condition. So the champion is read before and after the alias is set, and where another machine has replaced it, the
    version is compared with the new one. The remaining risk is a machine that halts between the two calls.

    Returns:
        The verdict that the alias is of.
    """
    while verdict.alias == CHAMPION:
        if aliases_of(workspace, name).get(CHAMPION) == verdict.champion:
            workspace.client.set_registered_model_alias(name, CHAMPION, version)
            if aliases_of(workspace, name).get(CHAMPION) == version:
                return verdict
        verdict = decide_again()
    workspace.client.set_registered_model_alias(name, verdict.alias, version)
    return verdict
