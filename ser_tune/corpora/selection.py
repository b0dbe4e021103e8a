"""The choice of a corpus's utterances: styles, merged emotions, and the labels that a task needs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from ..config import Value
from ..errors import CorpusError
from .utterance import Annotation, Utterance

__all__ = ["LABELS", "Chosen", "Need", "Subset", "choose", "plurality"]

Need: TypeAlias = Literal["emotion", "votes", "emotions", "dimensions"]
"""The label that a task needs of every utterance."""
LABELS: Mapping[Need, str] = {
    "emotion": "emotion",
    "votes": "votes of annotators",
    "emotions": "list of emotions, or votes",
    "dimensions": "ratings of dimensions",
}
"""Need to its noun."""


@dataclass(frozen=True, slots=True)
class Subset:
    """A common selection of a corpus's utterances and classes, with its published counts."""

    description: str
    emotions: tuple[str, ...] | None = None
    """Keep only these, after merging; None keeps all."""
    styles: tuple[str, ...] | None = None
    """Keep only these; None keeps all."""
    merge: Mapping[str, str] = field(default_factory=dict)
    """Emotion to the emotion that it counts as."""
    emotion_counts: Mapping[str, int] = field(default_factory=dict)
    """Published utterances of each emotion; empty where there are none to compare with."""
    speaker_counts: Mapping[str, int] = field(default_factory=dict)
    """Published utterances of each speaker; empty where they are not published."""
    all_emotions: tuple[str, ...] = ()
    """Every emotion that occurs, where the utterances of each are not published."""
    total: int | None = None
    """Published utterances, where those of each emotion are not published."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Settings that differ from those of the corpus: dotted path to value. `task.name` is the recognised target."""
    by_plurality: bool = False
    """The emotion of an utterance is that of most votes, instead of the owners'; where several have as many votes,
    there is none."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Chosen utterances."""

    utterances: list[Utterance]
    """In the order of their names, with merged emotions."""
    names: list[str]
    """The names of emotions that occur before emotions are left out, as often as they occur."""
    used: list[str] | None
    """The names of emotions that are labels of the chosen utterances, as often as they are; None where labels are
    numbers."""
    left_out: int
    """Utterances without the needed label."""


def choose(utterances: Iterable[Utterance], subset: Subset, where: str, *, needs: Need = "emotion") -> Chosen:
    """Choose utterances of a corpus.

    Args:
        utterances: All.
        subset: Styles, merges and emotions. Emotions that are kept limit votes and lists of emotions too.
        where: The corpus, to open messages with.
        needs: Utterances without this label are left out.

    Raises:
        CorpusError: There is no such style or emotion, or no utterance with such a label.
    """
    every = found = sorted(utterances, key=lambda utterance: utterance.id)
    if subset.styles is not None:
        _refuse_unknown("style", subset.styles, {utterance.style for utterance in every}, where)
        every = [utterance for utterance in every if utterance.style in subset.styles]
    named = NAMES[needs]
    can_merge = _voted if subset.by_plurality else named
    _refuse_unknown("emotion", subset.merge, {name for utterance in every for name in can_merge(utterance)}, where)
    merged = [_merged(utterance, subset.merge) for utterance in every] if subset.merge else every
    if subset.by_plurality:  # of merged votes: two emotions that count as the same are no tie
        merged = [replace(utterance, emotion=plurality(utterance.annotation.votes)) for utterance in merged]
    names = [name for utterance in merged for name in named(utterance)]
    labelled = [utterance for utterance in merged if _has(utterance, needs)]
    if not labelled:
        raise CorpusError(
            f"{where} has no utterance with {_lacking(subset, needs, merged)}; it has {_labels_of(found)}"
        )
    kept = labelled
    if subset.emotions is not None:
        _refuse_unknown("emotion", subset.emotions, set(names), where)
        wanted = frozenset(subset.emotions)
        if named is _voted:
            limited = (replace(utterance, annotation=_limited(utterance.annotation, wanted)) for utterance in labelled)
            kept = [utterance for utterance in limited if _has(utterance, needs)]
        else:
            kept = [utterance for utterance in labelled if utterance.emotion in wanted]
    used = [name for utterance in kept for name in named(utterance)] if needs in NAMED else None
    return Chosen(kept, names, used, len(merged) - len(labelled))


def plurality(votes: Sequence[tuple[str, int]]) -> str:
    """The emotion with most votes; empty where several have as many, or there are no votes.

    >>> plurality([("anger", 1), ("joy", 3)]), plurality([("anger", 2), ("joy", 2)]), plurality([])
    ('joy', '', '')
    """
    most = max((count for _, count in votes), default=0)
    winners = [name for name, count in votes if count == most]
    return winners[0] if len(winners) == 1 else ""


def _consensus(utterance: Utterance) -> Sequence[str]:
    return (utterance.emotion,) if utterance.emotion else ()


def _voted(utterance: Utterance) -> Sequence[str]:
    annotation = utterance.annotation
    return sorted({*annotation.emotions, *(name for name, _ in (*annotation.votes, *annotation.secondary))})


NAMES: Mapping[Need, Callable[[Utterance], Sequence[str]]] = {
    "emotion": _consensus,
    "votes": _voted,
    "emotions": _voted,
    "dimensions": _consensus,
}
"""Need to the emotions of an utterance that can be merged or left out."""
NAMED = frozenset[Need]({"emotion", "votes", "emotions"})
"""Needs whose labels are names of emotions."""


def _lacking(subset: Subset, needs: Need, utterances: Sequence[Utterance]) -> str:
    """The noun of the label that no utterance has."""
    if not subset.by_plurality or needs != "emotion":
        return LABELS[needs]
    voted = any(_has(utterance, "votes") for utterance in utterances)
    return "more votes for an emotion than for any other" if voted else LABELS["votes"]


def _labels_of(utterances: Sequence[Utterance]) -> str:
    """The nouns of the labels that utterances have."""
    single: tuple[Need, ...] = ("emotion", "votes", "dimensions")
    found = [LABELS[needs] for needs in single if any(_has(utterance, needs) for utterance in utterances)]
    return f"{', '.join(found)}: choose another task, --task" if found else "no other labels"


def _has(utterance: Utterance, needs: Need) -> bool:
    annotation = utterance.annotation
    found = {
        "emotion": utterance.emotion,
        "votes": annotation.votes,
        "emotions": annotation.emotions or annotation.votes,
        "dimensions": annotation.dimensions,
    }
    return bool(found[needs])


def _merged(utterance: Utterance, merge: Mapping[str, str]) -> Utterance:
    """The utterance with merged emotions, whose votes are added up."""
    annotation = replace(
        utterance.annotation,
        votes=_added_up(utterance.annotation.votes, merge),
        secondary=_added_up(utterance.annotation.secondary, merge),
        emotions=tuple(sorted({merge.get(name, name) for name in utterance.annotation.emotions})),
    )
    return replace(utterance, emotion=merge.get(utterance.emotion, utterance.emotion), annotation=annotation)


def _added_up(votes: Sequence[tuple[str, int]], merge: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    total: dict[str, int] = {}
    for name, count in votes:
        target = merge.get(name, name)
        total[target] = total.get(target, 0) + count
    return tuple(sorted(total.items()))


def _limited(annotation: Annotation, wanted: frozenset[str]) -> Annotation:
    """The annotation without votes for other emotions."""
    return replace(
        annotation,
        votes=tuple(pair for pair in annotation.votes if pair[0] in wanted),
        secondary=tuple(pair for pair in annotation.secondary if pair[0] in wanted),
        emotions=tuple(name for name in annotation.emotions if name in wanted),
    )


def _refuse_unknown(label: str, wanted: Iterable[str], present: set[str], where: str) -> None:
    if missing := sorted(set(wanted) - present):
        there = ", ".join(sorted(present - {""})) or "none"
        raise CorpusError(f"{where} has no {label} '{missing[0]}'; it has {there}")
