"""An entry of the feature cache on disk: written in any order, checked and continued by utterance.

An entry is a folder of these files:

- `meta.json`: type and shape of a frame, number of utterances.
- `frames.bin`: all frames, in the order of the corpus.
- `moments.bin`: moments of each utterance; not there where every utterance is a single frame.
- `index.bin`: for each utterance the place of its frames, the hash of its sound, and checksums: of this record, and of
  the utterance's frames and moments. A record is written after what it describes.

Checksums are CRC-32, by zlib on all cores: it finds every flipped bit, and is faster than any digest that Python has.
"""

import json
import os
import re
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np

__all__ = ["FRAMES", "INDEX", "META", "MOMENTS", "RECORD", "Layout", "check_of", "damage_of", "intact", "remember"]

META, FRAMES, MOMENTS, INDEX, STAMP = "meta.json", "frames.bin", "moments.bin", "index.bin", "verified.json"
RECORD = np.dtype(
    [("check", "<u4"), ("content", "<u4"), ("start", "<i8"), ("frames", "<i8"), ("sound", np.uint8, (32,))]
)
"""A record of the index: CRC-32 of the rest of it; CRC-32 of frames and moments; first frame; frames; SHA-256."""
NUMBERS = re.compile(r"[<>|][fiu]\d{1,2}")
"""Types of features, as NumPy writes them; of other texts it makes types too, or raises any exception."""
LARGE = 2**30
"""Bytes from which an entry is not read whole by every process that opens it: that takes seconds to minutes."""
TRUSTED_S = 7 * 24 * 3600.0
"""Longest time for which a large entry that was read, and whose files have the same sizes and times, is not read."""
AT_ONCE, PARTS = 4096, 64
"""Largest number of utterances that a thread checks per task, and number of tasks where there are fewer utterances."""
BUFFER = 2**20
"""Bytes that are read at once where utterances are small."""

State: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Names, sizes, times in ns and inodes of an entry's files, which change when a file is written."""
_intact: set[tuple[Path, State]] = set()
"""Entries that this process has read and found intact."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of an entry."""

    dtype: str
    shape: tuple[int, int]
    """C and F of a frame."""
    utterances: int
    single: bool
    """Whether every utterance is a single frame."""

    @classmethod
    def read(cls, folder: Path) -> "Layout":
        """The layout of an entry.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is damaged.
        """
        written = (folder / META).read_bytes()
        try:
            values = json.loads(written)
            layout = cls(values["dtype"], tuple(values["shape"]), values["utterances"], values["single"])
            possible = NUMBERS.fullmatch(layout.dtype) and layout.frame_bytes * layout.utterances > 0
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{META} is damaged: {error}") from None
        if not possible or written != layout.to_bytes():
            raise ValueError(f"{META} is damaged")
        return layout

    def to_bytes(self) -> bytes:
        """The content of `meta.json`."""
        values = {"dtype": self.dtype, "shape": self.shape, "utterances": self.utterances, "single": self.single}
        return json.dumps(values).encode()

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files beside this one, in the order in which an utterance is written."""
        return (FRAMES, INDEX) if self.single else (FRAMES, MOMENTS, INDEX)

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame."""
        return np.dtype(self.dtype).itemsize * self.shape[0] * self.shape[1]

    @property
    def moments(self) -> np.dtype:
        """The type of an utterance's moments; empty where an utterance is a single frame."""
        kinds = {} if self.single else {"total": "<f8", "squares": "<f8", "minimum": self.dtype, "maximum": self.dtype}
        return np.dtype([(name, kind, self.shape) for name, kind in kinds.items()])

    def bytes_of(self, frames: int, utterances: int) -> int:
        """Bytes that so many frames of so many utterances take."""
        return frames * self.frame_bytes + utterances * (self.moments.itemsize + RECORD.itemsize)

    def sizes(self, frames: int) -> dict[str, int]:
        """Bytes of each file, by its name, where there are so many frames."""
        sizes = (frames * self.frame_bytes, self.utterances * self.moments.itemsize, self.utterances * RECORD.itemsize)
        return dict(zip((FRAMES, MOMENTS, INDEX), sizes, strict=True))

    @property
    def seed(self) -> int:
        """Where checksums of records begin: under another layout no record is intact."""
        return zlib.crc32(self.to_bytes())


def damage_of(folder: Path) -> str | None:
    """Why an entry is not as it was written; None where it is.

    An intact entry is read once in a process, unless the size or time of a file changes; a large one once a week.
    """
    try:
        layout = Layout.read(folder)
        state = _state(folder)
        if (folder, state) in _intact or _is_stamped(folder, state):
            return None
        there = intact(folder, layout)
        total = int(np.fromfile(folder / INDEX, RECORD)["frames"].sum()) if there.all() else 0
    except FileNotFoundError as error:
        return f"lack {Path(str(error.filename)).name}" if folder.exists() else "are gone"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    if count := np.count_nonzero(~there):
        return f"are damaged: those of {count} of {len(there)} utterances differ from their checksums"
    sizes = {name: size for name, size, *_ in state}
    expected = layout.sizes(total)
    if more := [name for name in layout.files if sizes[name] != expected[name]]:
        return f"are damaged: {more[0]} has {sizes[more[0]]} bytes; expected {expected[more[0]]}"
    remember(folder)
    return None


def intact(folder: Path, layout: Layout) -> np.ndarray:
    """Whether the record, frames and moments of each utterance are as they were written, shape (U,), bool.

    Raises:
        OSError: A file is missing or cannot be read.
    """
    size = layout.utterances * RECORD.itemsize
    content = (folder / INDEX).read_bytes().ljust(size, b"\0")[:size]
    records = np.frombuffer(content, RECORD)
    moment_bytes = layout.moments.itemsize
    mean_bytes = (folder / FRAMES).stat().st_size / layout.utterances
    buffer = BUFFER if mean_bytes < BUFFER // 16 else 0
    seed, at_once = layout.seed, max(1, min(AT_ONCE, layout.utterances // PARTS))

    def are_intact(first: int) -> list[bool]:
        found = []
        with ExitStack() as stack:
            frames, *moments = (
                stack.enter_context((folder / name).open("rb", buffering=buffer))
                for name in layout.files
                if name != INDEX
            )
            for number in range(first, min(first + at_once, layout.utterances)):
                own = content[number * RECORD.itemsize : (number + 1) * RECORD.itemsize]
                check, expected, start, count, _ = records[number].tolist()
                if count <= 0 or check != check_of(own, seed):
                    found.append(False)
                    continue
                read = _read(frames, start * layout.frame_bytes, count * layout.frame_bytes)
                crc, length = zlib.crc32(read), len(read)
                for file in moments:
                    read = _read(file, number * moment_bytes, moment_bytes)
                    crc, length = zlib.crc32(read, crc), length + len(read)
                found.append(crc == expected and length == count * layout.frame_bytes + moment_bytes)
        return found

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # zlib releases the interpreter lock
        parts = pool.map(are_intact, range(0, layout.utterances, at_once))
        return np.array(list(chain.from_iterable(parts)), dtype=bool)


def check_of(record: bytes, seed: int) -> int:
    """The checksum of a record under a layout's seed."""
    return zlib.crc32(record[RECORD["check"].itemsize :], seed)


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def remember(folder: Path) -> None:
    """Take an entry as intact until a file of it changes; of a large one, later processes learn it too."""
    state = _state(folder)
    _intact.add((folder, state))
    if sum(size for _, size, *_ in state) >= LARGE:
        with suppress(OSError):  # it is read again
            (folder / STAMP).write_text(json.dumps({"files": state, "at": time.time()}), encoding="utf-8")


def _is_stamped(folder: Path, state: State) -> bool:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return bool(stamp["files"] == list(map(list, state)) and 0 <= time.time() - stamp["at"] < TRUSTED_S)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _state(folder: Path) -> State:
    states = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.name != STAMP]
    return tuple((name, state.st_size, state.st_mtime_ns, state.st_ino) for name, state in states)
