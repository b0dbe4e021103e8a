"""The model card: what stands in a version's description, as Markdown (M. Mitchell et al., arXiv 1810.03993, 2019)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from ..architectures import ARCHITECTURES
from ..config import FeatureSettings, ModelSettings
from ..corpora import CORPORA
from ..encoders import encoders_among, find_checkpoint, short_name
from ..features import FEATURE_SETS
from ..folds import SIDES, selection_note
from ..resampling import describe_score
from ..resampling.old import class_recalls, uar
from ..study import Prepared, Selection, pretraining_of
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
    corpus = prepared.corpus
    source = CORPORA.get(corpus.name)
    sides = [side for side in SIDES if f"{side}_uar" in metrics]
    named = [f"{model.name} with {features.name}" for model, features in parts]
    sections = [
        f"# {', '.join(dict.fromkeys(named))} on {corpus.name}",
        f"Networks: {networks}. {origin}".rstrip(),
        "## Verdict",
        f"{verdict.alias}: {verdict.reason}.",
        "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in verdict.tags.items()),
        "## Data",
        f"{source.name}: {len(corpus.utterances)} utterances, {len(corpus.speakers)} speakers, emotions "
        f"{', '.join(corpus.emotions)}. Licence: {source.licence}. {source.citation}.",
        *dict.fromkeys(_encoders(parts)),
        "## Metrics",
        markdown_table(
            ["side", "UAR", "WA", "UAR over folds", "what it is"],
            [
                [
                    side,
                    describe_score(metrics, f"{side}_uar"),
                    describe_score(metrics, f"{side}_wa"),
                    f"{metrics[f'{side}_uar_fold_mean']:.4f} ± {metrics[f'{side}_uar_fold_std']:.4f}",
                    _SIDES[side],
                ]
                for side in sides
            ],
        ),
        *([] if selection is None or selection.trials == 1 else [f"Selection-corrected: {selection.sentence}."]),
        "UAR is the mean recall of the classes that occur, over one confusion matrix of all held-out utterances; WA is "
        "plain accuracy. In brackets: 95 % confidence intervals by bootstrap over speakers.",
        "## Recall by class",
        _by_class(predictions),
        "## UAR by speaker",
        _by_speaker(predictions),
        "## Protocol",
        f"Fingerprint {prepared.protocol.fingerprint}.",
        "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in prepared.protocol.in_words.items()),
        "## Intended use",
        "Research on speech emotion recognition. It takes single utterances of one speaker each, in any sound format, "
        f"and tells apart {len(corpus.emotions)} emotions, one of which it always names.",
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


def _capitalised(note: str) -> str:
    """A note as a sentence; names such as openSMILE keep their small letter."""
    return f"{note[0].upper()}{note[1:]}" if note.split()[0].islower() else note


def _by_class(predictions: Mapping[str, Predictions]) -> str:
    recalls = {side: class_recalls(one.truth, one.predicted) for side, one in predictions.items()}
    emotions = next(iter(predictions.values())).emotions if predictions else ()
    rows = [
        [emotion, *(f"{known[number]:.3f}" if number in known else "" for known in recalls.values())]
        for number, emotion in enumerate(emotions)
    ]
    return markdown_table(["emotion", *recalls], rows)


def _by_speaker(predictions: Mapping[str, Predictions]) -> str:
    speakers = sorted({speaker for one in predictions.values() for speaker in one.speakers})
    if len(speakers) > LISTED_SPEAKERS:
        scores = {
            side: [uar(one.truth[own], one.predicted[own]) for own in _of_each_speaker(one)]
            for side, one in predictions.items()
        }
        quartiles = {side: np.percentile(values, [0, 25, 50, 75, 100]) for side, values in scores.items()}
        names = ("lowest", "lower quartile", "median", "upper quartile", "highest")
        rows = [[name, *(f"{one[place]:.3f}" for one in quartiles.values())] for place, name in enumerate(names)]
        return markdown_table([f"{len(speakers)} speakers", *quartiles], rows)
    rows = []
    for speaker in speakers:
        row = [speaker]
        for one in predictions.values():
            own = np.flatnonzero(np.array(one.speakers) == speaker)
            row.append(f"{uar(one.truth[own], one.predicted[own]):.3f} ({len(own)})" if len(own) else "")
        rows.append(row)
    return markdown_table(["speaker", *(f"{side} (utterances)" for side in predictions)], rows)


def _of_each_speaker(predictions: Predictions) -> list[np.ndarray]:
    numbers = predictions.speaker_numbers
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers)]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(one.replace('|', '/') for one in line)} |" for line in lines)
