"""Layout of MPEG audio: MP3 and its older layers, counted frame by frame.

A stream has no length of its own, and the first frame of many files (Xing, Info, VBRI) counts other frames than those
that follow. The decoder is given the frames alone, and all of them.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from .parts import HEAD, Layout, Part

__all__ = ["id3_length", "mpeg"]

_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of versions 1 and 2 and layers 1, 2, 3; layer 3 of version 2 has those of layer 2."""
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By the header's two bits of the version: 1, 2, 2.5."""
_CHAIN = 3
"""Frames in a row that are no accident."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame's header."""

    kind: tuple[int, int, int, bool]
    """Version, layer, rate and whether it is mono: equal in all frames that are decoded together."""
    size: int
    """Bytes."""
    samples: int
    """Number in each channel."""


def _frame(data: bytes, at: int) -> _Frame | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    kbps_at, rate_at, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer == 4 or rate_at == 3 or kbps_at in (0, 15):
        return None
    rate_hz = _RATES_HZ[version][rate_at]
    bits = 1000 * _KBPS[(1, layer) if version == 3 else (2, min(layer, 2))][kbps_at - 1]
    kind = (version, layer, rate_hz, data[at + 3] >> 6 == 3)
    if layer == 1:
        return _Frame(kind, (12 * bits // rate_hz + padding) * 4, 384)
    samples = 576 if layer == 3 and version != 3 else 1152
    return _Frame(kind, samples // 8 * bits // rate_hz + padding, samples)


def id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 tag that a file begins with; 0 where there is none.

    >>> id3_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2]))
    140
    """
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte
    return 10 + length + (10 if head[5] & 16 else 0)


def mpeg(file: BinaryIO, start: int, stop: int) -> Layout | None:
    """Layout of a stretch of a file that holds MPEG audio; None where there are no such frames.

    Args:
        file: The file.
        start: Where the stretch starts.
        stop: Where it ends.
    """
    file.seek(start)
    data = file.read(min(stop - start, HEAD + 2**14))
    if (first := _first(data)) is None:
        return _cut(data)
    data += file.read(stop - start - len(data))
    found = _split(data, first)
    whole = b"".join(data[begin:end] for begin, end in found.runs)
    told = _told(whole)
    count = found.count - (told is not None)
    if told and told.frames > count and not 0 < told.size <= len(whole):
        return Layout((), trouble=f"its header promises {told.frames} frames of MPEG audio and it holds {count}")
    if found.cut:
        return Layout((), trouble=f"it ends within a frame of MPEG audio, after {count} whole ones")
    if found.gap:
        return Layout((), trouble=f"{found.gap[1]} bytes at {start + found.gap[0]} are no frames of MPEG audio")
    if told and told.frames == count and told.decoded:
        if told.size:
            whole = whole[: told.size_at] + struct.pack(">I", len(whole)) + whole[told.size_at + 4 :]
        return Layout((Part(stop, stop, header=whole, seeks=False),))
    head = _frame(whole, 0)
    assert head is not None
    if told:
        whole = whole[head.size :]
    # The decoder derives a length from the size and the first frame: it is made to find more than there is
    spare = 2 * data[found.last : found.runs[-1][1]]
    part = Part(
        *(stop, stop),
        header=whole + spare,
        zeros=(count + 4) * 2 * max(head.size, len(spare)),
        samples=count * head.samples,
        seeks=False,
    )
    return Layout((part,))


def _cut(data: bytes) -> Layout | None:
    """Layout of a stream that ends within its first frames; None if the data are no MPEG stream."""
    at, kind = 0, _kind(data, 0)
    while (frame := _frame(data, at)) and frame.kind == kind:
        at += frame.size
    return Layout((), trouble="it ends within its first frames of MPEG audio") if at > len(data) else None


@dataclass(frozen=True, slots=True)
class _Split:
    """A stream, split into frames and the bytes between them."""

    runs: tuple[tuple[int, int], ...]
    """Stretches of frames without a gap: first byte, and the byte after the last."""
    count: int
    """Frames."""
    last: int
    """Where the last frame starts."""
    gap: tuple[int, int] | None
    """Where something that is neither a frame nor a tag comes before a frame, and its bytes."""
    cut: bool
    """Whether the stream ends within a frame."""


def _split(data: bytes, at: int) -> _Split:
    kind, runs, count, last, gap, cut = _kind(data, at), [(at, at)], 0, at, None, False
    while at < len(data):
        frame = _frame(data, at)
        if frame and frame.kind == kind:
            cut = at + frame.size > len(data)
            if cut:
                break
            if runs[-1][1] != at:
                runs.append((at, at))
            count, last, at = count + 1, at, at + frame.size
            runs[-1] = runs[-1][0], at
        elif tag := _tag_length(data, at):
            at += tag
        else:
            cut = data[at] == 0xFF and len(data) - at < 4
            if (following := _first(data, at + 1, kind, len(data))) is None:
                break
            if data[at:following].strip(b"\0"):
                gap = gap or (at, following - at)
            at = following
    return _Split(tuple(runs), count, last, gap, cut)


def _kind(data: bytes, at: int) -> tuple[int, int, int, bool] | None:
    frame = _frame(data, at)
    return frame.kind if frame else None


def _first(data: bytes, at: int = 0, kind: tuple[int, int, int, bool] | None = None, within: int = HEAD) -> int | None:
    """Where frames start: a few in a row, or as many as there are before the end."""
    while at < within and (at := data.find(b"\xff", at, within)) >= 0:
        position, frames = at, 0
        while frames < _CHAIN and (frame := _frame(data, position)) and frame.kind == (kind or frame.kind):
            position, frames = position + frame.size, frames + 1
            if kind is None and _kind(data, at) != frame.kind:
                break
        if frames == _CHAIN or (frames and position == len(data)):
            return at
        at += 1
    return None


def _tag_length(data: bytes, at: int) -> int:
    """Bytes of a tag at a place of a stream; 0 where there is none."""
    if data[at : at + 3] == b"TAG":
        return 128
    if data[at : at + 8] == b"APETAGEX":
        return 32 + int(struct.unpack("<I", data[at + 12 : at + 16].ljust(4, b"\0"))[0])
    return id3_length(data[at : at + 10])


@dataclass(frozen=True, slots=True)
class _Told:
    """Data of the first frame about the following frames."""

    frames: int
    size: int
    """Length of the stream in bytes; 0 if unknown."""
    size_at: int
    """Position of the length field."""
    decoded: bool
    """Whether the decoder reads this frame too, and cuts off what the encoder added."""


def _told(data: bytes) -> _Told | None:
    frame = _frame(data, 0)
    if frame is None or frame.kind[1] != 3:
        return None
    version, _, _, mono = frame.kind
    protected = not data[1] & 1
    for at in (4, 6) if protected else (4,):
        at += (17 if mono else 32) if version == 3 else (9 if mono else 17)
        if data[at : at + 4] in (b"Xing", b"Info") and len(data) >= at + 16:
            flags, frames, size = struct.unpack(">III", data[at + 4 : at + 16])
            size = size if flags & 3 == 3 else 0
            return _Told(frames if flags & 1 else 0, size, at + 12, not protected)
    if data[36:40] == b"VBRI" and len(data) >= 54:
        size, frames = struct.unpack(">II", data[46:54])
        return _Told(frames, size, 46, False)
    return None
