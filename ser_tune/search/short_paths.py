"""Settings that users write by the last part of their path, such as `epochs=5` for `training.epochs=5`."""

from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import BaseModel

from ..config import leaves
from ..errors import ConfigError, brief

__all__ = ["with_whole_paths"]


def with_whole_paths(
    values: Mapping[str, object], settings: type[BaseModel], option: str = "--set"
) -> dict[str, object]:
    """Values by whole paths, where some have only the last part of one, or the name of its option.

    Args:
        values: By path.
        settings: The class of the study's settings.
        option: The option that the values were written in, for messages.

    Raises:
        ConfigError: Several settings end so, or a setting of nearly this name exists.
    """
    known = {leaf.path: leaf for leaf in leaves(settings)}
    sections = {path.partition(".")[0] for path in known}
    ends: dict[str, list[str]] = {}
    for path, leaf in known.items():
        for name in {path.rpartition(".")[2], *([] if leaf.flag is None else [leaf.flag.name])}:
            ends.setdefault(name, []).append(path)
    return {
        path if "." in path or path in sections else _whole(path, value, ends, option): value
        for path, value in values.items()
    }


def _whole(name: str, value: object, ends: Mapping[str, list[str]], option: str) -> str:
    """The only path that ends in a name; the name itself where no path does, for the usual message."""
    paths = ends.get(name.replace("-", "_"), [])
    if len(paths) == 1:
        return paths[0]
    if paths:
        choices = ", ".join(f"{path}={value}" for path in paths)
        raise ConfigError(f"{option} {brief(f'{name}={value}')} may be several settings; write one of: {choices}")
    if near := get_close_matches(name, ends, n=1, cutoff=0.7):
        path = ends[near[0]][0]
        raise ConfigError(f"{option}: unknown key '{name}'; did you mean {path}={value}? `ser-tune options` lists all")
    return name
