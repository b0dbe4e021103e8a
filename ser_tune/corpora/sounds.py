"""Digests of decoded sound: one recording has one digest in every container."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ..audio import digest_of
from .base import Utterance

__all__ = ["sound_digests"]


def sound_digests(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """SHA-256 of each utterance's decoded speech (mono, 16 kHz, float32), as the feature cache stores it.

    Raises:
        AudioError: A recording cannot be used; the message names its file.
    """
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(_digest, utterances))


def _digest(utterance: Utterance) -> str:
    return digest_of(utterance.speech())
