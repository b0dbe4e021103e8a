"""The machine: processor, instruction sets, load, and the measured speed of its matrix products and memory."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["Need", "Speeds", "describe_machine", "flops_of", "load", "measure_speeds"]

INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16")
LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS")
"""Environment variables that make libraries use less than there is."""


@dataclass(frozen=True, slots=True)
class Need:
    """What work needs whoever does it."""

    flops: float
    """Floating-point operations of matrix products and convolutions."""
    precision: str = "float32"
    """Their type: float32 or bfloat16."""
    bytes: float = 0.0
    """Bytes read and written at least once, beside the computing."""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds of a matrix product's operation and of a copied byte, on all threads of torch."""

    flop_s: float
    flop_processor_s: float
    byte_s: float
    byte_processor_s: float

    def of(self, need: Need) -> tuple[float, float]:
        """The least seconds by the clock and of processors that a need takes: the larger of products and memory."""
        wall = max(need.flops * self.flop_s, need.bytes * self.byte_s)
        return wall, max(need.flops * self.flop_processor_s, need.bytes * self.byte_processor_s)


def measure_speeds(precision: str, device: str = "cpu", *, size: int = 2048) -> Speeds:
    """Multiply square matrices of `size` rows for 0.3 seconds, then copy 64 · size² bytes as long."""
    import torch

    kind = getattr(torch, precision)
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    product = torch.empty(size, size, dtype=kind, device=device)

    def multiply() -> None:
        torch.mm(left, right, out=product)

    source = torch.ones(size * size * 16, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)

    flop, byte = 2 * size**3, 2 * source.nbytes
    of_products, of_copies = (_seconds_of(work, device, at_least_s=0.3) for work in (multiply, copy))
    return Speeds(*(seconds / flop for seconds in of_products), *(seconds / byte for seconds in of_copies))


def _seconds_of(work: Callable[[], object], device: str, *, at_least_s: float) -> tuple[float, float]:
    import torch

    work()
    repeats, wall, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < at_least_s:
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        repeats += 1
    return (time.perf_counter() - wall) / repeats, (time.process_time() - used) / repeats


def flops_of(work: Callable[[], object]) -> float:
    """Operations of the matrix products and convolutions that a function of no arguments runs, backwards included."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def load() -> float:
    """Processes that ran or waited for a core, averaged over a minute."""
    return os.getloadavg()[0]


def describe_machine() -> dict[str, object]:
    """Facts for whoever reads the numbers: they hold for a machine with these instruction sets."""
    import torch

    from ser_tune.device import processor_name

    flags: set[str] = set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        flags = set(next((line for line in lines if line.startswith(("flags", "Features"))), "").split())
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "used_by_torch": torch.backends.cpu.get_cpu_capability(),
        "limits": {name: os.environ[name] for name in LIMITS if name in os.environ},
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")},
    }
