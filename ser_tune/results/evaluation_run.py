"""An evaluation as a run in MLflow: metrics, tables, pictures, and a line in the version's card."""

import csv
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from ..drawing import draw_to
from ..registry import add_evaluations
from ..resampling import Interval
from ..resampling.old import GroupScore, score
from ..spreadsheets import safe_cell
from ..study import HeldOut
from ..tracking import EVALUATES_TAG, FOREIGN, draw_confusion, metric_names, open_run, origin_tags, tracking_errors
from .evaluate import Evaluation
from .stress import Stressed, draw_stress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SCORE_COLUMNS", "log_evaluation", "score_rows", "stress_rows", "write_rows"]

SCORE_COLUMNS = (
    *("kind", "group", "utterances", "speakers", "classes"),
    *("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high"),
)
STRESS_COLUMNS = (
    *("condition", "severity", "uar", "uar_low", "uar_high", "wa"),
    *("difference", "difference_low", "difference_high"),
)


def log_evaluation(client: MlflowClient, evaluation: Evaluation, stressed: Sequence[Stressed] = ()) -> str:
    """Store an evaluation as a run nested under the version's or the nested study's, and add it to a version's card.

    Args:
        client: MLflow.
        evaluation: Complete.
        stressed: Its scores in other conditions.

    Returns:
        The run's identifier.
    """
    examined = evaluation.examined
    with tracking_errors(client.tracking_uri):
        with open_run(
            client,
            examined.run.info.experiment_id,
            name=f"{examined.model} on {examined.judge.corpus.name}",
            tags={
                EVALUATES_TAG: examined.model,
                MLFLOW_PARENT_RUN_ID: examined.run.info.run_id,
                MLFLOW_RUN_NOTE: "; ".join(examined.notes),
                **origin_tags(examined.judge.corpus, evaluation.protocol),
            },
        ) as run_id:
            with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
                _write_files(Path(temporary), evaluation)
                if stressed:
                    _write_stress(Path(temporary), evaluation, stressed)
                client.log_artifacts(run_id, temporary)
            now = int(time.time() * 1000)
            values = dict(_metrics(evaluation))
            values |= {f"stress_uar/{FOREIGN.sub('_', _condition(one))}": one.uar for one in stressed}
            client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in values.items()])
        if examined.version is not None:
            add_evaluations(client, examined.version.name, str(examined.version.version))
    return run_id


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    yield from _with_ends("evaluation_uar", evaluation.overall.uar, evaluation.overall.uar_interval)
    yield from _with_ends("evaluation_wa", evaluation.overall.wa, evaluation.overall.wa_interval)
    yield "evaluation_ece", evaluation.reliability.ece
    if evaluation.temperature is not None:
        yield "evaluation_temperature", evaluation.temperature
    names = metric_names(evaluation.examined.mapping.shared)
    for emotion, (recall, _) in evaluation.recalls.items():
        yield f"evaluation_recall/{names[emotion]}", recall
    names = metric_names(list(evaluation.gaps))
    for kind, gap in evaluation.gaps.items():
        yield f"evaluation_gap/{names[kind]}", gap.difference


def _with_ends(name: str, value: float, interval: Interval) -> Iterator[tuple[str, float]]:
    yield name, value
    if interval.known:
        yield f"{name}_low", interval.low
        yield f"{name}_high", interval.high


def score_rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """Every group's scores as a table: columns as `SCORE_COLUMNS`."""
    groups = {"all": [evaluation.overall], **evaluation.groups}
    return [_score_row(kind, one) for kind, scores in groups.items() for one in scores]


def _score_row(kind: str, one: GroupScore) -> dict[str, object]:
    uar, wa = one.uar_interval, one.wa_interval
    cells = (kind, one.name, one.utterances, one.speakers, one.classes, one.uar, uar.low, uar.high, one.wa, wa.low)
    return dict(zip(SCORE_COLUMNS, (*cells, wa.high), strict=True))


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    """Write a table as CSV, for people and their spreadsheets."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(map(safe_cell, columns))
        table.writerows([safe_cell(row[column]) for column in columns] for row in rows)


def _write_files(folder: Path, evaluation: Evaluation) -> None:
    examined, shared = evaluation.examined, evaluation.examined.mapping.shared
    predicted = evaluation.probabilities.argmax(axis=1)
    rows: list[dict[str, object]] = [
        {
            "utterance": one.id,
            "speaker": one.speaker,
            "corpus_emotion": one.emotion,
            "emotion": shared[truth],
            "predicted": shared[said],
            **{label: f"{value:.6f}" for label, value in zip(shared, probabilities, strict=True)},
        }
        for one, truth, said, probabilities in zip(
            examined.utterances, evaluation.truth, predicted, evaluation.probabilities, strict=True
        )
    ]
    write_rows(folder / "evaluation_predictions.csv", list(rows[0]), rows)
    write_rows(folder / "evaluation_scores.csv", SCORE_COLUMNS, score_rows(evaluation))
    held_out = HeldOut(
        scores=score([(evaluation.truth, predicted, np.zeros(len(predicted)))]),
        utterances=tuple(one.id for one in examined.utterances),
        fold=np.zeros(len(predicted)),
        truth=evaluation.truth,
        predicted=predicted,
        outputs=np.log(np.maximum(evaluation.probabilities, np.finfo(np.float64).tiny)),
    )
    title = f"{examined.model} on {examined.judge.corpus.name}, UAR {evaluation.overall.uar:.3f}"
    draw_confusion(folder / "evaluation_confusion.png", held_out, shared, title)
    _draw_calibration(folder / "evaluation_calibration.png", evaluation)


def stress_rows(stressed: Sequence[Stressed]) -> list[dict[str, object]]:
    """Scores of conditions as a table: columns as `STRESS_COLUMNS`."""
    rows = []
    for one in stressed:
        uar, difference = one.uar_interval, one.difference_interval
        scores = (one.uar, uar.low, uar.high, one.wa, one.difference, difference.low, difference.high)
        rows.append(dict(zip(STRESS_COLUMNS, (one.kind, one.severity, *scores), strict=True)))
    return rows


def _write_stress(folder: Path, evaluation: Evaluation, stressed: Sequence[Stressed]) -> None:
    write_rows(folder / "evaluation_stress.csv", STRESS_COLUMNS, stress_rows(stressed))
    title = f"{evaluation.examined.model} on {evaluation.examined.judge.corpus.name}"
    draw_stress(folder / "evaluation_stress.png", title, evaluation.overall.uar, stressed)


def _condition(one: Stressed) -> str:
    return f"{one.kind} {one.severity}".strip()


def _draw_calibration(path: Path, evaluation: Evaluation) -> None:
    """Two pictures beside each other: accuracy by confidence, and accuracy by coverage."""
    bins, coverage = evaluation.reliability, evaluation.coverage

    def fill(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="grey", linewidth=1)
        left.plot(bins.confidence, bins.accuracy, marker="o")
        left.set(xlabel="confidence", ylabel="accuracy", title=f"ECE {bins.ece:.3f}", xlim=(0, 1), ylim=(0, 1))
        right.plot([one.coverage for one in coverage], [one.accuracy for one in coverage], marker="o")
        right.set(xlabel="coverage", ylabel="accuracy", title="most confident first", xlim=(0, 1.02), ylim=(0, 1.02))

    draw_to(path, 4, fill, width=8, dpi=100)
