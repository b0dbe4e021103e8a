"""Tiny nested studies of one epoch, and an observer that interrupts them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ser_tune.experiments import run_nested
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.results import Nested
from ser_tune.search import Fanout, StudyObserver
from ser_tune.tracking import TrackingObserver, Workspace

QUICK = {"training.epochs": 1, "training.batch_size": 8, "study.trials": 1, "study.keep_models": 1}


class Watch(StudyObserver):
    """Keeps the starts of the searches, and interrupts in the third."""

    def __init__(self, *, interrupt: bool = False) -> None:
        self.started: list[Any] = []
        self.interrupt = interrupt

    def study_started(self, start: Any) -> None:
        self.started.append(start)

    def epoch_finished(self, trial: int, fold: int, report: Any) -> None:
        if self.interrupt and len(self.started) == 3:
            raise KeyboardInterrupt


def nested(
    project: Project, tiny_of: Callable[..., Any], watch: Watch, task: str = "classification", **settings: object
) -> Nested:
    """Run a tiny study nested, with folds of one speaker each."""
    workspace = Workspace(project)

    @contextmanager
    def watching() -> Iterator[StudyObserver]:
        yield Fanout(TrackingObserver(workspace), watch)

    definition = tiny_of(task, **{"name": "outer", "protocol.folds": "none", **QUICK, **settings})
    return run_nested(workspace, prepare(definition, project), watching)
