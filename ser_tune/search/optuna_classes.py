"""Classes of Optuna that users name, such as `CmaEsSampler` and `MedianPruner`, and objects of them."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from inspect import Parameter, isabstract, signature
from types import ModuleType
from typing import Any, TypeVar

from optuna.exceptions import ExperimentalWarning

from ..errors import ConfigError

__all__ = ["class_named", "names_of", "object_of"]

T = TypeVar("T")

PACKAGES = {"CmaEsSampler": "cmaes"}
"""Packages that a class needs and that Optuna does not install."""


def names_of(module: ModuleType, base: type) -> list[str]:
    """The classes of a module, below a base class, whose objects need no arguments.

    Args:
        module: Such as `optuna.samplers`.
        base: Such as `optuna.samplers.BaseSampler`.
    """
    named = {name: class_named(name, module, base) for name in vars(module)}
    return sorted(name for name, cls in named.items() if cls is not None and not _needed(cls))


def class_named(name: str, module: ModuleType, base: type) -> type[Any] | None:
    """The class of this name in a module, below a base class; None where there is none."""
    found = getattr(module, name, None)
    fits = isinstance(found, type) and issubclass(found, base) and not isabstract(found) and found.__name__ == name
    return found if fits else None


def object_of(kind: str, cls: type[T], known: Mapping[str, object]) -> T:
    """An object of a class, with those of the known arguments that its constructor has.

    Args:
        kind: The component's, such as "sampler".
        cls: The class.
        known: Arguments by name.

    Raises:
        ConfigError: The class needs other arguments, or a package that is not installed.
    """
    name, takes = cls.__name__, signature(cls).parameters
    remedy = f"choose another, or add a {kind} of your own that makes it (docs/new_search_part.md)"
    if package := PACKAGES.get(name):
        _refuse_missing(package, f"{kind} '{name}'")
    if needed := _needed(cls):
        raise ConfigError(f"{kind} '{name}' of Optuna needs {' and '.join(needed)}, which no setting gives; {remedy}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the user chose it by name
        try:
            return cls(**{key: value for key, value in known.items() if key in takes})
        except (TypeError, ValueError) as error:
            problem = f"cannot be made with its defaults: {str(error).rstrip('.')}"
            raise ConfigError(f"{kind} '{name}' of Optuna {problem}; {remedy}") from None


def _needed(cls: type) -> list[str]:
    """The arguments that a class's constructor requires."""
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return [
        key for key, given in signature(cls).parameters.items() if given.default is given.empty and given.kind in named
    ]


def _refuse_missing(package: str, what: str) -> None:
    if find_spec(package) is None:
        raise ConfigError(f"{what} of Optuna needs the package {package}, which is not installed; install it with pip")
