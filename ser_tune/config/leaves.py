"""Settings as users read them: dotted path, type, bounds, default, search range, help, roles."""

import re
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from annotated_types import BaseMetadata
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .base import section_of
from .help_texts import help_of
from .ranges import Choice, FloatRange, IntRange, Range, Value
from .roles import Flag, Role, roles_of

__all__ = ["Leaf", "leaves", "paths_with"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting that a user can write."""

    path: str
    settings: type[BaseModel]
    """The section's class, which declares it."""
    type_name: str
    number: type[int] | type[float] | None
    """The type of its values where they are numbers."""
    optional: bool
    """Whether users can write `none`."""
    bounds: str
    default: Value
    search: Range | None
    option_type: type
    """The type of a value on the command line: bool, int, float, Path, or str where a word such as `none` is valid."""
    several: bool = False
    """Whether the value is a list."""
    roles: frozenset[Role] = frozenset()
    flag: Flag | None = None

    @property
    def help(self) -> str:
        """The meaning of the setting, on one line."""
        name = self.path.rpartition(".")[2]
        return " ".join((self.settings.model_fields[name].description or help_of(self.settings, name)).split())

    @property
    def summary(self) -> str:
        """The first sentence of the help."""
        return re.split(r"(?<!\.\w\.)(?<=\.) ", self.help, maxsplit=1)[0]  # "e.g." ends no sentence


def leaves(settings: type[BaseModel], prefix: str = "", roles: frozenset[Role] = frozenset()) -> Iterator[Leaf]:
    """Every setting below a section, in the order of declaration.

    Args:
        settings: The section's class; of a generic one without parameters, the settings that all parameters have.
        prefix: The dotted path of the section itself, ending in a dot.
        roles: The section's own, which its settings inherit.
    """
    for name, field in settings.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from _leaves_of_section(section, f"{prefix}{name}.", roles | roles_of(settings, name))
        elif field.json_schema_extra != {"leaf": False}:
            yield _leaf(f"{prefix}{name}", settings, field, roles | roles_of(settings, name))


@cache  # studies of different components share most sections
def _leaves_of_section(section: type[BaseModel], prefix: str, roles: frozenset[Role]) -> tuple[Leaf, ...]:
    return tuple(leaves(section, prefix, roles))


@cache
def paths_with(role: Role, settings: type[BaseModel]) -> frozenset[str]:
    """The dotted paths of the settings that have a role.

    Args:
        role: The role.
        settings: The class whose settings are looked at.
    """
    return frozenset(leaf.path for leaf in leaves(settings) if role in leaf.roles)


def _leaf(path: str, settings: type[BaseModel], field: FieldInfo, roles: frozenset[Role]) -> Leaf:
    ranges = [extra for extra in field.metadata if isinstance(extra, FloatRange | IntRange | Choice)]
    flags = [extra for extra in field.metadata if isinstance(extra, Flag)]
    members = _members(field.annotation)
    default = None if field.is_required() else field.get_default(call_default_factory=False)
    return Leaf(
        path=path,
        settings=settings,
        type_name=_type_name(field.annotation),
        number=members[0] if members[0] in (int, float) else None,
        optional=type(None) in members,
        bounds=", ".join([*_bounds(field.metadata), *_member_bounds(field.annotation)]),
        default=default,
        search=ranges[0] if ranges else None,
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
    """The bounds in an annotation as a table has them: `≥ 1`, `< 2`."""
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
    """The bounds of a union's members, such as those of `Annotated[int, Field(ge=1)] | None`."""
    members = [member for member in typing.get_args(annotation) if typing.get_origin(member) is typing.Annotated]
    return [bound for member in members for bound in _bounds(member.__metadata__)]


def _members(annotation: Any) -> list[Any]:  # noqa: ANN401 - an annotation can be anything
    """The types of a union, or the single type, without their bounds."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    return [
        typing.get_args(member)[0] if typing.get_origin(member) is typing.Annotated else member for member in members
    ]


def _type_name(annotation: Any) -> str:  # noqa: ANN401 - an annotation can be anything
    """The name of a type as a table has it: `float`, `int or none`, `zero | edge`."""
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
