"""`Layout` and `Part`: the parts of a sound file to decode, and the length according to its headers."""

from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["HEAD", "Layout", "Part", "bytes_at"]

HEAD = 2**16
"""Bytes at the start of a file among which its headers are looked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that a decoder reads as a file of its own."""

    start: int
    stop: int
    """First byte of the stretch, and the byte after its last."""
    header: bytes = b""
    """Bytes before the stretch, in place of the file's own header."""
    zeros: int = 0
    """Zero bytes after it, for a decoder that derives a length from the size."""
    samples: int | None = None
    """Samples of a channel that the stretch holds; None where the decoder finds out."""
    seeks: bool = True
    """Whether decoding from within gives the same samples as decoding from the start."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The structure of a sound file according to its headers."""

    parts: tuple[Part, ...]
    """Decoded apart and joined."""
    promised: int | None = None
    """Bytes that a file must have that holds all samples of its headers; None where they give no length."""
    trouble: str = ""
    """Reason for missing samples that the number of bytes does not show; empty if none are missing."""


def bytes_at(file: BinaryIO, position: int, count: int) -> bytes:
    """Bytes of a file at a position; fewer where it ends."""
    file.seek(position)
    return file.read(count)
