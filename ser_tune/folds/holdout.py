"""Speakers that a search never sees, by their names or by the label of their corpus in a union."""

import shlex
from collections.abc import Iterable
from typing import NoReturn

import numpy as np

from ..corpora import Corpus, is_placeholder, nearest_name
from ..errors import CorpusError

__all__ = ["WHOLE", "held_out_names", "held_out_speakers", "is_tested", "never_seen", "on_test_side"]

WHOLE = ":"
"""End of a name that is the label of a corpus, all of whose speakers are held out."""
TRAINING_SIDES = ("", "train", "validation")
"""Sides of official splits that may train where their corpus is a part of a union."""


def held_out_speakers(corpus: Corpus, names: Iterable[str]) -> frozenset[str]:
    """The speakers that names are of.

    Args:
        corpus: Has the speakers.
        names: Of speakers; in a union also labels of corpora, each with a colon, such as `urdu:`.

    Raises:
        CorpusError: There is no such speaker or corpus.
    """
    labels = {f"{label}{WHOLE}": label for label in corpus.parts if label}
    wanted, known = set(names), set(corpus.speakers)
    if missing := sorted(wanted - known - set(labels)):
        _refuse_unknown(corpus, missing[0])
    whole = {label for name, label in labels.items() if name in wanted}
    of_whole = {utterance.speaker for utterance in corpus.utterances if utterance.corpus in whole} & known
    return frozenset((wanted & known) | of_whole)


def held_out_names(corpus: Corpus, speakers: Iterable[str]) -> tuple[str, ...]:
    """The shortest names of speakers, sorted: the label and a colon of a corpus that all known speakers are of."""
    left, names = set(speakers), list[str]()
    for number, label in enumerate(corpus.parts):
        own = {
            corpus.utterances[row].speaker for row in np.flatnonzero((corpus.part_numbers == number) & ~corpus.nobody)
        }
        if label and own and own <= left:
            names.append(f"{label}{WHOLE}")
            left -= own
    return tuple(sorted([*names, *left]))


def on_test_side(corpus: Corpus) -> np.ndarray:
    """Whether each utterance is on a test side of its corpus's official split, shape (U,), bool."""
    return np.array([utterance.split not in TRAINING_SIDES for utterance in corpus.utterances], dtype=bool)


def is_tested(corpus: Corpus, held_out: np.ndarray) -> np.ndarray:
    """Whether each utterance is tested where whole corpora are held out, shape (U,), bool.

    A corpus is tested on the test sides of its official split, where it has some, else as a whole.

    Args:
        corpus: The union.
        held_out: Whether each utterance is held out, shape (U,), bool.
    """
    official = on_test_side(corpus)
    with_sides = np.isin(corpus.part_numbers, corpus.part_numbers[official & held_out])
    tested: np.ndarray = held_out & ~corpus.nobody & (official | ~with_sides)
    return tested


def never_seen(corpus: Corpus, names: Iterable[str]) -> np.ndarray:
    """The numbers of the utterances that score a search that never saw some speakers, int64.

    They are all utterances of the speakers; of a corpus that is held out by its label, those that are tested.

    Args:
        corpus: Has the speakers.
        names: As of `held_out_speakers`.
    """
    names = list(names)
    whole = held_out_speakers(corpus, [name for name in names if name.endswith(WHOLE)])
    speakers = [utterance.speaker for utterance in corpus.utterances]
    of_whole = np.isin(speakers, sorted(whole))
    single = np.isin(speakers, sorted(held_out_speakers(corpus, names) - whole))
    return np.flatnonzero(single | is_tested(corpus, of_whole))


def _refuse_unknown(corpus: Corpus, name: str) -> NoReturn:
    if is_placeholder(name) and name in {utterance.speaker for utterance in corpus.utterances}:
        raise CorpusError(
            f"corpus {corpus.name}: '{name}' is a placeholder, not a speaker, so it cannot be held out; a speaker "
            "of that name belongs in corpus.names_as_written"
        )
    whole = [f"{label}{WHOLE}" for label in corpus.parts if label]
    near = nearest_name(name, [*whole, *corpus.speakers])
    meant = f"; did you mean '{near}'?" if near else ""
    if set(several := [part.strip() for part in name.split(",")]) <= {*whole, *corpus.speakers}:
        meant = f"; hold out several one by one: {' '.join(f'--holdout {shlex.quote(part)}' for part in several)}"
    corpora = f", and its corpora {', '.join(whole)}" if whole else ""
    raise CorpusError(
        f"corpus {corpus.name} has no speaker '{name}' to hold out; it has {', '.join(corpus.speakers)}{corpora}{meant}"
    )
