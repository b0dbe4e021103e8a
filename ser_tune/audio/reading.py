"""Decoding sound files: all of their samples, or a stretch, or one sentence why not."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from ..errors import AudioError
from .foreign import foreign_format, wave_codec
from .layout import layout_of
from .parts import HEAD, Part, bytes_at
from .speech import refuse_longer, to_speech
from .splice import Splice

__all__ = ["decode_pieces", "decode_speech", "length_s", "read_samples", "read_speech"]

BLOCK = 2**24
"""Values read at once: 17 minutes of mono speech at 16 kHz."""
_NO_LENGTH = 2**62
"""A number of samples from here up is libsndfile's for a stream whose header has none."""
_REMEDY = "convert it to WAV or FLAC first, for example with `ffmpeg -i FILE FILE.wav`"
_LFS_POINTER = b"version https://git-lfs"
"""First bytes of CREMA-D's files in a copy that was made without Git LFS."""


def read_speech(path: Path, *, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    """Decode a recording, or a stretch of it.

    Args:
        path: A file in any format of libsndfile; the content decides, not the file's ending.
        start_s: Where the stretch starts, in seconds.
        end_s: Where it ends, in seconds; None means the end of the file.

    Returns:
        Samples, shape (N,), float32, 16 kHz mono.

    Raises:
        AudioError: As `read_samples` and `to_speech`.
    """
    samples, rate = read_samples(path, start_s=start_s, end_s=end_s)
    return to_speech(samples, rate, source=str(path))


def decode_speech(content: Path | bytes, *, source: str, at_most_s: float | None = None) -> np.ndarray:
    """Decode a whole recording from an untrusted source: its length is checked before decoding.

    Args:
        content: A file, or its bytes.
        source: What to call the recording in an error message.
        at_most_s: Longest recording in seconds; None is any.

    Returns:
        Samples, shape (N,), float32, 16 kHz mono.

    Raises:
        AudioError: As `read_speech`, or it is too long.
    """
    with _opened(content, source) as sound:
        return to_speech(*sound.read(0.0, None, at_most_s=at_most_s), source=source)


def length_s(path: Path, *, start_s: float = 0.0, end_s: float | None = None) -> float:
    """Seconds of a recording, or of a stretch of it, as `read_samples` decodes it; 0 where it cannot be opened.

    Args:
        path: As `read_speech` takes it.
        start_s: Where the stretch starts, in seconds.
        end_s: Where it ends, in seconds; None means the end of the file.
    """
    if end_s is None:
        try:
            with _opened(path, str(path)) as sound:
                end_s = sound.count() / sound.rate_hz
        except AudioError:  # raised again when the file is read
            return 0.0
    return max(0.0, end_s - start_s)


def read_samples(path: Path, *, start_s: float = 0.0, end_s: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a recording, or a stretch of it, as it was recorded.

    Args:
        path: A file in any format of libsndfile; the content decides, not the file's ending.
        start_s: Where the stretch starts, in seconds.
        end_s: Where it ends, in seconds; None means the end of the file.

    Returns:
        Samples, shape (N, channels), float32 with full scale at ±1, and their rate in Hz.

    Raises:
        AudioError: The file is missing, not audio, truncated or empty; or the stretch lies outside it.
    """
    with _opened(path, str(path)) as sound:
        return sound.read(start_s, end_s)


def decode_pieces(path: Path, *, piece_s: float) -> Iterator[tuple[np.ndarray, int]]:
    """Decode a long recording in pieces of equal length, the last of which may be twice as long.

    Args:
        path: As `read_speech` takes it.
        piece_s: Seconds of a piece.

    Yields:
        Samples as `read_samples` returns them, and their rate in Hz.

    Raises:
        AudioError: As `read_samples`.
    """
    with _opened(path, str(path)) as sound:
        yield from sound.pieces(round(piece_s * sound.rate_hz))


@contextmanager
def _opened(content: Path | bytes, source: str) -> Iterator["_Sound"]:
    """Open a file, or find out why it cannot be read."""
    if isinstance(content, bytes):
        if not content:
            raise AudioError(f"{source} is empty; expected the bytes of a sound file")
        with closing(_Sound(io.BytesIO(content), source)) as sound:
            yield sound
        return
    try:
        if not content.exists():
            raise AudioError(f"{source} does not exist")
        if not content.is_file():  # a pipe would be waited for
            raise AudioError(f"{source} cannot be decoded as audio: it is not a file")
        file = content.open("rb")
    except OSError as error:
        raise AudioError(f"{source[:100]}… cannot be a file: {error.strerror}") from None
    with file, closing(_Sound(file, source)) as sound:
        yield sound


class _Decoder(soundfile.SoundFile):  # type: ignore[misc]
    """A decoder that goes from start to end: soundfile itself seeks around every read, which not all codecs can."""

    def seekable(self) -> bool:
        return False


@contextmanager
def _decoder(file: BinaryIO, part: Part, source: str) -> Iterator[_Decoder]:
    """A decoder at the start of a part; every exception inside the context becomes an `AudioError`."""
    opened = False
    try:
        with _Decoder(Splice(file, start=part.start, stop=part.stop, header=part.header, zeros=part.zeros)) as decoder:
            opened = True
            yield decoder
    except (AudioError, MemoryError):
        raise
    except Exception as error:  # soundfile raises its own, and TypeError, ValueError, RuntimeError and OSError
        text = str(getattr(error, "error_string", error)).strip().rstrip(".")
        if opened:
            told = f"cannot be decoded as audio: its content is damaged or cut short{f' ({text})' if text else ''}"
        else:
            told = _reason(text, bytes_at(file, 0, HEAD))
        raise AudioError(f"{source} {told}") from None


def _reason(text: str, head: bytes) -> str:
    """Why a file cannot be opened, by the decoder's words and the file's first bytes."""
    if head.startswith(_LFS_POINTER):
        return "is a pointer of Git LFS, not the recording; run `git lfs pull` there"
    name, sound = foreign_format(head) or (wave_codec(head), True)
    if name and not sound:
        return f"cannot be decoded as audio: it is {name}"
    if name:
        return f"cannot be decoded as audio: it is {name}, which libsndfile does not read; {_REMEDY}"
    if "unsupported encoding" in text or "unimplemented format" in text:
        return f"cannot be decoded as audio: it has a codec that libsndfile does not read; {_REMEDY}"
    if "not recognised" in text:
        return f"cannot be decoded as audio: {text}; expected a file with a header, such as WAV, FLAC, MP3 or Ogg"
    if not text or "nternal error" in text:
        return "cannot be decoded as audio: its header is damaged or cut short"
    return f"cannot be decoded as audio: {text}"


class _Sound:
    """An open sound file."""

    def __init__(self, file: BinaryIO, source: str) -> None:
        """Find its parts.

        Raises:
            AudioError: It is empty, truncated or not audio.
        """
        self._file, self._source = file, source
        size = file.seek(0, io.SEEK_END)
        if size == 0:
            raise AudioError(f"{source} is empty; expected a sound file")
        layout = layout_of(file, size)
        if layout.promised is not None and layout.promised > size:
            raise AudioError(
                f"{source} is truncated: its header promises more samples than the file holds; "
                f"{layout.promised - size} bytes are missing"
            )
        if layout.trouble:
            raise AudioError(f"{source} is truncated or damaged: {layout.trouble}")
        self._parts, shapes = layout.parts, set()
        self._counts: list[int | None] = []
        self._unread: tuple[_Decoder, ExitStack] | None = None
        for part in self._parts:
            with ExitStack() as opened:
                decoder = opened.enter_context(_decoder(file, part, source))
                shapes.add((int(decoder.samplerate), int(decoder.channels)))
                count = decoder.frames if part.samples is None else part.samples
                if decoder.format == "MP3" and part.seeks:
                    raise AudioError(f"{source} cannot be decoded as audio: its frames of MPEG audio cannot be counted")
                self._counts.append(count if count < _NO_LENGTH else None)
                if len(self._parts) == 1:
                    self._unread = decoder, opened.pop_all()
        if len(shapes) > 1:
            raise AudioError(f"{source} joins streams of different rates or channels (Hz, channels): {sorted(shapes)}")
        self.rate_hz, self.channels = shapes.pop()

    def close(self) -> None:
        """Close a decoder that only read a header."""
        if self._unread is not None:
            self._unread[1].close()

    @contextmanager
    def _at_start(self, part: Part) -> Iterator[_Decoder]:
        """A decoder at the start of a part: the one that read the header, or a new one."""
        if self._unread is None:
            with _decoder(self._file, part, self._source) as decoder:
                yield decoder
        else:
            (decoder, opened), self._unread = self._unread, None
            with opened:
                yield decoder

    def count(self) -> int:
        """Samples of each channel."""
        if None not in self._counts:
            return sum(count or 0 for count in self._counts)
        total = 0
        for part in self._parts:
            with self._at_start(part) as decoder:
                total += sum(map(len, _blocks(decoder, None)))
        return total

    def read(self, start_s: float, end_s: float | None, *, at_most_s: float | None = None) -> tuple[np.ndarray, int]:
        """Samples of a stretch, shape (N, channels), float32, and their rate in Hz.

        Raises:
            AudioError: They cannot be decoded, there are too many, or the stretch is not within them.
        """
        if None not in self._counts:
            total = self.count()
            self._refuse_longer(total, at_most_s)
            if len(self._parts) == 1:
                start, stop = self._stretch(start_s, end_s, total)
                return self._decode(self._parts[0], start, stop - start), self.rate_hz
        most = None if at_most_s is None else int(at_most_s * self.rate_hz) + 1
        pieces = []
        for part, count in zip(self._parts, self._counts, strict=True):
            pieces.append(self._decode(part, 0, count, most=most))
            self._refuse_longer(sum(map(len, pieces)), at_most_s)
        samples = np.concatenate(pieces)
        start, stop = self._stretch(start_s, end_s, len(samples))
        return samples[start:stop], self.rate_hz

    def pieces(self, length: int) -> Iterator[tuple[np.ndarray, int]]:
        """All samples in pieces (length, channels), the last of which may be twice as long, and their rate in Hz."""
        done, total = 0, self.count()
        if len(self._parts) > 1:
            samples, _ = self.read(0.0, None)
            while done < total:
                wanted = length if total - done > 2 * length else total - done
                yield samples[done : done + wanted], self.rate_hz
                done += wanted
            return
        with self._at_start(self._parts[0]) as decoder:
            while done < total:
                wanted = length if total - done > 2 * length else total - done
                piece = _joined(_blocks(decoder, wanted), self.channels)
                self._refuse_fewer(len(piece), wanted, done)
                done += wanted
                yield piece, self.rate_hz

    def _refuse_longer(self, count: int, at_most_s: float | None) -> None:
        refuse_longer(count, self.channels, self.rate_hz, at_most_s, self._source)

    def _stretch(self, start_s: float, end_s: float | None, total: int) -> tuple[int, int]:
        start = round(start_s * self.rate_hz)
        stop = total if end_s is None else round(end_s * self.rate_hz)
        if not 0 <= start <= stop <= total:
            raise AudioError(
                f"{self._source}: the stretch {start_s} s to {end_s} s is not within its {total / self.rate_hz:.3f} s"
            )
        return start, stop

    def _decode(self, part: Part, start: int, count: int | None, *, most: int | None = None) -> np.ndarray:
        """Samples (count, channels) of a part; without a count in the headers, all samples up to the maximum."""
        samples = None
        if start and part.seeks:
            with self._at_start(part) as decoder:
                if _sought(decoder, start):
                    samples = _joined(_blocks(decoder, count), self.channels)
        if samples is None or len(samples) < (count or 0):  # libsndfile seeks amiss in last blocks of rare codecs
            with self._at_start(part) as decoder:
                whole = _blocks(decoder, most if count is None else start + count)
                samples = _joined(_behind(whole, start), self.channels)
        self._refuse_fewer(len(samples), count or 0, start)
        return samples

    def _refuse_fewer(self, found: int, promised: int, start: int) -> None:
        if found < promised:
            raise AudioError(
                f"{self._source} is truncated or damaged: its header promises {start + promised} samples, and "
                f"its decoder ends after {start + found}"
            )


def _sought(decoder: _Decoder, start: int) -> bool:
    try:
        decoder.seek(start)
    except soundfile.LibsndfileError:  # a codec that cannot
        return False
    return True


def _blocks(decoder: _Decoder, count: int | None) -> Iterator[np.ndarray]:
    """Existing samples (N, channels), read in blocks: memory depends on the samples, not on the header's count."""
    most = max(1, (BLOCK if count is not None else BLOCK // 16) // decoder.channels)
    while count is None or count > 0:
        wanted = most if count is None else min(count, most)
        block = decoder.read(wanted, dtype="float32", always_2d=True)
        if len(block):
            yield block
        if len(block) < wanted:
            return
        count = None if count is None else count - wanted


def _behind(blocks: Iterator[np.ndarray], start: int) -> Iterator[np.ndarray]:
    """Blocks without their first samples."""
    for block in blocks:
        yield block[min(start, len(block)) :]
        start = max(0, start - len(block))


def _joined(blocks: Iterator[np.ndarray], channels: int) -> np.ndarray:
    found = list(blocks) or [np.zeros((0, channels), dtype=np.float32)]
    return found[0] if len(found) == 1 else np.concatenate(found)
