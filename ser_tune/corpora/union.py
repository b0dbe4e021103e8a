"""Unions: several corpora that are read as a single one.

Names are unique in it: speakers, sessions and texts begin with the label of their corpus, as `urdu:SM1`, and utterances
do, as `emodb/03a01Fa`. Emotions are classes of the union.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..config import CorpusPart, CorpusSettings
from ..errors import CorpusError
from .base import Corpus, CorpusSource
from .check_names import name_problems
from .mapping import LabelMapping
from .mapping_tables import map_parts
from .names import spellings
from .origin import Origin
from .selection import Chosen, Need, Subset, choose
from .utterance import Annotation, Utterance

__all__ = ["UNION_NEEDS", "UnionSource", "union_source"]

UNION_NEEDS: Need = "emotion"
"""The label that a task of a union needs: the only one that is mapped."""
BY_CORPUS = "corpus"
"""The attribute of a union's utterances by which scores are grouped by corpus."""


@dataclass(frozen=True, slots=True)
class UnionSource:
    """A union as read: the source of its utterances, and the corpora that these are from."""

    source: CorpusSource
    """Returns the mapped utterances."""
    origins: tuple[Origin, ...]
    """In the order of writing."""
    left_out: int
    """Utterances without an emotion."""

    def load(
        self,
        cache: Path,
        *,
        subset: Subset | None = None,
        names_as_written: Sequence[str] = (),
        needs: Need = "emotion",
    ) -> Corpus:
        """Make the union a corpus; arguments and errors are those of `Corpus.load`."""
        corpus = Corpus.load(self.source, None, cache, subset=subset, names_as_written=names_as_written, needs=needs)
        return replace(corpus, origins=self.origins, left_out=corpus.left_out + self.left_out)


def union_source(settings: CorpusSettings, sources: Sequence[CorpusSource], cache: Path) -> UnionSource:
    """Read the corpora of a union, and map their emotions.

    Args:
        settings: Of a union.
        sources: The reader of each of its corpora, in the order of writing.
        cache: Where a corpus that makes its own files keeps them.

    Raises:
        CorpusError: A corpus is missing or mislabelled, or two are called alike.
        MappingError: Emotions cannot be mapped to at least two classes.
        UnknownNameError: There is no such task, or no such table.
    """
    parts = settings.parts
    labels = [part.label for part in parts]
    if alike := spellings(labels):
        raise CorpusError(f"corpora of a union are called {' and '.join(alike[0])}; expected names that differ")
    chosen = [
        _chosen(part, source, cache, names_as_written=settings.names_as_written)
        for part, source in zip(parts, sources, strict=True)
    ]
    counts = [Counter(utterance.emotion for utterance in found.utterances) for found in chosen]
    mappings = map_parts(
        {label: tuple(sorted(count)) for label, count in zip(labels, counts, strict=True)}, settings.mapping
    )
    utterances = [
        _renamed(utterance, label, mappings[label])
        for label, found in zip(labels, chosen, strict=True)
        for utterance in found.utterances
        if utterance.emotion in mappings[label].targets
    ]
    listed = [f"{label}: {source.licence}" for label, source in zip(labels, sources, strict=True)]
    return UnionSource(
        source=CorpusSource(
            name=settings.shown,
            read=lambda data, cache: utterances,
            citation="; ".join(dict.fromkeys(source.citation for source in sources)),
            licence="; ".join(listed),
            remarks=partial(_remarks, parts, sources),
        ),
        origins=tuple(
            Origin(part.name, label, mappings[label], dict(count))
            for part, label, count in zip(parts, labels, counts, strict=True)
        ),
        left_out=sum(found.left_out for found in chosen),
    )


def _chosen(part: CorpusPart, source: CorpusSource, cache: Path, *, names_as_written: Sequence[str]) -> Chosen:
    """The utterances of a corpus of a union that have an emotion, with names that can be used."""
    where = f"corpus {part.label}" + (f" in {part.data}" if part.data else "")
    subset = source.subset(part.task)
    if task := subset.defaults.get("task.name"):
        raise CorpusError(f"{where}: its task {part.task} is of {task}; expected one of a single emotion in a union")
    found = choose(source.read(part.data, cache), subset, where)
    begin = f"{part.label}:"
    own = [name.removeprefix(begin) for name in names_as_written if name.startswith(begin)]
    if problems := name_problems(found.utterances, emotions=found.names, used=found.used or (), as_written=own):
        raise CorpusError(f"{where}: {'; '.join(problems)}")
    return found


def _renamed(utterance: Utterance, label: str, mapping: LabelMapping) -> Utterance:
    """The utterance with names that are unique in the union, and the class of its emotion."""
    attributes = [pair for pair in utterance.attributes if pair[0] != BY_CORPUS]
    return replace(
        utterance,
        id=f"{label}/{utterance.id}",
        speaker=f"{label}:{utterance.speaker}",
        emotion=mapping.targets[utterance.emotion],
        group=f"{label}:{utterance.group}" if utterance.group else "",
        text=f"{label}:{utterance.text}" if utterance.text else "",
        annotation=Annotation(),  # of the corpus's own emotions
        attributes=((BY_CORPUS, label), *attributes),
        corpus=label,
    )


def _remarks(parts: Sequence[CorpusPart], sources: Sequence[CorpusSource], data: Path | None) -> list[str]:
    """Sentences on what is not read of each corpus."""
    return [remark for part, source in zip(parts, sources, strict=True) for remark in source.remarks(part.data)]
