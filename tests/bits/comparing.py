"""Differences between two collections of values, but for what legitimately differs."""

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["ADDED", "LEFT_OUT", "Compared", "compare"]

NOTHING = "(nothing)"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Values that two runs of the same code do not share, or that name the code."""

    paths: str
    """Pattern of their paths, as of fnmatch."""
    reason: str


LEFT_OUT = (
    LeftOut("*/metric/*seconds/step *", "times"),
    LeftOut("run/*/metric/system/*", "load of the machine"),
    LeftOut("*/user attribute/heartbeat", "a time"),
    LeftOut("*/user attribute/seconds", "times"),
    LeftOut("*/user attribute/process/*", "numbers of the process"),
    LeftOut("*/tag/ser_tune.process/*", "numbers of the process"),
    LeftOut("*/user attribute/code", "digest of the code"),
    LeftOut("*/tag/mlflow.source.git.commit", "the commit"),
    LeftOut("*/mlflow_model.py", "the code, which a model brings along, or its digest"),
    LeftOut("*/ser_tune.zip", "the code, which a model brings along, or its digest"),
    LeftOut("*/file/MLmodel/utc_time_created", "a time"),
    LeftOut("*/file/MLmodel/model_uuid", "drawn at random, and nothing refers to it"),
    LeftOut("*/file/MLmodel/model_size_bytes", "size of the code"),
    LeftOut("*/file/MLmodel/flavors/python_function/model_code_path", "folder of the code"),
    LeftOut("*/file/MLmodel/flavors/python_function/artifacts/predictor/uri", "a temporary folder"),
    LeftOut("run/*/file/validation_confusion.png", "a picture, which is drawn for promoted trials alone"),
    LeftOut("printed/*/seconds", "times"),
    LeftOut("*/tag/ser_tune.files/artifacts/predictor/encoders.json", "digest of a file with the project's folder"),
    LeftOut("*/tag/ser_tune.files/MLmodel", "digest of a file with times and random identifiers"),
)
"""All that is not compared. Random identifiers of runs, models and studies are replaced by names, and are compared."""


@dataclass(frozen=True, slots=True)
class Added:
    """A value that the code of before did not store: it had no other."""

    paths: str
    """Pattern of its paths, as of fnmatch."""
    value: str
    """Pattern of the value."""


ADDED = (
    Added("*config/task/name", "classification"),
    Added("*config/study/objectives", "[[]]"),
    Added("run/*/parameter/task.name", "classification"),
    Added("run/*/parameter/study.objectives", "[[]]"),
    Added("run/*/parameter/perturbation.stability", "0.0"),
    Added("study/*/user attribute/folds_ended", "[0-9]*"),
    Added("printed/*/promotion/test_sets", "{}"),
    Added("printed/*/corpora", ""),
    Added("printed/*/corpora", "{}"),
    Added("printed/evaluate*/crowd", "None"),
    Added("run/*/tag/ser_tune.feature_format", "[0-9]*"),
    Added("*/prediction_sets.json/*", "*"),
    Added("*/tag/ser_tune.files/artifacts/predictor/prediction_sets.json", "*"),
)
"""All that a later version may store besides."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two collections beside each other."""

    values: int
    """How many values at least one side has."""
    differences: Mapping[str, tuple[str, str]]
    """Path to the value before and after, in the order of the paths."""


DIGEST = re.compile(r".*SHA-256 [0-9a-f]{64}|sha256:.*|[0-9a-f]{64}", re.DOTALL)
"""Values that are not compared where numbers may differ in their last digits; those of weights have projections."""
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)")


def compare(before: Mapping[str, str], after: Mapping[str, str], *, tolerance: float = 0.0) -> Compared:
    """Compare all values but those of `LEFT_OUT`; a value that a side lacks is a difference, unless in `ADDED`.

    `tolerance` is the relative one of numbers; 0 is to the bit.
    """
    before, after = _flat(before), _flat(after)
    paths = [path for path in sorted(before.keys() | after.keys()) if not _left_out(path)]
    pairs = {path: (before.get(path, NOTHING), after.get(path, NOTHING)) for path in paths}
    unlike = {path: pair for path, pair in pairs.items() if pair[0] != pair[1] and not _added(path, *pair)}
    if tolerance:
        unlike = {path: pair for path, pair in unlike.items() if not _close(*pair, tolerance)}
    return Compared(len(paths), unlike)


def _flat(values: Mapping[str, str]) -> dict[str, str]:
    """Replace every value that is a JSON object by the values of its keys, each with a path of its own."""
    flat: dict[str, str] = {}
    for path, value in values.items():
        content = None
        if value.startswith("{"):
            with suppress(ValueError):
                content = json.loads(value)
        if isinstance(content, dict) and content:
            inner = {f"{path}/{key}": one if isinstance(one, str) else json.dumps(one) for key, one in content.items()}
            flat |= _flat(inner)
        else:
            flat[path] = value
    return flat


def _close(before: str, after: str, tolerance: float) -> bool:
    """Whether texts differ in nothing but their numbers, and these by little; or are digests of such numbers."""
    if DIGEST.fullmatch(before) and DIGEST.fullmatch(after):
        return True
    if NUMBER.sub("#", before) != NUMBER.sub("#", after):
        return False
    pairs = zip(map(float, NUMBER.findall(before)), map(float, NUMBER.findall(after)), strict=True)
    return all(
        math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance) or (math.isnan(old) and math.isnan(new))
        for old, new in pairs
    )


def _added(path: str, before: str, after: str) -> bool:
    return before == NOTHING and any(fnmatchcase(path, one.paths) and fnmatchcase(after, one.value) for one in ADDED)


def _left_out(path: str) -> bool:
    return any(fnmatchcase(path, one.paths) for one in LEFT_OUT)
