"""Options and arguments as people guess them: read as the command has them, or refused with what to type instead."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ..errors import ConfigError, valid_names
from .guessed_commands import AUDIO
from .guessed_values import OPTIONS, refuse_method

__all__ = ["Accepted", "guessed_arguments"]

SYNONYMS = {
    **dict.fromkeys(("--arch", "--architecture", "--network", "--net"), "--model"),
    **dict.fromkeys(("--dataset", "--database", "--db"), "--corpus"),
    **dict.fromkeys(("--data-dir", "--data-path", "--dir", "--folder", "--root"), "--data"),
    **dict.fromkeys(("--n-trials", "--num-trials", "--max-trials"), "--trials"),
    **dict.fromkeys(("--n-epochs", "--num-epochs", "--max-epochs"), "--epochs"),
    **dict.fromkeys(("--learning-rate", "--rate"), "--lr"),
    **dict.fromkeys(("--bs", "--batch", "--batchsize"), "--batch-size"),
    **dict.fromkeys(("--n-folds", "--num-folds", "--k-folds", "--kfold", "--cv"), "--folds"),
    **dict.fromkeys(("--random-seed", "--random-state"), "--seed"),
    **dict.fromkeys(("--jobs", "--n-jobs", "--num-workers", "--processes"), "--workers"),
    **dict.fromkeys(("--feature", "--feature-set"), "--features"),
    **dict.fromkeys(("--study-name", "--experiment"), "--name"),
    **dict.fromkeys(("--file", "--files", "--input", "--audio", "--wav", "--recording"), "--path"),
    **dict.fromkeys(("--output", "--output-file", "--outfile"), "--out"),
    **dict.fromkeys(("--setting", "--option", "--param"), "--set"),
}
"""A guessed option to the option, or the argument, that is meant."""
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
"""Signs that programs for texts put in place of hyphens."""
TABLES = (".csv", ".tsv")
NAMED = {"corpus": "corpora"}
"""An argument or option to the kind of components that it names, where that is called otherwise."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The arguments and options of a command."""

    command: str
    """As typed, such as `corpus check`."""
    arguments: tuple[str, ...]
    """The words of its arguments in help texts, in small letters, such as `model`, `path`."""
    several: bool
    """Whether the last argument can be given several times."""
    required: frozenset[str]
    """Arguments and options that must be given."""
    valued: frozenset[str]
    """Options that take a value."""
    switches: frozenset[str]
    """Options that take none."""
    repeatable: frozenset[str] = frozenset()
    """Options that can be given several times, each with another value."""

    @property
    def options(self) -> frozenset[str]:
        """All options."""
        return self.valued | self.switches


@dataclass(slots=True)
class _Written:
    """A command line, taken apart."""

    options: list[str] = field(default_factory=list)
    """Options with their values, in order."""
    arguments: list[str] = field(default_factory=list)
    """Arguments by their place."""
    named: dict[str, list[str]] = field(default_factory=dict)
    """Arguments that were written as options, by their word."""

    def values(self, option: str) -> list[str]:
        """The values of an option."""
        following = [*self.options, ""][1:] if self.options else []
        return [
            token.partition("=")[2] or after
            for token, after in zip(self.options, following, strict=True)
            if token == option or token.startswith(f"{option}=")
        ]

    def has(self, option: str) -> bool:
        return any(token == option or token.startswith(f"{option}=") for token in self.options)


def guessed_arguments(
    arguments: Sequence[str],
    accepted: Accepted,
    names: Callable[[str], Sequence[str]],
    setting: Callable[[str, Sequence[str]], Sequence[str]],
) -> list[str]:
    """The arguments as the command takes them; those that it takes already are left as they are.

    Args:
        arguments: As typed after the command's name.
        accepted: What the command takes.
        names: From a kind of components, such as `architectures`, to their names; of `model` the registered models.
        setting: From the name of an option and all arguments to the dotted paths of settings that end so.

    Raises:
        ConfigError: An option does not exist; the message has what to type.
    """
    if "--" in arguments:  # written by somebody who means each word
        return list(arguments)
    if list(arguments) == ["help"] and not Path("help").exists():
        return ["--help"]
    written = _taken_apart(arguments, accepted, setting)
    _keep_last_values(written, accepted)
    if written.named:
        given, written.arguments = written.arguments, []
        for word in accepted.arguments:
            written.arguments += written.named.get(word) or given[:1]
            given = given if written.named.get(word) else given[1:]
        written.arguments += given
    _place_words(written, accepted, names)
    if accepted.arguments[:1] == ("model",) and accepted.arguments[1:2] == ("path",):
        _find_model(written, names)
    _find_table(written, accepted)
    _refuse_methods(written, accepted, names)
    _refuse_folder(written, accepted, names)
    if not {"-h", "--help"} & set(arguments):
        _refuse_number(written, accepted, names)
    guessed = [*written.arguments, *written.options]
    return list(arguments) if sorted(guessed) == sorted(arguments) else guessed


def _taken_apart(
    arguments: Sequence[str], accepted: Accepted, setting: Callable[[str, Sequence[str]], Sequence[str]]
) -> _Written:
    """Separate options from arguments, and replace guessed options."""
    written, left = _Written(), list(arguments)
    while left:
        token = left.pop(0)
        if token[:1] in tuple(DASHES) and not Path(token).exists():
            raise ConfigError(f"'{token}' begins with a dash; type two hyphens: --{token.lstrip(f'-{DASHES}')}")
        if token == "-" or not token.startswith("-"):
            written.arguments.append(token)
            continue
        if token == "-h" or (token[1] != "-" and token[:2] in accepted.options):
            written.options.append(token)
            continue
        typed, equals, value = token.partition("=")
        option = _meant(typed, accepted)
        if option == "--path" and "path" not in accepted.arguments and "--data" in accepted.valued:
            option = "--data"
        if option in accepted.switches:
            written.options.append(option + equals + value)
        elif option in accepted.valued:
            written.options += [option + equals + value] if equals else [option, *left[:1]]
            del left[: not equals]
        elif word := next((name for name in accepted.arguments if option[2:] in name.split("|")), ""):
            written.named.setdefault(word, []).extend([value] if equals else left[:1])
            del left[: not equals]
        elif option in OPTIONS:
            raise ConfigError(f"ser-tune {accepted.command} has no option {typed}; {OPTIONS[option]}")
        else:
            _refuse(typed, value if equals else next(iter(left), ""), accepted, setting(typed, arguments))
    return written


def _keep_last_values(written: _Written, accepted: Accepted) -> None:
    """Leave out the earlier values of an option that was given several and takes one: the last counts."""
    left, kept = list(written.options), list[list[str]]()
    while left:
        option, equals, _ = left[0].partition("=")
        length = 2 if option in accepted.valued and not equals else 1
        tokens, left = left[:length], left[length:]
        if option in accepted.valued - accepted.repeatable:
            kept = [own for own in kept if own[0].partition("=")[0] != option or own == tokens]
        kept.append(tokens)
    written.options = [token for tokens in kept for token in tokens]


def _meant(typed: str, accepted: Accepted) -> str:
    """The option that is meant; as typed where that is not clear."""
    option = f"--{typed.strip('-').casefold().replace('_', '-')}"
    if typed in accepted.options or option in accepted.options:
        return typed if typed in accepted.options else option
    return SYNONYMS.get(option, option)


def _refuse(typed: str, value: str, accepted: Accepted, paths: Sequence[str]) -> NoReturn:
    """Refuse an option that does not exist, with the setting or the option that is meant."""
    command = f"ser-tune {accepted.command}"
    if paths and "--set" in accepted.options:
        value = shlex.quote(value) if value and not value.startswith("-") else "VALUE"
        several = " or ".join(f"--set {path}={value}" for path in paths)
        raise ConfigError(f"{command} has no option {typed}; write {several}")
    near = valid_names(typed, sorted(accepted.options))
    hint = near.rpartition("; ")[2] if "did you mean" in near else f"`{command} -h` lists its options"
    raise ConfigError(f"{command} has no option {typed}; {hint}")


def _place_words(written: _Written, accepted: Accepted, names: Callable[[str], Sequence[str]]) -> None:
    """Make a word in the place of no argument, or of a file, the value of the option that it fits."""
    placed, room = list[str](), len(accepted.arguments)
    for word in written.arguments:
        file_expected = len(placed) < room and accepted.arguments[len(placed)] == "[file]"
        is_left = accepted.several or len(placed) < room
        if accepted.arguments[len(placed) :][:1] == ("model",) and _is_corpus(word, accepted, names):
            is_left = False
        if (is_left and not file_expected) or (file_expected and Path(word).is_file() and not _is_table(word)):
            placed.append(word)
            continue
        options = next(_options_of(word, written, accepted, names), None)
        if options is None:
            placed.append(word)  # refused, with a sentence, by the command
        else:
            written.options[:0] = options
    written.arguments = placed


def _is_corpus(word: str, accepted: Accepted, names: Callable[[str], Sequence[str]]) -> bool:
    """Whether a word in the place of a model is the name of a corpus, and of no model."""
    is_name = "--corpus" in accepted.options and _folded(word) in map(_folded, names("corpora"))
    return is_name and word not in names("model")


def _options_of(
    word: str, written: _Written, accepted: Accepted, names: Callable[[str], Sequence[str]]
) -> Iterator[list[str]]:
    """The options whose value a word is."""
    for option, kind in (("--model", "architectures"), ("--corpus", "corpora"), ("--features", "features")):
        if option in accepted.options and not written.has(option) and _folded(word) in map(_folded, names(kind)):
            yield [option, word]
    if "--data" in accepted.options and not written.has("--data"):
        if _is_table(word) and "--corpus" in accepted.options and not written.has("--corpus"):
            yield ["--corpus", "manifest", "--data", word]
        elif Path(word).exists():
            yield ["--data", word]


def _find_table(written: _Written, accepted: Accepted) -> None:
    """Read a table of recordings in place of a corpus's name as that of the corpus manifest."""
    first = written.arguments[0] if written.arguments and accepted.arguments[:1] == ("corpus",) else ""
    if _is_table(first) and "--data" in accepted.options and not written.has("--data"):
        written.arguments[0] = "manifest"
        written.options += ["--data", first]
    if not {"--corpus", "--data"} <= accepted.options:
        return
    for place, token in enumerate(written.options):
        option, equals, value = token.partition("=")
        value = value if equals else next(iter(written.options[place + 1 :]), "")
        if option == "--corpus" and _is_table(value) and "=" not in value and not written.has("--data"):
            written.options[place : place + 1 + (not equals)] = ["--corpus", "manifest", "--data", value]
            return
        if option == "--data" and _is_table(value) and not written.has("--corpus") and not written.arguments:
            written.options += ["--corpus", "manifest"]
            return


def _refuse_methods(written: _Written, accepted: Accepted, names: Callable[[str], Sequence[str]]) -> None:
    """Refuse the name of a method that is no architecture or feature set, with the name that there is."""
    words = [word for word in written.arguments if accepted.arguments[:1] == ("[file]",) and not Path(word).exists()]
    for option, kind in (("--model", "architectures"), ("--features", "features")):
        if option in accepted.valued:
            words += [value for value in written.values(option) if _folded(value) not in map(_folded, names(kind))]
    refuse_method(accepted.command, words)


def _refuse_folder(written: _Written, accepted: Accepted, names: Callable[[str], Sequence[str]]) -> None:
    """Refuse a folder in place of a corpus's name, with the command that takes it."""
    first = written.arguments[0] if written.arguments and accepted.arguments[:1] == ("corpus",) else ""
    if "--data" in accepted.options and Path(first).is_dir() and first and first not in names("corpora"):
        command = shlex.join(["ser-tune", *accepted.command.split(), "NAME", "--data", first])
        there = ", ".join(sorted(names("corpora")))
        raise ConfigError(f"'{first}' is a folder; type `{command}`, where NAME is the corpus in it, one of: {there}")


def _find_model(written: _Written, names: Callable[[str], Sequence[str]]) -> None:
    """Put in the only registered model where the first argument is a recording.

    Raises:
        ConfigError: There is none, or several.
    """
    first = next(iter(written.arguments), "")
    if Path(first).suffix.casefold() not in AUDIO and not (len(written.arguments) == 1 and Path(first).exists()):
        return
    models = names("model")
    rest = shlex.join(written.arguments)
    if len(models) == 1:
        written.arguments.insert(0, models[0])
    elif first not in models:
        several = " or ".join(f"`ser-tune predict {name} {rest}`" for name in models[:5])
        none = "there is no registered model yet; `ser-tune study --model light_cnn --trials 4` makes a first one"
        raise ConfigError(
            f"'{first}' is a recording, and predict needs a model before it: {several}" if models else none
        )


def _refuse_number(written: _Written, accepted: Accepted, names: Callable[[str], Sequence[str]]) -> None:
    """Refuse arguments that are too many, and a command without those that it needs; the message has what there is."""
    command, given = f"ser-tune {accepted.command}", len(written.arguments)
    if given > len(accepted.arguments) and not accepted.several:
        extra = written.arguments[len(accepted.arguments)]
        raise ConfigError(f"{command} does not expect '{extra}'; `{command} -h` lists its arguments and options")
    usage = shlex.join([command.partition(" ")[0], *accepted.command.split(), *written.arguments])
    for word in accepted.arguments[given:]:
        if word in accepted.required:
            missing = " ".join(name.upper() for name in accepted.arguments[given:] if name in accepted.required)
            there = ", ".join(dict.fromkeys(name for kind in word.split("|") for name in names(NAMED.get(kind, kind))))
            there = f"; {word} is one of: {there}" if there else ""
            usage = " ".join([usage, missing, *([shlex.join(written.options)] if written.options else ())])
            raise ConfigError(f"an argument is missing; type `{usage}`{there}")
    for option in sorted(accepted.required & accepted.options):
        if not written.has(option):
            there = ", ".join(names(NAMED.get(option.strip("-"), option.strip("-"))))
            there = f"; choose from: {there}" if there else ""
            raise ConfigError(f"an option is missing; type `{usage} {option} {option.strip('-').upper()}`{there}")


def _is_table(word: str) -> bool:
    return Path(word).suffix.casefold() in TABLES


def _folded(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")
