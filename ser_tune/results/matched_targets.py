"""Targets of a corpus as the outputs of a model: emotions by their meaning, dimensions by their name and scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..config import TaskSettings
from ..corpora import Corpus, LabelMapping, Utterance, map_dimensions, map_labels
from ..errors import MappingError
from ..tasks import Task

__all__ = ["Matched", "Outputs", "match_classes", "match_dimensions", "match_sets", "match_shares", "refuse_part"]

Scales = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of a model, and what its task makes targets by."""

    task: Task
    settings: TaskSettings
    labels: tuple[str, ...]
    """Their names."""
    scales: Scales | None
    """Lowest and highest value of each, where they are known; None where the corpus is the model's own."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Targets of judged utterances, in the words of the corpus and of a model."""

    mapping: LabelMapping
    kept: np.ndarray
    """Whether the model can be judged by each utterance, shape (N,), bool."""
    texts: Sequence[str]
    """Target of each kept utterance, as the corpus calls it."""
    truth: np.ndarray
    """The same targets over the shared outputs, as the task's metrics take them, shape (kept, ...)."""
    left_out: Mapping[str, int]
    """Reason to number of utterances that are not kept."""
    notes: Sequence[str] = ()
    """Limits of the comparison."""
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further facts of the evaluation's protocol."""


def match_classes(outputs: Outputs, corpus: Corpus, numbers: np.ndarray, given: Mapping[str, str] | None) -> Matched:
    """Match the class of each utterance; those of other classes are left out.

    Args:
        outputs: Of the model.
        corpus: Any.
        numbers: Of its utterances that are judged, shape (N,).
        given: Class of the corpus to class of the model, by the user.

    Raises:
        MappingError: The labels cannot be mapped.
    """
    task = outputs.task
    targets = task.targets(outputs.settings, _chosen(corpus, numbers))
    texts = [task.write(value, targets.names) for value in targets.values]
    mapping = map_labels(targets.names, outputs.labels, given)
    refuse_part(task, mapping)
    own = [text for text in texts if text in mapping.targets]
    return Matched(
        mapping=mapping,
        kept=np.array([text in mapping.targets for text in texts]),
        texts=own,
        truth=task.read([mapping.targets[text] for text in own], mapping.shared),
        left_out={f"{task.answer} {label} is no class of the model": texts.count(label) for label in mapping.left_out},
    )


def match_shares(outputs: Outputs, corpus: Corpus, numbers: np.ndarray, given: Mapping[str, str] | None) -> Matched:
    """Add up the votes for emotions that count as the same; votes for emotions that the model lacks are not counted.

    Arguments are those of `match_classes`.
    """
    targets = outputs.task.targets(outputs.settings, corpus.utterances)
    mapping = map_labels(targets.names, outputs.labels, given)
    values = targets.values[numbers]
    shares = values @ _columns(targets.names, mapping)
    counted = shares.sum(axis=1)
    kept = (counted > 0) & np.array([_has_votes(found, mapping) for found in _chosen(corpus, numbers)], dtype=bool)
    known = _all_in_words(mapping, int((~kept).sum()), "all their votes are for emotions that the model lacks")
    lost = float(1 - counted[kept].mean()) if kept.any() else 0.0
    names = ", ".join(mapping.left_out)
    note = f"{lost:.1%} of the votes are for emotions that the model lacks ({names}), and are not counted"
    _refuse_none(kept, mapping)
    return Matched(
        mapping=mapping,
        kept=kept,
        texts=[outputs.task.write(value, targets.names) for value in values[kept]],
        truth=shares[kept] / counted[kept, None] if mapping.left_out else shares[kept],
        left_out=known,
        notes=[note] if lost > 5e-4 and mapping.left_out else [],
    )


def match_sets(outputs: Outputs, corpus: Corpus, numbers: np.ndarray, given: Mapping[str, str] | None) -> Matched:
    """Join the emotions of each utterance that count as the same; emotions that the model lacks are not counted.

    Arguments are those of `match_classes`.
    """
    targets = outputs.task.targets(outputs.settings, corpus.utterances)
    mapping = map_labels(targets.names, outputs.labels, given)
    values = targets.values[numbers]
    truth = values.astype(np.float64) @ _columns(targets.names, mapping) > 0
    kept = truth.any(axis=1) | ~values.any(axis=1)  # none of all emotions is a set too
    _refuse_none(kept, mapping)
    return Matched(
        mapping=mapping,
        kept=kept,
        texts=[outputs.task.write(value, targets.names) for value in values[kept]],
        truth=truth[kept],
        left_out=_all_in_words(mapping, int((~kept).sum()), "the model lacks all their emotions"),
    )


def match_dimensions(outputs: Outputs, corpus: Corpus, numbers: np.ndarray, given: Mapping[str, str] | None) -> Matched:
    """Match dimensions by name, on the model's scale; utterances without a rating of a shared dimension are left out.

    Arguments are those of `match_classes`, `given` of dimensions.
    """
    task, judged = outputs.task, _chosen(corpus, numbers)
    rated = [frozenset(name for name, _ in utterance.annotation.dimensions) for utterance in judged]
    mapping = map_dimensions(sorted(frozenset().union(*rated)), outputs.labels, given)
    name_of = {label: name for name, label in mapping.targets.items()}
    names = tuple(name_of[label] for label in mapping.shared)
    kept = np.array([found.issuperset(names) for found in rated])
    _refuse_none(kept, mapping)
    settings = outputs.settings.model_copy(update={"names": names})
    targets = task.targets(settings, [found for found, own in zip(judged, kept, strict=True) if own])
    truth, notes, facts = _on_scale(outputs, corpus.scales, names, mapping.shared, targets.values)
    missing = int((~kept).sum())
    return Matched(
        mapping=mapping,
        kept=kept,
        texts=[task.write(value, names) for value in targets.values],
        truth=truth,
        left_out={f"a rating of {' or '.join(names)} is missing": missing} if missing else {},
        notes=notes,
        facts=facts,
    )


def _on_scale(
    outputs: Outputs, scales: Scales, names: Sequence[str], labels: Sequence[str], ratings: np.ndarray
) -> tuple[np.ndarray, list[str], dict[str, tuple[str, ...]]]:
    """Ratings (N, D) on the scale of a model, notes on what was done, and facts of the protocol."""
    if outputs.scales is None:
        return ratings, [], {}
    mapped, unknown, found = ratings.copy(), [], []
    for column, (name, label) in enumerate(zip(names, labels, strict=True)):
        ours, theirs = outputs.scales.get(label), scales.get(name)
        if ours is None or theirs is None:
            unknown.append(name)
        elif ours != theirs:
            (low, high), (first, last) = ours, theirs
            mapped[:, column] = low + (ratings[:, column] - first) * (high - low) / (last - first)
            found.append(f"{name} from {first:g} to {last:g} as {low:g} to {high:g}")
    notes = [f"the model's scale is another: ratings are mapped linearly to it, {', '.join(found)}"] if found else []
    if unknown:
        notes.append(
            f"the scale of {', '.join(unknown)} is known of at most one of the corpora: ratings are compared as they "
            "are, and unless the scales are equal, PCC alone has a meaning"
        )
    return mapped, notes, {"scales": tuple(found)} if found else {}


def refuse_part(task: Task, mapping: LabelMapping) -> None:
    """Refuse a task that cannot decide among the classes that a corpus shares.

    Raises:
        MappingError: The corpus lacks classes that the task decides among together with the shared ones.
    """
    try:
        task.decide(task.unshow(np.full((1, len(mapping.shared)), 1 / len(mapping.shared))))
    except (IndexError, ValueError):
        if not mapping.unused:
            raise
        raise MappingError(
            f"task {task.name} decides among {', '.join(mapping.labels)} together, and the corpus shares "
            f"{', '.join(mapping.shared)}; expected all of them"
        ) from None


def _chosen(corpus: Corpus, numbers: np.ndarray) -> list[Utterance]:
    return [corpus.utterances[number] for number in numbers]


def _columns(names: Sequence[str], mapping: LabelMapping) -> np.ndarray:
    """1 where an emotion of the corpus counts as a shared one of the model, else 0, shape (names, shared)."""
    counts_as = [[mapping.targets.get(name) == label for label in mapping.shared] for name in names]
    return np.array(counts_as, dtype=np.float64)


def _has_votes(utterance: Utterance, mapping: LabelMapping) -> bool:
    """Whether a vote is for a shared emotion: smoothing is no vote. Labels other than votes have no smoothing."""
    votes = utterance.annotation.votes
    return not votes or any(name in mapping.targets for name, _ in votes)


def _all_in_words(mapping: LabelMapping, count: int, reason: str) -> dict[str, int]:
    return {f"{reason} ({', '.join(mapping.left_out)})": count} if count else {}


def _refuse_none(kept: np.ndarray, mapping: LabelMapping) -> None:
    if not kept.any():
        raise MappingError(
            f"no utterance has a label of {', '.join(mapping.shared)}, which the model and the corpus share; expected "
            "at least one"
        )
