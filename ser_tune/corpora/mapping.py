"""Map the emotions of a corpus to the classes of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import MappingError

__all__ = ["MERGES", "SYNONYMS", "LabelMapping", "map_labels"]

SYNONYMS = {
    "anger": ("ang", "angry"),
    "boredom": ("bor", "bored"),
    "calm": ("calmness",),
    "contempt": ("contemptuous",),
    "disgust": ("dis", "disgusted"),
    "excitement": ("exc", "excited"),
    "fear": ("afraid", "anxiety", "anxious", "fea", "fear/anxiety", "fearful"),
    "frustration": ("fru", "frustrated"),
    "happiness": ("hap", "happy", "joy", "joyful"),
    "neutral": ("neu", "neutrality"),
    "sadness": ("sad",),
    "surprise": ("pleasant surprise", "ps", "sur", "surprised"),
}
"""Names of one emotion in the field's corpora, all in small letters."""
MERGES = {"calm": "neutral", "excitement": "happiness"}
"""Usual merges, made where the model has no class of the emotion's own: RAVDESS's calm, IEMOCAP's excitement."""
_NAMES = {name: emotion for emotion, names in SYNONYMS.items() for name in (emotion, *names)}


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """A mapping of a corpus's emotions to a model's classes."""

    targets: Mapping[str, str]
    """Emotion of the corpus to class of the model."""
    left_out: tuple[str, ...]
    """Emotions of the corpus that the model has no class for, sorted."""
    labels: tuple[str, ...]
    """Classes of the model, in the order of its outputs."""
    shared: tuple[str, ...]
    """Classes of the model that occur in the corpus, in the model's order."""
    unused: tuple[str, ...]
    """Classes of the model that do not occur in the corpus, in the model's order."""

    def __str__(self) -> str:
        """The emotions whose name differs from their class.

        >>> str(map_labels(["happy", "anger"], ["anger", "happiness"]))
        'happy=happiness'
        """
        return ", ".join(self.renamed) or "by name"

    @property
    def renamed(self) -> tuple[str, ...]:
        """The same as a list."""
        return tuple(f"{emotion}={target}" for emotion, target in sorted(self.targets.items()) if emotion != target)


def map_labels(emotions: Sequence[str], labels: Sequence[str], given: Mapping[str, str] | None = None) -> LabelMapping:
    """Map the emotions of a corpus to the classes of a model.

    The order of precedence: what the user gave, the same name, another name of the same emotion (`SYNONYMS`), a usual
    merge (`MERGES`).

    Args:
        emotions: Of the corpus.
        labels: Classes of the model.
        given: Emotion of the corpus to class of the model; an empty class leaves the emotion out.

    Raises:
        MappingError: `given` names an emotion or a class that does not exist, or fewer than two classes are shared.

    >>> found = map_labels(["excitement", "calm", "fear"], ["boredom", "happiness", "neutral"])
    >>> found.targets, found.left_out, found.unused
    ({'excitement': 'happiness', 'calm': 'neutral'}, ('fear',), ('boredom',))
    """
    given = given or {}
    for option, names, valid in (
        ("emotion of the corpus", given.keys(), emotions),
        ("class of the model", filter(None, given.values()), labels),
    ):
        for name in names:
            if name not in valid:
                raise MappingError(f"--map: '{name}' is no {option}; expected one of {', '.join(sorted(valid))}")
    found = {emotion: given.get(emotion, _target(emotion, labels)) for emotion in emotions}
    targets = {emotion: label for emotion, label in found.items() if label}
    shared = tuple(label for label in labels if label in targets.values())
    if len(shared) < 2:
        raise MappingError(
            f"the model's classes ({', '.join(labels)}) and the corpus's emotions ({', '.join(emotions)}) share "
            f"{len(shared)}; expected at least two; pass --map EMOTION=CLASS"
        )
    return LabelMapping(
        targets=targets,
        left_out=tuple(sorted(emotion for emotion, label in found.items() if not label)),
        labels=tuple(labels),
        shared=shared,
        unused=tuple(label for label in labels if label not in shared),
    )


def _target(emotion: str, labels: Sequence[str]) -> str:
    """The class that an emotion counts as; empty where there is none, or more than one."""
    if emotion in labels:
        return emotion
    meant = _meaning(emotion)
    for wanted in (meant, MERGES.get(meant)):
        same = [label for label in labels if _meaning(label) == wanted]
        if same:
            return same[0] if len(same) == 1 else ""
    return ""


def _meaning(name: str) -> str:
    written = " ".join(name.casefold().replace("_", " ").split())
    return _NAMES.get(written, written)
