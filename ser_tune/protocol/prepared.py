"""A study that is ready to run: its corpus read, its folds drawn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..audit import speaker_baseline, text_baseline
from ..corpora import CORPORA, LABELS, Corpus, read_unlabelled, union_source
from ..corpora.manifest import allowed_folders
from ..definition import StudyDefinition, strata_of, targets_of, worded
from ..errors import ConfigError, StudyError
from ..features import FEATURE_SETS
from ..folds import (
    SCHEMES,
    Fold,
    Strata,
    held_out_speakers,
    may_train,
    on_test_side,
    scheme_folds,
    speaker_folds,
    text_independent_folds,
)
from ..project import Project
from ..stored_names import inner_name
from ..tasks import Targets
from .domains import refuse_unfitting_corpora, unlabelled_in_words
from .fingerprint import Protocol
from .folds_file import read_folds
from .official_split import corpus_sets, has_official_split, official_fold, official_test_sets, split_note
from .pretraining import Pretraining, pretraining_of

if TYPE_CHECKING:
    import optuna

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
    unlabelled: Corpus | None = None
    """Unlabelled speech of the target."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for readers of the scores: official split, baselines, pretraining, warnings, licences."""
        utterances, task, pretraining = self.corpus.utterances, self.definition.task, self.pretraining
        baseline = text_baseline(utterances, self.folds, self.targets, task=task)
        # Of balanced classes it is chance
        required = self.targets.required
        speaker = None if required else speaker_baseline(utterances, self.folds, self.targets, task=task)
        licence = FEATURE_SETS.get(self.definition.config.features.name).licence
        return [
            *split_note(self.corpus, self.folds),
            *([] if baseline is None else [f"text-only baseline: {baseline}"]),
            *([] if speaker is None else [f"speaker-mean baseline: {speaker}"]),
            *([] if pretraining is None else [pretraining.sentence]),
            *self.protocol.warnings,
            *([licence] if licence else []),
        ]

    @property
    def is_official(self) -> bool:
        """Whether its only fold is the corpus's official split."""
        return bool(self.folds[0].official)

    @property
    def test_sets(self) -> Mapping[str, np.ndarray]:
        """The numbers of the tested utterances of each set of the official split, or of each corpus of a union."""
        return corpus_sets(self.corpus, self.folds) or official_test_sets(self.corpus, self.folds)

    @property
    def keeps_out(self) -> bool:
        """Whether some speakers train in no fold, nor a network for all speakers."""
        protocol = self.definition.config.protocol
        return bool(protocol.holdout) or self.is_official or protocol.scheme == "train-test"

    @property
    def trainable(self) -> np.ndarray:
        """The numbers of the utterances that may train one network for all speakers: none that the search never saw."""
        protocol = self.definition.config.protocol
        if self.is_official or protocol.scheme == "train-test":
            return np.sort(np.concatenate([self.folds[0].train, self.folds[0].validation]))
        free = may_train(self.corpus, held_out_speakers(self.corpus, protocol.holdout))
        return np.flatnonzero(free & ~on_test_side(self.corpus) if protocol.scheme in SCHEMES else free)

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences on unread parts of the corpus's table, left-out utterances, and ratings outside their scale."""
        needed, task = LABELS[self.definition.task.needs], self.definition.task.name
        left_out = [f"{self.corpus.left_out} utterances have no {needed}, which task {task} needs: they are left out"]
        parts = self.definition.config.corpus.parts
        unread = [remark for part in parts for remark in CORPORA.get(part.name).remarks(part.data)]
        mapped = [origin.sentence for origin in self.corpus.origins if origin.sentence]
        return [*mapped, *unread, *(left_out if self.corpus.left_out else []), *_outside(self.targets)]

    @property
    def pretraining(self) -> Pretraining | None:
        """The encoder's pretraining; None without an encoder."""
        return pretraining_of(self.corpus.readers, self.definition.config.features, self.definition.config.model)

    def refuse_other_protocol(self, study: "optuna.Study") -> None:
        """Raise where the corpus or the folds are no longer those that the study ran on.

        Raises:
            StudyError: Its scores mean something else.
        """
        if differences := self.protocol.differences(stored_protocol(study)):
            raise StudyError(f"study '{study.study_name}' ran under another protocol: {worded(differences)}")


def stored_protocol(study: "optuna.Study") -> Protocol:
    """The protocol that a study ran under."""
    return Protocol.read(json.loads(study.user_attrs["protocol"]))


def load_corpus(definition: StudyDefinition, project: Project) -> Corpus:
    """Read the corpus that a study names.

    Raises:
        CorpusError: The corpus is missing or mislabelled.
    """
    settings, choice = definition.config.corpus, definition.config.protocol.choice
    if settings.union:
        sources = [CORPORA.get(part.name).allowing(definition.folders) for part in settings.parts]
        union = union_source(settings, sources, project.cache)
        return union.load(subset=union.source.subset(**choice))
    source = replace(CORPORA.get(settings.name).allowing(definition.folders), label=settings.label or "")
    subset = source.subset(settings.task, **choice)
    return Corpus.load(
        source,
        settings.data,
        project.cache,
        subset=subset,
        names_as_written=settings.names_as_written,
        needs=definition.task.needs,
    )


def continuing(definition: StudyDefinition, project: Project) -> StudyDefinition:
    """The same study, with what a stored study of its name has of a table of the user's.

    These are the folders that the table may name, unless the user allows some now, and the corpus's label: a study
    keeps its place in MLflow and the name of its model when the table has another name.
    """
    corpus = definition.config.corpus
    if all(CORPORA.get(part.name).read_allowing is None for part in corpus.parts):
        return definition
    stored = _stored(definition.name, project)
    folders = (*definition.folders, *allowed_folders()) or (() if stored is None else stored.folders)
    if stored is not None and stored.config.corpus.name == corpus.name:
        corpus = corpus.model_copy(update={"label": stored.config.corpus.label})
    config = definition.config.model_copy(update={"corpus": corpus})
    return replace(definition, config=config, folders=tuple(dict.fromkeys(folders)))


def _stored(name: str, project: Project) -> StudyDefinition | None:
    """A stored study of this name, of a nested study its first search; None where there is no such study."""
    from ..coordination import DEFINITION, find_study, storage_to_read, stored_definition

    if (storage := storage_to_read(project)) is None:
        return None
    found = (find_study(known, storage) for known in (name, inner_name(name, 0)))
    stored = next((study for study in found if study is not None and DEFINITION in study.user_attrs), None)
    return None if stored is None else stored_definition(stored)


def draw_folds(definition: StudyDefinition, corpus: Corpus, strata: Strata) -> Sequence[Fold]:
    """Draw all folds of a study's protocol, each with all strata in training.

    They are those of the scheme, or of the user's file or number; else the corpus's official split, where it has such a
    split and is no union.

    Raises:
        ConfigError: A setting would change the official split.
        CorpusError: The corpus is too small for its folds, or a file of folds or the official split does not fit it.
        LeakError: A file of folds or the official split has a speaker on two sides.
    """
    protocol = definition.config.protocol
    if protocol.scheme in SCHEMES:
        return scheme_folds(
            corpus,
            protocol.scheme,
            strata=strata,
            test_corpora=protocol.test_corpora,
            holdout=protocol.holdout,
        )
    if protocol.folds_file:
        folds = read_folds(corpus, protocol.folds_file, strata=strata)
    elif protocol.folds is None and not corpus.is_union and has_official_split(corpus):
        changing = {"holdout": protocol.holdout, "text_independent": protocol.text_independent}
        if given := [name for name, value in changing.items() if value]:
            raise ConfigError(
                f"protocol.{given[0]} would change the official split of corpus {corpus.name}, whose test speakers no "
                "search sees; leave it out, or draw speaker folds instead with protocol.folds, such as --set "
                "protocol.folds=5"
            )
        return (official_fold(corpus, strata=strata),)
    else:
        folds = speaker_folds(corpus, protocol.folds, strata=strata, holdout=protocol.holdout)
    return text_independent_folds(corpus, folds, strata=strata) if protocol.text_independent else folds


def prepare(definition: StudyDefinition, project: Project) -> Prepared:
    """Read the corpus, make its targets, draw the folds, and find a pretrained encoder.

    Raises:
        CorpusError: The corpus is missing, mislabelled, or too small for its folds, or a file of folds or the official
            split does not fit it.
        LeakError: A file of folds or the official split has a speaker on two sides.
        ConfigError: There is no such encoder, a setting would change the official split, or the corpus lacks what an
            objective takes.
    """
    definition = continuing(definition.resolved(project.cache), project)
    corpus = load_corpus(definition, project)
    _refuse_scope_of_one(definition, corpus)
    for objective in definition.further:
        objective.check(corpus)
    targets = targets_of(definition, corpus)
    folds = draw_folds(definition, corpus, strata_of(definition, targets))
    trained = folds[: definition.config.protocol.fold_limit]
    folder = definition.config.corpus.unlabelled
    unlabelled = None if folder is None else read_unlabelled(folder)
    refuse_unfitting_corpora(definition, corpus, trained)
    protocol = Protocol.of(definition, corpus, targets, trained)
    if unlabelled is not None:
        fact = unlabelled_in_words(unlabelled, corpus)
        protocol = replace(protocol, facts={**protocol.facts, "unlabelled": fact})
    return Prepared(definition, corpus, targets, trained, len(folds), protocol, unlabelled)


def _refuse_scope_of_one(definition: StudyDefinition, corpus: Corpus) -> None:
    """Refuse normalisation by corpus where there is a single one."""
    if definition.config.normalisation.scope == "corpus" and not corpus.is_union:
        raise ConfigError(
            f"normalisation.scope is corpus, and the study has corpus {corpus.name} alone; expected several corpora, "
            "or scope train, utterance or speaker"
        )


def _outside(targets: Targets) -> Sequence[str]:
    """A sentence for each output with values outside its scale."""
    sentences = []
    for name, (low, high), values in zip(targets.names, targets.scales, targets.values.T, strict=False):
        if count := int(((values < low) | (values > high)).sum()):
            sentences.append(f"{count} of {len(values)} ratings of {name} lie outside its scale, {low:g} to {high:g}")
    return sentences
