"""Sides of a corpus's official split, counted."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .names import is_placeholder
from .utterance import Annotation, Utterance

__all__ = ["Side", "sides_of"]


@dataclass(frozen=True, slots=True)
class Side:
    """Numbers of a side."""

    name: str
    """`train`, `validation` or the name of a test set."""
    utterances: int
    speakers: int
    """Known speakers."""
    of_nobody: int
    """Utterances whose speaker is a placeholder."""
    withheld: int
    """Utterances without any label."""


def sides_of(utterances: Iterable[Utterance], names_as_written: Collection[str] = ()) -> Sequence[Side]:
    """Count the sides of an official split: train, validation, then the test sets by name; empty without a split.

    Args:
        utterances: All of a corpus, labelled or not.
        names_as_written: Speakers who are called like a placeholder.

    >>> from pathlib import Path
    >>> spoken = [Utterance(str(n), Path(), speaker, "joy", split="test") for n, speaker in enumerate(["ann", "nan"])]
    >>> sides_of(spoken)
    [Side(name='test', utterances=2, speakers=1, of_nobody=1, withheld=0)]
    """
    sides: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.split:
            sides[utterance.split].append(utterance)
    found = []
    for name in sorted(sides, key=lambda name: (name != "train", name != "validation", name)):
        names = [utterance.speaker for utterance in sides[name]]
        nobody = {speaker for speaker in set(names) if speaker not in names_as_written and is_placeholder(speaker)}
        found.append(
            Side(
                name=name,
                utterances=len(names),
                speakers=len(set(names) - nobody),
                of_nobody=sum(speaker in nobody for speaker in names),
                withheld=sum(not spoken.emotion and spoken.annotation == Annotation() for spoken in sides[name]),
            )
        )
    return found
