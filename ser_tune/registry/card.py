"""The model card: what stands in a version's description, as Markdown (M. Mitchell et al., arXiv 1810.03993, 2019)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from ..architectures import ARCHITECTURES
from ..config import FeatureSettings, ModelSettings
from ..corpora import CORPORA
from ..encoders import encoders_among, find_checkpoint, short_name
from ..features import FEATURE_SETS
from ..folds import SIDES, selection_note
from ..metrics import Metric, score_in
from ..protocol import Prepared, pretraining_of
from ..resampling import describe_score
from ..search import Selection
from ..tracking import Predictions
from .networks import Networks
from .verdict import Verdict

__all__ = ["markdown_table", "model_card"]

LISTED_SPEAKERS = 24
"""With more, quartiles stand for them: MLflow keeps a description of 5,000 characters."""
_SIDES = {
    "validation": "chose the epoch and the trial",
    "test": "scored once, each speaker by the network that neither trained nor validated on them",
    "holdout": "kept out of the whole search, scored once by all networks together",
}


def model_card(
    prepared: Prepared,
    metrics: Mapping[str, float],
    predictions: Mapping[str, Predictions],
    parts: Sequence[tuple[ModelSettings, FeatureSettings]],
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
        parts: Its architectures, each with its features.
        networks: What it is made of.
        verdict: Why it has its alias.
        origin: A sentence on where it comes from, in Markdown.
        selection: What it is worth without the choice among its study's trials.
    """
    corpus, task, names = prepared.corpus, prepared.definition.task, prepared.targets.names
    source = CORPORA.get(corpus.name)
    named = [f"{model.name} with {features.name}" for model, features in parts]
    of_classes = task.predictions == "classes"
    sections = [
        f"# {', '.join(dict.fromkeys(named))} on {corpus.name}",
        f"Networks: {networks}. {origin}".rstrip(),
        "## Verdict",
        f"{verdict.alias}: {verdict.reason}.",
        "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in verdict.tags.items()),
        "## Data",
        f"{source.name}: {len(corpus.utterances)} utterances, {len(corpus.speakers)} speakers, {task.answers} "
        f"{', '.join(names)}. Licence: {source.licence}. {source.citation}.",
        *dict.fromkeys(_encoders(parts)),
        "## Metrics",
        _by_side(metrics, prepared.definition.metrics),
        *([] if selection is None or selection.trials == 1 else [f"Selection-corrected: {selection.sentence}."]),
        f"{_capitalised(_defined(prepared.definition.metrics, task.answer))}. In "
        "brackets: 95 % confidence intervals by bootstrap over speakers.",
        *(_by_class(predictions, prepared.definition.metrics, task.answer) if of_classes else ()),
        f"## {_capitalised(prepared.definition.objective.title)} by speaker",
        _by_speaker(predictions, prepared.definition.objective),
        "## Protocol",
        f"Fingerprint {prepared.protocol.fingerprint}.",
        "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in prepared.protocol.in_words.items()),
        "## Intended use",
        "Research on speech emotion recognition. It takes single utterances of one speaker each, in any sound format, "
        + (
            f"and tells apart {len(names)} {task.answers}, one of which it always names."
            if of_classes
            else f"and predicts {task.title}: {', '.join(names)}."
        ),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(prepared, parts, networks)),
        "## Citation",
        "\n".join(f"- {one}" for one in dict.fromkeys(_citations(parts))),
    ]
    return "\n\n".join(sections) + "\n"


def _citations(parts: Sequence[tuple[ModelSettings, FeatureSettings]]) -> Iterator[str]:
    for model, features in parts:
        yield ARCHITECTURES.get(model.name).citation
        yield FEATURE_SETS.get(features.name).citation
        known = (find_checkpoint(one.checkpoint) for one in encoders_among(model, features))
        yield from (one.citation for one in known if one is not None)


def _encoders(parts: Sequence[tuple[ModelSettings, FeatureSettings]]) -> Iterator[str]:
    """Name, licence and digest of every pretrained encoder."""
    for one in encoders_among(*chain.from_iterable(parts)):
        published = find_checkpoint(one.checkpoint)
        licence = "unknown" if published is None else published.licence
        yield f"Pretrained encoder: {short_name(one.checkpoint)}. Licence: {licence}. SHA-256 {one.digest}."


def _limits(
    prepared: Prepared, parts: Sequence[tuple[ModelSettings, FeatureSettings]], networks: Networks
) -> list[str]:
    corpus = prepared.corpus
    limits = [
        f"It knows {len(corpus.speakers)} speakers of one corpus; other languages and microphones were not tried.",
        "The validation score chose it among trials and is optimistic, also where fresh seeds confirmed it.",
        f"{_capitalised(selection_note(prepared.folds))}.",
        "Not for decisions about people.",
    ]
    if networks.refit_epochs is not None:
        limits.append(
            "All scores here are those of the folds' networks of the same configuration; this one network was not "
            "scored on anybody."
        )
    normalisation = prepared.definition.config.normalisation
    if normalisation.scope == "speaker":
        too = ", and batch norm takes its statistics from them too" if normalisation.batch_norm == "speaker" else ""
        limits.append(f"Transductive: features are normalised with all recordings of each speaker{too}.")
    known = [pretraining_of(corpus.name, features, model) for model, features in parts]
    licences = [FEATURE_SETS.get(features.name).licence for _, features in parts]
    sentences = [*prepared.notes, *(one.sentence for one in known if one is not None), *filter(None, licences)]
    limits += [f"{_capitalised(note)}." for note in dict.fromkeys(sentences)]
    if len(prepared.folds) < prepared.folds_of_protocol:
        limits.append(f"Only {len(prepared.folds)} of {prepared.folds_of_protocol} folds were trained.")
    return limits


def _defined(metrics: Sequence[Metric], answer: str) -> str:
    """What each metric is."""
    return "; ".join(f"{one.title} is {one.in_words(answer)}" for one in metrics)


def _capitalised(note: str) -> str:
    """A note as a sentence; names such as openSMILE keep their small letter."""
    return f"{note[0].upper()}{note[1:]}" if note.split()[0].islower() else note


def _by_side(scores: Mapping[str, float], metrics: Sequence[Metric]) -> str:
    """The table of the scores of each side, pooled and over folds."""
    objective = metrics[0]
    rows = []
    for side in SIDES:
        if score_in(scores, name := f"{side}_{objective.name}") is None:
            continue
        known = [score_in(scores, f"{name}_fold_{end}") for end in ("mean", "std")]
        over_folds = " ± ".join(f"{number:.4f}" for number in known if number is not None)
        described = [describe_score(scores, f"{side}_{metric.name}") for metric in metrics]
        rows.append([side, *described, over_folds, _SIDES[side]])
    titles = [metric.title for metric in metrics]
    return markdown_table(["side", *titles, f"{objective.title} over folds", "what it is"], rows)


def _by_class(predictions: Mapping[str, Predictions], metrics: Sequence[Metric], answer: str) -> Iterator[str]:
    """A heading and a table for each number that metrics have of every class, such as its recall."""
    names = next(iter(predictions.values())).names if predictions else ()
    told = set[str]()
    for metric in metrics:
        if metric.parts is None or metric.part in told:
            continue
        told.add(metric.part)
        known = {side: metric.parts(one.sums(metric).sum(axis=0)).tolist() for side, one in predictions.items()}
        rows = [[name, *map(_rounded, of_class)] for name, *of_class in zip(names, *known.values(), strict=True)]
        yield f"## {metric.part.capitalize()} by class"
        yield markdown_table([answer, *known], rows)


def _by_speaker(predictions: Mapping[str, Predictions], objective: Metric) -> str:
    speakers = sorted({speaker for one in predictions.values() for speaker in one.speakers})
    if len(speakers) > LISTED_SPEAKERS:
        known = {side: objective.value(one.sums(objective)) for side, one in predictions.items()}
        quartiles = {side: _quartiles(scores[~np.isnan(scores)]) for side, scores in known.items()}
        names = ("lowest", "lower quartile", "median", "upper quartile", "highest")
        rows = [[name, *(_rounded(one[place]) for one in quartiles.values())] for place, name in enumerate(names)]
        return markdown_table([f"{len(speakers)} speakers", *quartiles], rows)
    rows = []
    for speaker in speakers:
        row = [speaker]
        for one in predictions.values():
            own = np.flatnonzero(np.array(one.speakers) == speaker)
            score = objective.score(one.truth[own], one.predicted[own], len(one.names)) if len(own) else math.nan
            row.append(f"{_rounded(score)} ({len(own)})".lstrip() if len(own) else "")
        rows.append(row)
    return markdown_table(["speaker", *(f"{side} (utterances)" for side in predictions)], rows)


def _quartiles(scores: np.ndarray) -> np.ndarray:
    """The least, the quartiles and the largest, shape (5,); NaN where there is no score."""
    return np.percentile(scores, [0, 25, 50, 75, 100]) if len(scores) else np.full(5, np.nan)


def _rounded(score: float) -> str:
    """Three digits; nothing of a score that is not defined."""
    return "" if math.isnan(score) else f"{score:.3f}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(one.replace('|', '/') for one in line)} |" for line in lines)
