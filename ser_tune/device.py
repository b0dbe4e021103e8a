"""The device, threads and arithmetic of computing."""

import ctypes
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "describe_device",
    "exact_float32",
    "faster_precision",
    "keep_freed_memory",
    "pick_device",
    "pick_precision",
    "processor_multiplies_bfloat16",
    "processor_name",
    "seed_torch",
    "using_threads",
]

WORTHWHILE = 1.15
"""bfloat16 must be this much faster than float32 to be chosen: a measurement can err by a tenth."""
LONG_STEP_S = 2.0
"""A step this long need not be repeated to be measured well."""
TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""M_TRIM_THRESHOLD and M_MMAP_MAX of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """From now on, have glibc keep what this process frees, for it to use again.

    Otherwise every large array of a training step is fetched from the system page by page, and returned when it is
    freed. On two cores a step of `alex_net`, whose gradients take 228 MB, takes 0.65 of the time, one of `3d_acrnn`
    0.93. Other C libraries do as they like.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, -1)


def seed_torch(seed: int) -> None:
    """Seed torch's random numbers, of the processor and of a GPU where there is any.

    Without a GPU, `torch.manual_seed` keeps the whole call stack as text for each kind of GPU: half a millisecond.
    """
    import torch

    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def pick_device(setting: str) -> "torch.device":
    """The device of a setting: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        ConfigError: The device is not there.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    present = [name for name, is_there in available.items() if is_there]
    if setting == "auto":
        return torch.device(present[0])
    if setting not in present:
        there = ", ".join(present)
        raise ConfigError(f"training.device is '{setting}', which this machine does not have; it has {there}")
    return torch.device(setting)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Within this context, CUDA computes float32 in float32; torch's default for convolutions and LSTMs is TF32.

    TF32 rounds factors to 10 bits of mantissa: https://docs.pytorch.org/docs/stable/notes/cuda.html.
    """
    import torch

    backends: Any = torch.backends  # whose types lack these
    kinds = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


@contextmanager
def using_threads(number: int | str) -> Iterator[None]:
    """Within this context, torch computes on so many CPU threads; `auto` leaves their number as it is.

    Sums are rounded alike in every process that uses the same number, and otherwise with another one: `light_cnn` and
    `fcn_attention` on EmoDB differed in the third digit of their log probabilities after one epoch on one and two
    threads.
    """
    import torch

    before = torch.get_num_threads()
    if number == "auto" or number == before:
        yield
        return
    try:
        torch.set_num_threads(int(number))
        yield
    finally:
        torch.set_num_threads(before)


def describe_device(device: "torch.device", threads: int | str = "auto") -> str:
    """A description of device and threads; where versions, seeds and it are equal, trained numbers are equal.

    `threads` is the number of CPU threads that train; `auto` is as many as this process uses now.
    """
    import torch

    if device.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(device)}"
    number = torch.get_num_threads() if threads == "auto" else threads
    return f"{device.type} {torch.backends.cpu.get_cpu_capability()}, {number} threads"


def processor_multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16, which take 100 times as long without them."""
    import torch

    asked = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)  # private: another torch may lack it
    return asked is not None and bool(asked())


def processor_name() -> str:
    """The processor's name, where the system has it, such as `Intel(R) Xeon(R) Processor`."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def pick_precision(
    setting: str, device: "torch.device", network: "nn.Module", inputs: "Sequence[torch.Tensor]", memory: Path
) -> str:
    """The precision of a setting; `auto` times a few training steps, once on a machine.

    Args:
        setting: `auto`, `float32` or `bfloat16`.
        device: The device of training.
        network: A network of the kind to be trained; left as it was.
        inputs: Inputs of the network, a batch of the size to be trained with.
        memory: The folder of earlier measurements, so that the next study of this kind starts at once.
    """
    import torch

    if setting != "auto":
        return setting
    kind = [str(network), *(str(tuple(tensor.shape)) for tensor in inputs)]
    before, training = {name: tensor.clone() for name, tensor in network.state_dict().items()}, network.training
    network.train()

    def step(precision: str) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = network(*inputs).float().square().mean()
        loss.backward()

    try:
        return faster_precision(kind, step, memory, device=device)
    finally:
        network.load_state_dict(before)
        network.zero_grad()
        network.train(training)


def faster_precision(
    kind: Sequence[str], step: Callable[[str], object], memory: Path, *, device: "torch.device | None" = None
) -> str:
    """The faster arithmetic, `float32` or `bfloat16`; measured once on a machine.

    Args:
        kind: Words that differ where the computation differs.
        step: Computes once in an arithmetic.
        memory: The folder of earlier measurements.
        device: None is the device of `auto`.
    """
    import torch

    device = device or pick_device("auto")
    if device.type == "mps" or (device.type == "cuda" and not torch.cuda.is_bf16_supported()):
        return "float32"
    if device.type == "cpu" and not processor_multiplies_bfloat16():
        return "float32"
    kind = [describe_device(device), torch.__version__, *kind]
    entry = memory / f"{hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:32]}.json"
    try:
        measured = json.loads(entry.read_text(encoding="utf-8"))["seconds"]
        seconds = {name: float(measured[name]) for name in ("float32", "bfloat16")}
    except (OSError, ValueError, KeyError, TypeError):
        seconds = {name: _seconds(step, name, device) for name in ("float32", "bfloat16")}
        with suppress(OSError):  # it is measured again next time
            memory.mkdir(parents=True, exist_ok=True)
            partial = entry.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps({"kind": kind, "seconds": seconds}, indent=2), encoding="utf-8")
            partial.replace(entry)
    return "bfloat16" if seconds["float32"] > WORTHWHILE * seconds["bfloat16"] else "float32"


def _seconds(step: Callable[[str], object], precision: str, device: "torch.device") -> float:
    """The fastest of up to three steps, of which the first warms up unless it is long."""
    import torch

    times: list[float] = []
    while len(times) < 3 and sum(times) < LONG_STEP_S:
        start = time.perf_counter()
        step(precision)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
