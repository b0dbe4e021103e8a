"""Targets of a study's utterances, and the strata that every training side covers."""

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
    return definition.task.targets(definition.config.task, corpus.utterances)


def strata_of(definition: StudyDefinition, targets: Targets) -> Strata:
    """The strata that every training side of a study covers."""
    return Strata([targets.stratum_names[number] for number in targets.strata], definition.task.answer)
