"""The outbox: records of trials and studies for MLflow, complete on disk until they are delivered.

A record is a folder with `record.json`, the run's `artifacts/`, and `model/` where a model is kept. Its name begins
with the study's identifier; in the order of names, a study's trials come by number and its totals last.
"""

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = [
    "ARTIFACTS",
    "MODEL",
    "MetricRow",
    "Record",
    "StudyRecord",
    "TrialRecord",
    "begin",
    "read_record",
    "remove_record",
    "sweep",
    "waiting",
    "waiting_trials",
    "write_record",
]

ARTIFACTS, MODEL, RECORD, BEGUN = "artifacts", "model", "record.json", "begun"
PARTIAL_S = 3600.0
"""Seconds after which a record is removed that nobody finished writing."""
NAMES = re.compile(r"[0-9a-f]{32}-(?:(\d{6,})(?:-\d{6,})?|totals)")

MetricRow: TypeAlias = tuple[str, float, int, int]
"""Name, value, time in milliseconds, step."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial that ended; its run is made of it."""

    study_id: str
    study: str
    """The study's name."""
    corpus: str
    """The experiment's name."""
    number: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Sequence[MetricRow]
    dataset: Mapping[str, str]
    """Fields of MLflow's `Dataset`."""
    status: str
    """The run's: `FINISHED`, `KILLED` or `FAILED`."""
    began_ms: int
    ended_ms: int
    keep_models: int | Literal["all"]
    """Number of the study's best trials whose models are kept once this trial is delivered."""
    title: str
    """The run's name."""
    marked: bool = False
    """Whether its delivery is marked by `begin`; not in records of versions before."""
    attempt: int | None = None
    """Optuna's number where it is not the trial's: interrupted trials were run again, this one or earlier ones."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        again = "" if self.attempt is None else f"-{self.attempt:06d}"
        return f"{self.study_id}-{self.number:06d}{again}"

    @property
    def is_trial(self) -> bool:
        """Whether the record is of a trial."""
        return True


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The end of a study's session; the study's run exists."""

    study_id: str
    study: str
    corpus: str
    tags: Mapping[str, str]
    metrics: Sequence[MetricRow]
    status: str
    ended_ms: int
    statuses: Sequence[tuple[int, str]]
    """The status that each trial's run should have, by the trial's number."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.study_id}-totals"

    @property
    def is_trial(self) -> bool:
        """Whether the record is of a trial."""
        return False


Record: TypeAlias = TrialRecord | StudyRecord


@contextmanager
def write_record(outbox: Path, record: Record) -> Iterator[Path]:
    """Put a record into the outbox: after the context, all of it is on disk; after an error, nothing is.

    Args:
        outbox: Made where it is missing.
        record: Goes into `record.json`.

    Yields:
        The folder, for the files that belong to it.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    partial, target = outbox / f"{record.name}.{socket.gethostname()}.{os.getpid()}.partial", outbox / record.name
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        (partial / RECORD).write_text(json.dumps(asdict(record)), encoding="utf-8")
        _flush(partial)
        if target.exists():  # the totals of a session whose totals nobody has delivered
            remove_record(target)
        partial.rename(target)
        _flush_entry(outbox)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_record(folder: Path) -> Record | None:
    """Read what `write_record` wrote; None where another process has delivered it meanwhile."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    content["metrics"] = [tuple(row) for row in content["metrics"]]
    if "number" in content:
        return TrialRecord(**content)
    return StudyRecord(**content | {"statuses": [tuple(row) for row in content["statuses"]]})


def begin(folder: Path) -> bool:
    """Mark a record as one whose delivery has begun; returns whether nobody had."""
    mark = folder / BEGUN
    if mark.exists():
        return False
    mark.touch()
    _flush_entry(mark)
    _flush_entry(folder)
    return True


def remove_record(folder: Path) -> None:
    """Remove a record; without its `record.json` the rest is none."""
    (folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def waiting(outbox: Path, study_id: str | None = None) -> Sequence[Path]:
    """The folders of all complete records of one study, or of all, in the order of delivery."""
    found = [path for path in outbox.glob("*") if NAMES.fullmatch(path.name) and (path / RECORD).exists()]
    return sorted(path for path in found if study_id is None or path.name.startswith(study_id))


def waiting_trials(outbox: Path, study_id: str) -> set[int]:
    """The numbers of a study's trials that wait."""
    names = [NAMES.fullmatch(path.name) for path in waiting(outbox, study_id)]
    return {int(name[1]) for name in names if name is not None and name[1]}


def sweep(outbox: Path) -> None:
    """Remove what processes left that were killed while they wrote or removed a record."""
    for path in outbox.glob("*-*"):
        try:
            abandoned = not (path / RECORD).exists() or path.suffix == ".partial"
            if abandoned and path.stat().st_mtime < time.time() - PARTIAL_S:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:  # delivered meanwhile
            continue


def _flush(folder: Path) -> None:
    """Have the system write all files below a folder, and the folders themselves, to the disk."""
    for path in (folder, *folder.rglob("*")):
        _flush_entry(path)


def _flush_entry(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
