"""Digests of corpora: of the recordings, and of the recordings with their labels."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from .folder import content_digest
from .selection import Need
from .utterance import Utterance

__all__ = ["contents_of", "digests_of"]


def digests_of(utterances: Sequence[Utterance], contents: Sequence[str], needs: Need) -> tuple[str, str]:
    """The digest of a corpus, and that of its recordings alone.

    Args:
        utterances: All.
        contents: SHA-256 of the file of each.
        needs: The label that the task needs.
    """
    stretches = [(content, own.start_s, own.end_s) for content, own in zip(contents, utterances, strict=True)]
    labels = [_labels(utterance, needs) for utterance in utterances]
    lines = (f"{stretch} {label}" for stretch, label in zip(stretches, labels, strict=True))
    return _hash(sorted(lines)), _hash(map(str, stretches))


def _labels(utterance: Utterance, needs: Need) -> tuple[object, ...]:
    """All that the digest of a corpus has of an utterance beside its sound."""
    labels = (utterance.speaker, utterance.emotion, utterance.group)
    annotation = utterance.annotation
    needed: Mapping[Need, tuple[object, ...]] = {
        "emotion": (),
        "votes": (annotation.votes, annotation.secondary),
        "emotions": (annotation.emotions, annotation.votes, annotation.secondary),
        "dimensions": annotation.dimensions,
    }
    return (*labels, *needed[needs], *((utterance.split,) if utterance.split else ()))


def contents_of(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """SHA-256 of the file of each utterance."""
    paths = sorted({utterance.path for utterance in utterances})
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        hashes = dict(zip(paths, pool.map(content_digest, paths), strict=True))
    return tuple(hashes[utterance.path] for utterance in utterances)


def _hash(lines: Iterable[str]) -> str:
    total = hashlib.sha256()
    for line in lines:
        total.update(f"{line}\n".encode())
    return total.hexdigest()
