"""The official split of a corpus: a single fold, whose sides its owners chose, with one or several test sets."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from ..audit.split import SPLIT_SIDES
from ..corpora import Corpus
from ..errors import CorpusError, LeakError
from ..folds import Fold, Strata, refuse_missing

__all__ = [
    "corpus_sets",
    "has_official_split",
    "official_fold",
    "official_in_words",
    "official_test_sets",
    "split_note",
]

OFFICIAL = "official split"
"""Beginning of the split in words."""
OTHER_FOLDS = "draw speaker folds instead with protocol.folds, such as --set protocol.folds=5"
DIGITS = 12
"""Hexadecimal digits of the digest."""


def has_official_split(corpus: Corpus) -> bool:
    """Whether the corpus has an official split."""
    return any(utterance.split for utterance in corpus.utterances)


def official_fold(corpus: Corpus, *, strata: Strata) -> Fold:
    """Make the fold of a corpus's official split; its test side has all test sets, and may be empty.

    Utterances of nobody (`Corpus.nobody`) are on the training side or on no side: whether a training speaker speaks in
    them is not known.

    Args:
        corpus: Some of its utterances have a `split`.
        strata: The training side covers them.

    Raises:
        CorpusError: An utterance has no split, the training or the validation side is empty, or the training side lacks
            a stratum.
        LeakError: A speaker is on two sides.
    """
    splits = [utterance.split for utterance in corpus.utterances]
    _refuse_incomplete(corpus, splits)
    side = np.array([split if split in SPLIT_SIDES else "test" for split in splits], dtype="<U10")
    side[corpus.nobody & (side != "train")] = "none"
    rows = {name: np.flatnonzero(side == name) for name in SPLIT_SIDES}
    if not len(rows["validation"]):
        raise CorpusError(
            f"corpus {corpus.name}, official split: no speaker of the validation side is known, and scores are of "
            f"speakers; name them, or {OTHER_FOLDS}"
        )
    speakers = {
        name: sorted({corpus.utterances[row].speaker for row in numbers if not corpus.nobody[row]})
        for name, numbers in rows.items()
    }
    for first, second in combinations(SPLIT_SIDES, 2):
        if shared := sorted(set(speakers[first]) & set(speakers[second])):
            others = f" and {len(shared) - 1} more speakers are" if len(shared) > 1 else " is"
            raise LeakError(
                f"corpus {corpus.name}, official split: speaker '{shared[0]}'{others} on the {first} and the {second} "
                f"side; expected one side, or {OTHER_FOLDS}"
            )
    fold = Fold(
        number=0,
        validation_speakers=tuple(speakers["validation"]),
        test_speakers=tuple(speakers["test"]),
        train=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        official=_digest(corpus, np.flatnonzero(side != "none")),
    )
    refuse_missing(corpus, fold, strata)
    return fold


def _refuse_incomplete(corpus: Corpus, splits: Sequence[str]) -> None:
    """Refuse utterances without a split, and splits without a training or a validation side."""
    if missing := splits.count(""):
        first = corpus.utterances[splits.index("")].id
        raise CorpusError(
            f"corpus {corpus.name} has an official split, but {missing} of {len(splits)} utterances have no side in "
            f"it, such as '{first}'; expected train, validation or the name of a test set for each, or {OTHER_FOLDS}"
        )
    for side in ("train", "validation"):
        if side not in splits:
            raise CorpusError(
                f"corpus {corpus.name}: its official split has no utterance of the side '{side}' but those of "
                f"{', '.join(sorted(set(splits)))}; expected train, validation and perhaps test sets, or {OTHER_FOLDS}"
            )


def _digest(corpus: Corpus, used: np.ndarray) -> str:
    """The digest of recordings and their sides, independent of the names of files and speakers."""
    lines = sorted(
        f"{corpus.contents[number]} {utterance.start_s} {utterance.end_s} {utterance.split}"
        for number, utterance in ((number, corpus.utterances[number]) for number in used.tolist())
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


def official_test_sets(corpus: Corpus, folds: Sequence[Fold]) -> Mapping[str, np.ndarray]:
    """The numbers of the utterances of each test set, by its name, sorted; empty for folds of another kind."""
    if not folds[0].official:
        return {}
    test = folds[0].test
    names = np.array([corpus.utterances[number].split for number in test.tolist()])
    return {str(name): test[names == name] for name in np.unique(names)}


def corpus_sets(corpus: Corpus, folds: Sequence[Fold]) -> Mapping[str, np.ndarray]:
    """The numbers of the tested utterances of each corpus of a union, by its label; empty for a corpus by itself."""
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    if not corpus.is_union:
        return {}
    sets = {label: tested[corpus.part_numbers[tested] == number] for number, label in enumerate(corpus.parts)}
    return {label: own for label, own in sets.items() if len(own)}


def official_in_words(corpus: Corpus, folds: Sequence[Fold]) -> str:
    """The sides of the official split and their numbers of utterances, as text."""
    counts = {"train": folds[0].train, "validation": folds[0].validation, **official_test_sets(corpus, folds)}
    return f"{OFFICIAL} of {', '.join(f'{len(numbers)} {name}' for name, numbers in counts.items())} utterances"


def split_note(corpus: Corpus, folds: Sequence[Fold]) -> Iterator[str]:
    """A sentence on the use of the official split, where the corpus has such a split."""
    if folds[0].official:
        yield (
            f"{official_in_words(corpus, folds)}, as a single fold: races between folds give no trial up; other folds: "
            "protocol.folds"
        )
    elif folds[0].held_out:
        held_out = corpus.part_numbers[np.concatenate([fold.test for fold in folds])]
        official = {own.corpus for own in corpus.utterances if own.split not in ("", *SPLIT_SIDES[:2])}
        if tested := [label for label in official if corpus.parts.index(label) in held_out]:
            yield f"corpora that are tested on the test sides of their official splits: {', '.join(sorted(tested))}"
    elif has_official_split(corpus):
        sides = sorted({utterance.split for utterance in corpus.utterances} - {""})
        yield (
            f"the official split of the corpus ({', '.join(sides)}) is replaced by chosen folds: scores are "
            "not comparable with those of the official split"
        )
