"""What names of studies and models can consist of: whatever can be written on one line."""

import unicodedata

from ..errors import brief

__all__ = ["refuse_unwritable"]

LONGEST = 200
"""Characters; MLflow keeps 250 of a run's name, and names made of a study's are longer."""
UNWRITABLE = {"Cc": "a control character", "Cs": "half a character", "Zl": "a line break", "Zp": "a line break"}
"""By Unicode category."""


def refuse_unwritable(what: str, name: str) -> None:
    r"""Refuse a name that no line of a table, no command and no address can have.

    >>> refuse_unwritable("a study's name", "it's \"a/b\" 😀")
    >>> refuse_unwritable("a study's name", "a\nb")
    Traceback (most recent call last):
    ...
    ValueError: a study's name is 'a\nb', which contains '\n', a line break; expected text on one line

    Args:
        what: Is named, such as `a study's name`.
        name: As the user wrote it.

    Raises:
        ValueError: It is blank, too long, or has control characters or line breaks; the message is for people.
    """
    if not name.strip():
        raise ValueError(f"{what} is {brief(name)}; expected letters, digits or signs")
    if len(name) > LONGEST:
        raise ValueError(f"{what} has {len(name)} characters; expected at most {LONGEST}: {brief(name[:50])}…")
    for character in name:
        if (kind := UNWRITABLE.get(unicodedata.category(character))) is not None:
            kind = "a line break" if character in "\n\r\v\f\x85" else kind
            raise ValueError(
                f"{what} is {brief(name)}, which contains {character!r}, {kind}; expected text on one line"
            )
