"""The names of a corpus: what is wrong with them, in sentences."""

import json
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from .names import is_placeholder, listed_spellings, spellings

if TYPE_CHECKING:
    from .base import Utterance

__all__ = ["LISTED", "in_effect", "name_problems", "nobody_in_words", "spelling_problem"]

LISTED = 50
"""Names, or groups of spellings, that a sentence lists; of further ones it has the number."""


def name_problems(
    utterances: Sequence["Utterance"], *, emotions: Iterable[str] | None = None, as_written: Collection[str] = ()
) -> list[str]:
    """What no study can be run with: names in two spellings, and emotions that are placeholders.

    Args:
        utterances: Those that are used.
        emotions: Of all utterances, those of emotions that are left out included; None is those that are used.
        as_written: Names that are taken as they are.
    """
    used = [one.emotion for one in utterances]
    kept = set(used)
    named = {
        "speaker": [one.speaker for one in utterances],
        "emotion": used if emotions is None else list(emotions),
        "session": [one.group for one in utterances],
    }
    problems = []
    for what, names in named.items():
        groups = spellings(names, as_written=as_written)
        if what == "emotion":
            groups = [group for group in groups if kept.intersection(group)]
        problems += [spelling_problem(what, groups)] if groups else []
    nothing = Counter(name for name in used if name not in as_written and is_placeholder(name))
    if nothing:
        listed = _listed([f"{name!r} ({count})" for name, count in sorted(nothing.items())])
        problems.append(
            f"the emotion of some recordings is a placeholder: {listed}; leave these recordings out, or keep other "
            f"emotions with protocol.emotions, or {_way_out(min(nothing))}"
        )
    return problems


def spelling_problem(what: str, groups: Sequence[dict[str, int]]) -> str:
    """A sentence on names in several spellings.

    Args:
        what: A `speaker`, an `emotion`, a `session` or an attribute.
        groups: As `spellings` returns them, at least one.
    """
    listed = _listed([listed_spellings(group) for group in groups])
    number = "1 name is" if len(groups) == 1 else f"{len(groups)} names are"
    rare, *_, usual = sorted(groups[0], key=lambda name: (groups[0][name], name))
    merge = ""
    if what == "emotion" and "=" not in rare + usual:
        merge = f"merge them ({_setting('protocol.merge', [f'{rare}={usual}'])}), "
    return f"{number} spelt in several ways ({what}): {listed}; write each in one way, {merge}or {_way_out(rare)}"


def nobody_in_words(utterances: Sequence["Utterance"]) -> str:
    """Their speakers' placeholders, such as `'nan' (3); 'unknown' (1)`."""
    return _listed(
        [f"{name!r} ({count})" for name, count in sorted(Counter(one.speaker for one in utterances).items())]
    )


def in_effect(utterances: Sequence["Utterance"], as_written: Collection[str]) -> tuple[str, ...]:
    """Of the names that are taken as written, those that would be a placeholder or another's spelling, sorted."""
    if not as_written:
        return ()
    found = set[str]()
    for names in (
        {one.speaker for one in utterances},
        {one.emotion for one in utterances},
        {one.group for one in utterances},
    ):
        alike = {name for group in spellings(names) for name in group}
        found |= {name for name in names if name in alike or (name and is_placeholder(name))}
    return tuple(sorted(found.intersection(as_written)))


def _way_out(name: str) -> str:
    return f"list what is truly a name of its own ({_setting('corpus.names_as_written', [name])})"


def _setting(path: str, values: Sequence[str]) -> str:
    return f"--set {shlex.quote(f'{path}={json.dumps(values, ensure_ascii=False)}')}"


def _listed(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - LISTED} more" if len(parts) > LISTED else ""
    return "; ".join(parts[:LISTED]) + more
