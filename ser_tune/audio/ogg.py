"""Layout of Ogg files (Vorbis, Opus): pages, and streams that follow one another."""

from dataclasses import dataclass
from typing import BinaryIO

from .parts import Layout, Part

__all__ = ["ogg"]

_MAGIC = b"OggS"
_CONTINUES, _BEGINS = 1, 2


@dataclass(frozen=True, slots=True)
class _Page:
    """One page's header."""

    flags: int
    size: int
    """Bytes of the page."""
    open_ended: bool
    """Whether its last packet goes on in another page."""


def _page(file: BinaryIO, at: int) -> _Page | None:
    file.seek(at)
    head = file.read(27 + 255)
    if head[:4] != _MAGIC:
        return None
    lengths = head[27 : 27 + head[26]] if len(head) > 26 else b""
    return _Page(
        flags=head[5] if len(head) > 5 else 0,
        size=27 + (head[26] if len(head) > 26 else 0) + sum(lengths),
        open_ended=lengths[-1:] == b"\xff",
    )


def ogg(file: BinaryIO, size: int) -> Layout:
    """Layout of an Ogg file: a decoder reads one stream, so each is a part of its own.

    Args:
        file: The file.
        size: Its bytes.
    """
    starts, at, begun, last = [0], 0, True, None
    while at < size and (page := _page(file, at)):
        if page.flags & _BEGINS and not begun:
            starts.append(at)
        begun, last, at = bool(page.flags & _BEGINS), page, at + page.size
    if at > size:
        return Layout((), promised=at)
    file.seek(at)
    rest = file.read(min(size - at, 2**20))
    if _MAGIC in rest:
        return Layout((), trouble=f"{rest.index(_MAGIC)} bytes at {at} are no page of Ogg, and others follow them")
    if rest and _MAGIC.startswith(rest):
        return Layout((), promised=at + 27)
    if last and last.open_ended:
        return Layout((), trouble="its last packet of Ogg goes on in a page that is missing")
    return Layout(tuple(Part(start, stop) for start, stop in zip(starts, [*starts[1:], at], strict=True)))
