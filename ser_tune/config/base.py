"""`Settings`, the frozen pydantic base of everything a user can write, and its dotted paths.

A setting is declared once, as a field with its bound, its default search range and its help. Its dotted path is at
once the key in study files, the `--set` key, the Optuna parameter name and the MLflow param key.
"""

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from annotated_types import BaseMetadata
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ..errors import ConfigError
from .ranges import Choice, FloatRange, IntRange, Range, Value

__all__ = ["Leaf", "Settings", "flatten", "leaves", "nest", "validated"]


class Settings(BaseModel):
    """Base of every settings section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting that a user can write."""

    path: str
    type_name: str
    bounds: str
    default: Value
    search: Range | None
    help: str


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def leaves(settings: type[BaseModel], prefix: str = "") -> Iterator[Leaf]:
    """Every setting below a section, in the order of declaration.

    Args:
        settings: The section's class; for a generic one, with its parameters filled in.
        prefix: The dotted path of the section itself, ending in a dot.
    """
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        elif field.json_schema_extra != {"leaf": False}:
            yield _leaf(f"{prefix}{name}", field)


def _leaf(path: str, field: FieldInfo) -> Leaf:
    ranges = [extra for extra in field.metadata if isinstance(extra, FloatRange | IntRange | Choice)]
    bounds = []
    for extra in field.metadata:
        if isinstance(extra, BaseMetadata):
            for key, sign in (
                ("gt", ">"),
                ("ge", "≥"),
                ("lt", "<"),
                ("le", "≤"),
                ("multiple_of", "multiple of"),
            ):
                if (bound := getattr(extra, key, None)) is not None:
                    bounds.append(f"{sign} {bound:g}")
    return Leaf(
        path=path,
        type_name=_type_name(field.annotation),
        bounds=", ".join(bounds),
        default=None if field.is_required() else field.get_default(call_default_factory=False),
        search=ranges[0] if ranges else None,
        help=" ".join((field.description or "").split()),
    )


def _type_name(annotation: Any) -> str:  # noqa: ANN401 - an annotation can be anything
    """How a type reads in a table: `float`, `int or none`, `zero | edge`."""
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(member) for member in typing.get_args(annotation))
    if origin is typing.Annotated:
        return _type_name(typing.get_args(annotation)[0])
    if origin is tuple:
        return f"list of {_type_name(typing.get_args(annotation)[0])}"
    if annotation is type(None):
        return "none"
    name: str = annotation.__name__
    return {"Path": "path", "str": "text", "bool": "true | false"}.get(name, name)


def nest(flat: Mapping[str, object]) -> dict[str, Any]:
    """Turn dotted paths into nested sections.

    >>> nest({"optimizer.learning_rate": 0.1, "name": "a"})
    {'optimizer': {'learning_rate': 0.1}, 'name': 'a'}
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *sections, leaf = path.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[leaf] = value
    return nested


def flatten(nested: Mapping[str, object], prefix: str = "") -> dict[str, Any]:
    """Turn nested sections into dotted paths.

    >>> flatten({"optimizer": {"learning_rate": 0.1}, "name": "a"})
    {'optimizer.learning_rate': 0.1, 'name': 'a'}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def validated(settings: type[SettingsT], values: Mapping[str, object], source: Callable[[str], str]) -> SettingsT:
    """Build settings from what a user wrote, with an error that a user can act on.

    Args:
        settings: The class to build.
        values: Nested values.
        source: From a dotted path to where its value stands, such as a file's name, to open the error message with.

    Raises:
        ConfigError: A key is unknown, a value has the wrong type or lies outside its bounds.
    """
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(_siblings(settings, first["loc"]))
            raise ConfigError(f"{source(path)}: unknown key '{path}'; expected one of: {known}") from None
        problem = first["msg"][0].lower() + first["msg"][1:]
        raise ConfigError(f"{source(path)}: {path} is {first['input']!r}; {problem}") from None


def _siblings(settings: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section of an unknown key does have."""
    section = settings
    for part in location[:-1]:
        inner = section.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        section = inner
    return sorted(section.model_fields)
