"""Command lines as people guess them: what is meant is done, or the exact command to type is in the message."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .completion import COMPONENTS, component_names
from .guessed_arguments import Accepted, guessed_arguments
from .guessed_commands import guessed_command, read_as

if TYPE_CHECKING:
    import typer
    from typer.core import TyperCommand

__all__ = ["understood", "with_guessed_command"]


def with_guessed_command(arguments: Sequence[str], app: "typer.Typer") -> list[str]:
    """The arguments of the program, with the command that is meant; a note on standard error shows what was changed.

    Raises:
        ConfigError: There is no such command.
    """
    commands = [str(command.name) for command in app.registered_commands]
    groups = {
        str(group.name): [str(command.name) for command in group.typer_instance.registered_commands]
        for group in app.registered_groups
        if group.typer_instance is not None
    }
    return _noted(arguments, guessed_command(arguments, [*commands, *groups], groups), ())


def understood(command: "TyperCommand", ctx: "typer.Context", arguments: Sequence[str]) -> list[str]:
    """The arguments of a command as it takes them; a note on standard error shows what was changed.

    Raises:
        ConfigError: An option does not exist; the message has what to type.
    """
    options, words, required = list[Any](), dict[str, Any](), set[str]()
    for parameter in command.get_params(ctx):
        found: Any = parameter
        if parameter.param_type_name == "option":
            options.append(found)
            required |= set(found.opts) if found.required else set()
        else:
            word = str(found.metavar or found.name).casefold()
            words[word] = found
            required |= {word} if found.required else set()
    accepted = Accepted(
        command=" ".join(ctx.command_path.split()[1:]),
        arguments=tuple(words),
        several=any(found.nargs != 1 for found in words.values()),
        required=frozenset(required),
        valued=frozenset(name for option in options if not option.is_flag for name in option.opts),
        repeatable=frozenset(name for option in options if option.multiple for name in option.opts),
        switches=frozenset(
            name for option in options if option.is_flag for name in (*option.opts, *option.secondary_opts)
        ),
    )
    return _noted(arguments, guessed_arguments(arguments, accepted, _names, _settings), accepted.command.split())


def _noted(before: Sequence[str], after: list[str], command: Sequence[str]) -> list[str]:
    """The arguments after a guess, with a note where they differ from those before."""
    if list(before) != after and after != ["--help"]:
        from .console import escaped

        sys.stderr.write(f"{escaped(read_as([*command, *after]))}\n")
    return after


def _names(kind: str) -> list[str]:
    """The names of components of a kind, of registered models, or of studies; none of other kinds."""
    if kind in COMPONENTS:
        return component_names(kind)
    from ..project import Project
    from ..stored_names import model_names, study_names

    project = Project.locate()
    if kind in ("model", "models"):
        return model_names(project.tracking_uri) or []
    return study_names(project.storage_url) or [] if kind == "study" else []


def _settings(option: str, arguments: Sequence[str]) -> list[str]:
    """The dotted paths of settings whose last part is an option's name, of the architecture among the arguments."""
    from ..search import options

    architectures = [name for name in component_names("architectures") if name in " ".join(arguments)]
    end = option.strip("-").replace("-", "_")
    leaves = options((architectures or ["light_cnn"])[0])
    return sorted({leaf.path for leaf in leaves if leaf.path.rpartition(".")[2] == end})
