"""Setup of an evaluation: utterances of a corpus, the networks that judge them, and their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from ..config import (
    AnyTrial,
    CorpusPart,
    CorpusSettings,
    adaptation_of,
    label_of,
    together,
)
from ..corpora import CORPORA, LABELS, UNION_NEEDS, Corpus, LabelMapping, Utterance, union_source
from ..definition import StudyDefinition, targets_of
from ..errors import ConfigError, CorpusError
from ..features import copies_in_words
from ..folds import held_out_speakers, selection_note
from ..metrics import Metric
from ..prediction import Recipe
from ..project import Project
from ..protocol import Prepared, load_corpus, prepare
from ..registry import REFIT_TAG, find_version, version_folder
from ..tasks import DEFAULT_TASK, Task
from ..tracking import MEMBERS_TAG, LoadedModel, Workspace, open_predictor, protocol_of, readers_of
from .answer_kinds import AnswerKind, kind_of
from .evaluated_networks import EvaluatedNetworks, all_networks, fold_networks
from .matched_targets import Matched, Outputs
from .nested_scores import find_nested, nested_searches
from .stored_runs import recorded
from .training_recordings import unknown_recordings

__all__ = ["EvaluationSetup", "set_up_evaluation"]

ADAPTATION = "adaptation.kind"
FACTS = ("corpus", "fingerprint", "normalisation_scope")
OWN_NOTE = "the model's own corpus: no network judges speakers whom it trained or validated on"
NESTED_NOTE = "nested: no network was trained or chosen by the speakers that it judges"
TRANSDUCTIVE = "transductive: features are normalised with all judged recordings of each {}"
OWN_CORPORA = (
    "features of each corpus are normalised by its training speakers; transductive: those of a corpus without any are "
    "normalised by all its recordings"
)
ADAPTED = "transductive: networks adapt to all judged recordings of each speaker"
HEARD = "networks adapt to each recording by itself and {} others of its speaker, which are drawn without labels"


@dataclass(frozen=True, slots=True)
class EvaluationSetup:
    """A version, or a nested study, and the utterances of a corpus to evaluate it on."""

    model: str
    """Such as `ser-emodb-light_cnn/2`; the name of a nested study."""
    run: Run
    """The version's, or the nested study's."""
    facts: Mapping[str, str]
    """Facts of the training, with the names `FACTS`."""
    networks: EvaluatedNetworks
    """They judge the utterances that are left."""
    task: Task
    """The model's."""
    metrics: tuple[Metric, ...]
    """The first is the model's objective."""
    matched: Matched
    """The targets of the judged utterances."""
    left_out: Mapping[str, int]
    """Reason to number of utterances."""
    notes: Sequence[str]
    """Limits of the meaning of the scores."""
    of_own_folds: bool = False
    """Whether fold networks judge test speakers of the version's own corpus."""
    held_out_with: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Judged speaker to all speakers whom the fold network held out, where folds hold out corpora or languages."""
    version: ModelVersion | None = None
    """None for a nested study."""

    @property
    def utterances(self) -> Sequence[Utterance]:
        """The utterances that are judged."""
        return self.networks.utterances

    @property
    def mapping(self) -> LabelMapping:
        """Labels of the corpus, as outputs of the model."""
        return self.matched.mapping

    @property
    def shared(self) -> tuple[str, ...]:
        """Outputs of the model that the corpus has."""
        return self.mapping.shared

    @property
    def kind(self) -> AnswerKind:
        """The kind of the task's predictions."""
        return kind_of(self.task)

    def over_shared(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of the networks (N, K) over the shared ones alone, shape (N, S), in the form of the task."""
        if not self.mapping.unused:
            return outputs
        return self.kind.narrowed(outputs[:, [self.mapping.labels.index(label) for label in self.shared]])


def set_up_evaluation(
    workspace: Workspace,
    reference: str,
    *,
    corpus: CorpusSettings,
    mapping: Mapping[str, str] | None = None,
    skip_trained: bool = False,
) -> EvaluationSetup:
    """Find a version and read a corpus, map the labels, and refuse recordings that the version was trained on.

    On the version's own corpus, or on corpora of its union, each fold network judges the test speakers of its fold. A
    nested study is evaluated on its own corpus alone: each search judges the speakers that it never saw.

    Args:
        workspace: The project's stores.
        reference: `name` (its champion), `name@alias` or `name/version`; or a nested study's name.
        corpus: The corpus, or a union.
        mapping: Class of the corpus to class of the model; wins over the usual names and merges.
        skip_trained: Leave recordings that the version was trained on out, instead of refusing the corpus.

    Raises:
        RegistryError: There is no such version.
        CorpusError: The corpus cannot be read.
        MappingError: The labels cannot be mapped.
        LeakError: The version was trained on some of the recordings; the message names them.
    """
    with workspace.errors():
        if (nested := find_nested(workspace, reference)) is not None:
            return _nested_setup(workspace, nested, reference, corpus)
        version = find_version(workspace, reference)
        run = workspace.client.get_run(str(version.run_id))
        predictor = open_predictor(str(version_folder(version)))
    (definition, trial), project = _recorded(workspace, run), workspace.project
    own = None if REFIT_TAG in version.tags else _own_study(project, run, definition, corpus)
    if own is not None:
        networks, left_out, notes = _own_networks(own, predictor, project.cache)
        networks = _of_parts(networks, corpus)
    else:
        read = _read(corpus, definition.task, project)
        kept, left_out, notes = _unknown(workspace, version, read, definition.task, skip_trained)
        networks = all_networks(predictor, definition.task, read, kept, project.cache)
    scales = None if own is not None else LoadedModel(predictor).scales
    networks, matched = _matched(definition, networks, tuple(predictor.labels), mapping, scales)
    limits = _limits(predictor.recipe, trial, own=own is not None)
    return EvaluationSetup(
        model=f"{version.name}/{version.version}",
        run=run,
        facts={name: version.tags.get(name, "unknown") for name in FACTS},
        networks=networks,
        task=definition.task,
        metrics=definition.metrics,
        matched=matched,
        left_out={**left_out, **matched.left_out},
        notes=[*notes, *matched.notes, *protocol_of(run).warnings_elsewhere, *limits],
        of_own_folds=own is not None,
        held_out_with={} if own is None else _held_out_together(own),
        version=version,
    )


def _recorded(workspace: Workspace, run: Run) -> tuple[StudyDefinition, AnyTrial]:
    """The study and the trial of a version, of a combination those of its first member.

    All members share corpus, folds, task and metrics.
    """
    member = run.data.tags.get(MEMBERS_TAG, run.info.run_id).split()[0]
    return recorded(workspace, workspace.client.get_run(member))


def _matched(
    definition: StudyDefinition,
    networks: EvaluatedNetworks,
    labels: tuple[str, ...],
    mapping: Mapping[str, str] | None = None,
    scales: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[EvaluatedNetworks, Matched]:
    """Match the targets of a corpus with the outputs of a model; networks judge the utterances that have a target."""
    outputs = Outputs(definition.task, definition.config.task, labels, scales)
    found = kind_of(definition.task).match(outputs, networks.corpus, networks.numbers, mapping)
    return networks.only(found.kept), found


def _transductive(recipe: "Recipe | AnyTrial", *, own: bool) -> list[str]:
    """A note on what else of a speaker or corpus changes an utterance's prediction, where that limits the scores.

    Args:
        recipe: Normalisation and adaptation.
        own: Whether networks of folds judge corpora that they were trained on, other speakers of which are known.
    """
    adaptation, whose = adaptation_of(recipe), together(recipe)
    if adaptation.heard is not None:
        return [HEARD.format(adaptation.heard)]
    if adaptation.kind != "none":
        return [ADAPTED]
    if whose == "corpus" and own:
        return [OWN_CORPORA]
    return [TRANSDUCTIVE.format(whose)] if whose else []


def _limits(recipe: "Recipe | AnyTrial", trial: AnyTrial, *, own: bool) -> list[str]:
    """Notes on what else changes an utterance's prediction, and on the copies that a network was trained on."""
    copies = copies_in_words(trial.perturbation)
    return [*_transductive(recipe, own=own), *([copies] if copies else ())]


def _nested_setup(workspace: Workspace, run: Run, study: str, corpus: CorpusSettings) -> EvaluationSetup:
    """The searches of a nested study, all of whose speakers are judged."""
    protocol, known = protocol_of(run), readers_of(run)
    where = f"'{study}' is a nested study of {', '.join(known)}, whose searches judge the speakers that they never saw"
    elsewhere = "Another corpus needs a registered model"
    if not {part.name for part in corpus.parts} <= set(known.values()):
        raise ConfigError(f"{where}; expected a corpus of it, not {corpus.shown}. {elsewhere}")
    networks, definition = nested_searches(workspace, study, corpus.parts)
    if networks.corpus.digest != protocol.in_words["corpus_digest"]:
        raise ConfigError(f"{where}; expected the recordings that it was run on. {elsewhere}")
    networks = _of_parts(networks, corpus)
    networks, matched = _matched(definition, networks, targets_of(definition, networks.corpus).names)
    scope = protocol.in_words["normalisation_scope"]
    adaptations = [definition.trial({ADAPTATION: kind}) for kind in definition.choices(ADAPTATION)]
    return EvaluationSetup(
        model=study,
        run=run,
        facts={"corpus": networks.corpus.name, "fingerprint": protocol.fingerprint, "normalisation_scope": scope},
        networks=networks,
        task=definition.task,
        metrics=definition.metrics,
        matched=matched,
        left_out=matched.left_out,
        notes=[
            NESTED_NOTE,
            *protocol.warnings_elsewhere,
            *dict.fromkeys(note for trial in adaptations for note in _limits(trial, trial, own=True)),
        ],
    )


def _read(corpus: CorpusSettings, task: Task, project: Project) -> Corpus:
    """Read a corpus that is not the model's own, or a union.

    Without a subset it is the first that is for the task; where none is, the corpus's first.
    """
    if corpus.union:
        if task.needs != UNION_NEEDS:
            raise ConfigError(f"task {task.name} needs {task.needs}, but a union of corpora has one emotion of each")
        return union_source(corpus, [CORPORA.get(part.name) for part in corpus.parts], project.cache).load()
    source = CORPORA.get(corpus.name)
    labels = list(source.subsets)
    of_task = (label for label in labels if source.subsets[label].defaults.get("task.name", DEFAULT_TASK) == task.name)
    chosen = corpus.task or next(of_task, labels[0])
    called = replace(source, label=label_of(corpus.name, corpus.data))
    return Corpus.load(called, corpus.data, project.cache, subset=chosen, needs=task.needs)


def _own_study(project: Project, run: Run, definition: StudyDefinition, corpus: CorpusSettings) -> Prepared | None:
    """A version's study, where the corpus is the version's own, or of its union; None where it is another corpus."""
    own = {part.label: part for part in definition.config.corpus.parts}
    for part in corpus.parts:
        known = own.get(part.label) if definition.config.corpus.union else definition.config.corpus.parts[0]
        if known is None or part.name != known.name or part.task not in (None, _task_of(known)):
            return None
    tasks = {label: part.task for label, part in own.items()}
    definition = definition.with_parts([replace(part, task=tasks.get(part.label, part.task)) for part in corpus.parts])
    try:
        read = load_corpus(definition, project)
    except CorpusError:
        return None  # such as another manifest, with other classes
    if read.digest != run.data.tags.get("ser_tune.corpus_digest"):
        return None
    return prepare(definition, project)


def _task_of(part: CorpusPart) -> str:
    """The task of a corpus; where none is named, the corpus's first."""
    return part.task or next(iter(CORPORA.get(part.name).subsets))


def _of_parts(networks: EvaluatedNetworks, corpus: CorpusSettings) -> EvaluatedNetworks:
    """The networks of a union, which judge some of its corpora; others as they are."""
    if not networks.corpus.is_union:
        return networks
    labels = {part.label for part in corpus.parts}
    return networks.only(np.array([utterance.corpus in labels for utterance in networks.utterances], dtype=bool))


def _own_networks(
    study: Prepared,
    predictor: Any,  # noqa: ANN401 - a class of the model's own copy of ser_tune
    cache: Path,
) -> tuple[EvaluatedNetworks, dict[str, int], list[str]]:
    """The fold networks of a version, reason to number of utterances left out, and notes."""
    if not any(len(fold.test) for fold in study.folds):
        raise ConfigError(
            f"the official split of corpus {study.corpus.name} has no test set with labels, and all other utterances "
            "trained or validated the model; predict a test set without labels with `ser-tune submission`"
        )
    networks = fold_networks(predictor, study, cache)
    missing = len(study.corpus.utterances) - len(networks.numbers)
    left_out = {"no trained fold tests them": missing} if missing else {}
    return networks, left_out, [f"{OWN_NOTE}; {selection_note(study.folds)}"]


def _held_out_together(study: Prepared) -> dict[str, frozenset[str]]:
    """Tested speaker to all speakers of the corpora or languages that the fold holds out; empty for other folds."""
    out = [held_out_speakers(study.corpus, fold.held_out) for fold in study.folds]
    return {speaker: own for own in out for speaker in own}


def _unknown(
    workspace: Workspace, version: ModelVersion, read: Corpus, task: Task, skip_trained: bool
) -> tuple[np.ndarray, dict[str, int], list[str]]:
    """Numbers of the utterances that a version can be judged by, reason to number of others, and notes."""
    kept, left_out, notes = unknown_recordings(workspace, version, read, skip_trained=skip_trained)
    if read.left_out:
        left_out[f"they have no {LABELS[task.needs]}"] = read.left_out
    return _of_somebody(read, kept, left_out), left_out, notes


def _of_somebody(corpus: Corpus, numbers: np.ndarray, left_out: dict[str, int]) -> np.ndarray:
    """Leave out utterances whose speaker is a placeholder, and count them: scores are of speakers."""
    unknown = corpus.nobody[numbers]
    if unknown.all():
        raise ConfigError(
            f"no speaker of corpus {corpus.name} is known, and scores are of speakers; name the speakers, or list a "
            "speaker who is called like a placeholder in corpus.names_as_written"
        )
    if unknown.any():
        left_out["their speaker is not known"] = int(unknown.sum())
    known: np.ndarray = numbers[~unknown]
    return known
