"""Arguments that the command line writes as text, such as `PATH=VALUE`, read as the functions take them."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..api import JudgedCorpus

__all__ = ["READERS", "read_mapping"]

ASSIGNMENTS = re.compile(r",(?=\s*[\w.]+=)(?![^\[\]{}]*[\]}])")
"""The commas between assignments: a path follows, and no bracket is open, as in `protocol.merge=[a=b,c=d]`."""


def _settings(written: Sequence[str]) -> Mapping[str, object]:
    from ..search import read_assignments  # torch

    return read_assignments(written)


def _changes(written: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
    """Read changes, each one or several assignments, separated by commas."""
    from ..search import read_assignments  # torch

    return {change: read_assignments(ASSIGNMENTS.split(change), "--change") for change in written}


def read_mapping(written: Sequence[str]) -> Mapping[str, str]:
    """Read `EMOTION=CLASS` assignments.

    Raises:
        ConfigError: There is no `=`, or no emotion.
    """
    mapping = {}
    for assignment in written:
        emotion, equals, label = assignment.rpartition("=")
        if not equals or not emotion.strip():
            raise ConfigError(f"--map is '{assignment}'; expected EMOTION=CLASS, such as happy=happiness")
        mapping[emotion.strip()] = label.strip()
    return mapping


def _columns(written: Sequence[str]) -> Mapping[str, str]:
    """Read `NAME=COLUMN` assignments.

    Raises:
        ConfigError: There is no `=`, or nothing before or after it.
    """
    columns = {}
    for assignment in written:
        name, _, column = (part.strip() for part in assignment.partition("="))
        if not name or not column:
            raise ConfigError(f"--column is '{assignment}'; expected NAME=COLUMN, such as speaker=actor")
        columns[name] = column
    return columns


def _corpora(written: Sequence[str]) -> Mapping[str, "JudgedCorpus"]:
    """Read `NAME[:TASK][=DATA]`; a manifest is called by its file, a second corpus of one name as it is written."""
    from ..api import JudgedCorpus

    corpora: dict[str, JudgedCorpus] = {}
    for text in written:
        named, _, data = text.partition("=")
        name, _, task = named.partition(":")
        called = Path(data).stem if name == "manifest" and data else named
        called = text if called in corpora else called
        if called in corpora:
            raise ConfigError(f"--corpora has '{text}' twice; expected each once")
        corpora[called] = JudgedCorpus(name, Path(data) if data else None, task or None)
    return corpora


READERS: Mapping[str, Callable[[Any], object]] = {
    "changes": _changes,
    "columns": _columns,
    "corpora": _corpora,
    "mapping": read_mapping,
    "settings": _settings,
}
"""Argument to the function that reads it."""
