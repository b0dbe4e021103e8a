"""Patterns of file names, such as `{speaker}_{emotion}_{n}.wav`: from a path to its fields."""

import re
from dataclasses import dataclass, field
from pathlib import PurePath

from ..errors import CorpusError

__all__ = ["AUDIO_ENDINGS", "NamePattern"]

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".sph")
"""Endings of recordings, where a pattern has none of its own."""
_FIELD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern of the last parts of a path.

    `{field}` is any text within a part, `{field:REGEX}` a text that the regular expression matches, `*` any text within
    a part. Letters match in any case. A path that two different texts of a field fit is ambiguous and does not match;
    a field with a regular expression has the text that the expression takes first.
    """

    text: str
    """As written."""
    fields: tuple[str, ...] = field(init=False)
    """Names of the fields, in order."""
    depth: int = field(init=False)
    """Parts of a path that it describes."""
    _shortest: re.Pattern[str] = field(init=False, repr=False)
    _longest: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the pattern.

        Raises:
            CorpusError: A brace is open, a field is named twice or has no name, or a regular expression is wrong.
        """
        pieces = _pieces(self.text)
        names = tuple(name for kind, name, _ in pieces if kind == "field")
        if twice := {name for name in names if names.count(name) > 1}:
            raise CorpusError(f"pattern '{self.text}' has the field '{min(twice)}' twice; expected each once")
        literal = "".join(name for kind, name, _ in pieces if kind == "text")
        ending = "" if literal.lower().endswith(AUDIO_ENDINGS) else r"\.\w+"
        object.__setattr__(self, "fields", names)
        object.__setattr__(self, "depth", literal.count("/") + 1)
        for attribute, lazy in (("_shortest", "?"), ("_longest", "")):
            written = "".join(_compiled(*piece, lazy=lazy) for piece in pieces)
            try:
                object.__setattr__(self, attribute, re.compile(written + ending, re.IGNORECASE))
            except re.error as error:
                raise CorpusError(f"pattern '{self.text}' has a wrong regular expression: {error}") from None

    def parse(self, path: PurePath) -> dict[str, str] | None:
        r"""The fields of a path; None where it does not match.

        >>> NamePattern("{emotion}/{speaker:\\d+}_{n}.wav").parse(PurePath("mine/joy/03_1.WAV"))
        {'emotion': 'joy', 'speaker': '03', 'n': '1'}
        """
        found = self._shortest.fullmatch(self._end(path))
        return None if found is None or self.is_ambiguous(path) else found.groupdict()

    def is_ambiguous(self, path: PurePath) -> bool:
        """Whether a path matches in several ways.

        >>> NamePattern("{speaker}_{emotion}.wav").is_ambiguous(PurePath("anna_maria_joy.wav"))
        True
        """
        end = self._end(path)
        shortest, longest = self._shortest.fullmatch(end), self._longest.fullmatch(end)
        return shortest is not None and longest is not None and shortest.groupdict() != longest.groupdict()

    def _end(self, path: PurePath) -> str:
        return "/".join(path.parts[-self.depth :])


def _compiled(kind: str, name: str, expression: str, *, lazy: str) -> str:
    if kind == "text":
        return re.escape(name)
    return f"[^/]*{lazy}" if kind == "any" else f"(?P<{name}>{expression or f'[^/]+{lazy}'})"


def _pieces(text: str) -> list[tuple[str, str, str]]:
    """Kind, name or text, and regular expression of each piece of a pattern.

    Raises:
        CorpusError: A brace is open, or a field has no name.
    """
    pieces: list[tuple[str, str, str]] = []
    start = 0
    while start < len(text):
        if text[start] == "*":
            pieces.append(("any", "", ""))
            start += 1
        elif text[start] == "{":
            stop = _closing(text, start)
            name, _, expression = text[start + 1 : stop].partition(":")
            if not _FIELD.fullmatch(name):
                raise CorpusError(
                    f"pattern '{text}' has the field '{{{name}}}'; expected a name such as {{speaker}}, or * for text "
                    "that is not read"
                )
            pieces.append(("field", name, expression))
            start = stop + 1
        else:
            stop = min((place for place in (text.find(sign, start) for sign in "{*") if place >= 0), default=len(text))
            pieces.append(("text", text[start:stop].replace("\\", "/"), ""))
            start = stop
    return pieces


def _closing(text: str, start: int) -> int:
    """The place of the brace that closes a field; a regular expression may have braces too."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise CorpusError(f"pattern '{text}' has an open '{{'; expected '}}' after the field's name")
