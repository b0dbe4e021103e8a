"""A stretch of a file behind another header, as a decoder reads it."""

import io
from typing import BinaryIO

__all__ = ["Splice"]


class Splice(io.RawIOBase):
    """A file without a name: some bytes, then a stretch of another file, then zeros.

    Decoders take their format from a name that ends in `.raw`; without a name they go by the content.
    """

    def __init__(self, file: BinaryIO, *, start: int, stop: int, header: bytes = b"", zeros: int = 0) -> None:
        """Join the bytes.

        Args:
            file: The file, open and seekable.
            start: First byte of the stretch.
            stop: The byte after its last.
            header: Bytes before it.
            zeros: Number of zero bytes after it.
        """
        super().__init__()
        self._file, self._start, self._header = file, start, header
        self._stop = len(header) + stop - start
        self._size = self._stop + zeros
        self._position = 0

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: the stream can be sought."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill a buffer, and return the number of bytes: fewer than it holds only at the end."""
        wanted = memoryview(buffer)[: max(0, self._size - self._position)]
        own = self._header[self._position : self._position + len(wanted)]
        wanted[: len(own)] = own
        rest = wanted[len(own) : max(len(own), self._stop - self._position)]
        if rest:
            self._file.seek(self._start + self._position + len(own) - len(self._header))
            self._file.readinto(rest)  # type: ignore[attr-defined]
        zeros = wanted[len(own) + len(rest) :]
        zeros[:] = bytes(len(zeros))
        self._position += len(wanted)
        return len(wanted)
