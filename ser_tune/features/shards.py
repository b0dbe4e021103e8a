"""Writing an entry of the feature cache: in any order of utterances, continued after whatever ended it."""

import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from ..errors import StorageError
from .entry import FRAMES, INDEX, META, MOMENTS, RECORD, Layout, check_of, intact
from .extraction import Extracted

__all__ = ["PartialEntry"]


class PartialEntry:
    """An entry that lacks utterances; a context that closes its files, and removes it where it has none in the end."""

    def __init__(self, folder: Path, layout: Layout, there: np.ndarray) -> None:
        """Open the files of an entry that has the utterances `there`, shape (U,), bool."""
        self.folder, self.layout = folder, layout
        self.lacks = ~there
        """Whether features of an utterance are yet to be extracted, shape (U,), bool."""
        self._seed = layout.seed
        self._held: dict[int, Extracted] = {}
        self._index = np.zeros(layout.utterances, RECORD)
        self._is_empty = not there.any()
        self._stack = ExitStack()
        self._files: dict[str, BinaryIO] = {
            name: self._stack.enter_context((folder / name).open("r+b")) for name in layout.files
        }
        found = self._files[INDEX].read(self._index.nbytes)
        self._index.view(np.uint8)[: len(found)] = np.frombuffer(found, np.uint8)
        self._index[~there] = 0

    @classmethod
    def begun(cls, folder: Path, first: Extracted, *, utterances: int, single: bool) -> Self:
        """Make an entry without utterances.

        Args:
            folder: Where it is written; what is there is removed.
            first: Features of any utterance, which tell the sizes of all.
            utterances: Their number.
            single: Whether every utterance is a single frame.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
        """
        layout = Layout(first.frames.dtype.str, (first.frames.shape[1], first.frames.shape[2]), utterances, single)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        folder.mkdir()
        try:
            (folder / META).write_bytes(layout.to_bytes())
            for name in layout.files:
                (folder / name).touch()
            return cls(folder, layout, np.zeros(utterances, dtype=bool))
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @classmethod
    def continued(cls, folder: Path, utterances: int) -> "PartialEntry | None":
        """Open an entry with what is intact of it; None where nothing is.

        Raises:
            OSError: The folder cannot be written.
        """
        try:
            layout = Layout.read(folder)
            there = intact(folder, layout)
        except (OSError, ValueError):
            return None
        return cls(folder, layout, there) if layout.utterances == utterances and there.any() else None

    def __enter__(self) -> Self:
        """The entry itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the files; after an exception nothing is left of an entry without utterances."""
        if kind is None:
            self._stack.close()
            return
        with suppress(OSError):  # such as the full disk that was raised already
            self._stack.close()
        if self._is_empty:
            shutil.rmtree(self.folder, ignore_errors=True)

    def frame_s(self, lengths_s: np.ndarray) -> float:
        """Seconds for each frame of the utterances so far, by the lengths of all, shape (U,)."""
        frames = self._index["frames"].copy()
        frames[list(self._held)] = [len(extracted.frames) for extracted in self._held.values()]
        return max(1e-3, float(lengths_s[frames > 0].sum() / frames.sum()))

    def write(self, numbers: Sequence[int], features: Sequence[Extracted]) -> None:
        """Write the features of some utterances, unless they are there, so that they outlive this process.

        Frames follow one another in the order of the corpus: unless every utterance is a single frame, features are
        held in memory until those of all utterances before are written.

        Raises:
            OSError: The disk is full.
            StorageError: Features have another shape than the first.
        """
        written: list[int] = []
        for number, extracted in zip(numbers, features, strict=True):
            if self.lacks[number]:
                self._refuse_other_shape(extracted.frames)
                self._held[number], self.lacks[number] = extracted, False
                written += self._put_held(number)
        for name in self.layout.files:  # the index is the last
            if name == INDEX:
                for number in written:
                    self._files[name].seek(number * RECORD.itemsize)
                    self._files[name].write(self._index[number].tobytes())
            self._files[name].flush()
        self._is_empty &= not written

    def finish(self) -> None:
        """Give the files their sizes, and have the system write them to the disk.

        Raises:
            OSError: The disk is full.
            StorageError: A damaged utterance that was extracted again has another number of frames.
        """
        ends = np.cumsum(self._index["frames"])
        if not np.array_equal(self._index["start"], ends - self._index["frames"]):
            raise StorageError(
                "the cached features are damaged: an utterance that was extracted again has another number of frames; "
                "delete the folder of the feature cache"
            )
        sizes = self.layout.sizes(int(ends[-1]))
        for name, file in self._files.items():
            file.truncate(sizes[name])
            os.fsync(file.fileno())

    def _put_held(self, number: int) -> Iterator[int]:
        """Write held features, of an utterance and those after it, as far as their places are known; yields these."""
        while number in self._held:
            start = number
            if not self.layout.single and number:
                before = self._index[number - 1]
                if not before["frames"]:
                    return
                start = int(before["start"] + before["frames"])
            self._put_at(number, start, self._held.pop(number))
            yield number
            number += 1

    def _put_at(self, number: int, start: int, extracted: Extracted) -> None:
        frames = extracted.frames.data
        self._files[FRAMES].seek(start * self.layout.frame_bytes)
        self._files[FRAMES].write(frames)
        content = zlib.crc32(frames)
        if not self.layout.single:
            own = extracted.moments
            values = (own.total[0], own.square_sums()[0], own.minimum[0], own.maximum[0])
            moments = np.array(values, self.layout.moments).tobytes()
            self._files[MOMENTS].seek(number * len(moments))
            self._files[MOMENTS].write(moments)
            content = zlib.crc32(moments, content)
        record = self._index[number : number + 1]
        sound = np.frombuffer(bytes.fromhex(extracted.sound), np.uint8)
        record["content"], record["start"], record["frames"], record["sound"] = content, start, len(frames), sound
        record["check"] = check_of(record.tobytes(), self._seed)

    def _refuse_other_shape(self, frames: np.ndarray) -> None:
        if frames.shape[1:] != self.layout.shape or frames.dtype.str != self.layout.dtype:
            raise StorageError(
                f"an utterance has features of shape (C, F) {frames.shape[1:]} and type {frames.dtype}; expected "
                f"{self.layout.shape} and {np.dtype(self.layout.dtype)}, as the first has"
            )
        if self.layout.single and len(frames) != 1:
            raise StorageError(f"an utterance has features of {len(frames)} frames; expected 1, since hop_s is None")
