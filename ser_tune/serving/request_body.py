"""The JSON of a request: refused before it is parsed where parsing would take long, then parsed."""

from typing import Any

from pydantic_core import from_json

from ..errors import SerTuneError

__all__ = ["MOST_ROWS", "RequestError", "parse_request"]

MOST_ROWS = 1000
"""Utterances in one request."""
DEEPEST = 8
"""Brackets within brackets; a table as MLflow takes it has 4."""
TEXTS_A_ROW = 32
"""Texts, keys included, for each row of the largest request."""
_NO_BRACKET = bytes(sorted(set(range(256)) - set(b"[]{}")))


class RequestError(SerTuneError):
    """A request cannot be answered; the message is for its client."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        """Set the message and the status of HTTP."""
        super().__init__(message)
        self.status = status


def parse_request(body: bytes) -> dict[str, Any]:
    """The content of a request.

    Only functions that read a megabyte in a millisecond see more than the limits allow: one call of a parser on many
    small lists would keep the interpreter, and with it the whole server, for a minute.

    Raises:
        RequestError: It is no JSON object, or has too many rows, too many brackets within brackets, or true or false.
    """
    _refuse_large(body)
    try:
        content = from_json(body)
    except ValueError as error:
        raise RequestError(f"the request is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise RequestError("the request is not a JSON object; expected one with the key dataframe_records")
    for table in content.values():
        for rows in table.values() if isinstance(table, dict) else (table,):
            if isinstance(rows, list) and len(rows) > MOST_ROWS:
                raise RequestError(f"the request has {len(rows)} rows; expected at most {MOST_ROWS}", status=413)
    return content


def _refuse_large(body: bytes) -> None:
    """Refuse more texts and brackets than a table of audio has."""
    if body.count(b'"') > 2 * TEXTS_A_ROW * MOST_ROWS:
        raise RequestError(
            f"the request has more than {TEXTS_A_ROW * MOST_ROWS} texts; expected at most {MOST_ROWS} rows", status=413
        )
    numbers = b'""'.join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])
    brackets = numbers.translate(None, _NO_BRACKET)
    if len(brackets) > 4 * MOST_ROWS + 2 * DEEPEST:  # two, a row and its waveform, which open and close
        raise RequestError(
            f"the request has {len(brackets)} brackets; expected at most {MOST_ROWS} rows of one list each", status=413
        )
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise RequestError(f"the request has more than {DEEPEST} brackets within each other")
    for word in (b"true", b"false"):
        if word in numbers:
            raise RequestError(f"the request has the value {word.decode()}; expected numbers and texts")
