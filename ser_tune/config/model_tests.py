"""Tests of a model before release, as a user writes them in a YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ..errors import ConfigError
from .base import Settings, validated
from .written import read_yaml

__all__ = ["SHIPPED_TESTS", "ModelTests", "read_model_tests"]

SHIPPED_TESTS = Path("studies/gates/default.yaml")
"""The file of tests that is used unless another is named."""

Limit = Annotated[float, Field(ge=0)]


class ModelTests(Settings):
    """Thresholds that a model must meet."""

    judged_by: Literal["value", "bound"] = "value"
    """Number that is compared: the value, or the worse end of its 95 % interval."""
    scores: Mapping[str, float] = {}
    """Metric to its threshold: at least, or at most where less is better."""
    parts: Mapping[str, float] = {}
    """Name of a metric's values of single outputs, such as recall, to the threshold of the worst output."""
    gaps: Mapping[str, Limit] = {}
    """Kind of group, such as gender, to the largest difference of the first score between two groups."""
    stress: Mapping[str, float] = {}
    """Condition of `--stress`, its kind, or mean or worst of all, to the largest loss of the first score."""
    calibration_error: Limit | None = None
    """Largest expected calibration error of probabilities."""
    seconds_per_second: Annotated[float, Field(gt=0)] | None = None
    """Longest time for a second of speech."""
    size_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest size of the registered files, in megabytes (10⁶ bytes)."""


def read_model_tests(path: Path) -> ModelTests:
    """Read a file of tests.

    Raises:
        ConfigError: The file cannot be read, a key is unknown, a threshold is no number or out of bounds, or it has no
            test.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"the tests '{path}' cannot be read: {reason}") from None
    values = read_yaml(text, f"{path} is not YAML")
    if not isinstance(values, dict):
        raise ConfigError(f"{path} has no tests; expected keys such as scores, gaps, stress, size_mb")
    tests = validated(ModelTests, {str(key): value for key, value in values.items()}, lambda _: str(path))
    if tests == ModelTests(judged_by=tests.judged_by):
        raise ConfigError(f"{path} has no tests; expected thresholds below scores, parts, gaps, stress and so on")
    return tests
