"""Sets of a speaker's utterances that adapt a network to an utterance."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..row_groups import rows_by

__all__ = ["Draw", "SpeakerSets"]


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw of other utterances of a speaker, who adapt a network to an utterance."""

    heard: int | None
    """Their number, or as many as the speaker has; None is all."""
    number: int = 0
    """Draws of other numbers are independent."""


@dataclass(frozen=True, slots=True)
class SpeakerSets:
    """Sets of utterances, each of a single speaker."""

    members: list[np.ndarray]
    """Numbers of the utterances of each set, ascending."""
    number: np.ndarray
    """The number of the set that adapts to each utterance, shape (U,); 0 where none does."""

    @classmethod
    def of(cls, speakers: np.ndarray, which: np.ndarray, draw: Draw | None = None) -> Self:
        """Sets for some utterances: all of their speaker's, or themselves and others that are drawn at random.

        Args:
            speakers: A number for each utterance's speaker, shape (U,).
            which: Numbers of the utterances to adapt to, shape (R,).
            draw: Which others of the speaker are drawn for each utterance; None takes all.

        >>> sets = SpeakerSets.of(np.array([7, 7, 7, 3]), np.array([0, 2, 3]))
        >>> [members.tolist() for members in sets.members], sets.number.tolist()
        ([[3], [0, 1, 2]], [1, 0, 1, 0])
        >>> sets = SpeakerSets.of(np.array([7, 7, 7, 3]), np.array([0, 2, 3]), Draw(1))
        >>> [len(members) for members in sets.members], sets.number.tolist()
        ([1, 2, 2], [1, 0, 2, 0])
        """
        rows, number = rows_by(speakers), np.zeros(len(speakers), dtype=np.int64)
        members: list[np.ndarray] = []
        for speaker, own in rows_by(speakers[which]).items():
            everything, judged = rows[speaker], which[own]
            if draw is None or draw.heard is None or draw.heard + 1 >= len(everything):
                number[judged] = len(members)
                members.append(everything)
                continue
            # Numbers that the speaker and the draw alone decide: other speakers and other utterances change nothing
            keys = np.random.default_rng([draw.number, speaker]).random((len(everything), len(everything)))
            np.fill_diagonal(keys, -1)
            nearest = np.sort(np.argsort(keys, axis=1)[:, : draw.heard + 1], axis=1)
            place = np.searchsorted(everything, judged)
            number[judged] = len(members) + np.arange(len(judged))
            members += [everything[row] for row in nearest[place]]
        return cls(members, number)
