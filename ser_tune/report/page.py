"""The report as one page of HTML that needs no other file and no network."""

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..drawing import Picture
from ..errors import AudioError
from ..folds import CORPORA_NOT_FREE, NOT_FREE
from ..metrics import Metric
from ..pages import page_from
from ..resampling import describe_score, share_in_words, with_interval
from ..results import StudyTrial, edges_of
from ..tracking import Predictions
from .headline import tiles_of
from .mistakes import Clip, clip_of
from .paper import bibtex_of, citations_of, replay_command
from .reported import ReportedResult
from .tables import baselines, chance_of, confusions_of, outputs_of, parted, speakers_of
from .words import displayed, protocol_in_words

__all__ = ["page_of"]

_SIDES = {
    "validation": "chose the epoch and the trial: optimistic",
    "test": "scored once, each speaker by the network that neither trained nor validated on them",
    "holdout": "kept out of the whole search, scored once by all networks together",
}
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


def page_of(report: ReportedResult, pictures: Mapping[str, Picture]) -> str:
    """Write the page; the template escapes every name that comes from data."""
    trials = report.search.trials if report.search else ()
    return page_from(
        Path(__file__).parent / "page.html",
        displayed=displayed,
        share_in_words=share_in_words,
        with_interval=with_interval,
        share=_share,
        report=report,
        subject=f"{report.params['model.name']} on {report.corpus}",
        objective=report.objective,
        answers=report.task.answers,
        scores={
            side: [describe_score(report.metrics, f"{side}_{metric.name}") for metric in report.scored]
            for side in report.sides
        },
        corrected=[describe_score(report.corrected, f"corrected_{metric.name}") for metric in report.scored],
        meanings=_meanings(report),
        sentences=protocol_in_words(
            report.protocol, report.predictions, corpus=report.corpus, with_epochs="learning" in pictures
        ),
        tiles=tiles_of(report),
        chance=chance_of(report),
        listed=_best_first(report),
        baselines=baselines(report),
        **_crowd(report),
        parted=parted(report.scored),
        judged={side: _judged(report, predictions) for side, predictions in report.predictions.items()},
        edges=edges_of(report.search.definition, trials) if report.search else (),
        states=_STATES,
        chosen=next((trial.values for trial in trials if trial.number == report.trial), {}),
        confirms=any(trial.confirms is not None for trial in trials),
        pictures=pictures,
        clips=_clips(report),
        paths=sorted({path for trial in trials for path in trial.values}),
        citations=citations_of(report),
        bibtex=bibtex_of(report),
        replay=replay_command(report),
    )


def _best_first(report: ReportedResult) -> list[StudyTrial]:
    """All trials of the study, the best score first; those without a score last, by number."""
    if report.search is None:
        return []
    scored = [trial for trial in report.search.trials if trial.score is not None]
    others = [trial for trial in report.search.trials if trial.score is None]
    return [*report.search.ranking.best_first(scored, lambda trial: trial.score, lambda trial: trial.number), *others]


def _crowd(report: ReportedResult) -> dict[str, Any]:
    """The predictions of the last side against the annotators, where their judgements are known."""
    if report.recordings is None or not report.predictions:
        return {"crowd": None, "crowd_side": ""}
    side = list(report.predictions)[-1]
    return {"crowd": report.predictions[side].crowd(report.recordings.utterances.values()), "crowd_side": side}


def _judged(report: ReportedResult, predictions: Predictions) -> dict[str, Any]:
    """Tables of a side: of speakers and outputs, and of the confusion where classes were predicted."""
    metric = parted(report.scored)
    return {
        "names": predictions.names,
        "counts": confusions_of(predictions).sum(axis=0).tolist() if report.of_classes else [],
        "outputs": [] if metric is None else outputs_of(predictions, metric),
        "speakers": speakers_of(predictions, report.objective, of_classes=report.of_classes),
    }


def _share(value: float, metric: Metric) -> float:
    """The place of a value in the range of a metric, 0 to 1: the length of its bar; 0 where the range is open."""
    share = (value - metric.low) / (metric.high - metric.low)
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0


def _clips(report: ReportedResult) -> dict[str, Clip]:
    """Spectrogram and sound of the most often misclassified utterances, without undecodable recordings."""
    found = {}
    if report.recordings is not None:
        for mistake in report.mistakes:
            with suppress(AudioError):
                found[mistake.utterance] = clip_of(report.recordings.utterances[mistake.utterance])
    return found


def _meanings(report: ReportedResult) -> dict[str, str]:
    """The meaning of each side's score; test speakers who validate another fold limit that of the test."""
    limit = CORPORA_NOT_FREE if report.protocol.scheme else NOT_FREE
    return _SIDES | ({} if report.test_is_free else {"test": f"{_SIDES['test']}; {limit}"})
