"""Run a command that notes what becomes of its folds, and ends as if by `kill -9` where it is told to.

Every line of LOG is an event: `extract` before features are, `start KEY` before a fold is trained, `stored KEY` after
it is stored, `epoch`, and `record STATE` after a trial's record is complete on disk, but before Optuna is told.

Usage: python -m tests.ser_tune_benchmarks.logged LOG EVENT:NUMBER COMMAND...
       EVENT:NUMBER says where to end, as `epoch:12`; `-` is nowhere. With `epoch:12=FILE` the command does not end:
       FILE takes all the room that its disk has left.
"""

import json
import os
import shutil
import signal
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

LOG = "SER_TUNE_TEST_LOG"
"""The variable that names the log to the processes that the command starts."""


def fill(file: Path) -> None:
    """Have a file take all the room that its disk has left."""
    with file.open("wb") as filler:
        if room := shutil.disk_usage(file.parent).free:
            os.posix_fallocate(filler.fileno(), 0, room)


def trained_again(log: Path) -> int:
    """How many folds were begun after they had been stored."""
    stored, again = set[str](), 0
    for line in log.read_text(encoding="utf-8").splitlines():
        event, _, key = line.partition(" ")
        again += event == "start" and key in stored
        if event == "stored":
            stored.add(key)
    return again


def main() -> None:
    """Watch the rooms below the command line, and run the command."""
    log, end, *arguments = sys.argv[1:]
    os.environ[LOG] = log
    watch(log, end)
    from ser_tune.cli import main as command

    sys.argv = ["ser-tune", *arguments]
    command()


def watch(log: str, end: str = "-") -> None:
    """Note what becomes of this process's folds."""
    import ser_tune.search.trainer as trainer
    from ser_tune.coordination.fold_store import FoldStore
    from ser_tune.tracking.observer import TrackingObserver

    counts: Counter[str] = Counter()

    def note(event: str, about: str = "") -> None:
        counts[event] += 1
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - appended in one write
            file.write(f"{event} {about}".strip() + "\n")
        where, _, filler = end.partition("=")
        if where == f"{event}:{counts[event]}":
            if not filler:
                os.kill(os.getpid(), signal.SIGKILL)
            fill(Path(filler))

    def key(job: Any) -> str:
        config = json.dumps(job.config.model_dump(mode="json"), sort_keys=True)
        return f"{zlib.crc32(config.encode()):08x}-{job.seed}"  # all trials of a search have the same seed

    train, extract = trainer.train_fold, trainer.extract_features
    put, told = FoldStore.put, TrackingObserver.trial_finished

    def extract_noted(*arguments: Any, **keywords: Any) -> Any:
        note("extract")
        return extract(*arguments, **keywords)

    def train_noted(job: Any, read: Any, on_epoch: Any) -> Any:
        def epoch_noted(report: Any) -> None:
            on_epoch(report)
            note("epoch")

        note("start", key(job))
        return train(job, read, epoch_noted)

    def put_noted(store: FoldStore, job: Any, fitted: Any) -> None:
        put(store, job, fitted)
        note("stored", key(job))

    def told_noted(observer: TrackingObserver, outcome: Any) -> None:
        told(observer, outcome)
        note("record", outcome.state)

    vars(trainer)["train_fold"], vars(trainer)["extract_features"] = train_noted, extract_noted
    FoldStore.put = put_noted  # type: ignore[method-assign]
    TrackingObserver.trial_finished = told_noted  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
if __name__ == "__mp_main__":  # a worker that the command starts
    watch(os.environ[LOG])
