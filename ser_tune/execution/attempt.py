"""A job in another process: what comes of it, as bytes."""

import pickle
import traceback
from collections.abc import Callable

from ..training import DataReader, EpochReport, FittedNetwork, FoldJob, train_fold

__all__ = ["GivenUp", "attempt", "opened"]


class GivenUp(Exception):  # noqa: N818 - no error
    """Nobody waits for the job any longer."""


def attempt(job: FoldJob, read: DataReader, on_epoch: Callable[[EpochReport], None] = lambda _: None) -> bytes:
    """Train a fold; what it results in, or raises, for `opened`.

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
    """What `attempt` returned."""
    found: FittedNetwork | Exception = pickle.loads(result)
    return found
