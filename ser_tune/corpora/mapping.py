"""Map the emotions of a corpus to the classes of a model, and its dimensions to those of a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import MappingError

__all__ = ["MERGES", "SYNONYMS", "LabelMapping", "map_dimensions", "map_labels", "meaning", "target_of"]

SYNONYMS = {
    "amusement": ("amused",),
    "anger": ("ang", "angry"),
    "apology": ("apologetic",),
    "assertiveness": ("assertive",),
    "boredom": ("bor", "bored"),
    "calm": ("calmness",),
    "concern": ("concerned",),
    "contempt": ("contemptuous",),
    "disgust": ("dis", "disgusted"),
    "encouragement": ("encouraging",),
    "excitement": ("exc", "excited"),
    "fear": ("afraid", "anxiety", "anxious", "fea", "fear/anxiety", "fearful"),
    "frustration": ("fru", "frustrated"),
    "happiness": ("hap", "happy", "joy", "joyful"),
    "neutral": ("neu", "neutrality"),
    "sadness": ("sad",),
    "sleepiness": ("sleepy",),
    "surprise": ("pleasant surprise", "ps", "sur", "surprised"),
}
"""Names of one emotion in the field's corpora, all in small letters."""
MERGES = {"calm": "neutral", "excitement": "happiness"}
"""Usual merges, made where the model has no class of the emotion's own: RAVDESS's calm, IEMOCAP's excitement."""
_NAMES = {name: emotion for emotion, names in SYNONYMS.items() for name in (emotion, *names)}


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """A mapping of a corpus's emotions, or dimensions, to a model's outputs, such as its classes."""

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

    @classmethod
    def of(cls, found: Mapping[str, str], labels: Sequence[str]) -> "LabelMapping":
        """Map every emotion of a corpus to one of the labels of a model, or to an empty text, which is none."""
        targets = {emotion: label for emotion, label in found.items() if label}
        shared = tuple(label for label in labels if label in targets.values())
        return cls(
            targets=targets,
            left_out=tuple(sorted(emotion for emotion, label in found.items() if not label)),
            labels=tuple(labels),
            shared=shared,
            unused=tuple(label for label in labels if label not in shared),
        )

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
    given = _checked(given, ("emotion of the corpus", emotions), ("class of the model", labels))
    mapping = LabelMapping.of({emotion: given.get(emotion, target_of(emotion, labels)) for emotion in emotions}, labels)
    if len(mapping.shared) < 2:
        raise MappingError(
            f"the model's classes ({', '.join(labels)}) and the corpus's emotions ({', '.join(emotions)}) share "
            f"{len(mapping.shared)}; expected at least two; pass --map EMOTION=CLASS"
        )
    return mapping


def map_dimensions(names: Sequence[str], labels: Sequence[str], given: Mapping[str, str] | None = None) -> LabelMapping:
    """Map the dimensions of a corpus to those of a model: what the user gave, then the same name.

    Args:
        names: Of the corpus's dimensions.
        labels: Dimensions of the model.
        given: Dimension of the corpus to dimension of the model; an empty name leaves the dimension out.

    Raises:
        MappingError: `given` names a dimension that does not exist, no dimension is shared, or two of the corpus count
            as the same.

    >>> found = map_dimensions(["activation", "valence"], ["arousal", "valence"], {"activation": "arousal"})
    >>> found.shared, str(found)
    (('arousal', 'valence'), 'activation=arousal')
    """
    given = _checked(given, ("dimension of the corpus", names), ("dimension of the model", labels))
    mapping = LabelMapping.of({name: given.get(name, name if name in labels else "") for name in names}, labels)
    for label, count in Counter(mapping.targets.values()).items():
        if count > 1:
            double = [name for name, target in mapping.targets.items() if target == label]
            raise MappingError(
                f"{' and '.join(double)} of the corpus count as {label} of the model; expected a single one; pass "
                f"--map {double[0]}= to leave it out"
            )
    if not mapping.shared:
        raise MappingError(
            f"the model's dimensions ({', '.join(labels)}) and the corpus's dimensions ({', '.join(names)}) share "
            "none; expected at least one; pass --map DIMENSION=DIMENSION, the corpus's first"
        )
    return mapping


def _checked(
    given: Mapping[str, str] | None, ours: tuple[str, Sequence[str]], theirs: tuple[str, Sequence[str]]
) -> Mapping[str, str]:
    """The mapping that the user gave; raises where it has unknown names of the corpus, or of the model."""
    given = given or {}
    for (what, valid), names in ((ours, given.keys()), (theirs, filter(None, given.values()))):
        for name in names:
            if name not in valid:
                raise MappingError(f"--map: '{name}' is no {what}; expected one of {', '.join(sorted(valid))}")
    return given


def target_of(emotion: str, labels: Sequence[str]) -> str:
    """The class that an emotion counts as, by its name or a usual merge; empty where there is none, or several.

    >>> target_of("joy", ["happiness", "sadness"]), target_of("fear", ["happiness", "sadness"])
    ('happiness', '')
    """
    if emotion in labels:
        return emotion
    meant = meaning(emotion)
    for wanted in (meant, MERGES.get(meant)):
        same = [label for label in labels if meaning(label) == wanted]
        if same:
            return same[0] if len(same) == 1 else ""
    return ""


def meaning(name: str) -> str:
    """The usual name of an emotion, in small letters.

    >>> meaning("Fearful"), meaning("pleasant_surprise"), meaning("pride")
    ('fear', 'surprise', 'pride')
    """
    written = " ".join(name.casefold().replace("_", " ").split())
    return _NAMES.get(written, written)
