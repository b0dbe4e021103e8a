"""Unions: several corpora that are read as a single one.

Names are unique in it: speakers, sessions and texts begin with the label of their corpus, as `urdu:SM1`, and utterances
do, as `emodb/03a01Fa`. Emotions are classes of the union.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import CorpusPart, CorpusSettings
from ..errors import CorpusError
from .base import Corpus, CorpusSource
from .digests import digests_of
from .mapping import LabelMapping
from .mapping_tables import map_parts
from .names import spellings
from .origin import Origin
from .selection import Need, Subset, choose
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
    wholes: tuple[Corpus, ...]
    """The corpora by themselves, in the same order."""

    def load(self, *, subset: Subset | None = None) -> Corpus:
        """Make the union a corpus.

        Args:
            subset: Any choice of its utterances and classes; None is all.

        Raises:
            CorpusError: Fewer than two classes are left, or there is no such style or class.
        """
        chosen = subset or self.source.subset()
        found = choose(self.source.read(None, Path()), chosen, f"corpus {self.source.name}")
        kept, present = found.utterances, len(set(found.used or ()))
        if present < 2:
            raise CorpusError(
                f"corpus {self.source.name} has {present} emotion(s); expected at least two to tell apart"
            )
        content_of = {
            f"{origin.label}/{utterance.id}": content
            for origin, whole in zip(self.origins, self.wholes, strict=True)
            for utterance, content in zip(whole.utterances, whole.contents, strict=True)
        }
        contents = tuple(content_of[utterance.id] for utterance in kept)
        digest, audio_digest = digests_of(kept, contents, UNION_NEEDS)
        parts = list(zip(self.origins, self.wholes, strict=True))
        return Corpus(
            name=self.source.name,
            utterances=tuple(kept),
            contents=contents,
            folds=None,
            merge=dict(chosen.merge),
            styles=tuple(sorted({utterance.style for utterance in kept} - {""})),
            digest=digest,
            audio_digest=audio_digest,
            names_as_written=tuple(
                sorted(f"{origin.label}:{name}" for origin, whole in parts for name in whole.names_as_written)
            ),
            left_out=found.left_out + sum(whole.left_out for whole in self.wholes),
            origins=self.origins,
            wholes=self.wholes,
        )


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
    labels = [part.label for part in settings.parts]
    if alike := spellings(labels):
        raise CorpusError(f"corpora of a union are called {' and '.join(alike[0])}; expected names that differ")
    parts = list(zip(settings.parts, sources, strict=True))
    wholes = tuple(_whole(part, source, cache, settings.names_as_written) for part, source in parts)
    counts = [Counter(utterance.emotion for utterance in whole.utterances) for whole in wholes]
    spoken = {label: tuple(sorted(count)) for label, count in zip(labels, counts, strict=True)}
    mappings = map_parts(spoken, settings.mapping)
    utterances = [
        _renamed(utterance, label, mappings[label])
        for label, whole in zip(labels, wholes, strict=True)
        for utterance in whole.utterances
        if utterance.emotion in mappings[label].targets
    ]
    origins = tuple(
        Origin(part.name, part.label, mappings[part.label], dict(count))
        for part, count in zip(settings.parts, counts, strict=True)
    )
    return UnionSource(
        source=CorpusSource(
            name=settings.shown,
            read=lambda data, cache: utterances,
            citation="; ".join(dict.fromkeys(source.citation for source in sources)),
            licence="; ".join(f"{part.label}: {source.licence}" for part, source in parts),
            remarks=lambda data: [
                *(origin.sentence for origin in origins if origin.changes),
                *(remark for part, source in parts for remark in source.remarks(part.data)),
            ],
        ),
        origins=origins,
        wholes=wholes,
    )


def _whole(part: CorpusPart, source: CorpusSource, cache: Path, names_as_written: Sequence[str]) -> Corpus:
    """A corpus of a union by itself: the utterances of its task that have an emotion."""
    subset, begin = source.subset(part.task), f"{part.label}:"
    if task := subset.defaults.get("task.name"):
        raise CorpusError(
            f"corpus {part.label}: its task {part.task} is of {task}; expected one of a single emotion in a union"
        )
    return Corpus.load(
        replace(source, label=part.label),
        part.data,
        cache,
        subset=subset,
        names_as_written=names_as_written,
        needs=UNION_NEEDS,
        begin=begin,
    )


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
