"""`Settings`, the frozen pydantic base of everything a user can write, and its dotted paths.

A setting is declared once, as a field with its bound, its default search range and its help. Its dotted path is at
once the key in study files, the `--set` key, the Optuna parameter name and the MLflow param key.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ..errors import ConfigError, brief, valid_names
from .roles import Role, roles_of

__all__ = ["Settings", "flatten", "nest", "section_of", "validated"]


class Settings(BaseModel):
    """Base of every settings section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        defer_build=True,  # a process uses few of the sections, and a registered model has its own copy of them all
    )

    @model_serializer(mode="wrap", when_used="json")
    def _without_added_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """JSON without the settings with `Role.ADDED` that have their default."""
        written: dict[str, Any] = handler(self)
        for name, default in _added(type(self)).items():
            if getattr(self, name) == default:
                written.pop(name, None)
        return written


@cache
def _added(settings: type[BaseModel]) -> Mapping[str, Any]:
    """The settings of a section with `Role.ADDED`, and their defaults."""
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in settings.model_fields.items()
        if Role.ADDED in roles_of(settings, name)
    }


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def nest(flat: Mapping[str, object]) -> dict[str, Any]:
    """Turn dotted paths into nested sections.

    Raises:
        ConfigError: One path is a value where another needs a section.

    >>> nest({"optimizer.learning_rate": 0.1, "name": "a"})
    {'optimizer': {'learning_rate': 0.1}, 'name': 'a'}
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *sections, leaf = path.split(".")
        inner = nested
        for depth, section in enumerate(sections, start=1):
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                above = ".".join(sections[:depth])
                raise ConfigError(f"{above} is {brief(inner)}; expected a section, because {path} is set too")
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
        source: From a dotted path to the origin of its value, such as a file's name, to begin the error message with.

    Raises:
        ConfigError: A key is unknown, a value has the wrong type or lies outside its bounds.
    """
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        path, problem = _problem(settings, error.errors())
        raise ConfigError(f"{source(path)}: {problem}") from None


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The class of a field that holds settings, or the bound of its type parameter; None for a single setting."""
    kind = field.annotation.__bound__ if isinstance(field.annotation, TypeVar) else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _problem(settings: type[BaseModel], errors: Sequence[ErrorDetails]) -> tuple[str, str]:
    """The path of the first wrong value, and a sentence on it."""
    first = errors[0]
    names, section = _located(settings, first["loc"])
    path, written, kind = ".".join(names), first["input"], first["type"]
    if kind == "extra_forbidden":
        return path, f"unknown key '{path}'; expected one of: {valid_names(names[-1], sorted(section.model_fields))}"
    if kind == "missing":
        return path, f"{path} is missing"
    if kind == "value_error":  # a section's own check, which names values itself
        return path, str(first["ctx"]["error"])
    if kind == "model_type":
        expected = "expected settings below it"
    elif kind == "tuple_type" and isinstance(written, str | int | float):
        expected = f"expected a list: [{written}], or [] for none"
    else:
        # Every member of a union has an error of its own
        messages = dict.fromkeys(error["msg"] for error in errors if _located(settings, error["loc"])[0] == names)
        expected = ", or ".join(message[0].lower() + message[1:] for message in messages)
        if kind == "string_type" and isinstance(written, int | float):
            expected += ', which a number in quotes is, such as "03"'
    return path, f"{path} is {brief(written)}; {expected}"


def _located(settings: type[BaseModel], location: tuple[int | str, ...]) -> tuple[list[str], type[BaseModel]]:
    """The part of an error's location that names a setting, and its section; the rest is within the value."""
    section, names = settings, list[str]()
    for part in map(str, location):
        names.append(part)
        inner = section_of(section.model_fields[part]) if part in section.model_fields else None
        if inner is None:
            break
        section = inner
    return names, section
