"""The layout of a sound file, by its first bytes."""

import re
from collections.abc import Callable
from typing import BinaryIO

from .chunks import aiff, au, caf, wave, wave64
from .foreign import foreign_format
from .mpeg import id3_length, mpeg
from .ogg import ogg
from .parts import Layout, Part, bytes_at
from .rare import RARE

__all__ = ["layout_of"]

_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""First bytes of a FLAC stream."""
_DECODED = (b" paf", b"fap ", b"PVF1", b"\xf0\x7e", b"\x64\xa3", b"\xa3\x64")
"""First bytes of formats without a length in the header, or with a decoder that checks the length."""
_UNTAGGED: dict[bytes, Callable[[BinaryIO, int], Layout]] = {
    b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00": wave64,
    b"FORM": aiff,
    b".snd": au,
    b"dns.": au,
    b"caff": caf,
    b"OggS": ogg,
}
"""From first bytes to the layout of formats that no tags precede."""


def layout_of(file: BinaryIO, size: int) -> Layout:
    """Layout of a sound file, known or not.

    Args:
        file: The file, open and seekable.
        size: Its bytes.
    """
    start = 0
    while length := id3_length(bytes_at(file, start, 10)):  # some programs write several
        start = min(start + length, size)
    head = bytes_at(file, start, 512)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return wave(file, size, start)
    whole = Layout((Part(start, size),))
    if start == 0:
        for magic, layout in _UNTAGGED.items():
            if head.startswith(magic):
                return layout(file, size)
        for magic, promise in RARE.items():
            if head.startswith(magic):
                return Layout(whole.parts, promise(file, size))
    if head[:4] == b"fLaC":
        return _flac(file, start, size)
    if head.startswith(_DECODED) or foreign_format(head):
        return whole
    return mpeg(file, start, size) or whole


def _flac(file: BinaryIO, start: int, size: int) -> Layout:
    """Layout of FLAC: a decoder reads one stream, so each of those that follow one another is a part of its own."""
    starts, at, step = [start], start + 1, 2**20
    while at < size:
        found = _FLAC.search(bytes_at(file, at, step + 7))
        if found:
            starts.append(at + found.start())
        at += found.start() + 1 if found else step
    return Layout(tuple(Part(begin, end) for begin, end in zip(starts, [*starts[1:], size], strict=True)))
