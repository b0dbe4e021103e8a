"""A study that is ready to run: its corpus read, its folds drawn."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from ..audit import text_baseline
from ..config import Project
from ..coordination import DEFINITION, find_study, storage_to_read, stored_definition
from ..corpora import CORPORA, Corpus
from ..corpora.manifest import allowed_folders
from ..definition import StudyDefinition, strata_of, targets_of, worded
from ..errors import StudyError
from ..features import FEATURE_SETS
from ..folds import Fold, Strata, speaker_folds, text_independent_folds
from ..tasks import Targets
from .fingerprint import Protocol
from .folds_file import read_folds
from .pretraining import Pretraining, pretraining_of

__all__ = ["Prepared", "draw_folds", "load_corpus", "prepare", "stored_protocol"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A study with its corpus, targets and folds."""

    definition: StudyDefinition
    corpus: Corpus
    targets: Targets
    folds: Sequence[Fold]
    """Folds to train: all folds of the protocol, or the first ones if `protocol.fold_limit` is set."""
    folds_of_protocol: int
    protocol: Protocol

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for readers of the scores: text-only baseline, pretraining, the protocol's warnings, licences."""
        strata = strata_of(self.definition, self.targets)
        baseline, pretraining = text_baseline(self.corpus.utterances, self.folds, strata=strata), self.pretraining
        licence = FEATURE_SETS.get(self.definition.config.features.name).licence
        return [
            *([] if baseline is None else [f"text-only baseline: {baseline}"]),
            *([] if pretraining is None else [pretraining.sentence]),
            *self.protocol.warnings,
            *([licence] if licence else []),
        ]

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences on unread parts of the corpus's table."""
        return CORPORA.get(self.corpus.name).remarks(self.definition.config.corpus.data)

    @property
    def pretraining(self) -> Pretraining | None:
        """The encoder's pretraining; None without an encoder."""
        return pretraining_of(self.corpus.name, self.definition.config.features, self.definition.config.model)

    def refuse_other_protocol(self, study: optuna.Study) -> None:
        """Raise where the corpus or the folds are no longer those that the study ran on.

        Raises:
            StudyError: Its scores mean something else.
        """
        if differences := self.protocol.differences(stored_protocol(study)):
            raise StudyError(f"study '{study.study_name}' ran under another protocol: {worded(differences)}")


def stored_protocol(study: optuna.Study) -> Protocol:
    """The protocol that a study ran under."""
    return Protocol.read(json.loads(study.user_attrs["protocol"]))


def load_corpus(definition: StudyDefinition, project: Project) -> Corpus:
    """Read the corpus that a study names.

    Raises:
        CorpusError: The corpus is missing or mislabelled.
    """
    settings = definition.config.corpus
    source = CORPORA.get(settings.name).allowing(definition.folders)
    subset = source.subset(settings.task, **definition.config.protocol.choice)
    return Corpus.load(source, settings.data, project.cache, subset=subset, names_as_written=settings.names_as_written)


def allowing_folders(definition: StudyDefinition, project: Project) -> StudyDefinition:
    """The same study with the folders that its table may name: allowed by the user now, or else earlier."""
    settings = definition.config.corpus
    if CORPORA.get(settings.name).read_allowing is None:
        return definition
    folders = (*definition.folders, *allowed_folders()) or _folders_of_stored(definition.name, project)
    return replace(definition, folders=tuple(dict.fromkeys(folders)))


def _folders_of_stored(name: str, project: Project) -> tuple[Path, ...]:
    """The folders of a stored study of this name; none where there is no such study."""
    storage = storage_to_read(project)
    stored = None if storage is None else find_study(name, storage)
    return () if stored is None or DEFINITION not in stored.user_attrs else stored_definition(stored).folders


def draw_folds(definition: StudyDefinition, corpus: Corpus, strata: Strata) -> Sequence[Fold]:
    """Draw all folds of a study's protocol, each with all strata in training.

    Raises:
        CorpusError: The corpus is too small for its folds, or a file of folds does not fit it.
        LeakError: A file of folds has a speaker on two sides.
    """
    protocol = definition.config.protocol
    if protocol.folds_file:
        folds = read_folds(corpus, protocol.folds_file, strata=strata)
    else:
        folds = speaker_folds(corpus, protocol.folds, strata=strata, holdout=protocol.holdout)
    return text_independent_folds(corpus, folds, strata=strata) if protocol.text_independent else folds


def prepare(definition: StudyDefinition, project: Project) -> Prepared:
    """Read the corpus, make its targets, draw the folds, and find a pretrained encoder.

    Raises:
        CorpusError: The corpus is missing, mislabelled, or too small for its folds, or a file of folds does not fit it.
        LeakError: A file of folds has a speaker on two sides.
        ConfigError: There is no such encoder.
    """
    definition = allowing_folders(definition.resolved(project.cache), project)
    corpus = load_corpus(definition, project)
    targets = targets_of(definition, corpus)
    folds = draw_folds(definition, corpus, strata_of(definition, targets))
    trained = folds[: definition.config.protocol.fold_limit]
    protocol = Protocol.of(definition, corpus, targets, trained)
    return Prepared(definition, corpus, targets, trained, len(folds), protocol)
