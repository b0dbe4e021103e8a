"""Help texts out of Google-style docstrings."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Documented", "documented"]

SECTIONS = re.compile(r"^(Args|Note|Returns|Yields|Raises):\n", re.MULTILINE)
ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n     +.*)*)", re.MULTILINE)
"""An argument, and the lines that continue it, which are indented further."""


@dataclass(frozen=True, slots=True)
class Documented:
    """The parts of a docstring that help texts show."""

    summary: str
    """Everything before the sections."""
    arguments: Mapping[str, str]
    """Name to description."""


def documented(function: Callable[..., Any]) -> Documented:
    """Read a function's docstring."""
    summary, *rest = SECTIONS.split(inspect.getdoc(function) or "")
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    arguments = ARGUMENT.findall(sections.get("Args", ""))
    return Documented(summary.strip(), {name: " ".join(text.split()) for name, text in arguments})
