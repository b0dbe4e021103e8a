"""Differences between settings or between protocols: data, and their wording."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Difference", "differences_of", "worded"]


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry of two mappings that is not the same in both."""

    path: str
    """The setting's dotted path, or the fact's name."""
    now: object
    """None where it is absent now."""
    then: object
    """None where it was absent."""

    def __str__(self) -> str:
        """In words."""
        return f"{self.path} is {self.now!r}, not {self.then!r}"


def differences_of(now: Mapping[str, object], then: Mapping[str, object]) -> list[Difference]:
    """The entries that differ in two flat mappings, by path.

    >>> differences_of({"a": 1, "b": 2}, {"a": 1, "c": 3})
    [Difference(path='b', now=2, then=None), Difference(path='c', now=None, then=3)]
    """
    return [
        Difference(path, now.get(path), then.get(path))
        for path in sorted(now.keys() | then.keys())
        if now.get(path) != then.get(path)
    ]


def worded(differences: Iterable[Difference]) -> str:
    """Differences in words, for messages; empty where there are none.

    >>> worded([Difference("a", 1, None), Difference("b", "x", "y")])
    "a is 1, not None; b is 'x', not 'y'"
    """
    return "; ".join(map(str, differences))
