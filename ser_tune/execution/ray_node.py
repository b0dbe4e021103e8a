"""A fold on a node of a Ray cluster."""

import logging
import os
import pickle
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ExecutionError, SerTuneError
from ..features import damage_of
from ..training import DataReader, EpochReport, FoldJob
from .attempt import attempt
from .code import code_digest
from .shipping import unpack

__all__ = ["Absent", "Origin", "train_on_node"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Absent:
    """A node does not have the features of a job."""

    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a job comes from."""

    features: str
    """The folder of the feature cache there; a node's own is that of its `SER_TUNE_CACHE`, where it has one."""
    code: str
    """What `code_digest` returns there."""
    epochs: Any
    """Ray's queue of epochs."""
    run: int
    number: int
    """The job's, within the run."""


def train_on_node(pickled: bytes, sent: dict[str, Any], origin: Origin) -> bytes:
    """Train a fold on this node.

    Args:
        pickled: The job.
        sent: References of features in Ray's object store, by cache entry.
        origin: Where it comes from.

    Returns:
        As `attempt`, or a pickled `Absent`.
    """
    import ray

    own = os.environ.get("SER_TUNE_CACHE")
    folder = Path(own) / "features" if own else Path(origin.features)
    try:
        if origin.code != code_digest():
            raise ExecutionError(
                f"node {socket.gethostname()} has another ser-tune, numpy or torch than the process that runs the study"
            )
        job: FoldJob = pickle.loads(pickled)
        if own:
            _remove_damaged([folder / entry for entry in job.data.features])
        missing = [entry for entry in job.data.features if not (folder / entry).exists()]
        if absent := tuple(entry for entry in missing if entry not in sent):
            return pickle.dumps(Absent(absent))
        for entry in missing:
            unpack(ray.get(sent[entry]), folder / entry)
    except SerTuneError as error:
        return pickle.dumps(error)

    def on_epoch(report: EpochReport) -> None:
        # Not waited for
        origin.epochs.actor.put_nowait.remote(pickle.dumps((origin.run, origin.number, report)))

    return attempt(job, _reader(folder), on_epoch)


def _remove_damaged(entries: Iterable[Path]) -> None:
    """Remove entries of this node's own cache that cannot be used; they are sent again."""
    for entry in entries:
        if entry.exists() and (damage := damage_of(entry)) is not None:
            _log.warning("note: the cached features in '%s' %s; they are sent again", entry, damage)
            shutil.rmtree(entry, ignore_errors=True)


@cache
def _reader(folder: Path) -> DataReader:
    return DataReader(folder)
