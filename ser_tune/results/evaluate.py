"""Evaluating a registered version on any corpus: scores by group, calibration, and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from ..config import Project
from ..corpora import CORPORA, Corpus, LabelMapping, Utterance, map_labels
from ..errors import ConfigError, CorpusError
from ..folds import selection_note
from ..metrics import Coverage, Reliability, accuracy_by_coverage, fit_temperature, reliability, with_temperature
from ..registry import REFIT_TAG, find_version, version_folder
from ..resampling import Gap, Interval
from ..resampling.old import GroupScore, class_recalls, largest_gap, recall_intervals, score_groups
from ..study import Protocol, load_corpus, prepare
from ..tracking import MEMBERS_TAG, Predictions, open_predictor, protocol_of, read_predictions, tracking_errors
from .judges import AllNetworks, Judge, OwnFolds
from .nested import find_nested, outer_searches
from .references import recorded
from .trained_on import unknown_recordings

__all__ = ["Evaluation", "Examined", "examine", "score_judged"]

OWN_NOTE = "the model's own corpus: no network judges speakers whom it trained or validated on"
NESTED_NOTE = "nested: no network was trained or chosen by the speakers that it judges"
TRANSDUCTIVE = "transductive: features are normalised with all judged recordings of each speaker"
CALIBRATION_NOTE = "the temperature was fitted on validation predictions of single fold networks"


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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a version on a corpus. Classes are the mapping's shared ones; the most probable of these is named."""

    examined: Examined
    truth: np.ndarray
    """Numbers of shared classes, shape (N,)."""
    probabilities: np.ndarray
    """Of the shared classes, rows sum to 1, shape (N, K); with the temperature where there is one."""
    overall: GroupScore
    recalls: Mapping[str, tuple[float, Interval]]
    """Of every class that occurs."""
    groups: Mapping[str, Sequence[GroupScore]]
    """`speaker`, `gender` where it is known, `duration`, and what was asked for."""
    gaps: Mapping[str, Gap]
    """The largest, by the same names."""
    reliability: Reliability
    temperature: float | None
    """Fitted on the version's validation predictions; None where that was not asked for."""
    coverage: Sequence[Coverage]
    protocol: Protocol


def examine(
    client: MlflowClient,
    project: Project,
    reference: str,
    *,
    corpus: str,
    data: Path | None = None,
    task: str | None = None,
    mapping: Mapping[str, str] | None = None,
    skip_trained: bool = False,
) -> Examined:
    """Find a version and read a corpus, map the labels, and refuse recordings that the version was trained on.

    On the version's own corpus, each fold network judges the test speakers of its fold. A nested study is evaluated on
    its own corpus alone: each search judges the speakers that it never saw.

    Args:
        client: MLflow.
        project: Where things are.
        reference: `name` (its champion), `name@alias` or `name/version`; or a nested study's name.
        corpus: Its name.
        data: Its folder or manifest.
        task: Of the corpus.
        mapping: Emotion of the corpus to class of the model; wins over the usual names and merges.
        skip_trained: Leave recordings that the version was trained on out, instead of refusing the corpus.

    Raises:
        RegistryError: There is no such version.
        CorpusError: The corpus cannot be read.
        MappingError: The labels cannot be mapped.
        LeakError: The version was trained on some of the recordings; the message names them.
    """
    with tracking_errors(client.tracking_uri):
        nested = find_nested(client, reference)
        if nested is not None:
            return _examine_nested(client, project, nested, reference, corpus, data)
        version = find_version(client, reference)
        run = client.get_run(str(version.run_id))
        predictor = open_predictor(str(version_folder(version)))
    own = None if REFIT_TAG in version.tags else _own_folds(client, project, run, predictor, corpus, data, task)
    judge: Judge
    if own is not None:
        judge, left_out, notes = own, _untested(own), [f"{OWN_NOTE}; {selection_note(own.prepared.folds)}"]
    else:
        read = Corpus.load(CORPORA.get(corpus), data, project.cache, subset=task)
        kept, left_out, notes = unknown_recordings(client, version, read, project.cache, skip_trained=skip_trained)
        kept, left_out = _of_somebody(read, kept, left_out)
        judge = AllNetworks(predictor, read, kept)
    emotions = [judge.corpus.utterances[one].emotion for one in judge.numbers]
    found = map_labels(sorted(set(emotions)), tuple(predictor.labels), mapping)
    left_out |= {f"emotion {one} is no class of the model": emotions.count(one) for one in found.left_out}
    judge = judge.only(np.array([one in found.targets for one in emotions]))
    if predictor.recipe.normalisation.scope == "speaker":
        notes.append(TRANSDUCTIVE)
    facts = {name: version.tags.get(name, "unknown") for name in ("corpus", "fingerprint", "normalisation_scope")}
    model = f"{version.name}/{version.version}"
    return Examined(model, run, facts, judge, found, left_out, notes, version)


def _examine_nested(
    client: MlflowClient, project: Project, run: Run, study: str, corpus: str, data: Path | None
) -> Examined:
    """The searches of a nested study, all of whose speakers are judged."""
    judge = outer_searches(client, project, study, data)
    protocol = protocol_of(run)
    if corpus != judge.corpus.name or judge.corpus.digest != protocol.in_words["corpus_digest"]:
        raise ConfigError(
            f"'{study}' is a nested study of {judge.corpus.name}, whose searches judge the speakers that they never "
            f"saw; expected --corpus {judge.corpus.name} and the recordings that it was run on. Another corpus needs a "
            "registered model"
        )
    labels = tuple(judge.corpus.emotions)
    scope = protocol.in_words["normalisation_scope"]
    return Examined(
        model=study,
        run=run,
        facts={"corpus": corpus, "fingerprint": protocol.fingerprint, "normalisation_scope": scope},
        judge=judge,
        mapping=map_labels(labels, labels, None),
        left_out={},
        notes=[NESTED_NOTE, *([TRANSDUCTIVE] if scope == "speaker" else [])],
    )


def _own_folds(
    client: MlflowClient,
    project: Project,
    run: Run,
    predictor: object,
    corpus: str,
    data: Path | None,
    task: str | None,
) -> OwnFolds | None:
    """The judge of a version's own corpus; None where the corpus is another one."""
    member = run.data.tags.get(MEMBERS_TAG, run.info.run_id).split()[0]  # all members share corpus and folds
    definition = recorded(client, client.get_run(member))[0].with_data(data)
    settings = definition.config.corpus
    if corpus != settings.name or task not in (None, settings.task or next(iter(CORPORA.get(corpus).subsets))):
        return None
    try:
        read = load_corpus(definition, project)
    except CorpusError:
        return None  # such as another manifest, with other emotions
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


def score_judged(
    client: MlflowClient,
    examined: Examined,
    log_probabilities: np.ndarray,
    *,
    groups: Mapping[str, Sequence[str]],
    calibrate: bool = False,
) -> Evaluation:
    """Score what the judge of an evaluation returned.

    Args:
        client: MLflow.
        examined: Version and corpus.
        log_probabilities: Of every class of the model, shape (N, K).
        groups: What `groups_of` returned for its utterances.
        calibrate: Whether to fit a temperature on the version's validation predictions.

    Raises:
        ConfigError: The version has no validation predictions of the shared classes.
    """
    mapping, utterances = examined.mapping, examined.utterances
    number_of = {label: number for number, label in enumerate(mapping.shared)}
    truth = np.array([number_of[mapping.targets[one.emotion]] for one in utterances])
    speakers = np.unique([one.speaker for one in utterances], return_inverse=True)[1]
    shared = log_probabilities[:, [mapping.labels.index(one) for one in mapping.shared]]
    temperature, facts = None, {}
    if calibrate:
        temperature = _temperature(client, examined, mapping.shared)
        facts["temperature"] = f"{temperature:.4f}"
        same = " of the same speakers, so the calibration error is optimistic"
        note = CALIBRATION_NOTE + (same if isinstance(examined.judge, OwnFolds) else "")
        examined = replace(examined, notes=[*examined.notes, note])
    probabilities = with_temperature(shared, temperature or 1.0)
    predicted = shared.argmax(axis=1)
    return Evaluation(
        examined=examined,
        truth=truth,
        probabilities=probabilities,
        overall=score_groups(truth, predicted, speakers, ["all"] * len(truth))[0],
        recalls={
            mapping.shared[label]: (recall, interval)
            for (label, recall), interval in zip(
                class_recalls(truth, predicted).items(),
                recall_intervals(truth, predicted, speakers).values(),
                strict=True,
            )
        },
        groups={name: score_groups(truth, predicted, speakers, values) for name, values in groups.items()},
        gaps={
            name: gap
            for name, values in groups.items()
            if (gap := largest_gap(truth, predicted, speakers, values)) is not None
        },
        reliability=reliability(probabilities, truth),
        temperature=temperature,
        coverage=accuracy_by_coverage(probabilities, truth),
        protocol=_protocol(examined, facts),
    )


def _temperature(client: MlflowClient, examined: Examined, shared: Sequence[str]) -> float:
    """Fitted on validation utterances of the shared classes, over these classes."""
    found: Predictions | None = read_predictions(client, examined.run, "validation")
    if found is None:
        raise ConfigError(f"--calibrate: {examined.model} has no validation predictions")
    numbers = [found.emotions.index(one) for one in shared]
    own = np.isin(found.truth, numbers)
    if not own.any():
        raise ConfigError(f"--calibrate: {examined.model} has no validation predictions of {', '.join(shared)}")
    said = np.log(np.maximum(found.probabilities[own][:, numbers], 1e-6))  # six decimals are stored
    return fit_temperature(said, np.array([numbers.index(one) for one in found.truth[own]]))


def _protocol(examined: Examined, facts: Mapping[str, str]) -> Protocol:
    corpus, mapping = examined.judge.corpus, examined.mapping
    return Protocol(
        facts={
            "score": "pooled UAR of a registered version, utterance level, argmax over the shared classes",
            "corpus": corpus.name,
            "corpus_digest": corpus.digest,
            "emotions": mapping.shared,
            "mapping": mapping.renamed,
            "left_out_emotions": mapping.left_out,
            "unused_classes": mapping.unused,
            "judged_by": examined.judge.description,
            "normalisation_scope": examined.facts["normalisation_scope"],
            "trained_under": examined.facts["fingerprint"],
            "utterances": str(len(examined.judge.numbers)),
            **facts,
        }
    )
