"""Scores of an evaluated model by how many other utterances of a speaker it has heard."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import draw_to, lettering_for
from ..errors import ConfigError
from ..metrics import Metric
from ..prediction import Draw
from ..resampling import Estimate, Interval, paired_difference, speaker_interval, sums_of
from ..tracking import MLFLOW_PARENT_RUN_ID, Workspace, protocol_of, search_runs
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

    @property
    def name(self) -> str:
        """The number, or `all`."""
        return _name(self.heard)


def score_by_heard(evaluation: Evaluation, *, on_heard: Callable[[str], None] = lambda name: None) -> list[HeardScore]:
    """Judge the utterances of an evaluation again, after 0, 1, 3, 10, 30 and all other utterances of their speakers.

    The judged utterance adapts the model too. Others are drawn without labels; speakers who have fewer give all.

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
    return list(_scored(metric, sums))


def _scored(metric: Metric, sums: dict[int | None, np.ndarray]) -> Iterator[HeardScore]:
    """Scores from the sums (draws, speakers, ...) of each number of utterances."""
    for heard, drawn in sums.items():
        mean = drawn.mean(axis=0)  # a weighted mean of sums has the mean score
        score = Estimate(float(metric.value(mean.sum(axis=0))), speaker_interval(metric, mean))
        gain = paired_difference(metric, drawn, sums[0]) if 0 in sums and heard != 0 else None
        yield HeardScore(heard, score, gain)


def heard_rows(scores: Sequence[HeardScore]) -> list[dict[str, object]]:
    """The scores as a table, with the share of the gain of all recordings."""
    whole = next((each.gain.value for each in scores if each.heard is None and each.gain is not None), 0.0)
    rows = []
    for each in scores:
        row: dict[str, object] = {"heard": each.name, "score": each.score.value}
        row |= {"score_low": each.score.interval.low, "score_high": each.score.interval.high}
        gain = each.gain
        row |= {"gain": None if gain is None else gain.value}
        row |= {f"gain_{end}": None if gain is None else getattr(gain.interval, end) for end in ("low", "high")}
        rows.append(row | {"share_of_gain": None if gain is None or whole <= 0 else gain.value / whole})
    return rows


def heard_metrics(metric: Metric, scores: Sequence[HeardScore]) -> dict[str, float]:
    """The scores and the ends of their intervals, as metrics of a run."""
    found = {f"heard_{metric.name}/{each.name}": each.score.value for each in scores}
    known = [each for each in scores if each.score.interval.known]
    found |= {f"heard_{metric.name}_low/{each.name}": each.score.interval.low for each in known}
    return found | {f"heard_{metric.name}_high/{each.name}": each.score.interval.high for each in known}


def read_heard(workspace: Workspace, run_id: str, corpus: str, metric: Metric) -> dict[str, Estimate]:
    """The newest stored scores by utterances heard of a run's model on a corpus.

    Args:
        workspace: The project's stores.
        run_id: The trial's or the nested study's.
        corpus: Its name.
        metric: The objective.

    Returns:
        The number of utterances, or `all`, to the score; empty where there are none.
    """
    for run in search_runs(workspace, tags={MLFLOW_PARENT_RUN_ID: run_id}):
        values = run.data.metrics
        names = [name for name in map(_name, HEARD) if f"heard_{metric.name}/{name}" in values]
        if names and protocol_of(run).corpus == corpus:
            ends = [
                Interval(*(values.get(f"heard_{metric.name}_{end}/{name}", math.nan) for end in ("low", "high")))
                for name in names
            ]
            scores = [values[f"heard_{metric.name}/{name}"] for name in names]
            return {name: Estimate(score, end) for name, score, end in zip(names, scores, ends, strict=True)}
    return {}


def _name(heard: int | None) -> str:
    return "all" if heard is None else str(heard)


def draw_heard(path: Path, title: str, metric: Metric, scores: Sequence[HeardScore]) -> None:
    """Draw the score over the number of utterances heard, with its interval over speakers."""
    letters = lettering_for([title])

    def fill(figure: "Figure") -> None:
        axes, values = figure.subplots(), [each.score.value for each in scores]
        lengths = [
            (each.score.value - each.score.interval.low, each.score.interval.high - each.score.value)
            if each.score.interval.known
            else (0, 0)
            for each in scores
        ]
        axes.errorbar(range(len(scores)), values, yerr=np.transpose(lengths), marker="o", capsize=2)
        axes.set_xticks(range(len(scores)), [each.name for each in scores])
        axes.set(xlabel="other utterances of the speaker heard", ylabel=metric.title, title=letters(title))

    draw_to(path, 3.5, fill, width=6, dpi=100, letters=letters)
