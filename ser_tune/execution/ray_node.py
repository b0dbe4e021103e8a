"""A fold on a node of a Ray cluster, and the features that are sent there."""

import logging
import os
import pickle
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..corpora import Utterance
from ..errors import ExecutionError, SerTuneError, StorageError
from ..features import Extracted, Extractor, damage_of, extract_alone
from ..training import DataReader, EpochReport, FoldJob
from .attempt import attempt
from .code import code_digest

__all__ = ["Absent", "Origin", "extract_on_node", "packed", "train_on_node", "unpack"]

PIECE = 2**28
"""Bytes of a file that are sent at once: an entry may be larger than the memory."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Absent:
    """A node does not have the features of a job."""

    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """The process that a job comes from, and the job's number there."""

    features: str
    """Folder of its feature cache; a node's own is that of its `SER_TUNE_CACHE`, where it has one."""
    code: str
    """Its `code_digest`."""
    epochs: Any
    """Ray's queue of epochs."""
    run: int
    number: int
    """Number of the job within the run."""


def train_on_node(pickled: bytes, sent: Mapping[str, Sequence[tuple[str, Any]]], origin: Origin) -> bytes:
    """Train a fold on this node.

    Args:
        pickled: The job.
        sent: Names of files and references of their pieces in Ray's object store, by cache entry.
        origin: The process that waits for the result.

    Returns:
        As `attempt`, or a pickled `Absent`.
    """
    import ray

    own = os.environ.get("SER_TUNE_CACHE")
    folder = Path(own) / "features" if own else Path(origin.features)
    try:
        _refuse_other_code(origin.code)
        job: FoldJob = pickle.loads(pickled)
        if own:
            _remove_damaged([folder / entry for entry in job.data.features])
        missing = [entry for entry in job.data.features if not (folder / entry).exists()]
        if absent := tuple(entry for entry in missing if entry not in sent):
            return pickle.dumps(Absent(absent))
        for entry in missing:
            unpack(((name, ray.get(piece)) for name, piece in sent[entry]), folder / entry)
    except SerTuneError as error:
        return pickle.dumps(error)

    def on_epoch(report: EpochReport) -> None:
        # Not waited for
        origin.epochs.actor.put_nowait.remote(pickle.dumps((origin.run, origin.number, report)))

    return attempt(job, _reader(folder), on_epoch)


def extract_on_node(extract: Extractor, task: Sequence[Utterance], code: str) -> list[Extracted]:
    """Extract the features of a task's utterances on this node; `code` is the `code_digest` of who waits for them.

    Raises:
        AudioError: A recording cannot be used.
        ExecutionError: This node has another code.
    """
    _refuse_other_code(code)
    return extract_alone(extract, task)


def _refuse_other_code(code: str) -> None:
    if code != code_digest():
        raise ExecutionError(
            f"node {socket.gethostname()} has another ser-tune, numpy or torch than the process that runs the study"
        )


def _remove_damaged(entries: Iterable[Path]) -> None:
    """Remove entries of this node's own cache that cannot be used; they are sent again."""
    for entry in entries:
        if entry.exists() and (damage := damage_of(entry)) is not None:
            _log.warning("note: the cached features in '%s' %s; they are sent again", entry, damage)
            shutil.rmtree(entry, ignore_errors=True)


@cache
def _reader(folder: Path) -> DataReader:
    return DataReader(folder)


def packed(entry: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The files of a cache entry in pieces, name and content (bytes,), uint8; `StorageError` if they cannot be read."""
    try:
        for path in sorted(entry.iterdir()):
            with path.open("rb") as file:
                while len(piece := np.fromfile(file, np.uint8, PIECE)):
                    yield path.name, piece
    except OSError as error:
        raise StorageError(f"the cached features in '{entry}' cannot be read: {error.strerror or error}") from None


def unpack(pieces: Iterable[tuple[str, np.ndarray]], entry: Path) -> None:
    """Write the pieces of an entry, unless another process has; `StorageError` where the folder cannot be written."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", dir=entry.parent))
        try:
            for name, content in pieces:
                with (partial / name).open("ab") as file:
                    file.write(content.data)
            try:
                partial.rename(entry)
            except OSError:
                if not entry.exists():  # as it does where another process was faster
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"the feature cache in '{entry.parent}' cannot be written: {error.strerror or error}; "
            "set SER_TUNE_CACHE on this node to a folder with room"
        ) from None
