"""Names of commands as people guess them: the command that is meant, or the commands to choose from."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError, valid_names
from .completion import component_names

__all__ = ["AUDIO", "guessed_command", "read_as"]

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("search", "tune", "optimize", "optimise", "hpo"), ("study",)),
    **dict.fromkeys(("fit", "learn"), ("train",)),
    **dict.fromkeys(("classify", "infer", "inference", "recognise", "recognize"), ("predict",)),
    **dict.fromkeys(("eval", "test", "score"), ("evaluate",)),
    **dict.fromkeys(("gui", "mlflow", "web"), ("ui",)),
    **dict.fromkeys(("settings", "parameters", "params", "hyperparameters"), ("options",)),
    **dict.fromkeys(("corpora", "datasets", "dataset"), ("corpus", "list")),
    **dict.fromkeys(("lr", "lr-find", "lr-finder"), ("find-lr",)),
    "features": ("extract",),
    "register": ("promote",),
    "diff": ("compare",),
    **dict.fromkeys(("check", "validate", "verify"), ("corpus", "check")),
    **dict.fromkeys(("download", "fetch"), ("corpus", "download")),
    **dict.fromkeys(("mic", "microphone", "record", "live"), ("listen",)),
    **dict.fromkeys(("results", "best", "ranking", "scores", "top"), ("leaderboard",)),
    "make": ("corpus", "make"),
    "server": ("serve",),
    "version": ("--version",),
}
"""A guessed name to the words of the command."""
SEVERAL: Mapping[str, str] = {
    **dict.fromkeys(
        ("list", "ls", "show", "info"),
        "`ser-tune models` lists registered models, `ser-tune status` studies, `ser-tune leaderboard` results, "
        "`ser-tune corpus list` corpora, `ser-tune options` settings",
    ),
    **dict.fromkeys(
        ("run", "start", "resume", "continue"),
        "`ser-tune study --model light_cnn` searches; the same command continues an interrupted study",
    ),
    **dict.fromkeys(
        ("init", "new", "create", "setup", "install"),
        "a project needs no setup: `ser-tune study --model light_cnn --trials 4` is a first study, in the current "
        "folder; `ser-tune doctor` checks the installation",
    ),
    **dict.fromkeys(
        ("delete", "remove", "rm", "clean"),
        "nothing is deleted by ser-tune; docs/project_folder.md lists the folders that are safe to delete",
    ),
    **dict.fromkeys(
        ("plot", "plots", "graph", "graphs", "figure", "figures", "summary", "explain", "trials", "history", "cite"),
        "`ser-tune report STUDY` writes a page with plots, trials and citations, `ser-tune status STUDY` prints where "
        "a study is, `ser-tune ui` shows its trials in MLflow",
    ),
    **dict.fromkeys(
        ("update", "upgrade", "uninstall"),
        "pip installs programs: `pip install -U -c constraints.txt -e .` in the folder of the repository",
    ),
    **dict.fromkeys(
        ("load", "api"),
        "Python loads models by `ser_tune.load_model(NAME)`; `ser-tune models` lists the names",
    ),
}
"""A guessed name without a single command, to the commands that may be meant."""
INNER: Mapping[str, str] = {
    **dict.fromkeys(("info", "show", "verify", "validate", "inspect"), "check"),
    **dict.fromkeys(("get", "fetch", "load", "install"), "download"),
    **dict.fromkeys(("create", "new", "build", "convert", "from"), "make"),
    **dict.fromkeys(("ls", "all", "names"), "list"),
}
"""A guessed name of a command of a group to the command."""
PROGRAM = {
    **dict.fromkeys(("-v", "-version", "--version"), "--version"),
    **dict.fromkeys(("-?", "-help", "--help", "-h"), "--help"),
}
"""An option without a command, in small letters, to the option of the program."""
COMPLETION = ("--install-completion", "--show-completion")
AUDIO = (".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".wav", ".webm")


def guessed_command(
    arguments: Sequence[str],
    commands: Collection[str],
    groups: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """The arguments, with the command that is meant in place of a guessed name.

    >>> guessed_command(["download", "ravdess"], ["study", "corpus"])
    ['corpus', 'download', 'ravdess']
    >>> guessed_command(["help", "study"], ["study"])
    ['study', '--help']

    Args:
        arguments: As typed, without the program's name.
        commands: The names of the commands.
        groups: Of the commands, those that have commands of their own, and the names of these.

    Raises:
        ConfigError: The command does not exist; the message has the commands that may be meant.
    """
    if not arguments:
        return []
    first, *rest = arguments
    name = first.strip().casefold().replace("_", "-")
    if first.startswith("-"):
        return _guessed_option(arguments, commands)
    if name in commands:
        return [name, *_guessed_inner(name, rest, (groups or {}).get(name, ()))]
    if name == "help":
        return [*guessed_command(rest, commands, groups), "--help"] if rest else ["--help"]
    if name in SYNONYMS:
        return [*SYNONYMS[name], *rest]
    if name in SEVERAL:
        raise ConfigError(f"there is no command '{first}': {SEVERAL[name]}")
    suffix = Path(first).suffix.casefold()
    if suffix in AUDIO:
        return ["predict", *arguments]
    if suffix in (".yaml", ".yml"):
        return ["study", *arguments]
    if first in component_names("architectures"):
        command = f"ser-tune study --model {first}"
        raise ConfigError(f"'{first}' is an architecture; `{command}` searches, `ser-tune train …` trains it once")
    if name.partition(" ")[0] in commands:
        command = shlex.join(["ser-tune", *first.split(), *rest])
        raise ConfigError(f"there is no command {first!r}; without the quotes it is `{command}`")
    raise ConfigError(f"there is no command {first!r}; choose from: {valid_names(name, sorted(commands))}")


def _guessed_option(arguments: Sequence[str], commands: Collection[str], *group: str) -> list[str]:
    """The arguments of the program or of a group, of which the first is an option.

    Raises:
        ConfigError: It is an option of a command; the message has the command to type.
    """
    first, *rest = arguments
    if first.casefold() in PROGRAM:
        return [PROGRAM[first.casefold()], *rest]
    if first == "--" or first.partition("=")[0] in COMPLETION:
        return list(arguments)
    moved = [
        shlex.join(["ser-tune", *group, word, *arguments[:place], *arguments[place + 1 :]])
        for place, word in enumerate(arguments)
        if word in commands
    ]
    if moved:
        raise ConfigError(f"options follow the command; type {' or '.join(f'`{command}`' for command in moved)}")
    command = shlex.join(["ser-tune", *group, "COMMAND", *arguments])
    raise ConfigError(f"a command is missing; type `{command}`, where COMMAND is one of: {', '.join(sorted(commands))}")


def _guessed_inner(group: str, rest: list[str], commands: Collection[str]) -> list[str]:
    """The arguments after the name of a group, with the command of the group that is meant.

    Raises:
        ConfigError: The group has no such command.
    """
    name = rest[0].strip().casefold() if rest else ""
    if not name or not commands:
        return rest
    name = INNER[name] if INNER.get(name) in commands else name
    if name in commands:
        return [name, *rest[1:]]
    if name.startswith("-"):
        return _guessed_option(rest, commands, group)
    if group == "corpus" and name in component_names("corpora"):
        raise ConfigError(
            f"'{rest[0]}' is a corpus; `ser-tune corpus check {name} --data DIR` checks it, `ser-tune study --model "
            f"light_cnn --corpus {name} --data DIR` trains on it"
        )
    raise ConfigError(f"there is no command '{group} {rest[0]}'; choose from: {valid_names(name, sorted(commands))}")


def read_as(arguments: Sequence[str]) -> str:
    """A note that tells how guessed arguments were read."""
    return f"read as: {shlex.join(['ser-tune', *arguments])}"
