"""`Settings`, the frozen pydantic base of everything a user can write, and its dotted paths.

A setting is declared once, as a field with its bound, its default search range and its help. Its dotted path is at
once the key in study files, the `--set` key, the Optuna parameter name and the MLflow param key.
"""

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from annotated_types import BaseMetadata
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ..errors import ConfigError, brief, valid_names
from .ranges import Choice, FloatRange, IntRange, Range, Value
from .roles import Flag, Role

__all__ = ["Leaf", "Settings", "flatten", "leaves", "nest", "paths_with", "validated"]


class Settings(BaseModel):
    """Base of every settings section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        defer_build=True,  # a process uses few of the sections, and a registered model brings its own copy of them all
    )


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting that a user can write."""

    path: str
    type_name: str
    """In words."""
    number: type[int] | type[float] | None
    """What its values are where they are numbers."""
    optional: bool
    """Whether it can be absent, which users write as `none`."""
    bounds: str
    default: Value
    search: Range | None
    help: str
    option_type: type
    """Of one value on the command line: bool, int, float, Path, or str where a value may be a word such as `none`."""
    several: bool = False
    """Whether the value is a list."""
    roles: frozenset[Role] = frozenset()
    flag: Flag | None = None

    @property
    def summary(self) -> str:
        """The first sentence of the help."""
        first, period, _ = self.help.partition(". ")
        return first + period.rstrip()


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def leaves(settings: type[BaseModel], prefix: str = "", roles: frozenset[Role] = frozenset()) -> Iterator[Leaf]:
    """Every setting below a section, in the order of declaration.

    Args:
        settings: The section's class; of a generic one without parameters, the settings that all parameters have.
        prefix: The dotted path of the section itself, ending in a dot.
        roles: The section's own, which its settings inherit.
    """
    for name, field in settings.model_fields.items():
        section = _section(field)
        if section is not None:
            yield from leaves(section, f"{prefix}{name}.", roles | _roles(settings, name))
        elif field.json_schema_extra != {"leaf": False}:
            yield _leaf(f"{prefix}{name}", field, roles | _roles(settings, name))


@cache
def paths_with(role: Role, settings: type[BaseModel]) -> frozenset[str]:
    """The dotted paths of the settings that have a role.

    Args:
        role: The role.
        settings: The class whose settings are looked at.
    """
    return frozenset(leaf.path for leaf in leaves(settings) if role in leaf.roles)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The class of a field that holds settings; of a parameter, its bound."""
    annotation = field.annotation
    bound = annotation.__bound__ if isinstance(annotation, TypeVar) else annotation
    return bound if isinstance(bound, type) and issubclass(bound, BaseModel) else None


def _roles(settings: type[BaseModel], name: str) -> frozenset[Role]:
    """The roles of a field, those included that it has where a base class declares it."""
    bases = [base for base in settings.__mro__ if issubclass(base, BaseModel) and name in base.model_fields]
    return frozenset(extra for base in bases for extra in base.model_fields[name].metadata if isinstance(extra, Role))


def _leaf(path: str, field: FieldInfo, roles: frozenset[Role]) -> Leaf:
    ranges = [extra for extra in field.metadata if isinstance(extra, FloatRange | IntRange | Choice)]
    flags = [extra for extra in field.metadata if isinstance(extra, Flag)]
    members = _members(field.annotation)
    default = None if field.is_required() else field.get_default(call_default_factory=False)
    return Leaf(
        path=path,
        type_name=_type_name(field.annotation),
        number=members[0] if members[0] in (int, float) else None,
        optional=type(None) in members,
        bounds=", ".join([*_bounds(field.metadata), *_member_bounds(field.annotation)]),
        default=default,
        search=ranges[0] if ranges else None,
        help=" ".join((field.description or "").split()),
        option_type=_option_type(members, default),
        several=any(typing.get_origin(member) is tuple for member in members),
        roles=roles,
        flag=flags[0] if flags else None,
    )


def _option_type(members: list[Any], default: Value) -> type:
    """The type of a value on the command line, where `none` is written only if it is not the default."""
    words = default is not None and type(None) in members
    plain = [member for member in members if member is not type(None)]
    return plain[0] if len(plain) == 1 and plain[0] in (bool, int, float, Path) and not words else str


def _bounds(metadata: Iterable[object]) -> list[str]:
    """How the bounds of one annotation read in a table: `≥ 1`, `< 2`."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "multiple_of": "multiple of"}
    bounds = []
    for extra in metadata:
        if isinstance(extra, FieldInfo):
            bounds += _bounds(extra.metadata)
        elif isinstance(extra, BaseMetadata):
            for key, sign in signs.items():
                if (bound := getattr(extra, key, None)) is not None:
                    bounds.append(f"{sign} {bound if isinstance(bound, int) else format(bound, 'g')}")
    return bounds


def _member_bounds(annotation: Any) -> list[str]:  # noqa: ANN401 - an annotation can be anything
    """The bounds within a union: those of `Annotated[int, Field(ge=1)] | None` belong to one member of it."""
    members = [one for one in typing.get_args(annotation) if typing.get_origin(one) is typing.Annotated]
    return [bound for member in members for bound in _bounds(member.__metadata__)]


def _members(annotation: Any) -> list[Any]:  # noqa: ANN401 - an annotation can be anything
    """The types of a union, or the one type, without their bounds."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    return [typing.get_args(one)[0] if typing.get_origin(one) is typing.Annotated else one for one in members]


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
        source: From a dotted path to where its value stands, such as a file's name, to open the error message with.

    Raises:
        ConfigError: A key is unknown, a value has the wrong type or lies outside its bounds.
    """
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        errors = error.errors()
        first, location = errors[0], _declared(settings, errors[0]["loc"])
        path = ".".join(location)
        if first["type"] == "extra_forbidden":
            known = valid_names(location[-1], _siblings(settings, location))
            raise ConfigError(f"{source(path)}: unknown key '{path}'; expected one of: {known}") from None
        if first["type"] == "missing":
            raise ConfigError(f"{source(path)}: {path} is missing") from None
        if first["type"] == "value_error":  # a section's own check, which names values itself
            raise ConfigError(f"{source(path)}: {first['ctx']['error']}") from None
        if first["type"] == "model_type":
            raise ConfigError(
                f"{source(path)}: {path} is {brief(first['input'])}; expected settings below it"
            ) from None
        # Every member of a union says why it does not fit
        problems = dict.fromkeys(one["msg"] for one in errors if _declared(settings, one["loc"]) == location)
        problem = ", or ".join(text[0].lower() + text[1:] for text in problems)
        if first["type"] == "string_type" and isinstance(first["input"], int | float):
            problem += ', which a number in quotes is, such as "03"'
        if first["type"] == "tuple_type" and isinstance(first["input"], str | int | float):
            problem = f"expected a list: [{first['input']}], or [] for none"
        raise ConfigError(f"{source(path)}: {path} is {brief(first['input'])}; {problem}") from None


def _declared(settings: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The part of an error's location that names a setting; what follows numbers items or names a union's members."""
    section: type[BaseModel] | None = settings
    names: list[str] = []
    for part in location:
        if section is None:
            break
        names.append(str(part))
        field = section.model_fields.get(str(part))
        inner = field.annotation if field is not None else None
        section = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return tuple(names)


def _siblings(settings: type[BaseModel], location: tuple[str, ...]) -> list[str]:
    """The keys that the section of an unknown key does have."""
    section = settings
    for part in location[:-1]:
        inner = section.model_fields[part].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        section = inner
    return sorted(section.model_fields)
