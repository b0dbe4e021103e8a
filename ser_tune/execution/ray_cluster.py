"""`Ray`: folds of one trial at once, placed and retried on a Ray cluster (extra `ray`).

Moritz et al., Ray: A Distributed Framework for Emerging AI Applications, OSDI 2018. Ray's tasks alone are used: what is
proposed, raced and recorded stays with the study, in the process that runs it.
"""

import os
import pickle
import re
import signal
import socket
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..config import SearchSettings
from ..corpora import Utterance
from ..errors import ConfigError, ExecutionError, reason_in
from ..features import Extracted, Extractor
from ..training import FittedNetwork, FoldJob
from .base import ExecutorSource, Keep, OnEpoch, TrainHere
from .code import code_digest
from .order import InOrder
from .ray_node import Absent, Origin, extract_on_node, packed, train_on_node

__all__ = ["EXECUTOR", "Ray"]

RETRIES = 3
"""Times that Ray places a fold again whose process or node was lost."""
REACHED_S = 5.0
"""Longest time for a cluster to answer."""
LOOK_S = 1.0
"""Time to wait for a fold before signals are handled."""


class Ray:
    """Trains every fold as a Ray task, which requests its CPU threads and its share of a GPU.

    A node reads features from the cache where it shares the folder (`SER_TUNE_CACHE` of the node, else the folder of
    this process); otherwise they are sent through Ray's object store, once a node.
    """

    def __init__(self, address: str | None, features: Path, *, gpus_per_fold: float = 1.0) -> None:
        """Remember where the cluster is.

        Args:
            address: None is a running cluster, or else a new one on this machine.
            features: The folder of the feature cache.
            gpus_per_fold: Share of a GPU that a fold requests if it is trained on CUDA.
        """
        self._address, self._features, self._gpus = address, features.absolute(), gpus_per_fold
        self._task: Any = None
        self._epochs: Any = None
        self._run = 0
        self._sent: dict[str, list[tuple[str, Any]]] = {}
        self._is_ours = False

    def threads(self, folds: int) -> int:
        """The cluster's CPUs, divided by the folds of a trial; no more than a node has."""
        cpus = self._resources("CPU")
        return max(1, min(max(cpus), sum(cpus) // folds))

    def shards(
        self, extract: Extractor, tasks: Iterable[Sequence[Utterance]]
    ) -> Generator[list[Extracted], None, None]:
        """Extract every task as a task of Ray; nodes read the recordings by their paths here.

        A task takes one CPU. Where the cluster has GPUs, those that run a network take half a GPU: a task decodes while
        another computes.
        """
        ray = self._connected()
        gpus = 0.5 if extract.feeds_device and any(self._resources("GPU")) else 0
        remote = ray.remote(extract_on_node).options(
            num_cpus=1, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        at_once, waiting = 2 * max(1, sum(self._resources("CPU"))), deque[Any]()
        sent, code = ray.put(extract), code_digest()
        try:
            for task in tasks:
                waiting.append(remote.remote(sent, task, code))
                if len(waiting) == at_once:  # more would fill the object store
                    yield _extracted(waiting.popleft())
            while waiting:
                yield _extracted(waiting.popleft())
        finally:
            for rest in waiting:
                ray.cancel(rest)

    def run(self, jobs: Sequence[FoldJob], *, on_epoch: OnEpoch, keep: Keep) -> Generator[FittedNetwork, None, None]:
        """As `Executor.run`."""
        if not jobs:
            return
        ray = self._connected()
        order = InOrder(on_epoch=on_epoch, keep=keep)
        self._run += 1
        waiting = {self._submit(number, job): number for number, job in enumerate(jobs)}
        try:
            for _ in jobs:
                while (fitted := order.take()) is None:
                    ended, _ = ray.wait(list(waiting), timeout=LOOK_S)
                    self._pass_on_epochs(order)
                    for done in ended:
                        number, result = waiting.pop(done), _result(done)
                        if isinstance(result, Absent):
                            self._send(result.entries)
                            waiting[self._submit(number, jobs[number])] = number
                        else:
                            order.job_ended(number, result)
                yield fitted
        finally:
            ended = ray.wait(list(waiting), num_returns=len(waiting), timeout=0)[0] if waiting else []
            for task, number in waiting.items():
                if task not in ended:
                    ray.cancel(task)
                elif not isinstance(result := _result(task), Absent):
                    order.keep(number, result)

    def close(self) -> None:
        """Leave the cluster; one that was started for this process ends."""
        if self._is_ours:
            _ray().shutdown()
        self._task, self._epochs, self._sent, self._is_ours = None, None, {}, False

    def _connected(self) -> Any:  # noqa: ANN401 - the package, which may be missing
        ray = _ray()
        if self._task is None:
            if not ray.is_initialized():
                with _kept_signal():
                    _connect(ray, self._address)
                self._is_ours = True
            self._task = ray.remote(train_on_node)
            self._epochs = _queue(ray)
        return ray

    def _pass_on_epochs(self, order: InOrder) -> None:
        """Hand over the epochs that were reported; those that get lost arrive with their fold's end."""
        try:
            reports = self._epochs.get_nowait_batch(self._epochs.qsize())
        except _ray().exceptions.RayError:  # the node of the queue was lost
            return
        for run, number, report in map(pickle.loads, reports):
            if run == self._run:
                order.epoch_ended(number, report)

    def _resources(self, name: str) -> list[int]:
        """The resource of each node."""
        nodes = [node for node in self._connected().nodes() if node["Alive"]]
        return [int(node["Resources"].get(name, 0)) for node in nodes]

    def _submit(self, number: int, job: FoldJob) -> Any:  # noqa: ANN401 - Ray's reference
        threads, on_gpu = job.config.training.threads, job.config.training.device == "cuda"
        needed = {"CPU": 1 if threads == "auto" else threads, "GPU": self._gpus if on_gpu else 0}
        for name, count in needed.items():
            most = max(self._resources(name), default=0)
            if count > most and (most or name == "GPU"):  # a cluster without CPUs may be about to get some
                setting = "training.threads" if name == "CPU" else "study.gpus_per_fold"
                raise ConfigError(f"{setting} is {count}; expected at most {most}, the {name}s of the largest node")
        task = self._task.options(
            num_cpus=needed["CPU"], num_gpus=needed["GPU"], max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        sent = {entry: self._sent[entry] for entry in job.data.features if entry in self._sent}
        here = Origin(str(self._features), code_digest(), self._epochs, self._run, number)
        return task.remote(pickle.dumps(job), sent, here)

    def _send(self, entries: Iterable[str]) -> None:
        """Put features into Ray's object store."""
        for entry in entries:
            if entry not in self._sent:
                self._sent[entry] = [(name, _ray().put(piece)) for name, piece in packed(self._features / entry)]


def _ray() -> Any:  # noqa: ANN401 - the package, which may be missing
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be; the other way is warned about
    try:
        import ray
    except ImportError:
        raise ConfigError("study.executor is 'ray', and the package ray is missing; install ser-tune[ray]") from None
    return ray


def _connect(ray: Any, address: str | None) -> None:  # noqa: ANN401 - the package
    try:
        if address is not None and (place := re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)):
            # Ray itself tries for five minutes
            socket.create_connection((place[1], int(place[2])), REACHED_S).close()
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except Exception as error:  # ConnectionError, RuntimeError and others
        where = f"the Ray cluster at '{address or 'this machine'}'"
        raise ExecutionError(f"{where} cannot be reached: {reason_in(error)}") from None


def _queue(ray: Any) -> Any:  # noqa: ANN401 - of the package
    """A queue on this node, ready: what is reported before it has started would arrive late."""
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    queue.qsize()
    return queue


@contextmanager
def _kept_signal() -> Iterator[None]:
    """Within this context, the handler of SIGTERM stays in place; Ray would replace it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _result(task: Any) -> FittedNetwork | Exception | Absent:  # noqa: ANN401 - Ray's reference
    """The result of a task that has ended."""
    ray = _ray()
    try:
        result: FittedNetwork | Exception | Absent = pickle.loads(ray.get(task))
    except ray.exceptions.RayError as error:
        last = (str(error).strip() or type(error).__name__).splitlines()[-1]
        return ExecutionError(
            f"Ray did not train a fold, after up to {RETRIES} retries: {type(error).__name__}: {last}"
        )
    return result


def _extracted(task: Any) -> list[Extracted]:  # noqa: ANN401 - Ray's reference
    ray = _ray()
    try:
        features: list[Extracted] = ray.get(task)
    except ray.exceptions.RayTaskError as error:  # what the function raised
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise ExecutionError(f"Ray did not extract features, in up to {RETRIES + 1} tries: {error}") from None
    return features


def build(settings: SearchSettings, features: Path, train: TrainHere) -> Ray:
    """Make the executor of a study's folds."""
    return Ray(settings.ray_address, features, gpus_per_fold=settings.gpus_per_fold)


EXECUTOR = ExecutorSource(name="ray", build=build, decides="the cluster")
