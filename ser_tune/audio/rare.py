"""Length in bytes according to the headers of rarer containers; libsndfile reads truncated files without an error."""

import re
import struct
from collections.abc import Callable
from typing import BinaryIO

__all__ = ["RARE"]

_MAT4_SIZES = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}
"""Bytes of a value, by the third digit of a matrix's type."""
_VOC_LENGTHS = {3: 3, 4: 2, 6: 2, 7: 0, 8: 4}
"""Lengths of blocks that hold no samples, by type."""


def _at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count).ljust(count, b"\0")


def _sphere(file: BinaryIO, size: int) -> int | None:
    head = _at(file, 0, 1024)
    fields = {name: int(number) for name, number in re.findall(rb"\n(\w+) -i (\d+)", head)}
    start, count = head[8:16].strip(), fields.get(b"sample_count")
    if b"shorten" in head or count is None or not start.isdigit():
        return None
    return int(start) + count * fields.get(b"channel_count", 1) * fields.get(b"sample_n_bytes", 1)


def _avr(file: BinaryIO, size: int) -> int:
    mono, bits, count = struct.unpack(">12xHH10xI", _at(file, 0, 30))
    return 128 + int(count) * (2 if mono else 1) * (int(bits) // 8)


def _mpc2k(file: BinaryIO, size: int) -> int:
    stereo, count = struct.unpack("<21xB4xI", _at(file, 0, 30))
    return 42 + int(count) * (2 if stereo else 1) * 2


def _mat4(file: BinaryIO, size: int) -> int:
    position = 0
    while position + 20 <= size:
        head = _at(file, position, 20)
        order = ">" if head[:2] == b"\0\0" and head[:4] != b"\0\0\0\0" else "<"
        kind, rows, columns, _, name = struct.unpack(f"{order}5I", head)
        position += 20 + name + rows * columns * _MAT4_SIZES.get(kind // 10 % 10, 1)
    return position


def _mat5(file: BinaryIO, size: int) -> int:
    order, position, end = ("<" if _at(file, 126, 2) == b"IM" else ">"), 128, 0
    while position + 8 <= size:
        kind, length = struct.unpack(f"{order}II", _at(file, position, 8))
        if kind == 14:  # a matrix: its elements follow
            position += 8
        elif kind >> 16:  # a small element, within its head
            position, end = position + 8, position + 8
        else:
            end = position + 8 + length
            position += 8 + (length + 7) // 8 * 8
    return end


def _voc(file: BinaryIO, size: int) -> int:
    position = int(struct.unpack("<H", _at(file, 20, 2))[0])
    while position + 4 <= size:
        head = _at(file, position, 4)
        length = int.from_bytes(head[1:], "little")
        if head[0] not in (1, 2, 5, 9) and _VOC_LENGTHS.get(head[0]) != length:
            break  # the end, or none: some programs count the head of a block wrongly
        position += 4 + length
    return position


def _wve(file: BinaryIO, size: int) -> int:
    return 32 + int(struct.unpack(">18xI", _at(file, 0, 22))[0])


RARE: dict[bytes, Callable[[BinaryIO, int], int | None]] = {
    b"NIST_1A\n": _sphere,
    b"2BIT": _avr,
    b"\x01\x04": _mpc2k,
    b"\0\0\0\0\x01\0\0\0\x01\0\0\0": _mat4,
    b"\0\0\x03\xe8\0\0\0\x01\0\0\0\x01": _mat4,
    b"MATLAB 5.0 MAT-f": _mat5,
    b"Creative Voice F": _voc,
    b"ALawSoundFile**": _wve,
}
"""From a file's first bytes to the function that returns how many bytes it must have."""
