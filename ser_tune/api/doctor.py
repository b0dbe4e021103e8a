"""`doctor`: whether this machine and this project can do what the commands need."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from platform import python_version
from typing import Any

from packaging.requirements import Requirement

from ..components import Catalogue
from ..config import Project
from ..errors import ConfigError
from .machine import Finding, checkpoints, device, disk, runs, stores, training

__all__ = ["Finding", "doctor"]

BRINGS = {
    "export": "ser-tune export --format onnx",
    "listen": "ser-tune listen",
    "opensmile": "the feature set opensmile",
    "pretrained": "pretrained encoders (features.name=encoder, finetuned_encoder)",
    "timeline": "ser-tune predict --timeline",
    "test": "the program's own tests",
}
"""What each extra is for."""


def doctor(*, project: Project | None = None, on_check: Callable[[str], None] = lambda subject: None) -> list[Finding]:
    """Look at versions, devices, precision, disk, stores, extras, plug-ins, checkpoints, and train for two seconds.

    Nothing is changed but the cache's record of the faster precision; and runs that killed commands left open in MLflow
    are closed.

    Args:
        project: Where things are; None is `Project.locate()`.
        on_check: Is told each subject before it is looked at.
    """
    project = project or Project.locate()
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "packages": _packages,
        "disk": partial(disk, project),
        "stores": partial(stores, project),
        "runs": partial(runs, project),
        "extras": _extras,
        "plug-ins": _plugins,
        "device": partial(device, project),
        "checkpoints": checkpoints,
        "training": training,
    }
    found: list[Finding] = []
    for subject, check in checks.items():
        on_check(subject)
        found += check()
    return found


def _required(extra: str) -> list[Requirement]:
    """What ser-tune requires for an extra alone; without one, in any case."""
    all_of_them = [Requirement(one) for one in requires("ser-tune") or ()]
    if not extra:
        return [one for one in all_of_them if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        one
        for one in all_of_them
        if one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
    ]


def _lacking(requirements: list[Requirement]) -> list[str]:
    lacking = []
    for one in requirements:
        try:
            installed = version(one.name)
        except PackageNotFoundError:
            lacking.append(f"{one.name} is missing")
            continue
        if not one.specifier.contains(installed, prereleases=True):
            lacking.append(f"{one.name} is {installed}; expected {one.specifier}")
    return lacking


def _packages() -> Iterator[Finding]:
    try:
        lacking = _lacking(_required(""))
    except PackageNotFoundError:
        yield Finding("packages", "wrong", "ser-tune is not installed", "pip install -c constraints.txt -e .")
        return
    main = ", ".join(f"{one} {version(one)}" for one in ("ser-tune", "torch", "mlflow", "optuna") if _has(one))
    if lacking:
        yield Finding("packages", "wrong", "; ".join(lacking), "pip install -c constraints.txt -e .")
    else:
        yield Finding("packages", "ok", f"Python {python_version()}, {main}")


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _extras() -> Iterator[Finding]:
    for extra in metadata("ser-tune").get_all("Provides-Extra") or ():
        lacking = _lacking([one for one in _required(extra) if one.name != "ser-tune"])
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
    from ..search import PARTS
    from ..training import LOSSES

    names: list[str] = []
    catalogues: tuple[Catalogue[Any], ...] = (ARCHITECTURES, CORPORA, FEATURE_SETS, LOSSES, *PARTS.values())
    for catalogue in catalogues:
        for name in catalogue.plugins():
            try:
                catalogue.get(name)
            except ConfigError as error:
                yield Finding("plug-in", "wrong", str(error), "update or uninstall its package")
            else:
                names.append(f"{catalogue.kind} {name}")
    yield Finding("plug-ins", "ok", ", ".join(names) or "none installed")
