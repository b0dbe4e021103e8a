"""The recordings that a result was scored on, as they are on the disk now, and the audit of its folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..audit import Finding, SoundlessScore, Split, audit_split, text_baseline
from ..corpora import CORPORA, Utterance
from ..definition import StudyDefinition, strata_of, targets_of
from ..errors import StudyError
from ..project import Project
from ..protocol import Protocol, draw_folds, load_corpus

__all__ = ["ScoredRecordings", "find_recordings"]


@dataclass(frozen=True, slots=True)
class ScoredRecordings:
    """A corpus that is the same as when the result was scored."""

    utterances: Mapping[str, Utterance]
    """By name."""
    licence: str
    findings: Sequence[Finding]
    """Findings of `ser-tune audit` in the folds, without decoding."""
    baseline: SoundlessScore | None
    """The score of the words alone; None where texts are not known."""


def find_recordings(definition: StudyDefinition, protocol: Protocol, project: Project) -> ScoredRecordings:
    """Read the corpus of a study again, draw the folds again, and audit them.

    Raises:
        SerTuneError: The corpus is not where it was, or is another one.
    """
    corpus = load_corpus(definition, project)
    if (was := protocol.facts.get("corpus_digest")) != corpus.digest:
        raise StudyError(f"corpus {corpus.name} has the digest {corpus.digest}; expected {was}, that of the study")
    targets = targets_of(definition, corpus)
    trained = draw_folds(definition, corpus, strata_of(definition, targets))[: definition.config.protocol.fold_limit]
    split = Split(
        source=corpus.name,
        utterances=corpus.utterances,
        predictions=("",) * len(corpus.utterances),
        recordings=np.arange(len(corpus.utterances)),
        folds=tuple(trained),
        fold_names=tuple(str(fold.number) for fold in trained),
    )
    findings = audit_split(split).findings
    return ScoredRecordings(
        utterances={utterance.id: utterance for utterance in corpus.utterances},
        licence="; ".join(
            f"{name}: {CORPORA.get(reader).licence}" if corpus.is_union else CORPORA.get(reader).licence
            for name, reader in corpus.readers.items()
        ),
        findings=[found for found in findings if found.check != "sound"],  # the study decodes, and refuses
        baseline=text_baseline(corpus.utterances, trained, targets, task=definition.task),
    )
