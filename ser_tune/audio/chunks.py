"""Parse the headers of sound files with chunks: WAV and its 64-bit variants, AIFF, 8SVX, AU, CAF.

Only the length of the sample data's chunk is used. Other fields (length of the file, byte rate, lengths of comment
lists) are often wrong in files whose samples are complete.
"""

import struct
from typing import BinaryIO

from .mpeg import mpeg
from .parts import Layout, Part, bytes_at

__all__ = ["aiff", "au", "caf", "wave", "wave64"]

UNKNOWN_LENGTH = 0x7FFF_F000
"""A 32-bit length of at least this value is unknown: programs that write to a pipe store such a value."""
LONGEST_LENGTH = 2**62
"""A 64-bit length of at least this value is unknown."""
_FIXED_SIZE = frozenset({1, 3, 0xFFFE})
"""Codecs of WAV with samples of a fixed number of bytes: 1 integers, 3 floats, 0xFFFE (extensible) both."""
_MPEG = frozenset({0x50, 0x55})
_NAMES = frozenset(
    {
        b"fmt ",
        b"data",
        b"fact",
        b"LIST",
        b"PEAK",
        b"bext",
        b"cue ",
        b"smpl",
        b"inst",
        b"JUNK",
        b"junk",
        b"FLLR",
        b"iXML",
    }
    | {b"id3 ", b"ID3 ", b"PAD ", b"DISP", b"chna", b"axml", b"plst", b"ltxt", b"note", b"labl", b"acid", b"cart"}
)
"""Known chunk names; they reveal a chunk of odd length that lacks its padding byte."""


def wave(file: BinaryIO, size: int, start: int = 0) -> Layout:
    """Layout of a RIFF, RIFX, RF64 or BW64 file.

    Args:
        file: The file.
        size: Length of the file in bytes.
        start: Position of the header, after tags.
    """
    magic = bytes_at(file, start, 4)
    order, whole = ">" if magic == b"RIFX" else "<", Layout((Part(0, size),))
    position, long_length, form, data, length, odd = start + 12, 0, b"", 0, 0, bool(start) or magic == b"BW64"
    while not (form and data) and position + 8 <= size:
        name, here = struct.unpack(f"{order}4sI", bytes_at(file, position, 8))
        if name == b"ds64":
            long_length = struct.unpack("<Q", bytes_at(file, position + 16, 8).ljust(8, b"\0"))[0]
        elif name == b"fmt ":
            form, odd = bytes_at(file, position + 8, min(here, 1024)), odd or bool(data)
        elif name == b"data":
            data, length = position + 8, here
        position += 8 + here + here % 2
        if here % 2 and bytes_at(file, position, 4) not in _NAMES and bytes_at(file, position - 1, 4) in _NAMES:
            position, odd = position - 1, True
    if len(form) < 16 or not data:
        return whole
    if magic in (b"RF64", b"BW64") and length == 0xFFFF_FFFF:
        unknown, length = not 0 < long_length < LONGEST_LENGTH, long_length
        odd |= unknown
    else:
        unknown = length >= UNKNOWN_LENGTH
        if not length and bytes_at(file, data, 4) not in _NAMES:
            unknown = odd = data < size
    codec, channels, bits = *struct.unpack(f"{order}HH", form[:4]), struct.unpack(f"{order}H", form[14:16])[0]
    if codec in _FIXED_SIZE and (block := channels * ((bits + 7) // 8)):
        length -= length % block  # a padding byte may be counted
    stop = size if unknown else min(size, data + length)
    promised = None if unknown else data + length
    if codec in _MPEG and (frames := mpeg(file, data, stop)):
        return Layout(frames.parts, promised, frames.trouble)
    if odd:
        return Layout((_as_wave(form, data, stop, order),), promised)
    return Layout(whole.parts, promised)


def _as_wave(form: bytes, data: int, stop: int, order: str = "<") -> Part:
    """The sample bytes with a new plain WAV header."""
    count = stop - data if stop - data < UNKNOWN_LENGTH else 0xFFFF_FFFF
    chunks = b"WAVEfmt " + struct.pack(f"{order}I", len(form)) + form + bytes(len(form) % 2)
    chunks += b"data" + struct.pack(f"{order}I", count)
    total = struct.pack(f"{order}I", min(len(chunks) + count, 0xFFFF_FFFF))
    return Part(data, stop, header=(b"RIFF" if order == "<" else b"RIFX") + total + chunks)


def wave64(file: BinaryIO, size: int) -> Layout:
    """Layout of a Sony Wave64 file: as WAV, with 16-byte names and 8-byte lengths that include name and length."""
    position, form = 40, b""
    while position + 24 <= size:
        name, length = struct.unpack("<4s12xQ", bytes_at(file, position, 24))
        if name == b"fmt ":
            form = bytes_at(file, position + 24, min(length - 24, 1024) if length > 24 else 0)
        if name == b"data" and len(form) >= 16:
            if 24 < length < LONGEST_LENGTH or position + 24 == size:
                return Layout((Part(0, size),), position + length)
            return Layout((_as_wave(form, position + 24, size),))
        if length < 24:
            break
        position += (length + 7) // 8 * 8
    return Layout((Part(0, size),))


def aiff(file: BinaryIO, size: int) -> Layout:
    """Layout of an AIFF, AIFF-C or 8SVX file."""
    position, total = 12, int.from_bytes(bytes_at(file, 4, 4), "big")
    while position + 8 <= size:
        name, length = struct.unpack(">4sI", bytes_at(file, position, 8))
        if name in (b"SSND", b"BODY"):
            known = length < UNKNOWN_LENGTH and (length or total)
            return Layout((Part(0, size),), position + 8 + length if known else None)
        position += 8 + length + length % 2
    return Layout((Part(0, size),))


def au(file: BinaryIO, size: int) -> Layout:
    """Layout of a Sun or NeXT file, big-endian or little-endian."""
    head = bytes_at(file, 0, 24)
    if len(head) < 24:
        return Layout((Part(0, size),))
    order = ">" if head[:4] == b".snd" else "<"
    start, length = struct.unpack(f"{order}II", head[4:12])
    if length == 0 and 24 <= start < size:
        return Layout((Part(start, size, header=head[:8] + b"\xff" * 4 + bytes_at(file, 12, start - 12)),))
    return Layout((Part(0, size),), start + length if length < UNKNOWN_LENGTH else None)


def caf(file: BinaryIO, size: int) -> Layout:
    """Layout of a Core Audio file."""
    position = 8
    while position + 12 <= size:
        name, length = struct.unpack(">4sq", bytes_at(file, position, 12))
        if name == b"data":
            if length >= 0:
                return Layout((Part(0, size),), position + 12 + length)
            header = bytes_at(file, 0, position + 4) + struct.pack(">q", size - position - 12)
            return Layout((Part(position + 12, size, header=header),))
        if length < 0:
            break
        position += 12 + length
    return Layout((Part(0, size),))
