"""The leak check: nothing of the speakers that are held out may reach training. It runs before every study.

It finds the errors of published evaluations: a speaker on two sides of a fold, a recording on two sides, whole or in
parts, and statistics (scalings, class weights) that were fitted on more than the training speakers. Speakers and
recordings are compared before features are extracted.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from ..corpora import Corpus, Sounds
from ..errors import LeakError
from ..features import Moments, Scaling
from ..folds import Fold, never_seen
from ..likeness import Likeness, near_identical
from ..prediction import UtteranceFeatures
from ..training import AnyTrial, TrainingData, fold_statistics

__all__ = [
    "Bond",
    "Leak",
    "bond_of_likeness",
    "find_leaks",
    "leaks_in_words",
    "refuse_fitted_leaks",
    "refuse_leaks",
    "refuse_misplaced_copies",
]

LISTED = 20
"""Pairs that a message names; of further ones it has the number."""
NEARLY = "hold nearly the same sound"
BEYOND = np.float32(1e30)
"""Lies beyond all features."""
UNUSED = "unused"
"""The side of utterances that a text-independent fold leaves out."""


@dataclass(frozen=True, slots=True)
class Bond:
    """Groups of utterances that belong together: all of a group must be on one side of every fold."""

    what: str
    """The reason, in words that follow two utterances, such as `hold the same sound`."""
    groups: Sequence[Sequence[int]]
    """Numbers of utterances, two or more in each."""

    @classmethod
    def of(cls, what: str, keys: Sequence[str | None]) -> "Bond":
        """Bind utterances of equal keys, shape (U,); None binds an utterance to no other."""
        numbers_of = defaultdict(list)
        for number, key in enumerate(keys):
            if key is not None:
                numbers_of[key].append(number)
        return cls(what, [numbers for numbers in numbers_of.values() if len(numbers) > 1])


@dataclass(frozen=True, slots=True)
class Leak:
    """Two utterances that belong together, and are on two sides of a fold."""

    fold: int
    what: str
    """Name of the bond."""
    pair: tuple[int, int]
    """Numbers of the utterances."""
    sides: tuple[str, str]


def _bonds_of(corpus: Corpus, sounds: Sequence[str], *, text_independent: bool) -> list[Bond]:
    """Bind the utterances of a speaker, of a sound, of a recording, and where asked for of a text."""
    if len(sounds) != len(corpus.utterances):
        raise ValueError(f"{len(sounds)} sounds of {len(corpus.utterances)} utterances")
    # Utterances of nobody are of as many speakers as may be
    known = zip(corpus.utterances, corpus.nobody.tolist(), strict=True)
    bonds = [
        Bond.of("are of one speaker", [None if nobody else utterance.speaker for utterance, nobody in known]),
        Bond.of("hold the same sound", sounds),
        Bond.of("are cut from one recording", corpus.contents),
    ]
    if text_independent:
        bonds.append(Bond.of("have the same text", [utterance.text for utterance in corpus.utterances]))
    return bonds


def bond_of_likeness(corpus: Corpus, sounds: Sounds) -> Bond:
    """Bind utterances of near-identical sound.

    Turns of one session may overlap in time, and its speakers may validate and be tested: they are not bound.
    """
    pairs = [(pair.first, pair.second) for pair in _near_identical(sounds)]
    group = [utterance.group for utterance in corpus.utterances]
    apart = [(first, second) for first, second in pairs if not group[first] or group[first] != group[second]]
    return Bond(NEARLY, [pair for pair in apart if sounds.digests[pair[0]] != sounds.digests[pair[1]]])


_compared: dict[bytes, list[Likeness]] = {}
"""Digest of the sounds that were compared last, and their pairs: all searches of a nested study have the same."""


def _near_identical(sounds: Sounds) -> list[Likeness]:
    """The near-identical pairs of a corpus; digests of sounds decide their fingerprints."""
    key = hashlib.sha256("".join(sounds.digests).encode()).digest()
    found = _compared.get(key)
    if found is None:
        found = near_identical(sounds.fingerprints)
        _compared.clear()
        _compared[key] = found
    return found


def find_leaks(
    corpus: Corpus,
    folds: Sequence[Fold],
    bonds: Iterable[Bond],
    *,
    text_independent: bool = False,
    holdout: Sequence[str] = (),
) -> list[Leak]:
    """Find utterances that belong together and are on two sides of a fold; held-out speakers are a side of their own.

    Args:
        corpus: The corpus that was split.
        folds: The split.
        bonds: Groups that belong together.
        text_independent: Utterances on no side are unused, and no leak; so are utterances of nobody in any case.
        holdout: Names of speakers who score the search at its end, as of `protocol.holdout`.

    Returns:
        Each pair once, in its first fold, by folds and then by bonds.

    Raises:
        LeakError: A fold has an utterance on two sides.
    """
    no_side = np.full(len(corpus.utterances), UNUSED if text_independent else "held out", dtype=object)
    no_side[corpus.nobody] = UNUSED
    if any(fold.held_out for fold in folds):  # sides of official splits that a scheme leaves out
        no_side[[bool(utterance.split) for utterance in corpus.utterances]] = UNUSED
        no_side[never_seen(corpus, holdout)] = "held out"
    members = [(bond.what, *_members(bond)) for bond in bonds]
    found: dict[tuple[int, int], Leak] = {}
    for fold in folds:
        side = no_side.copy()
        for name, numbers in (("training", fold.train), ("validation", fold.validation), ("test", fold.test)):
            if len(taken := numbers[side[numbers] != no_side[numbers]]):
                where = f"leak in corpus {corpus.name}, fold {fold.number}"
                raise LeakError(f"{where}: '{corpus.utterances[taken[0]].id}' is on two sides")
            side[numbers] = name
        for what, numbers, groups in members:
            used = side[numbers] != UNUSED
            bound, group, sides = numbers[used], groups[used], side[numbers[used]]
            # In each group, neighbours: where a group is on two sides, one pair at least differs
            for place in np.flatnonzero((group[1:] == group[:-1]) & (sides[1:] != sides[:-1])):
                pair = (int(bound[place]), int(bound[place + 1]))
                found.setdefault(pair, Leak(fold.number, what, pair, (sides[place], sides[place + 1])))
    return list(found.values())


def refuse_leaks(
    corpus: Corpus,
    folds: Sequence[Fold],
    sounds: Sequence[str],
    *,
    text_independent: bool = False,
    holdout: Sequence[str] = (),
    further: Sequence[Bond] = (),
) -> None:
    """Look for speakers and recordings on two sides of a fold.

    Args:
        corpus: The corpus that was split.
        folds: The split.
        sounds: A hash of each utterance's decoded sound, shape (U,).
        text_independent: Look for texts on two sides as well. Utterances on no side are then unused, and no leak.
        holdout: Names of speakers who score the search at its end, as of `protocol.holdout`.
        further: Further groups that belong together.

    Raises:
        LeakError: There are leaks; the message names the utterances.
    """
    bonds = [*_bonds_of(corpus, sounds, text_independent=text_independent), *further]
    if leaks := find_leaks(corpus, folds, bonds, text_independent=text_independent, holdout=holdout):
        raise LeakError(leaks_in_words(corpus, leaks))


def _members(bond: Bond) -> tuple[np.ndarray, np.ndarray]:
    """The utterances of all groups in a row, and the number of the group of each, both of shape (M,), int64."""
    members = [number for group in bond.groups for number in sorted(group)]
    sizes = [len(group) for group in bond.groups]
    return np.array(members, dtype=np.int64), np.repeat(np.arange(len(sizes)), sizes)


def leaks_in_words(corpus: Corpus, leaks: Sequence[Leak]) -> str:
    """All leaks in a sentence, up to `LISTED`; at least one."""
    where, first = f"leak in corpus {corpus.name}", leaks[0]
    # A session's speakers take turns as validation and test unless folds are made of whole sessions
    groups = [{corpus.utterances[number].group for number in leak.pair} for leak in leaks]
    turns = {"keep sessions whole with protocol.folds" if len(group) == 1 and group != {""} else "" for group in groups}
    way_out = " or ".join(sorted(turns - {""} or {"give both one speaker"}))
    if any(leak.what == NEARLY for leak in leaks):
        way_out += "; recordings that are different after all are allowed by protocol.near_identical=allow"
    if len(leaks) == 1:
        return f"{where}, fold {first.fold}: {_worded(corpus, first)}; leave one out, or {way_out}"
    listed = "; ".join(f"{_worded(corpus, leak)} (fold {leak.fold})" for leak in leaks[:LISTED])
    more = f"; and {len(leaks) - LISTED} more" if len(leaks) > LISTED else ""
    return (
        f"{where}: {len(leaks)} pairs of utterances are on two sides of a fold: {listed}{more}; leave one of each pair "
        f"out, or {way_out}"
    )


def _worded(corpus: Corpus, leak: Leak) -> str:
    first, second = (
        f"'{corpus.utterances[number].id}' (speaker {corpus.utterances[number].speaker}, {side})"
        for number, side in zip(leak.pair, leak.sides, strict=True)
    )
    return f"{first} and {second} {leak.what}"


def refuse_misplaced_copies(corpus: Corpus, sounds: Sequence[str], copied: Sequence[str]) -> None:
    """Look for perturbed copies of another utterance than the one whose place they take, perhaps a held-out speaker's.

    Args:
        corpus: The corpus that was copied.
        sounds: A hash of each utterance's decoded sound, shape (U,).
        copied: A hash of the sound that each copy was made from, shape (U,).

    Raises:
        LeakError: There is one; the message names the utterance.
    """
    if len(sounds) != len(copied):
        raise LeakError(f"leak in corpus {corpus.name}: {len(copied)} copies of {len(sounds)} utterances")
    for utterance, sound, copy in zip(corpus.utterances, sounds, copied, strict=True):
        if sound != copy:
            raise LeakError(f"leak in corpus {corpus.name}: the copy of '{utterance.id}' was made from another sound")


def refuse_fitted_leaks(config: AnyTrial, data: TrainingData, folds: Sequence[Fold]) -> None:
    """Change every utterance that is not trained on, and compare the statistics that training receives.

    Args:
        config: Any trial of the study: the settings of statistics are not searched.
        data: The corpus as training sees it.
        folds: Their training sides are compared.

    Raises:
        LeakError: Scalings or class weights depend on speakers that are held out.
    """
    for fold in folds:
        outside = np.ones(len(data.targets.strata), dtype=bool)
        outside[fold.train] = False
        # Scope `speaker` reads all recordings of a training speaker, also those that text-independent folds leave out
        scope = config.normalisation.scope
        foreign = ~np.isin(data.speakers, data.speakers[fold.train]) if scope == "speaker" else outside
        altered = _altered(data, outside, foreign)
        before, after = (fold_statistics(config, version, fold.train) for version in (data, altered))
        where = f"leak in fold {fold.number}"
        if not np.array_equal(before.stratum_counts, after.stratum_counts):
            raise LeakError(f"{where}: the class weights depend on speakers that are not trained on")
        # Where the training speakers' statistics scale everybody, they scale the held-out utterances too
        scaled = np.arange(len(data.targets.strata)) if scope in ("train", "corpus") else fold.train
        if scope == "corpus" and data.corpora is not None:
            scaled = scaled[np.isin(data.corpora, data.corpora[fold.train])]
        numbers = {(int(before.scaling_number[row]), int(after.scaling_number[row])) for row in scaled}
        pairs = [(before.scalings[old], after.scalings[new]) for old, new in numbers]
        if before.train_scaling is not None and after.train_scaling is not None:
            pairs.append((before.train_scaling, after.train_scaling))
        for old, new in pairs:
            if not _same(old, new):
                raise LeakError(f"{where}: the normalisation depends on speakers that are not trained on")


def _same(old: Scaling, new: Scaling) -> bool:
    """Whether two scalings are equal; corpora without training utterances have NaN in both."""
    pairs = ((old.shift, new.shift), (old.spread, new.spread))
    return all(np.array_equal(before, after, equal_nan=True) for before, after in pairs)


def _altered(data: TrainingData, relabelled: np.ndarray, changed: np.ndarray) -> TrainingData:
    """The corpus with other strata or features of some utterances, so that every statistic of them changes.

    Their stratum is one that does not exist: exchanged ones would leave the counts of a balanced corpus as they are.
    Their smallest and largest values lie beyond those of all utterances.
    """
    strata = np.where(relabelled, len(data.targets.stratum_names), data.targets.strata)
    return replace(
        data,
        source="",  # what other trials keep is of the corpus as it is
        targets=replace(data.targets, strata=strata),
        features=_altered_features(data.features, changed),
        copies=tuple(_altered_features(copy, changed) for copy in data.copies),
    )


def _altered_features(features: UtteranceFeatures, which: np.ndarray) -> UtteranceFeatures:
    moments = features.moments

    def altered(array: np.ndarray, change: Callable[[np.ndarray], np.ndarray | np.float32]) -> np.ndarray:
        return cast("np.ndarray", _Altered(array, which, change))

    squares = None if moments.squares is None else altered(moments.squares, lambda own: 5 * own + 1)
    total = altered(moments.total, lambda own: 2 * own.astype(np.float64) + 1)
    low, high = altered(moments.minimum, lambda _: -BEYOND), altered(moments.maximum, lambda _: BEYOND)
    return replace(features, moments=Moments(moments.count, total, squares, low, high))


@dataclass(frozen=True, slots=True)
class _Altered:
    """Moments (U, C, F), of which those of some utterances are altered when they are read: no copy is made of all."""

    array: np.ndarray
    which: np.ndarray
    """Whether an utterance's are altered, shape (U,), bool."""
    change: Callable[[np.ndarray], np.ndarray | np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        """(U, C, F)."""
        return self.array.shape

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return the moments of some utterances."""
        own, mask = self.array[rows], self.which[rows]
        return np.where(mask[:, np.newaxis, np.newaxis], self.change(own), own) if mask.any() else own
