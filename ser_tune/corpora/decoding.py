"""From the bytes of a table to its text: the encoding, and files that are no text at all."""

import codecs
import re
import zipfile
from pathlib import Path

from ..errors import CorpusError

__all__ = ["decoded"]

_BINARIES = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    b"\x1f\x8b": "compressed by gzip",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"RIFF": "a recording",
    b"fLaC": "a recording",
    b"OggS": "a recording",
    b"SQLite": "an SQLite database",
}
"""First bytes, and what the file is."""
_ARCHIVES = {"xl/": "an Excel workbook (.xlsx)", "content.xml": "an OpenDocument spreadsheet (.ods)"}
"""Names in a zip file, likewise."""
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, which it starts with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ACCENTED_WORD = re.compile(r"[^\s,;\t|\"/\\]*[^\x00-\x7f][^\s,;\t|\"/\\]*")
_NOT_WESTERN = re.compile(
    r"[\u00c0-\u00ff]{3}"  # Cyrillic, Greek or Chinese, as rows of accented letters
    r"|[a-z\u00e0-\u00ff][\u00c0-\u00d6\u00d8-\u00de\u0160\u017d\u0152\u0178]"  # capitals within words
    r"|\w[^\w\s\x00-\x7f\u2019\u00b4]\w|[^\W\d_][\u00a1-\u00b9\u00bb-\u00bf]"  # signs within words
)
"""Text of another encoding that was read as Windows-1252."""


def decoded(content: bytes, file: Path) -> tuple[str, str]:
    """Decode a table.

    Args:
        content: The bytes of the file.
        file: Its name, for error messages.

    Returns:
        The text, and its encoding: `utf-8`, `utf-16`, `utf-32` or `cp1252`.

    Raises:
        CorpusError: It is no text, or its encoding is unknown.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding).removeprefix("\ufeff"), encoding.removesuffix("-sig")
            except UnicodeDecodeError as error:
                raise CorpusError(f"{file} is not {encoding.upper()} text: {error.reason}") from None
    if what := _binary(content, file):
        raise CorpusError(f"{file} is {what}; expected a table as text: save it as CSV (UTF-8)")
    if b"\0" in content:
        halves = (content[1::2], content[::2])  # of ASCII characters, the upper bytes are zero
        for half, encoding in zip(halves, ("utf-16-le", "utf-16-be"), strict=True):
            if len(content) % 2 == 0 and half.count(0) > 0.7 * len(half):
                return content.decode(encoding, "replace"), "utf-16"
        raise CorpusError(f"{file} is not text: it has null bytes; expected a table as text: save it as CSV (UTF-8)")
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if text and not any(map(_NOT_WESTERN.search, _ACCENTED_WORD.findall(text))):
        return text, "cp1252"
    raise CorpusError(
        f"{file} is not UTF-8 text: the byte 0x{byte:02X} in line {line}; its encoding cannot be told, so save it as "
        "CSV (UTF-8)"
    )


def _binary(content: bytes, file: Path) -> str:
    """Describe a file that is not text; empty for text."""
    if content.startswith(b"PK"):
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError):
            return "an Excel workbook (.xlsx) or another zip archive"
        return next(
            (what for part, what in _ARCHIVES.items() if any(name.startswith(part) for name in names)), "a zip archive"
        )
    return next((what for start, what in _BINARIES.items() if content.startswith(start)), "")
