"""YAML as users write it, in study files and after `--set`: plain values, or one sentence that refuses the text."""

from typing import Any

import yaml

from ..errors import ConfigError

__all__ = ["read_yaml"]

DEEPEST = 30
"""Brackets within brackets; no setting has more than three."""
LARGEST = 100_000
"""Values in a document, those that aliases repeat included."""
LONGEST_NUMBER = 300
"""Digits; the largest float has 309."""
DAMAGED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of PyYAML for a value that is not of its tag's type, such as `!!int x`."""


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain values. A date is text: no setting is a date."""


_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map", "merge")
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _PLAIN
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag.rpartition(":")[2] in _PLAIN]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str, what: str) -> Any:  # noqa: ANN401 - a document can be anything
    """The values of a YAML document: None, booleans, numbers, text, lists and dictionaries.

    Args:
        text: The document.
        what: The document's origin and the defect, to begin the error message with.

    Raises:
        ConfigError: It is not YAML, has a tag for another type, refers to itself, or is unreasonably deep or large.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ConfigError(f"{what}: more than {DEEPEST} brackets within each other")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _size(node, {}) > LARGEST:
                raise ConfigError(f"{what}: more than {LARGEST} values")
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", in line {where.line + 1}" if where and where.line else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        if problem.startswith("but "):
            problem = f"{getattr(error, 'context', '')}, {problem}"
        raise ConfigError(f"{what}: {problem[:200]}{line}") from None
    except DAMAGED:
        raise ConfigError(f"{what}: a value is not of the type that its tag names") from None


def _size(node: yaml.Node, known: dict[int, int | None]) -> int:
    """The number of values of a node, counted without building them.

    Args:
        node: Of the document.
        known: Sizes of nodes that were counted, by identity; None while a node is being counted.

    Raises:
        YAMLError: A node contains itself, or a number is too long.
    """
    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith((":int", ":float")) and len(node.value) > LONGEST_NUMBER:
            problem = f"a number of {len(node.value)} characters; expected at most {LONGEST_NUMBER}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return 1
    if id(node) not in known:
        known[id(node)] = None
        inner = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = min(LARGEST, sum(_size(part, known) for part in inner)) + 1
    if (size := known[id(node)]) is None:
        raise yaml.MarkedYAMLError(problem="an alias refers to what contains it", problem_mark=node.start_mark)
    return size
