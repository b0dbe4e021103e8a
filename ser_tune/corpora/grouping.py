"""Groups of utterances: by the speaker, and by attributes such as gender, style and session."""

from collections import Counter
from collections.abc import Sequence

from .names import is_placeholder, name_key
from .utterance import Utterance

__all__ = ["group_names", "grouped_by"]

SPEAKER = "speaker"


def group_names(utterances: Sequence[Utterance]) -> frozenset[str]:
    """The names that `grouped_by` takes: `speaker`, and every attribute that an utterance has."""
    return frozenset([SPEAKER, *(name for utterance in utterances for name in _attributes(utterance))])


def grouped_by(utterances: Sequence[Utterance], name: str) -> list[str]:
    """The group of each utterance by an attribute, in the most frequent of several spellings.

    Args:
        utterances: Any number.
        name: One of `group_names`.

    Returns:
        Empty for an utterance whose group is not known.
    """
    if name == SPEAKER:
        return [utterance.speaker for utterance in utterances]
    values = [_attributes(utterance).get(name, "") for utterance in utterances]
    usual: dict[str, str] = {}
    for value, _ in Counter(sorted(values)).most_common():
        usual.setdefault(name_key(value), value)
    return ["" if is_placeholder(value) else usual[name_key(value)] for value in values]


def _attributes(utterance: Utterance) -> dict[str, str]:
    """Values of the attributes that an utterance has."""
    own = {"session": utterance.group, "style": utterance.style, "text": utterance.text, "split": utterance.split}
    own |= dict(utterance.attributes)
    return {name: value for name, value in own.items() if value}
