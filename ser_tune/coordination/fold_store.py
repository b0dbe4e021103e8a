"""Trained folds of trials that have not ended, so that an interrupted trial goes on with its next fold.

An entry is a safetensors file, named by the SHA-256 of all that the fold's training depends on: the job (concrete
configuration, sides, seed, names of cached features, targets, goal), the device, the program's code, and the versions
of the packages that compute. A new entry is written beside its place and then renamed, and holds a checksum: no
half-written entry is read.
"""

import hashlib
import json
import logging
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..architectures import ARCHITECTURES
from ..device import describe_device
from ..errors import StorageError
from ..execution import code_digest
from ..features import FEATURE_SETS, Scaling
from ..metrics import METRICS
from ..prediction import Prototypes
from ..tasks import TASKS
from ..training import LOSSES, EpochReport, FittedNetwork, FoldJob, recipe_of

__all__ = ["FoldStore"]

_log = logging.getLogger(__name__)
KEPT_S, PARTIAL_S = 14 * 24 * 3600.0, 3600.0
"""Seconds after which an entry is removed whose trial nobody finished, and a file that nobody finished writing."""
CHECKSUM = "sha256"


class FoldStore:
    """The trained folds of one study."""

    def __init__(self, folder: Path, study_id: str) -> None:
        """Open the store, and remove what is too old, of any study.

        Args:
            folder: Of all studies' folds; made with the first entry.
            study_id: The study's.
        """
        self._folder = folder / study_id
        for path in [*folder.glob("*/*.safetensors"), *folder.glob("*/*.partial")]:
            oldest = time.time() - (PARTIAL_S if path.suffix == ".partial" else KEPT_S)
            if _written(path) < oldest:
                path.unlink(missing_ok=True)
        for path in folder.glob("*"):
            if _written(path) < time.time() - PARTIAL_S:
                with suppress(OSError):  # most are not empty
                    path.rmdir()

    def get(self, job: FoldJob) -> FittedNetwork | None:
        """The stored result of a job; None where there is none. A damaged entry is named and removed."""
        path = self._path(job)
        try:
            return _fitted(load(path.read_bytes()), job)
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
            _log.warning("note: the trained fold in '%s' is damaged (%s); it is trained again", path, error)
            path.unlink(missing_ok=True)
            return None

    def put(self, job: FoldJob, fitted: FittedNetwork) -> None:
        """Keep the result of a job.

        Raises:
            StorageError: The disk is full, or the folder cannot be written.
        """
        path = self._path(job)
        partial = path.with_suffix(f".{socket.gethostname()}.{os.getpid()}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(save(_tensors(fitted)))
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(
                f"a trained fold cannot be written to '{self._folder}': {error.strerror or error}; "
                "make room, or set SER_TUNE_CACHE to a folder with room"
            ) from None

    def remove(self, jobs: Iterable[FoldJob]) -> None:
        """Remove the results of jobs."""
        for job in jobs:
            self._path(job).unlink(missing_ok=True)

    def _path(self, job: FoldJob) -> Path:
        config, data = job.config, job.data
        goal, targets = job.goal, data.targets
        requirements = [
            ARCHITECTURES.requirement(config.model.name),
            FEATURE_SETS.requirement(config.features.name),
            LOSSES.requirement(config.loss.name),
            TASKS.requirement(goal.task),
            *map(METRICS.requirement, goal.metrics),
        ]
        about = {
            "code": [code_digest(), *requirements],
            "device": describe_device(torch.device(config.training.device), config.training.threads),
            "config": config.model_dump(mode="json"),
            "job": [job.seed, asdict(goal), data.features, targets.names],
        }
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        corpora = () if data.corpora is None else (data.corpora,)
        for array in (job.train, job.validation, targets.values, targets.strata, data.speakers, *corpora):
            key.update(f" {array.dtype} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes())
        return self._folder / f"{key.hexdigest()[:40]}.safetensors"


def _written(path: Path) -> float:
    """The time of a file's last change, in seconds; now, where another process removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _tensors(fitted: FittedNetwork) -> dict[str, Tensor]:
    """Everything of a fold, as tensors."""
    tensors = {f"network.{name}": tensor.contiguous() for name, tensor in fitted.network.state_dict().items()}
    if fitted.scaling is not None:
        tensors["scaling.shift"] = torch.from_numpy(np.ascontiguousarray(fitted.scaling.shift))
        tensors["scaling.spread"] = torch.from_numpy(np.ascontiguousarray(fitted.scaling.spread))
    if fitted.prototypes is not None:
        arrays = fitted.prototypes.arrays
        tensors |= {f"prototypes.{name}": torch.from_numpy(array) for name, array in arrays.items()}
    tensors["epoch"] = torch.tensor(fitted.epoch)
    # As text, which keeps every digit, and the names of the metrics
    history = json.dumps([asdict(report) for report in fitted.history])
    tensors["history"] = torch.tensor(list(history.encode()), dtype=torch.uint8)
    tensors["validation"] = torch.from_numpy(np.ascontiguousarray(fitted.validation))
    tensors[CHECKSUM] = _checksum(tensors)
    return tensors


def _fitted(tensors: dict[str, Tensor], job: FoldJob) -> FittedNetwork:
    """Undo `_tensors`.

    Raises:
        ValueError: The file was damaged.
    """
    if not tensors.pop(CHECKSUM).equal(_checksum(tensors)):
        raise ValueError("the checksum is not that of the tensors")
    network = recipe_of(job.config, job.data.targets.names, job.goal).build_network()
    weights = {name.removeprefix("network."): tensor for name, tensor in tensors.items() if name.startswith("network.")}
    network.load_state_dict(weights)
    shift, spread = tensors.get("scaling.shift"), tensors.get("scaling.spread")
    start = "prototypes."
    arrays = {name.removeprefix(start): tensor.numpy() for name, tensor in tensors.items() if name.startswith(start)}
    reports = json.loads(tensors["history"].numpy().tobytes())
    return FittedNetwork(
        network=network.eval(),
        scaling=None if shift is None or spread is None else Scaling(shift=shift.numpy(), spread=spread.numpy()),
        epoch=int(tensors["epoch"]),
        history=tuple(EpochReport(**report) for report in reports),
        validation=tensors["validation"].numpy(),
        prototypes=Prototypes.read(arrays),
    )


def _checksum(tensors: dict[str, Tensor]) -> Tensor:
    """SHA-256 of tensors and their names, shape (32,), uint8."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode() + content.tobytes())
    return torch.tensor(list(hashed.digest()), dtype=torch.uint8)
