"""`doctor`: whether this machine and this project can do what the commands need."""

import math
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, Literal

from .. import search, tracking
from ..errors import ConfigError, StorageError
from .arguments import located

if TYPE_CHECKING:
    import torch
    from packaging.requirements import Requirement

    from ..components import Catalogue
    from ..project import Project

__all__ = ["Finding", "doctor"]

FREE_GB = 2.0
"""Less free space is wrong: a study's models and cached features would soon fill it."""
TRAINING_S = 2.0
ANSWER_S = 5.0
"""Time that a server has to answer."""
BATCH, SIZE = 16, (1, 64, 128)
"""Segments of a training step, and their shape (C, F, T)."""
BRINGS = {
    "export": "ser-tune export --format onnx",
    "listen": "ser-tune listen",
    "opensmile": "the feature set opensmile",
    "pretrained": "pretrained encoders (features.name=encoder, finetuned_encoder)",
    "timeline": "ser-tune predict --timeline",
    "test": "the program's own tests",
}
"""Extra to what it brings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of a part of the machine or project."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    """`note` is no mistake, but limits what can be done."""
    found: str
    advice: str = ""
    """The remedy; empty where nothing need be done."""


def doctor(
    *, project: "Project | None" = None, on_check: Callable[[str], None] = lambda subject: None
) -> list[Finding]:
    """Look at versions, device and precision, disk, stores, extras, plug-ins, checkpoints, and train for two seconds.

    Prints what is wrong and what to do about it; ends with 1 where something is wrong. Nothing is changed but the
    cache's record of the faster precision; and runs that killed commands left open in MLflow are closed.

    Args:
        project: Where things are; None is `Project.locate()`.
        on_check: Receives each subject before it is looked at.
    """
    project = located(project)
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "packages": _packages,
        "disk": partial(_disk, project),
        "stores": partial(_stores, project),
        "runs": partial(_runs, project),
        "extras": _extras,
        "plug-ins": _plugins,
        "device": partial(_device, project),
        "checkpoints": _checkpoints,
        "training": _training,
    }
    found: list[Finding] = []
    for subject, check in checks.items():
        on_check(subject)
        found += check()
    return found


def _required(extra: str) -> "list[Requirement]":
    """The requirements of an extra alone; with an empty name, those that are always required."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    found = []
    for requirement in map(Requirement, requires("ser-tune") or ()):
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always if not extra else not always and marker is not None and marker.evaluate({"extra": extra}):
            found.append(requirement)
    return found


def _lacking(requirements: "list[Requirement]") -> list[str]:
    """A sentence for every requirement that is missing or of another version."""
    lacking = []
    for requirement in requirements:
        installed = _version(requirement.name)
        if installed is None:
            lacking.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(installed, prereleases=True):
            lacking.append(f"{requirement.name} is {installed}; expected {requirement.specifier}")
    return lacking


def _version(package: str) -> str | None:
    """The installed version; None where the package is missing."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    if _version("ser-tune") is None:
        yield Finding("packages", "wrong", "ser-tune is not installed", "pip install -c constraints.txt -e .")
    elif lacking := _lacking(_required("")):
        yield Finding("packages", "wrong", "; ".join(lacking), "pip install -c constraints.txt -e .")
    else:
        versions = {name: _version(name) for name in ("ser-tune", "torch", "mlflow", "optuna")}
        main = ", ".join(f"{name} {number}" for name, number in versions.items() if number is not None)
        yield Finding("packages", "ok", f"Python {python_version()}, {main}")


def _extras() -> Iterator[Finding]:
    from importlib.metadata import metadata

    for extra in metadata("ser-tune").get_all("Provides-Extra") or ():
        lacking = _lacking([requirement for requirement in _required(extra) if requirement.name != "ser-tune"])
        brings = BRINGS.get(extra, "more commands")
        if lacking:
            found = f"{'; '.join(lacking)} ({brings})"
            yield Finding(f"extra {extra}", "note", found, f"pip install 'ser-tune[{extra}]'")
        else:
            yield Finding(f"extra {extra}", "ok", f"installed: {brings}")


def _plugins() -> Iterator[Finding]:
    from ..architectures import ARCHITECTURES
    from ..corpora import CORPORA
    from ..features import FEATURE_SETS
    from ..training import LOSSES

    names: list[str] = []
    catalogues: tuple[Catalogue[Any], ...] = (ARCHITECTURES, CORPORA, FEATURE_SETS, LOSSES, *search.PARTS.values())
    for catalogue in catalogues:
        for name in catalogue.plugins():
            try:
                catalogue.get(name)
            except ConfigError as error:
                yield Finding("plug-in", "wrong", str(error), "update or uninstall its package")
            else:
                names.append(f"{catalogue.kind} {name}")
    yield Finding("plug-ins", "ok", ", ".join(names) or "none installed")


def _disk(project: "Project") -> Iterator[Finding]:
    """Free space."""
    free_gb = shutil.disk_usage(project.root).free / 1e9
    found = f"{free_gb:.1f} GB free at {project.root}"
    if free_gb < FREE_GB:
        yield Finding("disk", "wrong", found, f"free at least {FREE_GB:g} GB, or set SER_TUNE_ROOT to another disk")
    else:
        yield Finding("disk", "ok", found)


def _stores(project: "Project") -> Iterator[Finding]:
    """Whether databases, cache and outbox can be written."""
    yield _database("tracking store", project.tracking_uri, "--tracking-uri or MLFLOW_TRACKING_URI")
    yield _database("studies", project.storage_url, "--storage")
    for subject, folder, elsewhere in (
        ("cache", project.cache, "set SER_TUNE_CACHE to a folder that can be written"),
        ("outbox", project.outbox, "make the project's folder writable, or set SER_TUNE_ROOT to another"),
    ):
        yield _folder(subject, folder, elsewhere)


def _runs(project: "Project") -> Iterator[Finding]:
    """Runs that killed commands left open in MLflow; they are closed."""
    path = Path(project.tracking_uri.removeprefix("sqlite:///"))
    missing = project.tracking_uri.startswith("sqlite:///") and not path.exists()
    if missing or _database("runs", project.tracking_uri, "").state != "ok":
        return
    workspace = tracking.Workspace(project)
    try:
        with workspace.errors():
            closed = tracking.close_abandoned(workspace)
    except StorageError as error:
        yield Finding("runs", "wrong", str(error))
        return
    names = ", ".join(tracking.name_of(run) for run in closed)
    yield Finding("runs", "ok", f"closed, because their processes were killed: {names}" if closed else "none left open")


def _database(subject: str, url: str, option: str) -> Finding:
    """Whether a database or server can be opened for writing."""
    advice = f"start it or make it writable, or name another with {option}"
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists():
            return _folder(subject, path.parent, advice, missing=f"{path} is made at first use")
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=ANSWER_S)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
        except sqlite3.Error as error:
            return Finding(subject, "wrong", f"{path} cannot be written: {error}", advice)
        return Finding(subject, "ok", f"{path} can be written")
    try:
        if url.startswith("http"):
            import requests

            requests.get(f"{url.rstrip('/')}/health", timeout=ANSWER_S).raise_for_status()
        else:
            from sqlalchemy import create_engine

            with create_engine(url).connect():
                pass
    except Exception as error:  # drivers and network libraries raise many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return Finding(subject, "wrong", f"no answer: {reason}", advice)
    return Finding(subject, "ok", "answers")


def _folder(subject: str, folder: Path, advice: str, missing: str = "") -> Finding:
    """Whether files can be made in a folder, or in the nearest one above that exists."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(subject, "wrong", f"{there} cannot be written: {error.strerror}", advice)
    return Finding(subject, "ok", missing or f"{folder} can be written")


def _device(project: "Project") -> Iterator[Finding]:
    """The device that `training.device=auto` picks, and its faster arithmetic; measured as a study does."""
    import torch

    from ..device import describe_device, pick_device, pick_precision

    picked = pick_device("auto")
    network = _network().to(picked)
    precision = pick_precision(
        "auto", picked, network, [torch.randn(BATCH, *SIZE, device=picked)], project.cache / "precision"
    )
    several = f", {torch.cuda.device_count()} of them" if picked.type == "cuda" else ""
    yield Finding("device", "ok", f"{describe_device(picked)}{several}; training.precision=auto is {precision}")


def _network() -> "torch.nn.Module":
    from ..architectures import ARCHITECTURES, InputShape

    architecture = ARCHITECTURES.get("light_cnn")
    return architecture.build(architecture.settings.model_validate({}), InputShape(*SIZE), 2)


def _training() -> Iterator[Finding]:
    """Train `light_cnn` for two seconds to tell noise from noise with a tone, and look at the loss."""
    import torch

    from ..device import pick_device

    picked = pick_device("auto")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = _network().to(picked)
        labels = torch.arange(BATCH, device=picked) % 2
        segments = torch.randn(BATCH, *SIZE, device=picked)
        segments[labels == 1, :, 20:24] += 2
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        losses: list[float] = []
        start = time.perf_counter()
        while len(losses) < 2 or time.perf_counter() - start < TRAINING_S:
            loss = torch.nn.functional.cross_entropy(network(segments), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
    seconds = time.perf_counter() - start
    found = f"{len(losses)} steps of light_cnn in {seconds:.1f} s, loss {losses[0]:.2f} to {losses[-1]:.2f}"
    if math.isfinite(losses[-1]) and losses[-1] < losses[0]:
        yield Finding("training", "ok", found)
    else:
        yield Finding("training", "wrong", f"{found}; expected a falling loss", "try --set training.device=cpu")


def _checkpoints() -> Iterator[Finding]:
    """Encoders of the catalogue that are downloaded, and whether the hub answers."""
    if find_spec("huggingface_hub") is None:
        return
    import huggingface_hub
    import requests

    from ..encoders import CHECKPOINTS

    here = [
        name for name in CHECKPOINTS if isinstance(huggingface_hub.try_to_load_from_cache(name, "config.json"), str)
    ]
    found = f"downloaded: {', '.join(here) or 'none of the catalogue'}"
    reason = ""
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set"
    else:
        try:
            requests.head(huggingface_hub.constants.ENDPOINT, timeout=ANSWER_S)
        except requests.RequestException as error:
            reason = type(error).__name__
    if not reason:
        yield Finding("checkpoints", "ok", f"{found}; the Hugging Face hub answers")
        return
    advice = "" if here else "set features.checkpoint to a folder with config.json and model.safetensors"
    yield Finding("checkpoints", "note", f"{found}; the Hugging Face hub is not reached: {reason}", advice)
