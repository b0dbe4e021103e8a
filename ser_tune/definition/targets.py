"""Targets of a study's utterances, and the strata that every training side covers."""

from dataclasses import replace

from ..corpora import Corpus
from ..folds import Strata
from ..tasks import Targets
from .study_definition import StudyDefinition

__all__ = ["strata_of", "targets_of"]


def targets_of(definition: StudyDefinition, corpus: Corpus) -> Targets:
    """The targets of a study's utterances.

    Raises:
        CorpusError: The corpus lacks it.
    """
    targets, scales = definition.task.targets(definition.config.task, corpus.utterances), corpus.scales
    known = not targets.scales and bool(scales) and all(name in scales for name in targets.names)
    return replace(targets, scales=tuple(scales[name] for name in targets.names)) if known else targets


def strata_of(definition: StudyDefinition, targets: Targets) -> Strata:
    """The strata that every training side of a study covers; a single one where the task requires none."""
    if not targets.required:
        return Strata(["any"] * len(targets.strata), definition.task.answer)
    return Strata([targets.stratum_names[number] for number in targets.strata], definition.task.answer)
