"""Catalogues of the things a study can be composed of: corpora, feature sets, architectures, losses.

A component is one module with one object in it. A catalogue knows the names without importing the modules, so that
error messages and help can list them while torch and librosa stay unloaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Generic, TypeVar

from .errors import UnknownNameError

__all__ = ["Catalogue"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[T]):
    """Named components of one kind, each imported when it is first asked for."""

    kind: str
    """What the components are, in words for error messages, such as "feature set"."""
    package: str
    """The package that holds the modules."""
    modules: Mapping[str, str]
    """Module name below `package`, for every label a user can type."""
    attribute: str
    """The object that every module defines."""

    def names(self) -> tuple[str, ...]:
        """Every label, sorted."""
        return tuple(sorted(self.modules))

    def get(self, name: str) -> T:
        """Import and return one component.

        Args:
            name: The label, as users type it.

        Raises:
            UnknownNameError: There is no such component; the message lists those there are.
        """
        if name not in self.modules:
            raise UnknownNameError(self.kind, name, self.modules)
        component: T = getattr(import_module(f"{self.package}.{self.modules[name]}"), self.attribute)
        return component
