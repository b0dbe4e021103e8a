"""A job in another process: its result or its exception, as bytes."""

import pickle
import traceback
from collections.abc import Callable

from ..training import DataReader, EpochReport, FittedNetwork, FoldJob, train_fold

__all__ = ["GivenUp", "attempt", "opened"]


class GivenUp(Exception):  # noqa: N818 - no error
    """Raised in a job whose result is no longer wanted."""


def attempt(job: FoldJob, read: DataReader, on_epoch: Callable[[EpochReport], None] = lambda _: None) -> bytes:
    """Train a fold, and pickle its result or its exception, for `opened`.

    Not tensors, which torch would share through files that end with the process.
    """
    try:
        return pickle.dumps(train_fold(job, read, on_epoch))
    except Exception as error:
        error.add_note(traceback.format_exc())
        try:
            pickled = pickle.dumps(error)
            pickle.loads(pickled)
        except Exception:
            return pickle.dumps(RuntimeError("".join(traceback.format_exception(error))))
        return pickled


def opened(result: bytes) -> FittedNetwork | Exception:
    """Unpickle the result of `attempt`."""
    found: FittedNetwork | Exception = pickle.loads(result)
    return found
