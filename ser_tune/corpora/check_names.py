"""Check the names of speakers, emotions and attributes in a corpus; problems are sentences."""

import json
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from .names import alike, is_placeholder, listed_spellings, spellings
from .utterance import Utterance

__all__ = [
    "LISTED",
    "few_recordings",
    "in_effect",
    "name_problems",
    "name_warnings",
    "nobody_in_words",
    "spelling_problem",
]

LISTED = 50
"""Names, or groups of spellings, that a sentence lists; of further ones it has the number."""
SHOWN = 12
"""Names in a setting that a sentence proposes."""


def name_problems(
    utterances: Sequence[Utterance],
    *,
    emotions: Iterable[str] | None = None,
    used: Sequence[str] | None = None,
    as_written: Collection[str] = (),
    begin: str = "",
) -> list[str]:
    """Problems that prevent a study: names in two spellings, and emotions that are placeholders.

    Args:
        utterances: Those that are used.
        emotions: Of all utterances, those of emotions that are left out included; None is those that are used.
        used: Emotions that are labels of the used utterances; None is the consensus of each.
        as_written: Names that are taken as they are.
        begin: Begin of these names in the setting: in a union the corpus's label and `:`.
    """
    if used is None:
        used = [utterance.emotion for utterance in utterances]
    kept = set(used)
    named = {
        "speaker": [utterance.speaker for utterance in utterances],
        "emotion": used if emotions is None else list(emotions),
        "session": [utterance.group for utterance in utterances],
    }
    problems = []
    for what, names in named.items():
        groups = spellings(names, as_written=as_written)
        if what == "emotion":
            groups = [group for group in groups if kept.intersection(group)]
        problems += [spelling_problem(what, groups, begin=begin)] if groups else []
    nothing = Counter(name for name in used if name not in as_written and is_placeholder(name))
    if nothing:
        listed = _listed([f"{name!r} ({count})" for name, count in sorted(nothing.items())])
        kept_so = _setting("corpus.names_as_written", [f"{begin}{name}" for name in sorted(nothing)])
        problems.append(
            f"the emotion of some recordings is a placeholder: {listed}; leave these recordings out, or keep other "
            f"emotions with protocol.emotions, or pass {kept_so} to the study where that is truly an emotion"
        )
    return problems


def name_warnings(utterances: Sequence[Utterance], *, as_written: Collection[str] = ()) -> list[str]:
    """Warnings about names with which a study can be run: utterances of nobody, similar names, attributes' spellings.

    Args:
        utterances: Those that are used.
        as_written: Names that are taken as they are.
    """
    nobody = [
        utterance
        for utterance in utterances
        if utterance.speaker not in as_written and is_placeholder(utterance.own_speaker)
    ]
    left_out = sum(utterance.is_held_out for utterance in nobody)
    warnings = [nobody_in_words(nobody, len(utterances), left_out=left_out)] if nobody else []
    named = {
        "speaker": [utterance.speaker for utterance in utterances],
        "emotion": [utterance.emotion for utterance in utterances],
    }
    for what, names in named.items():
        if groups := alike(names, as_written=as_written):
            listed = _listed([listed_spellings(group) for group in groups])
            warnings.append(f"names differ by punctuation or zeros alone ({what}), and are different here: {listed}")
    values: dict[str, list[str]] = {}
    for name, value in (pair for utterance in utterances for pair in utterance.attributes):
        values.setdefault(name, []).append(value)
    for name, written in values.items():
        if groups := spellings(written, as_written=as_written):
            listed = _listed([listed_spellings(group) for group in groups])
            warnings.append(f"values are spelt in several ways ({name}), each of which is one group: {listed}")
    return warnings


def few_recordings(what: str, counts: Mapping[str, int], fewest: int) -> list[str]:
    """A sentence on names with few recordings, where there are any.

    >>> few_recordings("emotion", {"joy": 30, "fear": 3}, 10)
    ['fewer than 10 recordings (emotion): fear (3)']

    Args:
        what: A `speaker` or an `emotion`.
        counts: Recordings of each.
        fewest: From which number on they are enough.
    """
    few = [f"{name} ({count})" for name, count in sorted(counts.items()) if count < fewest]
    return [f"fewer than {fewest} recordings ({what}): {_listed(few)}"] if few else []


def spelling_problem(what: str, groups: Sequence[dict[str, int]], *, begin: str = "") -> str:
    """A sentence on names in several spellings.

    Args:
        what: A `speaker`, an `emotion`, a `session` or an attribute.
        groups: As `spellings` returns them, at least one.
        begin: As of `name_problems`.
    """
    listed = _listed([listed_spellings(group) for group in groups])
    number = "1 name is" if len(groups) == 1 else f"{len(groups)} names are"
    usual = [max(group, key=lambda name: (group[name], name)) for group in groups]
    others = [(name, best) for group, best in zip(groups, usual, strict=True) for name in group if name != best]
    merges = [f"{name}={best}" for name, best in others if "=" not in name + best]
    merge = f"merge them ({_setting('protocol.merge', merges)}), " if what == "emotion" and merges else ""
    different = _setting("corpus.names_as_written", [f"{begin}{name}" for name, _ in others])
    return (
        f"{number} spelt in several ways ({what}): {listed}; write each in one way, {merge}or pass {different} to "
        "the study where they are truly different"
    )


def nobody_in_words(nobody: Sequence[Utterance], total: int, *, left_out: int = 0) -> str:
    """Describe how utterances are used whose speaker is a placeholder.

    Args:
        nobody: Those, at least one.
        total: Number of all utterances.
        left_out: Number of those that the corpus's official split holds out.
    """
    counts = Counter(utterance.speaker for utterance in nobody)
    listed = _listed([f"{name!r} ({count})" for name, count in sorted(counts.items())])
    use = "they train and are never held out"
    if left_out:
        use = f"{len(nobody) - left_out} train, and {left_out} of the official split's held-out sides are left out"
    return f"{len(nobody)} of {total} utterances name no speaker ({listed}): {use}"


def in_effect(utterances: Sequence[Utterance], as_written: Collection[str]) -> tuple[str, ...]:
    """The names taken as written that would be a placeholder or another's spelling, sorted."""
    if not as_written:
        return ()
    found = set[str]()
    for names in (
        {utterance.speaker for utterance in utterances},
        {utterance.emotion for utterance in utterances},
        {utterance.group for utterance in utterances},
    ):
        alike = {name for group in spellings(names) for name in group}
        found |= {name for name in names if name in alike or (name and is_placeholder(name))}
    return tuple(sorted(found.intersection(as_written)))


def _setting(path: str, values: Sequence[str]) -> str:
    """An option with a setting; of many values the first."""
    some = json.dumps(values[:SHOWN], ensure_ascii=not "".join(values[:SHOWN]).isprintable())
    return f"--set {shlex.quote(f'{path}={some}')}"


def _listed(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - LISTED} more" if len(parts) > LISTED else ""
    return "; ".join(parts[:LISTED]) + more
