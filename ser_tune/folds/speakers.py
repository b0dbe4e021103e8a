"""Speaker folds: who trains, who validates, who is tested."""

from collections.abc import Collection, Sequence

import numpy as np

from ..corpora import Corpus
from ..errors import CorpusError
from .fold import Fold, Strata, refuse_missing
from .holdout import held_out_speakers

__all__ = ["DEFAULT_FOLDS", "may_train", "outer_parts", "sessions_of", "speaker_folds"]

DEFAULT_FOLDS = 5


def speaker_folds(
    corpus: Corpus, folds: int | None = None, *, strata: Strata, holdout: Sequence[str] = ()
) -> tuple[Fold, ...]:
    """Split a corpus so that every speaker, but for those held out, is tested once and validates once.

    Utterances of nobody (`Corpus.nobody`) train in every fold, but for folds that hold their session out, or all known
    speakers of their corpus of a union.

    With sessions (IEMOCAP), a fold holds out one session, and its speakers take turns: one validates, the other is
    tested. Otherwise speakers, sorted, are dealt to `folds` parts of about equal size; fold i tests part i and
    validates on part i + 1. Of a union, the speakers of each corpus are dealt to all parts.

    Args:
        corpus: Its speakers are split.
        folds: Number of folds; None means the corpus's own, else five, or one a speaker (or session) where there are
            fewer.
        strata: Every training side covers them.
        holdout: Speakers that are on no side of any fold; all of a corpus by its label and a colon.

    Raises:
        CorpusError: There are fewer speakers than folds need, a speaker is in two sessions or does not exist, or a
            training side lacks a stratum.
    """
    out = held_out_speakers(corpus, holdout)
    sessions = sessions_of(corpus, out)
    if (
        sessions
        and folds is None
        and not corpus.is_union
        and all(len(pair) == 2 for pair in sessions)
        and len(sessions) > 1
    ):
        sides: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
            ((validation,), (test,)) for pair in sessions for validation, test in (pair, reversed(pair))
        ]
    else:
        units = sessions or [[speaker] for speaker in corpus.speakers if speaker not in out]
        usual = min(corpus.folds, len(units)) if corpus.folds and holdout else corpus.folds
        count = folds or max(3, usual or min(DEFAULT_FOLDS, len(units)))
        parts = _parts(corpus, count, units, holdout)
        sides = [(parts[(number + 1) % count], parts[number]) for number in range(count)]
    return tuple(_fold(corpus, strata, number, *side, out) for number, side in enumerate(sides))


def may_train(corpus: Corpus, held_out: Collection[str]) -> np.ndarray:
    """Whether each utterance may train while speakers are held out, shape (U,), bool.

    An utterance of nobody may, unless it is of a session of theirs, or of a corpus of a union whose known speakers all
    are held out: they may be its speakers.
    """
    known = ~corpus.nobody
    out = np.array([utterance.speaker in held_out for utterance in corpus.utterances], dtype=bool) & known
    sessions = {corpus.utterances[number].group for number in np.flatnonzero(out)} - {""}
    of_sessions = np.array([utterance.group in sessions for utterance in corpus.utterances], dtype=bool)
    left = corpus.part_numbers[known & ~out] if corpus.is_union else corpus.part_numbers
    whole = np.setdiff1d(corpus.part_numbers[out], left)
    free: np.ndarray = np.where(known, ~out, ~of_sessions & ~np.isin(corpus.part_numbers, whole))
    return free


def outer_parts(corpus: Corpus, folds: Sequence[Fold]) -> list[tuple[str, ...]]:
    """Parts of speakers to hold out together: a session, a fold's test speakers, or whole corpora, by their label.

    They cover all test speakers.
    """
    if folds[0].held_out:
        return [fold.held_out for fold in folds]
    together = {speaker: tuple(session) for session in sessions_of(corpus, ()) for speaker in session}
    parts = [together.get(speaker, fold.test_speakers) for fold in folds for speaker in fold.test_speakers]
    return list(dict.fromkeys(parts))


def sessions_of(corpus: Corpus, holdout: Collection[str]) -> list[list[str]]:
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
    dealt: list[list[str]] = [[] for _ in range(count)]
    first = 0
    for own in _by_part(corpus, units):
        for place, chunk in enumerate(np.array_split(np.arange(len(own)), count)):
            dealt[(first + place) % count] += [speaker for number in chunk for speaker in own[number]]
        first += len(own) % count  # the larger chunks of the next corpus are those after the larger ones of this
    return [tuple(sorted(speakers)) for speakers in dealt]


def _by_part(corpus: Corpus, units: Sequence[list[str]]) -> list[list[list[str]]]:
    """The units of each corpus of a union."""
    part_of = {utterance.speaker: utterance.corpus for utterance in corpus.utterances}
    return [[unit for unit in units if part_of[unit[0]] == label] for label in corpus.parts]


def _fold(
    corpus: Corpus,
    strata: Strata,
    number: int,
    validation: Sequence[str],
    test: Sequence[str],
    holdout: Collection[str],
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
