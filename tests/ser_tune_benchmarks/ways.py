"""Ways to do the same work: each in a process of its own, in turn, so that load meets all of them alike."""

import multiprocessing
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from operator import truediv
from pathlib import Path
from typing import TypeAlias, TypeVar

import psutil

from .hardware import Need, measure_speeds
from .rows import Options, Row

__all__ = ["Cost", "Start", "Work", "compared", "in_turn", "kept", "own_process", "run_command", "timed"]

T = TypeVar("T")
GEMM_SIZE = {"cpu": 2048, "cuda": 8192}
"""Rows of the matrices whose product is the limit."""
Work: TypeAlias = Callable[[], object]
"""The work that is measured, again and again."""
Start: TypeAlias = Callable[[], Work]
"""Prepares the work in the process that does it, a function that can be pickled; it is not measured."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, and of processors in this process and all that it started."""

    wall_s: float
    processor_s: float


def timed(work: Work) -> Cost:
    """Do work and measure it; processes that it started count, whether they have ended or not.

    Work that measures itself returns its own cost.
    """
    wall, used = time.perf_counter(), _processor_s()
    result = work()
    return result if isinstance(result, Cost) else Cost(time.perf_counter() - wall, _processor_s() - used)


def _processor_s() -> float:
    """Processor seconds of this process, of its ended children, and of those that live, which os.times leaves out."""
    ended = os.times()
    seconds = time.process_time() + ended.children_user + ended.children_system
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def own_process() -> ProcessPoolExecutor:
    """A fresh process to submit to: it inherits no imports, threads, memory or settings of the C library."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


_works: dict[str, Work] = {}
_kept = ExitStack()


def kept(resource: AbstractContextManager[T]) -> T:
    """Enter a context, such as a pool of processes, for as long as the ways of this process take turns."""
    return _kept.enter_context(resource)


def _prepare(name: str, start: Start) -> None:
    _works[name] = start()


def _end() -> None:
    _works.clear()
    _kept.close()


def _turn(name: str) -> Cost:
    return timed(_works[name])


def in_turn(
    ways: Mapping[str, Start], options: Options, *, warm: bool = True, apart: bool = True
) -> dict[str, list[Cost]]:
    """The costs of each way in `options.turns` turns.

    Where `warm`, after a turn that is not kept; where `apart`, in a process of its own, otherwise all in this one.
    """
    with ExitStack() as stack:
        # To show that it runs, a single process will do, which imports everything once
        shared = stack.enter_context(ThreadPoolExecutor(1)) if options.quick or not apart else None
        processes: dict[str, Executor] = {name: shared or stack.enter_context(own_process()) for name in ways}
        for name, start in ways.items():
            processes[name].submit(_prepare, name, start).result()
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        warming = warm and not options.quick
        for _ in range(options.turns + warming):
            for name, process in processes.items():
                costs[name].append(process.submit(_turn, name).result())
        for process in processes.values():
            process.submit(_end).result()
    return {name: taken[warming:] for name, taken in costs.items()}


def compared(
    what: str,
    ways: Mapping[str, Start],
    options: Options,
    *,
    need: Need | None = None,
    amount: float | None = None,
    unit: str = "s",
    at_least: float | None = None,
    warm: bool = True,
    apart: bool = True,
) -> Row:
    """A row of ways that take turns: medians, and the medians of the ratios of the same turn.

    Args:
        what: The work.
        ways: `product`, and of `plain` and `skilled` those that there are.
        options: Of the benchmark.
        need: What the work needs; the limit is computed from it and from speeds measured in the same minutes.
        amount: How much the work is, in the unit's first word; the row then has amounts a second instead of seconds.
        unit: Unit of the row, such as `segments/s`.
        at_least: Goal of the ratio.
        warm: Whether a first turn of each is not kept.
        apart: Whether each has a process of its own.
    """
    others = psutil.cpu_percent(0.5) / 100 * (psutil.cpu_count() or 1)
    limits = {} if need is None else {"limit": partial(_limit, need, 256 if options.quick else GEMM_SIZE[need.device])}
    costs = in_turn({**ways, **limits}, options, warm=warm, apart=apart)
    wall = {name: [cost.wall_s for cost in taken] for name, taken in costs.items()}
    processor = {name: [cost.processor_s for cost in taken] for name, taken in costs.items()}
    medians = {name: statistics.median(taken) for name, taken in wall.items()}
    shown = {name: seconds if amount is None else amount / seconds for name, seconds in medians.items()}
    rival = next((name for name in ("skilled", "plain") if name in ways), None)
    return Row(
        what,
        shown["product"],
        unit,
        plain=shown.get("plain"),
        skilled=shown.get("skilled"),
        limit=shown.get("limit"),
        ratio=None if rival is None else _ratio(wall[rival], wall["product"]),
        processor_ratio=None if rival is None else _ratio(processor[rival], processor["product"]),
        share=_ratio(wall["limit"], wall["product"]) if limits else None,
        processor_s={name: statistics.median(taken) for name, taken in processor.items()},
        others=others,
        at_least=at_least,
    )


def _ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median ratio of the same turn."""
    return statistics.median(map(truediv, numerators, denominators))


def _limit(need: Need, size: int) -> Work:
    """Measure the machine's speeds, and say what the need takes at them."""

    def least() -> Cost:
        return Cost(*measure_speeds(need.precision, need.device, size=size).of(need))

    return least


def run_command(command: Sequence[str], root: Path) -> str:
    """Run a command in a project of its own below a folder; returns its output. It fails with the command."""
    environment = os.environ | {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(root / ".cache")}
    return subprocess.run([*command], env=environment, check=True, capture_output=True, text=True).stdout
