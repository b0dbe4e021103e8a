"""Scores of an evaluated model by how many other utterances of a speaker it has heard."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import draw_to, lettering_for
from ..errors import ConfigError
from ..metrics import Metric
from ..prediction import Draw
from ..resampling import UNKNOWN, Estimate, Interval, paired_difference, share_of_gain, speaker_interval, sums_of
from ..row_groups import rows_by
from ..tracking import FOREIGN, MLFLOW_PARENT_RUN_ID, Workspace, protocol_of, search_runs
from .evaluation_scores import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["HeardScore", "draw_heard", "heard_metrics", "heard_rows", "read_heard", "score_by_heard"]

HEARD: tuple[int | None, ...] = (0, 1, 3, 10, 30, None)
"""Other utterances of the judged speaker; None is all of them."""
DRAWS = 5
"""Draws of utterances, of which scores are means."""


@dataclass(frozen=True, slots=True)
class HeardScore:
    """The objective's score after so many other utterances of a speaker."""

    heard: int | None
    """None is all."""
    score: Estimate
    """The mean over draws; the 95 % interval is over speakers."""
    gain: Estimate | None
    """The score's difference from that of nothing heard, paired by speaker; None where the model cannot judge that."""
    shortfall: Estimate | None = None
    """The score's difference from that of all heard, paired by speaker; None of all."""
    share: Estimate | None = None
    """The share of the gain of all; None where all have no gain, of nothing heard, and of all."""
    corpus: str = ""
    """The corpus of a union whose speakers are scored; empty for all speakers."""

    @property
    def name(self) -> str:
        """The number, or `all`."""
        return _name(self.heard)

    @property
    def place(self) -> str:
        """The number with the corpus, as metrics are named."""
        return f"{FOREIGN.sub('_', self.corpus)}/{self.name}" if self.corpus else self.name


def score_by_heard(evaluation: Evaluation, *, on_heard: Callable[[str], None] = lambda name: None) -> list[HeardScore]:
    """Judge the utterances of an evaluation again, after 0, 1, 3, 10, 30 and all other utterances of their speakers.

    The judged utterance adapts the model too. Others are drawn without labels; speakers who have fewer give all.

    Returns:
        The scores of all speakers; in a union, then those of the speakers of each corpus.

    Raises:
        ConfigError: The model does not adapt to speakers.
    """
    setup = evaluation.setup
    if setup.networks.judge_heard is None:
        raise ConfigError(
            f"--heard scores adaptation to speakers, and {setup.model} judges every utterance by itself; expected a "
            "model with adaptation.kind, or with normalisation by speaker"
        )
    speakers = np.unique([utterance.speaker for utterance in setup.utterances], return_inverse=True)[1]
    metric, size, most = evaluation.objective, len(setup.shared), int(np.bincount(speakers).max()) - 1
    sums: dict[int | None, np.ndarray] = {}
    for heard in HEARD:
        if heard is not None and (heard > most or (heard == 0 and not setup.networks.judges_alone)):
            continue
        on_heard(f"{_name(heard)} other utterances heard")
        draws = range(1 if heard in (0, None) else DRAWS)
        found = [setup.networks.judge_heard(setup.networks.rows, Draw(heard, number)) for number in draws]
        predicted = [setup.task.decide(setup.over_shared(outputs)) for outputs in found]
        sums[heard] = np.stack([sums_of(metric, evaluation.truth, made, speakers, size) for made in predicted])
    corpus_of = dict(zip(speakers.tolist(), (utterance.corpus for utterance in setup.utterances), strict=True))
    rows = rows_by([corpus_of[speaker] for speaker in range(len(corpus_of))])
    found_scores = list(_scored(metric, sums))
    for corpus, own in rows.items() if len(rows) > 1 else ():
        found_scores += _scored(metric, {heard: drawn[:, own] for heard, drawn in sums.items()}, corpus)
    return found_scores


def _scored(metric: Metric, sums: Mapping[int | None, np.ndarray], corpus: str = "") -> Iterator[HeardScore]:
    """Scores from the sums (draws, speakers, ...) of each number of utterances, and of the speakers of a corpus."""
    for heard, drawn in sums.items():
        mean = drawn.mean(axis=0)  # a weighted mean of sums has the mean score
        score = Estimate(float(metric.value(mean.sum(axis=0))), speaker_interval(metric, mean))
        gain = paired_difference(metric, drawn, sums[0]) if 0 in sums and heard != 0 else None
        shortfall = None if heard is None else paired_difference(metric, drawn, sums[None])
        share = None if gain is None or heard is None else share_of_gain(metric, drawn, sums[None], sums[0])
        known = share if share is not None and not math.isnan(share.value) else None
        yield HeardScore(heard, score, gain, shortfall, known, corpus)


def heard_rows(scores: Sequence[HeardScore]) -> list[dict[str, object]]:
    """The scores as a table; of a union with the corpus, empty where all speakers are scored."""
    union, rows = any(each.corpus for each in scores), []
    for each in scores:
        row: dict[str, object] = {"corpus": each.corpus} if union else {}
        row["heard"] = each.name
        for title, estimate in _estimates(each).items():
            row[title] = None if estimate is None else estimate.value
            for end in ("low", "high"):
                known = estimate is not None and estimate.interval.known
                row[f"{title}_{end}"] = getattr(estimate.interval, end) if estimate is not None and known else None
        rows.append(row)
    return rows


def _estimates(score: HeardScore) -> dict[str, Estimate | None]:
    """The estimates of a score, by the names of their columns."""
    return {
        "score": score.score,
        "gain": score.gain,
        "difference_to_all": score.shortfall,
        "share_of_gain": score.share,
    }


def heard_metrics(metric: Metric, scores: Sequence[HeardScore]) -> dict[str, float]:
    """The scores, their differences and shares, and the ends of all intervals, as metrics of a run."""
    found: dict[str, float] = {}
    for each in scores:
        for title, estimate in _estimates(each).items():
            if estimate is None:
                continue
            stem = _stem(metric, title)
            found[f"{stem}/{each.place}"] = estimate.value
            if estimate.interval.known:
                found[f"{stem}_low/{each.place}"] = estimate.interval.low
                found[f"{stem}_high/{each.place}"] = estimate.interval.high
    return found


def _stem(metric: Metric, title: str) -> str:
    """The start of the names of a column's metrics."""
    return f"heard_{metric.name}" if title == "score" else f"heard_{metric.name}_{title}"


def read_heard(workspace: Workspace, run_id: str, corpus: str, metric: Metric) -> list[HeardScore]:
    """The newest stored scores by utterances heard of a run's model on a corpus.

    Args:
        workspace: The project's stores.
        run_id: The trial's or the nested study's.
        corpus: Its name.
        metric: The objective.

    Returns:
        In the order of `score_by_heard`; of versions before, with scores alone; empty where there are none.
    """
    for run in search_runs(workspace, tags={MLFLOW_PARENT_RUN_ID: run_id}):
        if protocol_of(run).corpus == corpus and (found := _read(run.data.metrics, metric)):
            return found
    return []


def _read(values: Mapping[str, float], metric: Metric) -> list[HeardScore]:
    """Undo `heard_metrics`."""
    stem, order = f"heard_{metric.name}/", {_name(heard): heard for heard in HEARD}
    places = [name.removeprefix(stem) for name in values if name.startswith(stem)]
    cut = [(place.rpartition("/")[0], place.rpartition("/")[2], place) for place in places]
    known = sorted((corpus, list(order).index(name), place) for corpus, name, place in cut if name in order)

    def estimate(title: str, place: str) -> Estimate | None:
        start = _stem(metric, title)
        if (value := values.get(f"{start}/{place}")) is None:
            return None
        ends = (values.get(f"{start}_{end}/{place}", math.nan) for end in ("low", "high"))
        return Estimate(value, Interval(*ends))

    return [
        HeardScore(
            HEARD[number],
            score=estimate("score", place) or Estimate(math.nan, UNKNOWN),
            gain=estimate("gain", place),
            shortfall=estimate("difference_to_all", place),
            share=estimate("share_of_gain", place),
            corpus=corpus,
        )
        for corpus, number, place in known
    ]


def _name(heard: int | None) -> str:
    return "all" if heard is None else str(heard)


def draw_heard(path: Path, title: str, metric: Metric, scores: Sequence[HeardScore]) -> None:
    """Draw the score over the number of utterances heard, with its interval over speakers."""
    letters = lettering_for([title, *_corpora(scores)])

    curves = {corpus: [each for each in scores if each.corpus == corpus] for corpus in _corpora(scores)}

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        for corpus, own in curves.items():
            values = [each.score.value for each in own]
            ends = [each.score.interval if each.score.interval.known else None for each in own]
            reach = [
                (0.0, 0.0) if end is None else (value - end.low, end.high - value)
                for value, end in zip(values, ends, strict=True)
            ]
            label = letters(corpus or "all") if len(curves) > 1 else None
            axes.errorbar(range(len(own)), values, yerr=np.transpose(reach), marker="o", capsize=2, label=label)
            axes.set_xticks(range(len(own)), [each.name for each in own])
        axes.set(xlabel="other utterances of the speaker heard", ylabel=metric.title, title=letters(title))
        if len(curves) > 1:
            axes.legend()

    draw_to(path, 3.5, fill, width=6, dpi=100, letters=letters)


def _corpora(scores: Sequence[HeardScore]) -> list[str]:
    """The corpora of scores, in their order; the first is empty, of all speakers."""
    return list(dict.fromkeys(each.corpus for each in scores))
