"""What a registered version may be evaluated on: utterances of a corpus, who judges them, and their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from ..config import Project
from ..corpora import CORPORA, Corpus, LabelMapping, Utterance, map_labels
from ..definition import StudyDefinition
from ..errors import ConfigError, CorpusError, MappingError
from ..folds import selection_note
from ..metrics import Metric
from ..protocol import load_corpus, prepare
from ..registry import REFIT_TAG, find_version, version_folder
from ..tasks import Task
from ..tracking import MEMBERS_TAG, Workspace, open_predictor, protocol_of
from .judges import AllNetworks, Judge, OwnFolds
from .outer import find_nested, outer_searches
from .references import recorded
from .trained_on import unknown_recordings

__all__ = ["Examined", "examine", "refuse_part"]

OWN_NOTE = "the model's own corpus: no network judges speakers whom it trained or validated on"
NESTED_NOTE = "nested: no network was trained or chosen by the speakers that it judges"
TRANSDUCTIVE = "transductive: features are normalised with all judged recordings of each speaker"


@dataclass(frozen=True, slots=True)
class Examined:
    """A version, or a nested study, and a corpus that may be evaluated together."""

    model: str
    """Such as `ser-emodb-light_cnn/2`; the name of a nested study."""
    run: Run
    """The version's, or the nested study's."""
    facts: Mapping[str, str]
    """How it was trained: `corpus`, `normalisation_scope` and `fingerprint`."""
    judge: Judge
    """Of the utterances that are left."""
    task: Task
    """The model's."""
    metrics: tuple[Metric, ...]
    """What is computed; the first is the model's objective."""
    texts: Sequence[str]
    """What the corpus calls the target of each judged utterance."""
    mapping: LabelMapping
    left_out: Mapping[str, int]
    """Reason to number of utterances."""
    notes: Sequence[str]
    """What limits the meaning of the scores."""
    version: ModelVersion | None = None
    """None for a nested study."""

    @property
    def utterances(self) -> Sequence[Utterance]:
        """Those that are judged."""
        return [self.judge.corpus.utterances[one] for one in self.judge.numbers]

    @property
    def columns(self) -> list[int]:
        """The places of the shared classes among the model's outputs."""
        return [self.mapping.labels.index(one) for one in self.mapping.shared]


def examine(
    workspace: Workspace,
    reference: str,
    *,
    corpus: str,
    data: Path | None = None,
    subset: str | None = None,
    mapping: Mapping[str, str] | None = None,
    skip_trained: bool = False,
) -> Examined:
    """Find a version and read a corpus, map the labels, and refuse recordings that the version was trained on.

    On the version's own corpus, each fold network judges the test speakers of its fold. A nested study is evaluated on
    its own corpus alone: each search judges the speakers that it never saw.

    Args:
        workspace: The project's stores.
        reference: `name` (its champion), `name@alias` or `name/version`; or a nested study's name.
        corpus: Its name.
        data: Its folder or manifest.
        subset: Of the corpus.
        mapping: Class of the corpus to class of the model; wins over the usual names and merges.
        skip_trained: Leave recordings that the version was trained on out, instead of refusing the corpus.

    Raises:
        RegistryError: There is no such version.
        CorpusError: The corpus cannot be read.
        MappingError: The labels cannot be mapped.
        LeakError: The version was trained on some of the recordings; the message names them.
    """
    with workspace.errors():
        nested = find_nested(workspace, reference)
        if nested is not None:
            return _examine_nested(workspace, nested, reference, corpus, data)
        version = find_version(workspace, reference)
        run = workspace.client.get_run(str(version.run_id))
        predictor = open_predictor(str(version_folder(version)))
    definition = _definition(workspace, run)
    own = None
    if REFIT_TAG not in version.tags:
        own = _own_folds(workspace.project, run, definition.with_data(data), predictor, corpus, subset)
    judge: Judge
    if own is not None:
        judge, left_out, notes = own, _untested(own), [f"{OWN_NOTE}; {selection_note(own.prepared.folds)}"]
    else:
        read = Corpus.load(CORPORA.get(corpus), data, workspace.project.cache, subset=subset)
        kept, left_out, notes = unknown_recordings(
            workspace, version, read, workspace.project.cache, skip_trained=skip_trained
        )
        kept, left_out = _of_somebody(read, kept, left_out)
        judge = AllNetworks(predictor, definition.task, read, kept)
    names, texts = _named(definition, judge)
    found = map_labels(names, tuple(predictor.labels), mapping)
    refuse_part(definition.task, found)
    answer = definition.task.answer
    left_out |= {f"{answer} {one} is no class of the model": texts.count(one) for one in found.left_out}
    judge = judge.only(np.array([one in found.targets for one in texts]))
    if predictor.recipe.normalisation.scope == "speaker":
        notes.append(TRANSDUCTIVE)
    facts = {name: version.tags.get(name, "unknown") for name in ("corpus", "fingerprint", "normalisation_scope")}
    model = f"{version.name}/{version.version}"
    return Examined(
        model=model,
        run=run,
        facts=facts,
        judge=judge,
        task=definition.task,
        metrics=definition.metrics,
        texts=[one for one in texts if one in found.targets],
        mapping=found,
        left_out=left_out,
        notes=notes,
        version=version,
    )


def _definition(workspace: Workspace, run: Run) -> StudyDefinition:
    """The study of a version, of a combination that of its first member: all share corpus, folds, task and metrics."""
    member = run.data.tags.get(MEMBERS_TAG, run.info.run_id).split()[0]
    return recorded(workspace, workspace.client.get_run(member))[0]


def refuse_part(task: Task, mapping: LabelMapping) -> None:
    """Raise where a task cannot decide among those of its classes that a corpus shares.

    Raises:
        MappingError: As said.
    """
    try:
        task.decide(task.unshow(np.full((1, len(mapping.shared)), 1 / len(mapping.shared))))
    except (IndexError, ValueError):
        if not mapping.unused:
            raise
        raise MappingError(
            f"task {task.name} decides among {', '.join(mapping.labels)} together, and the corpus shares "
            f"{', '.join(mapping.shared)}; expected all of them"
        ) from None


def _named(definition: StudyDefinition, judge: Judge) -> tuple[tuple[str, ...], list[str]]:
    """What a corpus calls the classes of a study's task, and the class of each judged utterance."""
    utterances = [judge.corpus.utterances[one] for one in judge.numbers]
    targets = definition.task.targets(definition.config.task, utterances)
    return targets.names, [definition.task.write(one, targets.names) for one in targets.values]


def _examine_nested(workspace: Workspace, run: Run, study: str, corpus: str, data: Path | None) -> Examined:
    """The searches of a nested study, all of whose speakers are judged."""
    judge = outer_searches(workspace, study, data)
    protocol = protocol_of(run)
    if corpus != judge.corpus.name or judge.corpus.digest != protocol.in_words["corpus_digest"]:
        raise ConfigError(
            f"'{study}' is a nested study of {judge.corpus.name}, whose searches judge the speakers that they never "
            f"saw; expected --corpus {judge.corpus.name} and the recordings that it was run on. Another corpus needs a "
            "registered model"
        )
    definition = judge.searches[0][0].definition
    labels, texts = _named(definition, judge)
    scope = protocol.in_words["normalisation_scope"]
    return Examined(
        model=study,
        run=run,
        facts={"corpus": corpus, "fingerprint": protocol.fingerprint, "normalisation_scope": scope},
        judge=judge,
        task=definition.task,
        metrics=definition.metrics,
        texts=texts,
        mapping=map_labels(labels, labels, None),
        left_out={},
        notes=[NESTED_NOTE, *([TRANSDUCTIVE] if scope == "speaker" else [])],
    )


def _own_folds(
    project: Project, run: Run, definition: StudyDefinition, predictor: object, corpus: str, subset: str | None
) -> OwnFolds | None:
    """The judge of a version's own corpus; None where the corpus is another one."""
    settings = definition.config.corpus
    if corpus != settings.name or subset not in (None, settings.task or next(iter(CORPORA.get(corpus).subsets))):
        return None
    try:
        read = load_corpus(definition, project)
    except CorpusError:
        return None  # such as another manifest, with other classes
    if read.digest != run.data.tags.get("ser_tune.corpus_digest"):
        return None
    return OwnFolds.of(predictor, prepare(definition, project), project.cache)


def _untested(judge: OwnFolds) -> dict[str, int]:
    missing = len(judge.corpus.utterances) - len(judge.numbers)
    return {"no trained fold tests them": missing} if missing else {}


def _of_somebody(corpus: Corpus, numbers: np.ndarray, left_out: Mapping[str, int]) -> tuple[np.ndarray, dict[str, int]]:
    """Leave out utterances whose speaker is a placeholder: scores are of speakers."""
    unknown = corpus.nobody[numbers]
    if unknown.all():
        raise ConfigError(
            f"no speaker of corpus {corpus.name} is known, and scores are of speakers; name the speakers, or list a "
            "speaker who is called like a placeholder in corpus.names_as_written"
        )
    if not unknown.any():
        return numbers, dict(left_out)
    return numbers[~unknown], {**left_out, "their speaker is not known": int(unknown.sum())}
