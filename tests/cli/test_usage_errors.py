"""A value that an option cannot take is refused in one sentence, by every command."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from ser_tune.cli.app import app
from ser_tune.errors import ConfigError

NUMBERS = (int, float)


def _commands(group: Any, path: str = "ser-tune") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(_commands(get_command(app)))


def _options(path: str, command: Any) -> list[Any]:
    return list(command.get_params(command.make_context(path, [], resilient_parsing=True)))


def _refusal(path: str, command: Any, *arguments: str) -> str:
    found = _options(path, command)
    needed = [option.opts[0] for option in found if option.param_type_name == "option" and option.required]
    words = ["x" for word in found if word.param_type_name == "argument" and word.required]
    others = [text for option in needed if option not in arguments for text in (option, "x")]
    with pytest.raises(ConfigError) as refused:
        command.make_context(path, [*words, *others, *arguments])
    return str(refused.value)


def _takes_a_number(option: Any) -> bool:
    return option.param_type_name == "option" and option.type_descriptor.annotation in NUMBERS


def test_options_that_take_numbers_are_found() -> None:
    found = [
        path for path, command in COMMANDS.items() for option in _options(path, command) if _takes_a_number(option)
    ]
    assert len(found) > 30
    assert {"ser-tune study", "ser-tune predict", "ser-tune ui"} <= set(found)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_value_of_another_type_is_named_with_what_is_expected(path: str) -> None:
    command = COMMANDS[path]
    for option in _options(path, command):
        if _takes_a_number(option):
            longest = max(option.opts, key=len)
            for value in ("\u2603", "1e", "0x10", ""):
                said = _refusal(path, command, f"{option.opts[0]}={value}")
                assert re.fullmatch(rf"{longest} is '{value}'; expected a valid (integer|number)", said)


@pytest.mark.parametrize(
    ("path", "arguments", "sentence"),
    [
        ("ser-tune predict", ("--window", "0"), "--window is '0'; expected a value greater than or equal to 0.5"),
        ("ser-tune train", ("--seed",), "Option '--seed' requires an argument; `ser-tune train -h` lists the options"),
        ("ser-tune study", ("--refit=3",), "Option '--refit' does not take a value; `ser-tune study -h` lists"),
    ],
)
def test_other_mistakes_are_sentences_too(path: str, arguments: tuple[str, ...], sentence: str) -> None:
    assert _refusal(path, COMMANDS[path], *arguments).startswith(sentence)
