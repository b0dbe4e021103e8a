"""Groups of utterances that an evaluation scores by themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..audio import length_s
from ..corpora import Utterance, is_placeholder, name_key
from ..errors import ConfigError

__all__ = ["groups_of"]


def groups_of(utterances: Sequence[Utterance], by: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The group of each utterance: by speaker, gender where it is known, thirds of duration, and other attributes.

    Args:
        utterances: At least one.
        by: Names of attributes, such as `style`, `text`, `session` or a manifest's column `meta_NAME`.

    Returns:
        The kind of group to the name of each utterance's group, in the most frequent of several spellings; empty where
        the group of an utterance is not known.

    Raises:
        ConfigError: No utterance has such an attribute.
    """
    attributes = [_attributes(utterance) for utterance in utterances]
    known = {name for own in attributes for name in own}
    for name in by:
        if name not in known:
            expected = f"expected one of {', '.join(sorted(known))}" if known else "this corpus has no such attributes"
            raise ConfigError(f"--by: no utterance has '{name}'; {expected}")
    named = dict.fromkeys([*(["gender"] if "gender" in known else []), *by])
    return {
        "speaker": [utterance.speaker for utterance in utterances],
        **{name: _usual_spelling([own.get(name, "") for own in attributes]) for name in named},
        "duration": _thirds(
            [length_s(utterance.path, start_s=utterance.start_s, end_s=utterance.end_s) for utterance in utterances]
        ),
    }


def _usual_spelling(values: Sequence[str]) -> list[str]:
    """Values in their most frequent spelling, and empty ones in place of placeholders."""
    usual: dict[str, str] = {}
    for value, _ in Counter(sorted(values)).most_common():
        usual.setdefault(name_key(value), value)
    return ["" if is_placeholder(value) else usual[name_key(value)] for value in values]


def _attributes(utterance: Utterance) -> dict[str, str]:
    """Values of the attributes that an utterance has."""
    own = {"session": utterance.group, "style": utterance.style, "text": utterance.text, **dict(utterance.attributes)}
    return {name: value for name, value in own.items() if value}


def _thirds(lengths_s: Sequence[float]) -> list[str]:
    """Names of the thirds of the durations, in seconds."""
    lower, upper = np.quantile(lengths_s, [1 / 3, 2 / 3])
    names = (f"short, to {lower:.2f} s", f"medium, to {upper:.2f} s", f"long, over {upper:.2f} s")
    return [names[int(length > lower) + int(length > upper)] for length in lengths_s]
