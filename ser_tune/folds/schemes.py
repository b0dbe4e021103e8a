"""Folds that hold out whole corpora or languages; speakers of the training corpora validate.

Nothing of a held-out corpus trains or validates in its fold (B. Schuller et al.: Cross-Corpus Acoustic Emotion
Recognition: Variances and Strategies, IEEE Trans. Affective Computing 1(2), 2010).
"""

from collections.abc import Sequence

import numpy as np

from ..corpora import Corpus
from ..errors import CorpusError
from ..row_groups import rows_by
from .fold import Fold, Strata, refuse_missing
from .holdout import held_out_names, held_out_speakers, is_tested, on_test_side
from .speakers import may_train, sessions_of

__all__ = ["SCHEMES", "scheme_folds"]

SCHEMES = ("leave-one-corpus-out", "leave-one-language-out", "train-test")
"""Schemes other than folds of speakers."""
SHARES = 5
"""A training corpus's speakers are dealt to at least so many shares, one of which validates in a fold."""


def scheme_folds(
    corpus: Corpus,
    scheme: str,
    *,
    strata: Strata,
    test_corpora: Sequence[str] = (),
    holdout: Sequence[str] = (),
) -> tuple[Fold, ...]:
    """Draw the folds of a scheme: each corpus, or language, is held out once; of `train-test`, some corpora together.

    A held-out corpus is tested on the test sides of its official split, where it has some, else as a whole. Test sides
    of other corpora are on no side. In a fold, a share of each training corpus's speakers validates: a fifth, or less
    where there are more than six folds, but never the only speaker or session of a corpus. A speaker validates in one
    fold at most. Utterances of nobody train where their corpus does, and are not tested.

    Args:
        corpus: The union.
        scheme: One of `SCHEMES`.
        strata: Every training side covers them.
        test_corpora: Labels of the corpora that `train-test` tests.
        holdout: Speakers that are on no side of any fold; all of a corpus by its label and a colon.

    Raises:
        CorpusError: There are too few corpora, languages or speakers, a speaker has several languages, or a training
            side lacks a stratum.
    """
    out = held_out_speakers(corpus, holdout)
    absent = ~may_train(corpus, out)
    if scheme == "train-test":
        group = np.where(absent, -1, _by_side(corpus, test_corpora))
    else:
        group = (_by_corpus if scheme == "leave-one-corpus-out" else _by_language)(corpus, absent)
    validating = _validating(corpus, group, out, max(1, int(group.max()) + 1))
    return tuple(_fold(corpus, strata, number, group == number, absent, own) for number, own in enumerate(validating))


def _fold(
    corpus: Corpus, strata: Strata, number: int, held_out: np.ndarray, absent: np.ndarray, validation: set[str]
) -> Fold:
    """The fold that holds out some utterances; others are absent from all folds."""
    if not (speakers := _speakers(corpus, held_out)):
        labels = sorted({corpus.utterances[row].corpus for row in np.flatnonzero(held_out)})
        raise CorpusError(
            f"corpus {corpus.name}: no speaker of {', '.join(labels)} is known, and scores are of speakers; expected "
            "known speakers of every corpus that is held out"
        )
    side = np.full(len(corpus.utterances), "none", dtype="<U10")
    free = ~held_out & ~absent & ~on_test_side(corpus)
    side[free & may_train(corpus, validation | speakers)] = "train"
    validates = np.array([utterance.speaker in validation for utterance in corpus.utterances], dtype=bool)
    side[free & validates & ~corpus.nobody] = "validation"
    side[is_tested(corpus, held_out)] = "test"
    fold = Fold(
        number=number,
        validation_speakers=tuple(sorted(_speakers(corpus, side == "validation"))),
        test_speakers=tuple(sorted(_speakers(corpus, side == "test"))),
        train=np.flatnonzero(side == "train"),
        validation=np.flatnonzero(side == "validation"),
        test=np.flatnonzero(side == "test"),
        held_out=held_out_names(corpus, speakers),
    )
    refuse_missing(corpus, fold, strata)
    return fold


def _speakers(corpus: Corpus, which: np.ndarray) -> set[str]:
    """The known speakers of some utterances, by a mask of shape (U,)."""
    return {corpus.utterances[row].speaker for row in np.flatnonzero(which & ~corpus.nobody)}


def _by_corpus(corpus: Corpus, absent: np.ndarray) -> np.ndarray:
    """The number of the fold that holds each utterance out, shape (U,): its corpus's; -1 for speakers held out."""
    if not corpus.parts[-1]:
        raise CorpusError(
            f"corpus {corpus.name} is a single one; leave-one-corpus-out needs at least two, each with --corpus"
        )
    return _numbered(corpus, corpus.part_numbers, absent, "corpus", "corpora")


def _by_language(corpus: Corpus, absent: np.ndarray) -> np.ndarray:
    """The same by language."""
    unknown = sorted({utterance.corpus or corpus.name for utterance in corpus.utterances if not utterance.language})
    if unknown:
        raise CorpusError(
            f"leave-one-language-out needs the language of every utterance, and that of corpus {', '.join(unknown)} is "
            "not known; provide it (in a manifest, the column 'language')"
        )
    languages: dict[tuple[str, str], str] = {}
    for utterance, nobody in zip(corpus.utterances, corpus.nobody.tolist(), strict=True):
        unit = ("session", utterance.group) if utterance.group else ("speaker", utterance.speaker)
        alone = nobody and not utterance.group
        if not alone and languages.setdefault(unit, utterance.language) != utterance.language:
            raise CorpusError(
                f"corpus {corpus.name}: {unit[0]} '{unit[1]}' is in {languages[unit]} and in {utterance.language}; "
                f"leave-one-language-out needs one language for each {unit[0]}"
            )
    named = np.array([utterance.language for utterance in corpus.utterances])
    return _numbered(corpus, np.unique(named, return_inverse=True)[1], absent, "language", "languages")


def _numbered(corpus: Corpus, own: np.ndarray, absent: np.ndarray, noun: str, plural: str) -> np.ndarray:
    """Folds numbered without gaps, where speakers are left to hold out."""
    left = np.unique(own[~absent])
    if len(left) < 2:
        raise CorpusError(
            f"corpus {corpus.name} has {len(left)} {noun if len(left) == 1 else plural} to leave out; "
            f"leave-one-{noun}-out needs at least two"
        )
    group: np.ndarray = np.where(absent, -1, np.searchsorted(left, own))
    return group


def _by_side(corpus: Corpus, labels: Sequence[str]) -> np.ndarray:
    """0 for each utterance of the test corpora, and -1 for others, shape (U,)."""
    there = [label for label in corpus.parts if label]
    if unknown := sorted(set(labels) - set(there)):
        raise CorpusError(
            f"corpus {corpus.name} has no corpus '{unknown[0]}' to test; it has {', '.join(there) or 'no parts'}"
        )
    if set(labels) == set(there):
        raise CorpusError(f"corpus {corpus.name}: all its corpora are test corpora; leave one at least to train on")
    chosen = [corpus.parts.index(label) for label in labels]
    group: np.ndarray = np.where(np.isin(corpus.part_numbers, chosen), 0, -1)
    return group


def _validating(corpus: Corpus, group: np.ndarray, out: frozenset[str], folds: int) -> list[set[str]]:
    """The speakers that validate in each fold."""
    shares = max(SHARES, folds - 1)
    units = sessions_of(corpus, out) or [[speaker] for speaker in corpus.speakers if speaker not in out]
    row_of = {utterance.speaker: row for row, utterance in enumerate(corpus.utterances)}
    first = [row_of[unit[0]] for unit in units]
    validating: list[set[str]] = [set() for _ in range(folds)]
    home = [f"{corpus.part_numbers[row]} {group[row]}" for row in first]
    for members in rows_by(home).values():
        own = int(group[first[members[0]]])  # the fold that holds them out; -1 where they train in all folds
        training = [number % folds for number in range(own + 1, own + 1 + folds) if number % folds != own]
        for place, member in enumerate(members.tolist() if len(members) > 1 else []):
            if (share := place % shares) < len(training):
                validating[training[share]] |= set(units[member])
    return validating
