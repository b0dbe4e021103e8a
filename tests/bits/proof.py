"""A configuration before and after a change, and the project of before in the hands of the code of after."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .collecting import Values, collected
from .comparing import Compared, compare
from .configurations import Configuration
from .trees import Ended, Tree

__all__ = ["Proof", "continued", "proven", "trained"]

STORED = ("dataset/", "model/", "registered/", "run/", "study/", "version/")
PRINTED, CODE, ERROR = "printed", "exit code", "error"
REPLAYED = {"identical": "True", "unequal": "[]"}
"""What a replay prints of equal numbers."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared."""

    what: str
    compared: Compared
    seconds: float


def proven(
    configuration: Configuration, before: Tree, after: Tree, folder: Path, *, tolerance: float = 0.0
) -> Iterator[Proof]:
    """Compare the numbers of two trees, then open the project of the first with the code of the second.

    Args:
        configuration: What runs in both.
        before: The tree whose numbers are right.
        after: The tree to check.
        folder: Takes both projects.
        tolerance: The relative one of numbers; 0 is to the bit, and replays must be identical.

    Raises:
        RuntimeError: A command fails in the tree of before.
    """
    started = time.monotonic()
    right = trained(configuration, before, folder / "before")
    if any(path.endswith(f"/{CODE}") and code != "0" for path, code in right.items()):
        reasons = [value for path, value in right.items() if path.endswith(f"/{ERROR}")]
        raise RuntimeError(f"{configuration.name} fails in {before.name}: {' '.join(reasons)}")
    found = trained(configuration, after, folder / "after")
    yield Proof(configuration.name, compare(right, found, tolerance=tolerance), time.monotonic() - started)
    started = time.monotonic()
    kept, found = _kept(right), continued(configuration, after, folder / "before")
    if tolerance:  # a replay compares to the bit
        kept, found = (
            Values({path: value for path, value in values.items() if not path.startswith(f"{PRINTED}/replay/")})
            for values in (kept, found)
        )
    compared = compare(kept, found, tolerance=tolerance)
    yield Proof(f"{configuration.name}, continued", compared, time.monotonic() - started)


def trained(configuration: Configuration, tree: Tree, project: Path) -> Values:
    """Run a configuration in a fresh project, and return all values that it leaves behind or prints."""
    commands = configuration.commands
    shutil.copytree(tree.empty_project(), project)
    return collected(project, _printed(commands, tree.run(commands, project)))


def continued(configuration: Configuration, tree: Tree, project: Path) -> Values:
    """Run a project's study again, predict with its model and replay its run.

    Returns:
        All values of the project, what `predict` prints, and whether the replay is identical.
    """
    commands = [configuration.study, *configuration.predictions, ("replay", configuration.replayed, "--json")]
    printed = _printed(commands, tree.run(commands, project))
    return collected(project, Values({path: value for path, value in printed.items() if not _is_new(path)}))


def _kept(right: Values) -> Values:
    """What `continued` must return: all that was there, and the same predictions."""
    kept = {path: value for path, value in right.items() if path.startswith((*STORED, f"{PRINTED}/predict/"))}
    codes = {f"{PRINTED}/{command}/{CODE}": "0" for command in ("study", "replay")}
    return Values(kept | codes | {f"{PRINTED}/replay/0/{name}": value for name, value in REPLAYED.items()})


def _is_new(path: str) -> bool:
    """Whether a printed value has nothing beside it: what a study prints that has nothing to do, and a replay."""
    _, command, *rest = path.split("/")
    told = rest in ([CODE], [ERROR]) or (command == "replay" and not REPLAYED.keys().isdisjoint(rest))
    return not told and command in ("study", "replay")


def _printed(commands: Sequence[Sequence[str]], ended: Sequence[Ended]) -> Values:
    """What commands printed, under their names; of equal names the later ones are numbered."""
    values, seen = Values(), Counter[str]()
    for command, one in zip(commands, ended, strict=False):
        seen[command[0]] += 1
        name = command[0] if seen[command[0]] == 1 else f"{command[0]} {seen[command[0]]}"
        values.add(f"{PRINTED}/{name}/{CODE}", one.code)
        values.add(f"{PRINTED}/{name}", one.out)
        if one.code and not one.out:
            values.add(f"{PRINTED}/{name}/{ERROR}", one.told.strip().rpartition("\n")[2])
    return values
