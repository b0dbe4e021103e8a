"""The model card: a version's description in Markdown (M. Mitchell et al., arXiv 1810.03993, 2019)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..architectures import ARCHITECTURES
from ..config import FeatureSettings, ModelSettings
from ..corpora import CORPORA, Corpus
from ..encoders import encoders_among, find_checkpoint, short_name
from ..features import FEATURE_SETS
from ..folds import SIDES, selection_note
from ..markdown import markdown_table
from ..metrics import Metric, score_in
from ..protocol import Prepared, pretraining_of
from ..resampling import describe_score
from ..search import Selection
from ..tracking import (
    EVALUATES_TAG,
    MLFLOW_PARENT_RUN_ID,
    Predictions,
    Workspace,
    metrics_of,
    protocol_of,
    score_of,
    scored_sets,
    search_runs,
    task_of,
)
from .verdict import Verdict

__all__ = ["Networks", "add_evaluations", "model_card"]

LISTED_SPEAKERS = 24
"""With more, quartiles replace them: MLflow keeps a description of 5,000 characters."""
LONGEST_DESCRIPTION = 5000
"""Characters that MLflow keeps."""
EVALUATIONS = "## Evaluations"
_ECE = "evaluation_ece"
"""A metric of evaluations of probabilities: the expected calibration error."""
_SIDES = {
    "validation": "chose the epoch and the trial",
    "test": "scored once, each speaker by the network that neither trained nor validated on them",
    "holdout": "kept out of the whole search, scored once by all networks together",
}


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of a version: one or an ensemble for each fold, or for all speakers together."""

    folds: int
    ensemble: int = 1
    """Networks of each fold."""
    configurations: int = 1
    """Trials that the networks of a fold are from."""
    refit_epochs: int | None = None
    """Epochs of the one training on all speakers that replaces the folds'; None where the folds' are registered."""
    holdout: bool = False
    """Whether speakers were kept out of that training too."""
    parts: Sequence[tuple[ModelSettings, FeatureSettings]] = ()
    """Architectures, each with its features."""

    def __str__(self) -> str:
        """In words.

        >>> str(Networks(10)), str(Networks(3, ensemble=4, configurations=2))
        ('10', '3; each is an ensemble of 4, of 2 configurations')
        >>> str(Networks(10, refit_epochs=7, holdout=True))
        '1, trained on all speakers but those held out for 7 epochs'
        """
        words = str(self.folds)
        if self.refit_epochs is not None:
            held_out = " but those held out" if self.holdout else ""
            words = f"1, trained on all speakers{held_out} for {self.refit_epochs} epochs"
        if self.ensemble > 1:
            words += f"; each is an ensemble of {self.ensemble}"
        if self.configurations > 1:
            words += f", of {self.configurations} configurations"
        return words


def model_card(
    prepared: Prepared,
    metrics: Mapping[str, float],
    predictions: Mapping[str, Predictions],
    networks: Networks,
    verdict: Verdict,
    *,
    origin: str = "",
    selection: Selection | None = None,
) -> str:
    """Describe a version.

    Args:
        prepared: Its study.
        metrics: Of its run.
        predictions: Of its run, by side.
        networks: Its networks, with their architectures.
        verdict: Why it has its alias.
        origin: A sentence on where it comes from, in Markdown.
        selection: Its score without the choice among its study's trials.
    """
    corpus, task, objective = prepared.corpus, prepared.definition.task, prepared.definition.objective
    names = prepared.targets.names
    named = [f"{model.name} with {features.name}" for model, features in networks.parts]
    sections = [
        f"# {', '.join(dict.fromkeys(named))} on {corpus.name}",
        f"Networks: {networks}. {origin}".rstrip(),
        "## Verdict",
        f"{verdict.alias}: {verdict.reason}.",
        _listed(f"{name.replace('_', ' ')}: {value}" for name, value in verdict.tags.items()),
        "## Data",
        *_data(corpus, f"{task.answers} {', '.join(names)}"),
        *dict.fromkeys(_encoders(networks)),
        "## Metrics",
        *_scores(prepared, metrics, predictions, selection),
        *_crowd(prepared, predictions),
        f"## {_capitalised(objective.title)} by speaker",
        _by_speaker(predictions, objective),
        "## Protocol",
        f"Fingerprint {prepared.protocol.fingerprint}.",
        _listed(f"{name.replace('_', ' ')}: {value}" for name, value in prepared.protocol.in_words.items()),
        "## Intended use",
        "Research on speech emotion recognition. It takes single utterances of one speaker each, in any sound format, "
        + (
            f"and tells apart {len(names)} {task.answers}, one of which it always names."
            if task.predictions == "classes"
            else f"and predicts {task.title}: {', '.join(names)}."
        ),
        "## Limits",
        _listed(_limits(prepared, networks)),
        "## Citation",
        _listed(dict.fromkeys(_citations(networks))),
    ]
    return "\n\n".join(sections) + "\n"


def _data(corpus: Corpus, classes: str) -> Iterator[str]:
    """A sentence on the corpus, or on each corpus of a union and on what their licences mean for the model."""
    sources = {name: CORPORA.get(reader) for name, reader in corpus.readers.items()}
    sizes = f"{len(corpus.utterances)} utterances, {len(corpus.speakers)} speakers, {classes}"
    if not corpus.is_union:
        ((name, source),) = sources.items()
        yield f"{name}: {sizes}. Licence: {source.licence}. {source.citation}."
        return
    yield f"{len(sources)} corpora together: {sizes}. The model is bound by the licences of all of them."
    lines = []
    for origin in corpus.origins:
        source, number = sources[origin.label], corpus.parts.index(origin.label)
        speakers = len({own.speaker for own in corpus.utterances if own.corpus == origin.label})
        used, every = int((corpus.part_numbers == number).sum()), sum(origin.counts.values())
        count = f"{used} of {every}" if used < every else str(used)
        lines.append(
            f"{'; '.join([f'{origin.label}: {count} utterances, {speakers} speakers', *origin.changes])}. "
            f"Licence: {source.licence}. {source.citation}."
        )
    yield _listed(dict.fromkeys(lines))


def _listed(lines: Iterator[str] | Mapping[str, None]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _scores(
    prepared: Prepared,
    metrics: Mapping[str, float],
    predictions: Mapping[str, Predictions],
    selection: Selection | None,
) -> Iterator[str]:
    """The table of sides, sentences on it, and the tables of classes."""
    task, scored = prepared.definition.task, prepared.definition.metrics
    yield _by_side(metrics, scored)
    if selection is not None and selection.trials != 1:
        yield f"Selection-corrected: {selection.sentence}."
    defined = "; ".join(f"{metric.title} is {metric.in_words(task.answer)}" for metric in scored)
    yield f"{_capitalised(defined)}. In brackets: 95 % confidence intervals by bootstrap over speakers."
    if task.predictions == "classes":
        yield from _by_output(predictions, scored, task.answer, noun="class")
    else:  # a description has room for one table of a long list of metrics
        first = [metric for metric in scored if metric.parts is not None][:1]
        yield from _by_output(predictions, first, task.answer, noun=task.answer)


def _crowd(prepared: Prepared, predictions: Mapping[str, Predictions]) -> Iterator[str]:
    """The last side's predictions against the annotators, where their judgements are known."""
    side = next((side for side in reversed(SIDES) if side in predictions), None)
    crowd = None if side is None else predictions[side].crowd(prepared.corpus.utterances)
    if crowd is not None:
        yield f"## Model against the crowd, {side} speakers"
        yield _listed(f"{_capitalised(sentence)}." for sentence in crowd.sentences)


def _citations(networks: Networks) -> Iterator[str]:
    for model, features in networks.parts:
        yield ARCHITECTURES.get(model.name).citation
        yield FEATURE_SETS.get(features.name).citation
        known = (find_checkpoint(encoder.checkpoint) for encoder in encoders_among(model, features))
        yield from (published.citation for published in known if published is not None)


def _encoders(networks: Networks) -> Iterator[str]:
    """Name, licence and digest of every pretrained encoder."""
    for encoder in encoders_among(*chain.from_iterable(networks.parts)):
        published = find_checkpoint(encoder.checkpoint)
        licence = "unknown" if published is None else published.licence
        yield f"Pretrained encoder: {short_name(encoder.checkpoint)}. Licence: {licence}. SHA-256 {encoder.digest}."


def _limits(prepared: Prepared, networks: Networks) -> Iterator[str]:
    corpus, normalisation = prepared.corpus, prepared.definition.config.normalisation
    several = f"{len(corpus.parts)} corpora" if corpus.is_union else "one corpus"
    yield f"It knows {len(corpus.speakers)} speakers of {several}; other languages and microphones were not tried."
    yield "The validation score chose it among trials and is optimistic, also where fresh seeds confirmed it."
    yield f"{_capitalised(selection_note(prepared.folds))}."
    yield "Not for decisions about people."
    if networks.refit_epochs is not None:
        yield (
            "All scores here are those of the folds' networks of the same configuration; this one network was not "
            "scored on anybody."
        )
    if normalisation.scope == "speaker":
        too = ", and batch norm takes its statistics from them too" if normalisation.batch_norm == "speaker" else ""
        yield f"Transductive: features are normalised with all recordings of each speaker{too}."
    if (adapted := prepared.protocol.in_words.get("adaptation")) is not None:
        yield f"It adapts to the speaker of the recordings of a call, without labels. Scores are of: {adapted}."
    if normalisation.scope == "corpus":
        yield (
            "Transductive: features are normalised with all recordings of a call, and for scores of a corpus without "
            "training speakers with all its recordings."
        )
    known = [pretraining_of(corpus.readers, features, model) for model, features in networks.parts]
    licences = [FEATURE_SETS.get(features.name).licence for _, features in networks.parts]
    pretrained = [found.sentence for found in known if found is not None]
    for note in dict.fromkeys([*prepared.notes, *pretrained, *filter(None, licences)]):
        yield f"{_capitalised(note)}."
    if len(prepared.folds) < prepared.folds_of_protocol:
        yield f"Only {len(prepared.folds)} of {prepared.folds_of_protocol} folds were trained."


def _capitalised(note: str) -> str:
    """A note as a sentence; names such as openSMILE keep their small letter."""
    return f"{note[0].upper()}{note[1:]}" if note.split()[0].islower() else note


def _by_side(scores: Mapping[str, float], metrics: Sequence[Metric]) -> str:
    """The table of the scores of each side, pooled and over folds, and of each test set."""
    objective = metrics[0]
    rows = []
    for side in SIDES:
        if score_in(scores, name := f"{side}_{objective.name}") is None:
            continue
        known = [score_in(scores, f"{name}_fold_{end}") for end in ("mean", "std")]
        over_folds = " ± ".join(f"{number:.4f}" for number in known if number is not None)
        described = [describe_score(scores, f"{side}_{metric.name}") for metric in metrics]
        rows.append([side, *described, over_folds, _SIDES[side]])
    rows += [[found.name, *found.described(metrics), "", found.title] for found in scored_sets(scores)]
    titles = [metric.title for metric in metrics]
    return markdown_table(["side", *titles, f"{objective.title} over folds", "what it is"], rows)


def _by_output(
    predictions: Mapping[str, Predictions], metrics: Sequence[Metric], answer: str, *, noun: str
) -> Iterator[str]:
    """A heading and a table for each number that metrics have of every output, such as the recall of a class."""
    names = next(iter(predictions.values())).names if predictions else ()
    first_of_part = {metric.part: metric for metric in reversed(metrics) if metric.parts is not None}
    for metric in metrics:
        if metric.parts is None or first_of_part[metric.part] is not metric:
            continue
        known = {side: metric.parts(found.sums(metric).sum(axis=0)).tolist() for side, found in predictions.items()}
        rows = [[name, *map(_rounded, of_class)] for name, *of_class in zip(names, *known.values(), strict=True)]
        yield f"## {metric.part[:1].upper()}{metric.part[1:]} by {noun}"
        yield markdown_table([answer, *known], rows)


def _by_speaker(predictions: Mapping[str, Predictions], objective: Metric) -> str:
    speakers = sorted({speaker for found in predictions.values() for speaker in found.speakers})
    if len(speakers) > LISTED_SPEAKERS:
        known = {side: objective.value(found.sums(objective)) for side, found in predictions.items()}
        quartiles = {side: _quartiles(scores[~np.isnan(scores)]) for side, scores in known.items()}
        names = ("lowest", "lower quartile", "median", "upper quartile", "highest")
        rows = [[name, *(_rounded(of[place]) for of in quartiles.values())] for place, name in enumerate(names)]
        return markdown_table([f"{len(speakers)} speakers", *quartiles], rows)
    rows = []
    for speaker in speakers:
        row = [speaker]
        for found in predictions.values():
            own = np.flatnonzero(np.array(found.speakers) == speaker)
            score = objective.score(found.truth[own], found.predicted[own], len(found.names)) if len(own) else math.nan
            row.append(f"{_rounded(score)} ({len(own)})".lstrip() if len(own) else "")
        rows.append(row)
    return markdown_table(["speaker", *(f"{side} (utterances)" for side in predictions)], rows)


def _quartiles(scores: np.ndarray) -> np.ndarray:
    """The least, the quartiles and the largest, shape (5,); NaN where there is no score."""
    return np.percentile(scores, [0, 25, 50, 75, 100]) if len(scores) else np.full(5, np.nan)


def _rounded(score: float) -> str:
    """Three digits; nothing of a score that is not defined."""
    return "" if math.isnan(score) else f"{score:.3f}"


def add_evaluations(workspace: Workspace, name: str, version: str) -> None:
    """Write the section on evaluations into a version's description, in place of an earlier section.

    The newest evaluation of each protocol is listed, newest first, as many as MLflow has room for.

    Args:
        workspace: The project's stores.
        name: The registered model's.
        version: Its number.
    """
    found = workspace.client.get_model_version(name, version)
    rows: dict[str, dict[str, str]] = {}
    for run in search_runs(workspace, tags={EVALUATES_TAG: f"{name}/{version}"}):
        if run.data.tags.get(MLFLOW_PARENT_RUN_ID) != found.run_id or score_of(run, "evaluation") is None:
            continue  # of a deleted model of the same name, or interrupted
        protocol, metrics = protocol_of(run), run.data.metrics
        row = {"corpus": protocol.corpus, task_of(run).outputs: str(len(protocol.names))}
        row |= {metric.title: describe_score(metrics, f"evaluation_{metric.name}") for metric in metrics_of(run)}
        row |= {"ECE": f"{metrics[_ECE]:.3f}"} if _ECE in metrics else {}
        row |= {"judged by": protocol.in_words["judged_by"], "run": run.info.run_id}
        rows.setdefault(protocol.fingerprint, row)
    kept = list(rows.values())
    card = (found.description or "").partition(EVALUATIONS)[0].rstrip()
    while kept:
        columns = list(dict.fromkeys(column for row in kept for column in row))
        table = markdown_table(columns, [[row.get(column, "") for column in columns] for row in kept])
        described = f"{card}\n\n{EVALUATIONS}\n\n{table}\n"
        if len(described) <= LONGEST_DESCRIPTION:
            workspace.client.update_model_version(name, version, description=described)
            return
        kept.pop()
