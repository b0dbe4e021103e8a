"""Digests of decoded sound: one recording has one digest in every container."""

import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from ..audio import digest_of
from ..errors import StorageError
from .base import Corpus, Utterance

__all__ = ["corpus_sounds", "sound_digests"]

FORMAT = 1
"""Part of every cached file's name; raise it when a recording is decoded to other samples."""


def sound_digests(
    utterances: Sequence[Utterance], *, progressed: Callable[[int, int], None] = lambda done, total: None
) -> tuple[str, ...]:
    """SHA-256 of each utterance's decoded speech (mono, 16 kHz, float32), as the feature cache stores it.

    Args:
        utterances: What to decode.
        progressed: Told how many were decoded, of how many.

    Raises:
        AudioError: A recording cannot be used; the message names its file.
    """
    digests = []
    with ThreadPoolExecutor() as pool:
        try:
            for digest in pool.map(_digest, utterances):
                digests.append(digest)
                progressed(len(digests), len(utterances))
        finally:
            pool.shutdown(cancel_futures=True)
    return tuple(digests)


def corpus_sounds(
    corpus: Corpus, cache: Path, *, progressed: Callable[[int, int], None] = lambda done, total: None
) -> tuple[str, ...]:
    """The digests of all utterances of a corpus, from the cache or by decoding every recording.

    Args:
        corpus: What is decoded.
        cache: The project's cache folder; the digests of the same recordings are computed once.
        progressed: Told how many were decoded, of how many; not called where the cache has them.

    Returns:
        In the corpus's order, shape (U,).

    Raises:
        AudioError: A recording cannot be used; the message names its file.
        StorageError: The cache cannot be written.
    """
    file = cache / "sounds" / f"{corpus.audio_digest}.{FORMAT}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock"):
            if (stored := _stored(file, len(corpus.utterances))) is not None:
                return stored
            digests = sound_digests(corpus.utterances, progressed=progressed)
            _write(file, digests)
    except OSError as error:
        raise StorageError(
            f"the cache in '{cache}' cannot be written: {error.strerror or error}; set SER_TUNE_CACHE to a folder with "
            "room"
        ) from None
    return digests


def _digest(utterance: Utterance) -> str:
    return digest_of(utterance.speech())


def _stored(file: Path, count: int) -> tuple[str, ...] | None:
    """Digests that an earlier study computed; None where there are none, or the file is damaged."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(stored, list) and len(stored) == count and all(isinstance(one, str) for one in stored)
    return tuple(stored) if whole else None


def _write(file: Path, digests: Sequence[str]) -> None:
    """Write beside the place, then move there."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".partial", delete=False, encoding="utf-8") as part:
        try:
            json.dump(digests, part)
            part.close()
            Path(part.name).replace(file)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
