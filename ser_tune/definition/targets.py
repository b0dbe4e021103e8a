"""What a study's task wants of each utterance, and what every training side covers."""

from ..corpora import Corpus
from ..folds import Strata
from ..tasks import Targets
from .study_definition import StudyDefinition

__all__ = ["strata_of", "targets_of"]


def targets_of(definition: StudyDefinition, corpus: Corpus) -> Targets:
    """What a study's task wants of each utterance of its corpus.

    Raises:
        CorpusError: The corpus lacks it.
    """
    return definition.task.targets(definition.config.task, corpus.utterances)


def strata_of(definition: StudyDefinition, targets: Targets) -> Strata:
    """What every training side of a study covers."""
    return Strata([targets.stratum_names[one] for one in targets.strata], definition.task.answer)
