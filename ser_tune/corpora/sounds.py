"""Keys that recordings are compared by: digests of decoded sound, equal in every container, and audio fingerprints."""

import hashlib
import io
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from .. import likeness
from ..audio import digest_of
from ..errors import StorageError
from .base import Corpus
from .utterance import Utterance

__all__ = ["Sounds", "continued", "corpus_sounds", "each_decoded", "read_sounds"]

T = TypeVar("T")

FORMAT = 2
"""Raise it when a recording is decoded to other samples."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """Digests and fingerprints of utterances, in their order."""

    digests: tuple[str, ...]
    """SHA-256 of each utterance's decoded speech (mono, 16 kHz, float32), as the feature cache stores it."""
    fingerprints: tuple[np.ndarray, ...]
    """Results of `likeness.audio_fingerprint`, each of shape (T,), uint32."""

    def only(self, numbers: Sequence[int] | np.ndarray) -> "Sounds":
        """Those of some utterances."""
        return Sounds(
            tuple(self.digests[number] for number in numbers), tuple(self.fingerprints[number] for number in numbers)
        )

    def to_bytes(self) -> bytes:
        """As `from_bytes` reads them, about 250 bytes for a second: an SHA-256, and the NumPy archive that it is of."""
        saved = io.BytesIO()
        np.savez_compressed(
            saved,
            format=np.array([FORMAT, likeness.FORMAT]),
            digests=np.array([bytes.fromhex(digest) for digest in self.digests], dtype="S32").view(np.uint8),
            lengths=np.array([len(fingerprint) for fingerprint in self.fingerprints], dtype=np.int64),
            frames=np.concatenate([np.empty(0, np.uint32), *self.fingerprints]).astype("<u4"),
        )
        return hashlib.sha256(saved.getvalue()).digest() + saved.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Sounds | None":
        """Read what `to_bytes` returned; None where it is damaged, or of another version of ser-tune."""
        digest, archive = content[:32], content[32:]
        if hashlib.sha256(archive).digest() != digest:
            return None
        with np.load(io.BytesIO(archive)) as stored:
            if stored["format"].tolist() != [FORMAT, likeness.FORMAT]:
                return None
            digests, lengths, frames = (stored[name] for name in ("digests", "lengths", "frames"))
        ends = np.cumsum(lengths)
        return cls(
            digests=tuple(row.tobytes().hex() for row in digests.reshape(-1, 32)),
            fingerprints=tuple(np.split(frames.astype(np.uint32), ends[:-1])) if len(ends) else (),
        )


def read_sounds(
    utterances: Sequence[Utterance], *, progressed: Callable[[int, int], None] = lambda done, total: None
) -> Sounds:
    """Decode utterances, and keep what they are compared by.

    Args:
        utterances: What to decode.
        progressed: Called with the number of decoded recordings and the number of all.

    Raises:
        AudioError: A recording cannot be used; the message names its file.
    """
    found = each_decoded(utterances, _compared_by, progressed)
    return Sounds(tuple(digest for digest, _ in found), tuple(fingerprint for _, fingerprint in found))


def corpus_sounds(
    corpus: Corpus, cache: Path, *, progressed: Callable[[int, int], None] = lambda done, total: None
) -> Sounds:
    """Digests and fingerprints of all utterances of a corpus, from the cache or by decoding every recording.

    Args:
        corpus: What is decoded.
        cache: The project's cache folder; the same recordings are decoded once.
        progressed: Called with the number of decoded recordings and the number of all; not called if they are cached.

    Raises:
        AudioError: A recording cannot be used; the message names its file.
        StorageError: The cache cannot be written.
    """
    if corpus.wholes:
        return _of_wholes(corpus, cache, progressed)
    file = cache / "sounds" / f"{corpus.audio_digest}.{FORMAT}.{likeness.FORMAT}.sounds"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock"):
            stored = Sounds.from_bytes(file.read_bytes()) if file.exists() else None
            if stored is not None and len(stored.digests) == len(corpus.utterances):
                return stored
            sounds = read_sounds(corpus.utterances, progressed=progressed)
            _write(file, sounds.to_bytes())
    except OSError as error:
        raise StorageError(
            f"the cache in '{cache}' cannot be written: {error.strerror or error}; set SER_TUNE_CACHE to a folder with "
            "room"
        ) from None
    return sounds


def _of_wholes(corpus: Corpus, cache: Path, progressed: Callable[[int, int], None]) -> Sounds:
    """The sounds of a union: those of its corpora by themselves."""
    total, done, found = sum(len(whole.utterances) for whole in corpus.wholes), 0, list[Sounds]()
    for whole in corpus.wholes:
        found.append(corpus_sounds(whole, cache, progressed=continued(progressed, done, total)))
        done += len(whole.utterances)
    places = corpus.places.tolist()
    return Sounds(
        tuple(found[place].digests[number] for place, number in places),
        tuple(found[place].fingerprints[number] for place, number in places),
    )


def continued(progressed: Callable[[int, int], None], before: int, total: int) -> Callable[[int, int], None]:
    """The progress of a part of some work, as that of the whole.

    Args:
        progressed: Called with the number of what is done, and of all.
        before: What was done before this part.
        total: All of the whole.
    """
    return lambda done, _: progressed(before + done, total)


def each_decoded(
    utterances: Sequence[Utterance], decode: Callable[[Utterance], T], progressed: Callable[[int, int], None]
) -> list[T]:
    """Apply a function to utterances, in threads: libsndfile, hashing and NumPy release the interpreter lock.

    NumPy's small products get one thread each: threads of their own would wait for one another, five times as long as
    they compute.
    """
    from threadpoolctl import threadpool_limits  # importing it sets an environment variable

    found = []
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor() as pool:
        try:
            for done, decoded in enumerate(pool.map(decode, utterances), 1):
                found.append(decoded)
                progressed(done, len(utterances))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for thousands of recordings
    return found


def _compared_by(utterance: Utterance) -> tuple[str, np.ndarray]:
    speech = utterance.speech()
    return digest_of(speech), likeness.audio_fingerprint(speech)


def _write(file: Path, content: bytes) -> None:
    """Write beside the place, then move there."""
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".partial", delete=False) as part:
        try:
            part.write(content)
            part.close()
            Path(part.name).replace(file)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
