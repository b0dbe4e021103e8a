"""Processes of this machine that work on one study together."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits

from ..config import SearchSettings, Value
from ..definition import StudyDefinition
from ..errors import ConfigError, SerTuneError, StudyError, Terminated, TrackingError
from ..project import Project
from ..protocol import prepare
from ..search import Fanout, FoldOutcome, StudyObserver, StudyStart, StudySummary, TrialOutcome, run_study
from ..tracking import TrackingObserver, Workspace
from ..training import AnyTrial, EpochReport

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext  # Windows has only the second

__all__ = ["devices_of", "run_workers"]

CLEAN_S = 4.0
"""Seconds from a signal until workers that have not ended are killed: the next session goes on as after `kill -9`."""
CRASHES = 5
"""Number of times that a worker may be ended by a signal before it is not started again, for each worker."""

ENDING = {getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)}
"""Signals that a terminal, `timeout` or a cluster sends to all processes of a command."""
PRELOADED = [
    "ser_tune.api.workers",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "torch._dynamo",
]
"""Modules that a worker needs and its imports alone do not bring; PyTorch's optimisers import the last."""

PATIENCE_S, PAUSE_S = 300.0, 5.0
"""For how long a worker that starts waits for a tracking store that is away, and how often it tries."""

Event = tuple[str, tuple[Any, ...], dict[str, Any]]


def devices_of(settings: SearchSettings) -> Sequence[str | None]:
    """The GPU of each worker, as `CUDA_VISIBLE_DEVICES` names it; None where there are no GPUs.

    Raises:
        ConfigError: There are fewer GPUs than workers need.
    """
    count = torch.cuda.device_count()
    if not count:
        return [None] * settings.workers
    if settings.workers > count * settings.per_gpu:
        raise ConfigError(
            f"study.workers is {settings.workers}, but this machine has {count} GPUs; expected at most "
            f"{count * settings.per_gpu} with study.per_gpu {settings.per_gpu}"
        )
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    names = names if len(names) == count and all(names) else [str(number) for number in range(count)]
    return [names[number % count] for number in range(settings.workers)]


@dataclass(frozen=True, slots=True)
class _Task:
    """The task of a worker process."""

    definition: str
    project: Project
    threads: int
    gpu: str | None
    deadline: float | None
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A worker process, and the connection that receives its events."""

    task: _Task
    process: BaseProcess
    events: "Connection[None, Event]"


def run_workers(
    definition: StudyDefinition, project: Project, observer: StudyObserver, deadline: float | None
) -> tuple[bool, Sequence[str]]:
    """Have processes work on a study that is open, until a deadline as of `run_study`, and pass their events on.

    Returns:
        Whether the user interrupted; and why the last trials failed of a worker that gave up, if it did.

    Raises:
        SerTuneError: What ended a worker, or that all were killed.
        Terminated: The system ends this process; the workers have ended.
    """
    settings = definition.config.study
    context = _context()
    threads = max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // settings.workers))
    variables = dict(os.environ)
    tasks = [_Task(definition.as_json(), project, threads, gpu, deadline, variables) for gpu in devices_of(settings)]
    failures, killed, done = list[str](), 0, False

    def start(task: _Task) -> _Worker:
        # A pipe for each: a queue's semaphores are left over by a process that ends by a signal
        events, sending = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(task, sending), name="ser-tune worker")
        process.start()
        sending.close()
        return _Worker(task, process, events)

    running = [start(task) for task in tasks]
    try:
        while running:
            wait([*(worker.process.sentinel for worker in running), *(worker.events for worker in running)])
            ended = [
                worker for worker in running if not worker.process.is_alive()
            ]  # first, so that all their events are there
            for worker in running:
                failures = _pass_on(worker.events, observer) or failures
            for worker in ended:
                running.remove(worker)
                worker.process.join()
                code = worker.process.exitcode or 0
                if code > 0:
                    raise StudyError("a worker ended with the error above; the same command goes on")
                done, killed = done or code == 0, killed + (code < 0)
                if code < 0 and killed <= CRASHES * settings.workers:
                    running.append(start(worker.task))
        if not done:
            raise StudyError(f"all workers were killed, {killed} processes altogether; the same command goes on")
    except KeyboardInterrupt as error:
        if isinstance(error, Terminated):
            raise
        return True, ()
    finally:
        _end([worker.process for worker in running])
    return False, failures


def _context() -> "ForkServerContext | SpawnContext":
    """Return how workers start: forked by a server that has imported what they need, where that is safe.

    The server imports once for all workers of this process, those of every search of a nested study; each would take
    seconds. It has neither threads nor a GPU. A group's signals are blocked in it: it ends with this process alone.
    """
    if sys.platform == "win32" or sys.platform == "darwin":
        return get_context("spawn")  # Apple's libraries do not survive a fork
    from multiprocessing import forkserver  # Windows has none

    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _end(processes: Iterable[BaseProcess]) -> None:
    """End processes: by SIGTERM, and those that compute in a library by SIGKILL."""
    left = [process for process in processes if process.is_alive()]
    for process in left:
        process.terminate()
    until = time.monotonic() + CLEAN_S
    for process in left:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _pass_on(events: "Connection[None, Event]", observer: StudyObserver) -> list[str]:
    """Pass a worker's events on; returns why its last trials failed, where it gave up."""
    failures = list[str]()
    with suppress(EOFError):
        while events.poll():
            name, arguments, keywords = events.recv()
            if name == "error":
                raise arguments[0]
            if name == "gave_up":
                failures = list(arguments)
            else:
                getattr(observer, name)(*arguments, **keywords)
    return failures


def _work(task: _Task, events: "Connection[Event, None]") -> None:
    """A worker process, from start to end."""

    def terminate(number: int, _: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is being saved is not to be interrupted again
        raise Terminated(number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is interrupted, and terminates the others
    signal.signal(signal.SIGTERM, terminate)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # which the server that forked it blocks
    os.environ.clear()
    os.environ.update(task.environment)
    Thread(target=_end_with_parent, daemon=True).start()
    if task.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = task.gpu
    torch.set_num_threads(task.threads)
    try:
        with threadpool_limits(task.threads):
            prepared = prepare(StudyDefinition.from_json(task.definition), task.project)
            relay = _Relay(events)

            def run() -> StudySummary:
                tracking = TrackingObserver(Workspace(task.project))
                return run_study(prepared, task.project, Fanout(tracking, relay), role="led", deadline=task.deadline)

            summary = _once_tracked(run, relay)
        if summary.failures:
            events.send(("gave_up", tuple(summary.failures), {}))
    except Terminated:
        return
    except SerTuneError as error:
        events.send(("error", (SerTuneError(str(error)),), {}))  # not every class can be pickled


def _once_tracked(run: Callable[[], StudySummary], relay: "_Relay") -> StudySummary:
    """Run a study; where the tracking store is away at its start, again until it is back, for five minutes."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return run()
        except TrackingError:
            if relay.started or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)


def _end_with_parent() -> None:
    """End this process as SIGTERM does where the first process was killed."""
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class _Relay(StudyObserver):
    """Hands a worker's events to the first process; networks stay out, since tracking has them."""

    def __init__(self, events: "Connection[Event, None]") -> None:
        self._events, self.started = events, False

    def study_started(self, start: StudyStart) -> None:
        self.started = True

    def _put(self, name: str, *arguments: object, **keywords: object) -> None:
        with suppress(OSError):  # the first process has ended, and ends this one
            self._events.send((name, arguments, keywords))

    def trial_started(self, number: int, config: AnyTrial, sampled: Mapping[str, Value]) -> None:
        self._put("trial_started", number, config, dict(sampled))

    def epoch_finished(self, trial: int, fold: int, report: EpochReport) -> None:
        self._put("epoch_finished", trial, fold, report)

    def fold_finished(self, trial: int, fold: FoldOutcome, *, stored: bool) -> None:
        self._put("fold_finished", trial, _without_network(fold), stored=stored)

    def trial_finished(self, outcome: TrialOutcome) -> None:
        self._put("trial_finished", replace(outcome, folds=tuple(map(_without_network, outcome.folds))))


def _without_network(fold: FoldOutcome) -> FoldOutcome:
    return replace(fold, fitted=replace(fold.fitted, network=torch.nn.Identity()))
