"""Errors of Typer about arguments, as the sentences of ser-tune: the option, its value, what is expected."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from typer import BadParameter
from typer.exceptions import TyperException

from ..errors import ConfigError

__all__ = ["usage_errors"]

SHOULD_BE = "Input should be "
"""Beginning of Pydantic's messages, by which Typer reads values."""


@contextmanager
def usage_errors(command: str, arguments: Sequence[str]) -> Iterator[None]:
    """Raise `ConfigError` where a command's arguments cannot be read.

    Args:
        command: Such as `ser-tune train`.
        arguments: As Typer receives them.
    """
    try:
        yield
    except BadParameter as error:
        names = [] if error.param is None else list(error.param.opts)
        value = next((text for name in names for text in _values(name, arguments)), None)
        written = "" if value is None else f"{max(names, key=len)} is '{value}'; "
        raise ConfigError(f"{written}{_expected(error.message or error.format_message())}") from None
    except TyperException as error:
        raise ConfigError(f"{error.format_message().rstrip('.')}; `{command} -h` lists the options") from None


def _values(option: str, arguments: Sequence[str]) -> Iterator[str]:
    """The values that arguments give to an option."""
    for number, token in enumerate(arguments):
        name, equals, value = token.partition("=")
        if name == option:
            yield value if equals else "".join(arguments[number + 1 : number + 2])


def _expected(message: str) -> str:
    """Name the expected value, where a message is Pydantic's.

    >>> _expected("Input should be a valid integer, unable to parse string as an integer")
    'expected a valid integer'
    >>> _expected("Input should be greater than or equal to 0.5")
    'expected a value greater than or equal to 0.5'
    >>> _expected("Input should be 'a' or 'b'")
    "expected 'a' or 'b'"
    """
    if not message.startswith(SHOULD_BE):
        return message
    wanted = message.removeprefix(SHOULD_BE).partition(", unable to")[0]
    return f"expected {wanted if wanted.startswith(('a ', 'an ', chr(39))) else f'a value {wanted}'}"
