"""Search ranges: the values between which a study varies a setting.

A setting's annotation has its default search range; the `search:` section of a study file replaces the defaults. Ranges
are frozen dataclasses: pydantic would take a model inside
`Annotated` for the field's own schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeAlias, TypeGuard

from ..errors import ConfigError, brief

__all__ = ["Choice", "FloatRange", "IntRange", "Range", "Value", "parse_range"]

Value: TypeAlias = bool | int | float | str | None
"""A leaf setting's value, as Optuna samples it and MLflow records it."""


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Real numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False

    def corners(self) -> tuple[Value, ...]:
        """The extreme values; where they are valid settings, all between them are.

        >>> FloatRange(low=0.0, high=0.5).corners()
        (0.0, 0.5)
        """
        return (self.low, self.high)

    def contains(self, value: Value) -> bool:
        """Whether the search can propose `value`."""
        return _is_number(value) and self.low <= value <= self.high

    def nearest(self, value: Value) -> Value:
        """The value that the search can propose instead: the nearest number; instead of no number, the lowest.

        >>> FloatRange(low=0.0, high=0.5).nearest(0.9), FloatRange(low=0.0, high=0.5).nearest(None)
        (0.5, 0.0)
        """
        return min(max(value, self.low), self.high) if _is_number(value) else self.low

    def __str__(self) -> str:
        """The text of `ser-tune options`."""
        return f"{self.low:g} … {self.high:g}{' (log)' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class IntRange:
    """Whole numbers from `low` to `high`, both included, every `step`."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def corners(self) -> tuple[Value, ...]:
        """The extreme values; where they are valid settings, all between them are."""
        return (self.low, self.high)

    def contains(self, value: Value) -> bool:
        """Whether the search can propose `value`.

        >>> IntRange(low=100, high=300, step=50).contains(120)
        False
        """
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (value - self.low) % self.step == 0
        )

    def nearest(self, value: Value) -> Value:
        """The value that the search can propose instead: the nearest number; instead of no number, the lowest.

        >>> IntRange(low=100, high=320, step=50).nearest(400), IntRange(low=100, high=300, step=50).nearest(120)
        (300, 100)
        """
        if not _is_number(value):
            return self.low
        within = min(max(value, self.low), self.high) - self.low
        return self.low + min(round(within / self.step), (self.high - self.low) // self.step) * self.step

    def __str__(self) -> str:
        """The text of `ser-tune options`."""
        step = f" step {self.step}" if self.step != 1 else ""
        return f"{self.low} … {self.high}{step}{' (log)' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    choices: tuple[Value, ...]

    def corners(self) -> tuple[Value, ...]:
        """Every choice."""
        return self.choices

    def contains(self, value: Value) -> bool:
        """Whether the search can propose `value`."""
        return any(value == choice and type(value) is type(choice) for choice in self.choices)

    def nearest(self, value: Value) -> Value:
        """The value that the search can propose instead: the nearest number, where all are numbers; else the first.

        >>> Choice((64, 128)).nearest(40), Choice(("adam", "sgd")).nearest("adamw")
        (64, 'adam')
        """
        numbers = [choice for choice in self.choices if _is_number(choice)]
        if not _is_number(value) or len(numbers) < len(self.choices):
            return self.choices[0]
        return min(numbers, key=lambda choice: abs(choice - value))

    def __str__(self) -> str:
        """The text of `ser-tune options`."""
        return " | ".join(str(choice) for choice in self.choices)


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


Range: TypeAlias = FloatRange | IntRange | Choice


def parse_range(path: str, written: object) -> Range:
    """Read one entry of a `search:` section.

    Args:
        path: The dotted path of the setting, for error messages.
        written: A list of choices, or a mapping with `low`, `high` and optionally `step` and `log`.

    Raises:
        ConfigError: It is neither, or a bound is missing or of the wrong kind.
    """
    if isinstance(written, FloatRange | IntRange | Choice):
        return written
    if isinstance(written, list | tuple) and written:
        if compound := [choice for choice in written if isinstance(choice, list | tuple | Mapping)]:
            raise ConfigError(f"search.{path} has the choice {brief(compound[0])}; expected single values")
        return Choice(tuple(written))
    if not isinstance(written, Mapping):
        raise ConfigError(
            f"search.{path} is {brief(written)}; expected a list of choices, or {{low: …, high: …, log: true}}"
        )
    if set(written) == {"choices"}:
        return parse_range(path, written["choices"])
    known = {field.name for field in fields(IntRange)}
    if unknown := set(written) - known:
        raise ConfigError(
            f"search.{path} has unknown key {brief(min(unknown, key=str))}; expected {', '.join(sorted(known))}"
        )
    low, high = _number(path, "low", written.get("low")), _number(path, "high", written.get("high"))
    step, log = written.get("step"), written.get("log", False)
    if high < low:
        raise ConfigError(f"search.{path} has high {brief(high)}; expected at least low, {brief(low)}")
    if not isinstance(log, bool) or (log and low <= 0):
        raise ConfigError(
            f"search.{path} has log {brief(log)} with low {brief(low)}; log is true or false, and true only with low "
            "above 0"
        )
    if isinstance(low, int) and isinstance(high, int):
        if step is not None and (not isinstance(step, int) or step < 1 or (log and step > 1)):
            raise ConfigError(
                f"search.{path} has step {brief(step)}; expected a whole number of at least 1, without log"
            )
        return IntRange(low=low, high=high, step=step or 1, log=log)
    if step is not None:
        raise ConfigError(f"search.{path} has a step; only a range of whole numbers can have one")
    return FloatRange(low=float(low), high=float(high), log=log)


def _number(path: str, key: str, written: object) -> int | float:
    """A bound; YAML 1.1 reads 1e-4, without a point, as text."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return written
    try:
        return float(str(written))
    except ValueError:
        raise ConfigError(f"search.{path} has {key} {brief(written)}; expected a number") from None
