"""Checks of a split's sound: identical and near-identical recordings on two sides, and labels that differ.

Identical is decoded sound that is equal, in whatever container. Near-identical recordings have audio fingerprints that
agree.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..audio import digest_of
from ..corpora import Utterance
from ..errors import AudioError
from ..likeness import audio_fingerprint, near_identical
from .finding import Finding, shortened
from .split import SPLIT_SIDES, WORDS, Split

__all__ = ["Sound", "hear", "identical_sound", "near_identical_sound"]


@dataclass(frozen=True, slots=True)
class Sound:
    """What is kept of a decoded recording."""

    digest: str
    """SHA-256 of its samples as 16 kHz mono."""
    fingerprint: np.ndarray
    """Of `audio_fingerprint`, shape (T,)."""


def hear(
    split: Split, *, progressed: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[int, Sound], Finding]:
    """Decode every recording of a split.

    Args:
        split: Its recordings' files are read.
        progressed: Told how many recordings were decoded, of how many.

    Returns:
        By number, the recordings that can be used, and a finding on those that cannot.

    Raises:
        AudioError: None can be used; the message is about the first.
    """
    heard = [split.utterances[row] for row in split.first_rows()]
    sounds: dict[int, Sound] = {}
    errors = []
    with ThreadPoolExecutor() as pool:  # libsndfile, hashing and NumPy release the interpreter lock
        try:
            for number, sound in enumerate(pool.map(_hear_one, heard)):
                if isinstance(sound, Sound):
                    sounds[number] = sound
                else:
                    errors.append(sound)
                progressed(number + 1, len(heard))
        finally:
            pool.shutdown(cancel_futures=True)
    if not sounds:
        raise errors[0]
    if errors:
        lines = [str(error) for error in errors]
        verdict = f"{len(errors)} of {len(heard)} recordings cannot be used, and their sound is not checked: {lines[0]}"
        return sounds, Finding("audio", "wrong", verdict, shortened(lines))
    return sounds, Finding("audio", "ok", f"{len(heard)} recordings can be decoded")


def _hear_one(utterance: Utterance) -> Sound | AudioError:
    try:
        samples = utterance.speech()
    except AudioError as error:
        return error
    return Sound(digest=digest_of(samples), fingerprint=audio_fingerprint(samples))


def identical_sound(split: Split, sounds: Mapping[int, Sound]) -> list[Finding]:
    """Find recordings of other paths with equal sound: on two sides, and with two emotions or speakers.

    Args:
        split: The split.
        sounds: Of `hear`.

    Returns:
        A finding on sides, and one on labels where they differ.
    """
    same = defaultdict(list)
    for number, sound in sounds.items():
        same[sound.digest].append(number)
    pairs = [pair for numbers in same.values() for pair in combinations(numbers, 2)]
    findings = [_apart(split, "sound", "identical", pairs, len(sounds))]
    first = [split.utterances[row] for row in split.first_rows()]
    differ = [
        f"{first[one].id} ({first[one].speaker}, {first[one].emotion}) and {first[other].id} ({first[other].speaker}, "
        f"{first[other].emotion})"
        for one, other in pairs
        if (first[one].speaker, first[one].emotion) != (first[other].speaker, first[other].emotion)
    ]
    if differ:
        verdict = f"{len(differ)} pair(s) of identical recordings differ in speaker or emotion: {differ[0]}"
        findings.append(Finding("sound labels", "wrong", verdict, shortened(differ)))
    return findings


def near_identical_sound(split: Split, sounds: Mapping[int, Sound]) -> Finding:
    """Find recordings on two sides that are near-identical, and not equal.

    Args:
        split: The split.
        sounds: Of `hear`.
    """
    numbers = list(sounds)
    pairs = [
        (numbers[pair.first], numbers[pair.second])
        for pair in near_identical([one.fingerprint for one in sounds.values()])
        if sounds[numbers[pair.first]].digest != sounds[numbers[pair.second]].digest
    ]
    return _apart(split, "near-identical sound", "near-identical", pairs, len(sounds))


def _apart(split: Split, check: str, what: str, pairs: Sequence[tuple[int, int]], total: int) -> Finding:
    """Report pairs of recordings that are on two sides of a fold."""
    names = [split.utterances[row].id for row in split.first_rows()]
    found: dict[tuple[int, int], str] = {}
    for fold, where in split.named_folds():
        sides_of = {side: set(split.recordings[getattr(fold, side)].tolist()) for side in SPLIT_SIDES}
        for pair in pairs:
            for one, other in (pair, pair[::-1]):
                for side, second in combinations(SPLIT_SIDES, 2):
                    if one in sides_of[side] and other in sides_of[second] and pair not in found:
                        found[pair] = f"{where}{names[one]} ({WORDS[side]}) and {names[other]} ({WORDS[second]})"
    if not found:
        return Finding(check, "ok", f"no {what} recordings are on two sides, of {total}")
    details = list(found.values())
    return Finding(
        check, "leak", f"{len(found)} pair(s) of {what} recordings are on two sides: {details[0]}", shortened(details)
    )
