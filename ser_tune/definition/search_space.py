"""The search ranges of a study: defaults or a study file's own, in the settings' types, checked before trial 0."""

from collections.abc import Callable, Mapping
from itertools import combinations, product
from typing import TypeAlias

from ..config import AnyTrial, Choice, FloatRange, IntRange, Leaf, Range, Role, Value, flatten
from ..errors import ConfigError

__all__ = ["resolve_search"]

Build: TypeAlias = Callable[[Mapping[str, Value]], AnyTrial]
"""From values by dotted path to a trial's configuration; raises `ConfigError` where they do not go together."""


def resolve_search(
    written: Mapping[str, Range] | None,
    known: Mapping[str, Leaf],
    *,
    fixed: set[str],
    explicit: set[str],
    build: Build,
    source: str,
) -> dict[str, Range]:
    """The search ranges: the file's search section without fixed settings, or all default ranges of unset ones.

    Args:
        written: The search section; None where there is none.
        known: Every setting of the study, with its default range.
        fixed: Paths that a search section does not vary after all.
        explicit: Paths that default ranges do not vary.
        build: Makes a trial of some values.
        source: The study file, to open an error message with.

    Raises:
        ConfigError: A path does not exist or cannot be searched, a range is not of its setting's type, or one of its
            ends is not a valid value, alone or beside an end of another range.
    """
    if written is None:
        search = {leaf.path: leaf.search for leaf in known.values() if leaf.search and leaf.path not in explicit}
    else:
        search = {path: span for path, span in written.items() if path not in fixed}
    for path, span in search.items():
        roles = known[path].roles if path in known else {Role.FIXED}
        if Role.PROTOCOL in roles:
            raise ConfigError(
                f"{source}: search.{path} would rank scores of different protocols together; run one study for each"
            )
        if Role.FIXED in roles:
            raise ConfigError(f"{source}: search.{path} cannot be searched; see `ser-tune options` for the paths")
        try:
            search[path] = _typed(path, span, known[path], build)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None
    _refuse_unfitting_ends(search, build, source)
    return search


def _refuse_unfitting_ends(search: Mapping[str, Range], build: Build, source: str) -> None:
    """Refuse two ranges with ends that do not go together."""
    for (path, span), (other, beside) in combinations(search.items(), 2):
        for value, besides in product(span.corners(), beside.corners()):
            try:
                build({path: value, other: besides})
            except ConfigError as error:
                raise ConfigError(
                    f"{source}: search.{path} includes {value!r}, which does not go with the {besides!r} of "
                    f"search.{other}: {error}"
                ) from None


def _typed(path: str, span: Range, leaf: Leaf, build: Build) -> Range:
    """The range in its setting's type, every end of it a valid value.

    YAML does not separate the two kinds of numbers: `{low: 0, high: 1}` is a range of real numbers for a real setting,
    and `1e-3` is text.
    """
    if leaf.number is float and isinstance(span, IntRange) and span.step == 1:
        span = FloatRange(low=float(span.low), high=float(span.high), log=span.log)
    if leaf.number is int and isinstance(span, FloatRange):
        if span.low != int(span.low) or span.high != int(span.high):
            raise ConfigError(f"search.{path} is {span}; expected whole numbers")
        span = IntRange(low=int(span.low), high=int(span.high), log=span.log)
    values = []
    for corner in span.corners():
        try:
            values.append(flatten(build({path: corner}).model_dump())[path])
        except ConfigError as error:
            raise ConfigError(f"search.{path} includes {corner!r}: {error}") from None
    return Choice(tuple(values)) if isinstance(span, Choice) and leaf.number else span
