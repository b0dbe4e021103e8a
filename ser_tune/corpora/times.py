"""Seconds, as tables have them: with a decimal point or comma, as clock times, or with a unit."""

import math
import re
from collections.abc import Iterable

__all__ = ["decimal_comma", "is_unknown", "seconds"]

_CLOCK = re.compile(
    r"(?:(?P<days>\d+) days?(?:[ ,]+|$))?(?:(?P<hours>\d+):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(?:\.\d*)?))?"
)
"""Times of audformat and pandas, such as `0 days 00:00:01.5`."""
_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0}
_WITH_UNIT = re.compile(r"(?P<number>[\d.eE+-]+)\s*(?P<unit>ms|sec|s)")
_COMMA = re.compile(r"\d*,(?P<decimals>\d+)")


def is_unknown(text: str) -> bool:
    """Whether a cell means no time, such as audformat's `NaT`: the end of the recording."""
    return text.casefold() in ("nat", "none", "null", "na", "<na>")


def seconds(text: str, *, comma: bool = False) -> float | None:
    """The seconds of a cell; None where it is no time, or below 0.

    Args:
        text: As written.
        comma: Whether the table writes a decimal comma.

    >>> seconds("1.5"), seconds("1,5", comma=True), seconds("0 days 00:01:00.25"), seconds("250ms"), seconds("soon")
    (1.5, 1.5, 60.25, 0.25, None)
    """
    text = text.strip()
    if comma and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if (clock := _CLOCK.fullmatch(text)) and text:
        days, hours, minutes, rest = (float(clock[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
        return ((days * 24 + hours) * 60 + minutes) * 60 + rest
    unit = _WITH_UNIT.fullmatch(text)
    try:
        value = float(unit["number"]) * _UNITS[unit["unit"]] if unit else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def decimal_comma(cells: Iterable[str], *, separator: str) -> bool:
    """Whether the numbers of a table have a decimal comma.

    Args:
        cells: All its times.
        separator: The table's: where it is no comma, a comma within a number is decimal.

    >>> decimal_comma(["1,5", "12,25"], separator=","), decimal_comma(["1,500"], separator=",")
    (True, False)
    """
    found = [match for cell in cells if (match := _COMMA.fullmatch(cell.strip().removesuffix("ms").strip()))]
    return separator != "," or any(len(match["decimals"]) != 3 for match in found)
