"""Tables that map the emotions of several corpora to shared classes: named ones, and those of users.

Every table names emotions as `SYNONYMS` does, so that all spellings of an emotion count as the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import MappingError, UnknownNameError
from .mapping import MERGES, LabelMapping, meaning, target_of
from .table import read_table

__all__ = ["MAPPING_TABLES", "MappingTable", "map_parts"]

ANY = "*"
"""The corpus of a row that is for all corpora."""
HEADER = "corpus,emotion,class"


@dataclass(frozen=True, slots=True)
class MappingTable:
    """A named table, the same for all corpora."""

    description: str
    classes: Mapping[str, str]
    """Emotion to class; emotions that are not listed are left out."""


def _by_name(*names: str) -> dict[str, str]:
    """Each emotion as a class of its own, with the usual merges into it."""
    return {name: name for name in names} | {own: target for own, target in MERGES.items() if target in names}


_FOUR = ("anger", "happiness", "neutral", "sadness")
MAPPING_TABLES: Mapping[str, MappingTable] = {
    "four": MappingTable("anger, happiness, neutral, sadness", _by_name(*_FOUR)),
    "six": MappingTable("the four, disgust and fear", _by_name(*_FOUR, "disgust", "fear")),
    "seven": MappingTable("the six and surprise", _by_name(*_FOUR, "disgust", "fear", "surprise")),
    "valence": MappingTable(
        "positive, neutral, negative; without surprise, which may be either",
        {
            **dict.fromkeys(("excitement", "happiness"), "positive"),
            **dict.fromkeys(("calm", "neutral"), "neutral"),
            **dict.fromkeys(("anger", "boredom", "contempt", "disgust", "fear", "frustration", "sadness"), "negative"),
        },
    ),
    "arousal": MappingTable(
        "high and low; without contempt, disgust and frustration, which may be either",
        {
            **dict.fromkeys(("anger", "excitement", "fear", "happiness", "surprise"), "high"),
            **dict.fromkeys(("boredom", "calm", "neutral", "sadness"), "low"),
        },
    ),
}
"""The tables that `corpus.mapping` can name."""


def map_parts(emotions: Mapping[str, tuple[str, ...]], table: str | None) -> dict[str, LabelMapping]:
    """Map the emotions of every corpus of a union to the union's classes.

    Args:
        emotions: Label of each corpus to its emotions, sorted.
        table: A name of `MAPPING_TABLES`, or the path of a CSV `corpus,emotion,class`; None takes the emotions that
            all corpora have, by their usual names and merges.

    Returns:
        Label to mapping; the classes are the same in all, sorted.

    Raises:
        MappingError: There are fewer than two classes, a corpus has none of them, or a row of the user's table names
            an emotion that its corpus does not have.
        UnknownNameError: There is no such table.
        CorpusError: The user's table cannot be read.

    >>> found = map_parts({"a": ("boredom", "happy", "sad"), "b": ("joy", "sadness")}, None)
    >>> found["a"].targets, found["a"].left_out, found["b"].targets
    ({'happy': 'happiness', 'sad': 'sadness'}, ('boredom',), {'joy': 'happiness', 'sadness': 'sadness'})
    """
    if table is None:
        shared = _shared(emotions)
        found = {label: {name: target_of(name, shared) for name in names} for label, names in emotions.items()}
        advice = "name a table with --mapping"
    elif table in MAPPING_TABLES:
        classes = MAPPING_TABLES[table].classes
        found = {label: {name: classes.get(meaning(name), "") for name in names} for label, names in emotions.items()}
        advice = f"table {table} has {', '.join(sorted(set(classes.values())))}"
    else:
        found = _as_written(emotions, Path(table))
        advice = f"'{table}' has no more"
    labels = sorted({target for targets in found.values() for target in targets.values()} - {""})
    listed = "; ".join(f"{label}: {', '.join(names)}" for label, names in emotions.items())
    if len(labels) < 2:
        raise MappingError(
            f"the corpora have {len(labels)} class(es) together; expected at least two; {advice}; their emotions are "
            f"{listed}"
        )
    if empty := [label for label, targets in found.items() if not any(targets.values())]:
        raise MappingError(
            f"corpus {empty[0]} has no emotion of the classes {', '.join(labels)}; it has "
            f"{', '.join(emotions[empty[0]])}; map them in a table, or leave the corpus out"
        )
    return {label: LabelMapping.of(targets, labels) for label, targets in found.items()}


def _shared(emotions: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The emotions that all corpora have, sorted; those included that a usual merge makes."""
    own = [{meaning(name) for name in names} for names in emotions.values()]
    merged = [names | {MERGES[name] for name in names & MERGES.keys()} for names in own]
    shared, before = sorted(set.intersection(*merged)), list[str]()
    while shared != before:  # calm that has its own class is not neutral
        before = shared
        used = [{target_of(name, before) for name in names} for names in own]
        shared = sorted(set(before).intersection(*used))
    return shared


def _as_written(emotions: Mapping[str, tuple[str, ...]], file: Path) -> dict[str, dict[str, str]]:
    """Label to emotion to class, by the rows of a user's table; a row of a corpus wins over a row of all."""
    if not file.is_file():
        if file.suffix or len(file.parts) > 1:
            raise MappingError(f"'{file}' does not exist; expected a CSV with the header {HEADER}")
        raise UnknownNameError("mapping table", str(file), [*MAPPING_TABLES, "the path of a CSV file"])
    names = HEADER.split(",")
    table = read_table(file, required=names, optional=(), header=HEADER, exact=names)
    of_label: dict[str, dict[str, str]] = {label: {} for label in (*emotions, ANY)}
    for line in table.lines:
        label, name, target = (line.cells.get(column, "") for column in names)
        if label not in of_label:
            continue  # a table can be for further corpora
        known = {meaning(own): own for own in emotions.get(label, ())} | {own: own for own in emotions.get(label, ())}
        if label == ANY or name in known or meaning(name) in known:
            key = meaning(name) if label == ANY else known.get(name, known.get(meaning(name), ""))
            if (before := of_label[label].setdefault(key, target)) != target:
                sentence = f"'{name}' of {label} counts as {before or 'nothing'} and as {target or 'nothing'}"
                table.problems.add("double", line.number, f"{sentence}; expected a single class")
        else:
            sentence = f"corpus {label} has no emotion '{name}'; it has {', '.join(emotions[label])}"
            table.problems.add("emotion", line.number, sentence)
    table.problems.refuse()
    return {
        label: {name: of_label[label].get(name, of_label[ANY].get(meaning(name), "")) for name in names}
        for label, names in emotions.items()
    }
