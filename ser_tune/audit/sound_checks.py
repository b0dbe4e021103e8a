"""Checks of a split's sound: identical and near-identical recordings on two sides, and labels that differ.

Identical recordings have equal decoded sound, in whatever container. Near-identical ones have audio fingerprints that
agree.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from ..audio import digest_of
from ..corpora import Utterance
from ..errors import AudioError
from ..likeness import audio_fingerprint, near_identical
from .finding import Finding, shortened
from .split import SIDE_PAIRS, WORDS, Split

__all__ = ["check_sound", "pairs_of"]

ALL_PAIRS = 100
"""Largest number of recordings of one sound of which every two are compared."""


@dataclass(frozen=True, slots=True)
class DecodedSound:
    """Digest and fingerprint of a decoded recording."""

    recording: int
    """Its number in the split."""
    digest: str
    """SHA-256 of its samples as 16 kHz mono."""
    fingerprint: np.ndarray
    """The result of `audio_fingerprint`, shape (T,)."""


def check_sound(split: Split, *, progressed: Callable[[int, int], None]) -> list[Finding]:
    """Decode every recording of a split, and compare them.

    Args:
        split: Its recordings' files are read.
        progressed: Called with the number of decoded recordings, and of all.

    Returns:
        Findings on recordings that cannot be decoded, on identical ones, on their labels where these differ, and on
        near-identical ones.

    Raises:
        AudioError: No recording can be used; the message is about the first.
    """
    recordings = split.first_utterances
    sounds: list[DecodedSound] = []
    errors: list[AudioError] = []
    with ThreadPoolExecutor() as pool:  # libsndfile, hashing and NumPy release the interpreter lock
        try:
            for number, decoded in enumerate(pool.map(_decoded, range(len(recordings)), recordings)):
                if isinstance(decoded, AudioError):
                    errors.append(decoded)
                else:
                    sounds.append(decoded)
                progressed(number + 1, len(recordings))
        finally:
            pool.shutdown(cancel_futures=True)
    if not sounds:
        raise errors[0]
    readable = Finding("audio", "ok", f"{len(recordings)} recordings can be decoded")
    if errors:
        lines = [str(error) for error in errors]
        counts = f"{len(errors)} of {len(recordings)} recordings"
        verdict = f"{counts} cannot be used, and their sound is not checked: {lines[0]}"
        readable = Finding("audio", "wrong", verdict, shortened(lines))
    return [readable, *_identical(split, sounds), _near_identical(split, sounds)]


def _decoded(number: int, utterance: Utterance) -> DecodedSound | AudioError:
    try:
        samples = utterance.speech()
    except AudioError as error:
        return error
    return DecodedSound(number, digest_of(samples), audio_fingerprint(samples))


def _identical(split: Split, sounds: Sequence[DecodedSound]) -> list[Finding]:
    """Find recordings of other paths with equal sound: on two sides, and with two emotions or speakers."""
    same = defaultdict(list)
    for sound in sounds:
        same[sound.digest].append(sound.recording)
    pairs = [pair for numbers in same.values() for pair in pairs_of(numbers)]
    findings = [_on_two_sides(split, "sound", "identical", pairs, len(sounds))]
    labels = [(utterance.speaker, utterance.emotion) for utterance in split.first_utterances]
    described = [f"{utterance.id} ({utterance.speaker}, {utterance.emotion})" for utterance in split.first_utterances]
    if differ := [
        f"{described[first]} and {described[second]}" for first, second in pairs if labels[first] != labels[second]
    ]:
        verdict = f"{len(differ)} pair(s) of identical recordings differ in speaker or emotion: {differ[0]}"
        findings.append(Finding("sound labels", "wrong", verdict, shortened(differ)))
    return findings


def pairs_of(numbers: Sequence[int]) -> Iterable[tuple[int, int]]:
    """All pairs of recordings of one sound; of many recordings, each and the next, which connects all of them."""
    return combinations(numbers, 2) if len(numbers) <= ALL_PAIRS else pairwise(numbers)


def _near_identical(split: Split, sounds: Sequence[DecodedSound]) -> Finding:
    """Find recordings on two sides that are near-identical, and not equal."""
    pairs = [
        (sounds[pair.first].recording, sounds[pair.second].recording)
        for pair in near_identical([sound.fingerprint for sound in sounds])
        if sounds[pair.first].digest != sounds[pair.second].digest
    ]
    return _on_two_sides(split, "near-identical sound", "near-identical", pairs, len(sounds))


def _on_two_sides(split: Split, check: str, kind: str, pairs: Sequence[tuple[int, int]], total: int) -> Finding:
    """Report pairs of recordings that are on two sides of a fold."""
    names = [utterance.id for utterance in split.first_utterances]
    found: dict[tuple[int, int], str] = {}
    for where, sides in split.sides_of_folds():
        on_side = {side: set(split.recordings[rows].tolist()) for side, rows in sides.items()}
        for pair in pairs:
            for first, second in (pair, pair[::-1]):
                for side, other in SIDE_PAIRS:
                    if pair not in found and first in on_side[side] and second in on_side[other]:
                        found[pair] = f"{where}{names[first]} ({WORDS[side]}) and {names[second]} ({WORDS[other]})"
    if not found:
        return Finding(check, "ok", f"no {kind} recordings are on two sides, of {total}")
    details = list(found.values())
    verdict = f"{len(found)} pair(s) of {kind} recordings are on two sides: {details[0]}"
    return Finding(check, "leak", verdict, shortened(details))
