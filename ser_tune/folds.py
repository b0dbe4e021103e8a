"""Speaker folds: who trains, who validates, who is tested."""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .corpora import Corpus, is_placeholder, nearest_name
from .errors import CorpusError

__all__ = [
    "DEFAULT_FOLDS",
    "NOT_FREE",
    "SIDES",
    "Fold",
    "Strata",
    "may_train",
    "outer_parts",
    "refuse_missing",
    "selection_note",
    "speaker_folds",
    "text_independent_folds",
]

SIDES = ("validation", "test", "holdout")
"""Speakers that are scored: who chose the epoch and the trial; who is tested once, fold by fold; who is kept out of the
whole search."""
DEFAULT_FOLDS = 5
TEXT_PARTS = 5
"""Parts that the texts of a corpus are dealt to, where it has as many texts."""


NOT_FREE = (
    "validation speakers of one fold are test speakers of another, so test scores are not free of the selection; "
    "numbers for comparison come from --nested or --holdout"
)
"""The sentence of `selection_note` for most protocols."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Disjoint speakers on three sides, and the numbers of their utterances; some of them in text-independent folds."""

    number: int
    validation_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]
    train: np.ndarray
    """Utterance numbers, int64; so are the next two."""
    validation: np.ndarray
    test: np.ndarray
    official: str = ""
    """Digest of the corpus's official split, if the fold is it; empty for other folds."""

    @property
    def key(self) -> str:
        """Its validation and test speakers, such as `08/03`, or the digest of the official split; identifies a network.

        A network is identified by the fold that it is trained in.
        """
        if self.official:
            return f"official-{self.official}"
        return f"{'+'.join(self.validation_speakers)}/{'+'.join(self.test_speakers)}"


@dataclass(frozen=True, slots=True)
class Strata:
    """The strata of a corpus: no training side may lack a stratum."""

    of_utterance: Sequence[str]
    """The stratum of each utterance, such as the name of its class, shape (U,)."""
    noun: str
    """The noun for a stratum, such as `emotion`."""


def selection_note(folds: Sequence[Fold]) -> str:
    """Whether test scores are free of the selection of trials, as a sentence to be shown beside them."""
    if not any(fold.test_speakers for fold in folds):
        return (
            "the split has no test set with labels; validation speakers chose the trial, so their score is optimistic"
        )
    validation = {speaker for fold in folds for speaker in fold.validation_speakers}
    if validation.isdisjoint(speaker for fold in folds for speaker in fold.test_speakers):
        return "no test speaker validates in another fold, so test scores are free of the selection"
    return NOT_FREE


def speaker_folds(
    corpus: Corpus, folds: int | None = None, *, strata: Strata, holdout: Sequence[str] = ()
) -> tuple[Fold, ...]:
    """Split a corpus so that every speaker, but for those held out, is tested once and validates once.

    Utterances of nobody (`Corpus.nobody`) train in every fold, but for folds that hold their session out.

    With sessions (IEMOCAP), a fold holds out one session, and its speakers take turns: one validates, the other is
    tested. Otherwise speakers, sorted, are dealt to `folds` parts of about equal size; fold i tests part i and
    validates on part i + 1.

    Args:
        corpus: Its speakers are split.
        folds: Number of folds; None means the corpus's own, else five, or one a speaker (or session) where there are
            fewer.
        strata: Every training side covers them.
        holdout: Speakers that are on no side of any fold.

    Raises:
        CorpusError: There are fewer speakers than folds need, a speaker is in two sessions or does not exist, or a
            training side lacks a stratum.
    """
    if missing := sorted(set(holdout) - set(corpus.speakers)):
        _refuse_unknown(corpus, missing[0])
    sessions = _sessions(corpus, holdout)
    if sessions and folds is None and all(len(pair) == 2 for pair in sessions) and len(sessions) > 1:
        sides: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
            ((validation,), (test,)) for pair in sessions for validation, test in (pair, reversed(pair))
        ]
    else:
        units = sessions or [[speaker] for speaker in corpus.speakers if speaker not in holdout]
        usual = min(corpus.folds, len(units)) if corpus.folds and holdout else corpus.folds
        count = folds or max(3, usual or min(DEFAULT_FOLDS, len(units)))
        parts = _parts(corpus, count, units, holdout)
        sides = [(parts[(number + 1) % count], parts[number]) for number in range(count)]
    return tuple(_fold(corpus, strata, number, *side, holdout) for number, side in enumerate(sides))


def _refuse_unknown(corpus: Corpus, speaker: str) -> None:
    if is_placeholder(speaker) and speaker in {utterance.speaker for utterance in corpus.utterances}:
        raise CorpusError(
            f"corpus {corpus.name}: '{speaker}' is a placeholder, not a speaker, so it cannot be held out; a speaker "
            "of that name belongs in corpus.names_as_written"
        )
    near = nearest_name(speaker, corpus.speakers)
    meant = f"; did you mean '{near}'?" if near else ""
    if set(several := [name.strip() for name in speaker.split(",")]) <= set(corpus.speakers):
        meant = f"; hold out several one by one: {' '.join(f'--holdout {shlex.quote(name)}' for name in several)}"
    raise CorpusError(
        f"corpus {corpus.name} has no speaker '{speaker}' to hold out; it has {', '.join(corpus.speakers)}{meant}"
    )


def may_train(corpus: Corpus, held_out: Collection[str]) -> np.ndarray:
    """Whether each utterance may train while speakers are held out, shape (U,), bool.

    An utterance of nobody may, unless it is of a session of theirs: they may be its speakers.
    """
    sessions = {utterance.group for utterance in corpus.utterances if utterance.speaker in held_out} - {""}
    return np.array(
        [
            utterance.group not in sessions if nobody else utterance.speaker not in held_out
            for utterance, nobody in zip(corpus.utterances, corpus.nobody.tolist(), strict=True)
        ],
        dtype=bool,
    )


def text_independent_folds(corpus: Corpus, folds: Sequence[Fold], *, strata: Strata) -> tuple[Fold, ...]:
    """Restrict speaker folds so that no text is on two sides either.

    The corpus's texts, sorted by their most frequent stratum and then by name, are dealt in turn to T parts: five, or
    as many as there are texts. Fold i tests its test speakers' utterances of part i mod T, validates on its
    validation speakers' utterances of part i + 1 mod T, and trains on its training speakers' utterances of all other
    parts. Its other utterances are on no side.

    Args:
        corpus: Every utterance has a text.
        folds: By speakers.
        strata: Every training side covers them.

    Raises:
        CorpusError: A text is not known, there are fewer than three texts, a side is empty, or a training side lacks a
            stratum.
    """
    part, count = _text_parts(corpus, strata)
    restricted = []
    for fold in folds:
        test, validation = fold.number % count, (fold.number + 1) % count
        restricted.append(
            replace(
                fold,
                train=fold.train[~np.isin(part[fold.train], (test, validation))],
                validation=fold.validation[part[fold.validation] == validation],
                test=fold.test[part[fold.test] == test],
            )
        )
        refuse_missing(corpus, restricted[-1], strata)
    return tuple(restricted)


def _text_parts(corpus: Corpus, strata: Strata) -> tuple[np.ndarray, int]:
    """The part of each utterance's text, shape (U,), and the number of parts."""
    if unknown := [utterance.id for utterance in corpus.utterances if not utterance.text]:
        raise CorpusError(
            f"corpus {corpus.name}: the text of '{unknown[0]}' is not known, and text-independent folds need every "
            "text; provide it (in a manifest, the column 'text'), or leave out protocol.text_independent"
        )
    texts, text_of = np.unique([utterance.text for utterance in corpus.utterances], return_inverse=True)
    names, numbers = np.unique(strata.of_utterance, return_inverse=True)
    if len(texts) < 3:
        raise CorpusError(
            f"corpus {corpus.name} has {len(texts)} text(s); text-independent folds need at least 3, one for each side"
        )
    counts = np.zeros((len(texts), len(names)), dtype=np.int64)
    np.add.at(counts, (text_of, numbers), 1)
    count = min(TEXT_PARTS, len(texts))
    part_of_text = np.empty(len(texts), dtype=np.int64)
    part_of_text[np.argsort(counts.argmax(axis=1), kind="stable")] = np.arange(len(texts)) % count
    return part_of_text[text_of], count


def outer_parts(corpus: Corpus, folds: Sequence[Fold]) -> list[tuple[str, ...]]:
    """Parts of speakers to hold out together: a session, or a fold's test speakers. They cover all test speakers."""
    together = {speaker: tuple(session) for session in _sessions(corpus, ()) for speaker in session}
    parts = [together.get(speaker, fold.test_speakers) for fold in folds for speaker in fold.test_speakers]
    return list(dict.fromkeys(parts))


def _sessions(corpus: Corpus, holdout: Sequence[str]) -> list[list[str]]:
    """The speakers of every session; a speaker without one has one alone. Empty where no speaker has a session."""
    groups: dict[str, str] = {}
    known = zip(corpus.utterances, corpus.nobody.tolist(), strict=True)
    for speaker, group in sorted({(utterance.speaker, utterance.group) for utterance, nobody in known if not nobody}):
        if groups.setdefault(speaker, group) != group:
            raise CorpusError(
                f"corpus {corpus.name}: speaker '{speaker}' is in the sessions '{groups[speaker]}' and '{group}'; "
                "expected one session a speaker, or none at all"
            )
    if not any(groups.values()):
        return []
    sessions: dict[tuple[str, str], list[str]] = {}
    for speaker, group in groups.items():
        sessions.setdefault((group, "" if group else speaker), []).append(speaker)
    for (group, _), speakers in sessions.items():
        if 0 < len(left := sorted(set(speakers) - set(holdout))) < len(speakers):
            raise CorpusError(
                f"corpus {corpus.name}: session '{group}' is held out in part; its speakers were recorded together, so "
                f"hold out {', '.join(left)} as well"
            )
    return [speakers for speakers in sessions.values() if not set(speakers) & set(holdout)]


def _parts(corpus: Corpus, count: int, units: list[list[str]], holdout: Sequence[str]) -> list[tuple[str, ...]]:
    """Deal speakers, or whole sessions, to `count` parts."""
    if len(units) < count:
        after = f" after holding out {', '.join(holdout)}" if holdout else ""
        kind = "speaker" if all(len(unit) == 1 for unit in units) else "session"
        unknown = int(corpus.nobody.sum())
        nobody = f" and {unknown} utterances whose speaker is not known" if unknown else ""
        raise CorpusError(
            f"corpus {corpus.name} has {len(units)} {kind}(s) to fold{after} "
            f"({', '.join([speaker for unit in units for speaker in unit][:12])}){nobody}; "
            f"{count} speaker-independent folds need at least {count}"
        )
    return [
        tuple(sorted(speaker for number in chunk for speaker in units[number]))
        for chunk in np.array_split(np.arange(len(units)), count)
    ]


def _fold(
    corpus: Corpus,
    strata: Strata,
    number: int,
    validation: Sequence[str],
    test: Sequence[str],
    holdout: Sequence[str],
) -> Fold:
    side_of = dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")
    side = np.array([side_of.get(utterance.speaker, "none") for utterance in corpus.utterances], dtype="<U10")
    side[may_train(corpus, {*validation, *test, *holdout})] = "train"
    fold = Fold(
        number=number,
        validation_speakers=tuple(validation),
        test_speakers=tuple(test),
        train=np.flatnonzero(side == "train"),
        validation=np.flatnonzero(side == "validation"),
        test=np.flatnonzero(side == "test"),
    )
    refuse_missing(corpus, fold, strata)
    return fold


def refuse_missing(corpus: Corpus, fold: Fold, strata: Strata) -> None:
    """Raise `CorpusError` where a side is empty or the training side lacks a stratum."""
    for side, numbers in (("validation", fold.validation), ("test", fold.test)):
        if not len(numbers) and (side == "validation" or fold.test_speakers):
            raise CorpusError(
                f"corpus {corpus.name}, fold {fold.number}: the {side} speakers speak no text of the {side} side; use "
                "other folds, or leave out protocol.text_independent"
            )
    trained = {strata.of_utterance[utterance] for utterance in fold.train}
    if missing := sorted(set(strata.of_utterance) - trained):
        raise CorpusError(
            f"corpus {corpus.name}, fold {fold.number}: no training utterance has {strata.noun} '{missing[0]}'; "
            "keep other emotions with protocol.emotions, or use other folds"
        )
