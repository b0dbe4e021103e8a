"""Catalogues of the things a study can be composed of: corpora, architectures, samplers, promotion rules and more.

A component is a module with one object. A catalogue lists names without importing the modules, so that error messages
and help do not import torch or librosa.

Installed packages add components by entry points: the group is the catalogue's, the name is the component's, the value
is the object, such as `tiny_net = "my_package.tiny_net:ARCHITECTURE"`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Catalogue", "Library", "plugin_names"]

T = TypeVar("T")
GROUPS = "ser_tune."
"""Beginning of every catalogue's group of entry points."""


@dataclass(frozen=True, slots=True)
class Library(Generic[T]):
    """Components that an installed library brings, by the names of its classes, such as Optuna's samplers."""

    names: Callable[[], Iterable[str]]
    """Every name that `get` has a component for; imports the library."""
    get: Callable[[str], T | None]
    """The component of a name; None where the library has no such class. Raises `ConfigError` where its objects need
    what no setting gives."""


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[T]):
    """Named components of one kind, each imported on first use."""

    kind: str
    """The noun for a component in error messages, such as "feature set"."""
    component: type[T]
    """The dataclass that every component is an object of."""
    package: str
    """The package that holds the modules."""
    modules: Mapping[str, str]
    """Module name below `package`, for every label of a built-in component."""
    attribute: str
    """The object that every module defines."""
    group: str
    """The group of entry points by which installed packages add components."""
    library: Library[T] | None = None
    """For names that are neither built in nor a package's."""

    def names(self) -> tuple[str, ...]:
        """The labels of built-in components and of those from installed packages, sorted."""
        return tuple(sorted({*self.modules, *_plugins(self.group)}))

    def plugins(self) -> tuple[str, ...]:
        """The labels that installed packages add, sorted."""
        return plugin_names(self.group)

    def get(self, name: str) -> T:
        """Import and return one component.

        Args:
            name: The label, as users type it.

        Raises:
            UnknownNameError: There is no such component; the message lists those there are.
            ConfigError: Two packages define it, or its package is broken.
        """
        plugin = self._plugin(name)
        if plugin is not None:
            return self._load(plugin)
        if name not in self.modules:
            return self._of_library(name)
        component: T = getattr(import_module(f"{self.package}.{self.modules[name]}"), self.attribute)
        return component

    def check(self, name: str) -> None:
        """Raise the errors of `get`, without importing built-in components.

        Args:
            name: The label, as users type it.

        Raises:
            UnknownNameError: There is no such component.
            ConfigError: It cannot be used, as `get` explains.
        """
        if name not in self.modules or self._plugin(name) is not None:
            self.get(name)

    def requirement(self, name: str) -> str | None:
        """The requirement of a component for pip, such as `my-package==1.0`; None where it is built in.

        Args:
            name: The label, as users type it.

        Raises:
            ConfigError: Two packages define it.
        """
        plugin = self._plugin(name)
        return None if plugin is None or plugin.dist is None else f"{plugin.dist.name}=={plugin.dist.version}"

    def _of_library(self, name: str) -> T:
        """The component that the library brings under a name."""
        found = None if self.library is None else self.library.get(name)
        if found is None:
            brought = () if self.library is None else self.library.names()
            raise UnknownNameError(self.kind, name, {*self.names(), *brought})
        return found

    def _plugin(self, name: str) -> "EntryPoint | None":
        """The entry point of this name; None where there is none."""
        found = _plugins(self.group).get(name, ())
        owners = ["ser-tune"] * (name in self.modules) + [_owner(plugin) for plugin in found]
        if len(owners) > 1:
            raise ConfigError(
                f"{self.kind} '{name}' is defined by {' and by '.join(owners)}; uninstall one, or rename the entry "
                f"point of the group {self.group}"
            )
        return found[0] if found else None

    def _load(self, plugin: "EntryPoint") -> T:
        """Import a plug-in, and check that its type and name fit its entry point."""
        where = f"{self.kind} '{plugin.name}' of package {_owner(plugin)} (entry point {plugin.value})"
        try:
            component: Any = plugin.load()
        except Exception as error:  # a stranger's module can raise anything
            raise ConfigError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
        expected = self.component.__name__
        # Not by isinstance: a registered model runs its own copy of this package, whose classes plug-ins do not import
        required = [field.name for field in fields(self.component)]  # type: ignore[arg-type]
        absent = [name for name in required if not hasattr(component, name)]
        if absent or isinstance(component, type):
            is_what = f"the class {component.__name__}" if isinstance(component, type) else type(component).__name__
            lacks = f", which has no {', '.join(absent)}" if type(component).__name__ == expected else ""
            raise ConfigError(f"{where} is {is_what}{lacks}; expected an object of the class {expected}")
        if component.name != plugin.name:
            raise ConfigError(f"{where} calls itself '{component.name}'; expected the entry point's name")
        return component  # type: ignore[no-any-return]


def plugin_names(group: str) -> tuple[str, ...]:
    """The names of components that installed packages add to a group of entry points, such as `ser_tune.features`."""
    return tuple(sorted(_plugins(group)))


def _owner(plugin: "EntryPoint") -> str:
    """The distribution that declares an entry point."""
    return "an unknown package" if plugin.dist is None else f"{plugin.dist.name} {plugin.dist.version}"


def _plugins(group: str) -> "Mapping[str, tuple[EntryPoint, ...]]":
    """Every entry point of a group, by name; nothing is imported."""
    return _installed().get(group, {})


@cache
def _installed() -> "Mapping[str, Mapping[str, tuple[EntryPoint, ...]]]":
    """The entry points of all installed packages for ser-tune, by group and name; to read them takes 50 ms."""
    from importlib.metadata import entry_points  # email and more of the standard library

    found: dict[str, dict[str, tuple[EntryPoint, ...]]] = {}
    entries = entry_points()
    for group in entries.groups:
        if group.startswith(GROUPS):
            names = found.setdefault(group, {})
            for plugin in entries.select(group=group):
                names[plugin.name] = (*names.get(plugin.name, ()), plugin)
    return found
