"""An evaluation as a run in MLflow: metrics, tables, pictures, and a line in the version's card."""

import csv
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import Metric

from ..drawing import draw_to
from ..registry import add_evaluations
from ..resampling import GroupScore, Interval
from ..spreadsheets import safe_cell
from ..tracking import (
    EVALUATES_TAG,
    FOREIGN,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    Workspace,
    draw_confusion,
    metric_names,
    open_run,
    origin_tags,
)
from .evaluate import Evaluation
from .stress import Stressed, draw_stress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["log_evaluation", "score_rows", "stress_rows", "write_rows"]


def log_evaluation(workspace: Workspace, evaluation: Evaluation, stressed: Sequence[Stressed] = ()) -> str:
    """Store an evaluation as a run nested under the version's or the nested study's, and add it to a version's card.

    Args:
        workspace: The project's stores.
        evaluation: Complete.
        stressed: Its scores in other conditions.

    Returns:
        The run's identifier.
    """
    examined = evaluation.examined
    with workspace.errors():
        with open_run(
            workspace,
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
                workspace.client.log_artifacts(run_id, temporary)
            now = int(time.time() * 1000)
            values = dict(_metrics(evaluation))
            objective = evaluation.objective.name
            values |= {
                f"stress_{objective}/{FOREIGN.sub('_', _condition(one))}": one.scores[objective].value
                for one in stressed
            }
            workspace.client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in values.items()])
        if examined.version is not None:
            add_evaluations(workspace, examined.version.name, str(examined.version.version))
    return run_id


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    for name, score in evaluation.overall.scores.items():
        yield f"evaluation_{name}", score.value
        if score.interval.known:
            yield f"evaluation_{name}_low", score.interval.low
            yield f"evaluation_{name}_high", score.interval.high
    yield "evaluation_ece", evaluation.reliability.ece
    if evaluation.temperature is not None:
        yield "evaluation_temperature", evaluation.temperature
    names = metric_names(evaluation.examined.mapping.shared)
    for part, values in evaluation.parts.items():
        for name, (value, _) in values.items():
            yield f"evaluation_{part}/{names[name]}", value
    names = metric_names(list(evaluation.gaps))
    for kind, gap in evaluation.gaps.items():
        yield f"evaluation_gap/{names[kind]}", gap.difference


def score_rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """Every group's scores as a table: its sizes, then each metric's score and the ends of its interval."""
    groups = {"all": [evaluation.overall], **evaluation.groups}
    return [_score_row(kind, one) for kind, scores in groups.items() for one in scores]


def _score_row(kind: str, one: GroupScore) -> dict[str, object]:
    row: dict[str, object] = {
        "kind": kind,
        "group": one.name,
        "utterances": one.utterances,
        "speakers": one.speakers,
        "classes": one.strata,
    }
    for name, score in one.scores.items():
        row |= {name: score.value, **_ends(name, score.interval)}
    return row


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def write_rows(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write a table as CSV, for people and their spreadsheets; all rows have the columns of the first."""
    columns = list(rows[0])
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(map(safe_cell, columns))
        table.writerows([safe_cell(row[column]) for column in columns] for row in rows)


def _write_files(folder: Path, evaluation: Evaluation) -> None:
    examined, shared = evaluation.examined, evaluation.examined.mapping.shared
    answer, write = examined.task.answer, examined.task.write
    rows: list[dict[str, object]] = [
        {
            "utterance": one.id,
            "speaker": one.speaker,
            f"corpus_{answer}": text,
            answer: write(truth, shared),
            "predicted": write(said, shared),
            **{label: f"{value:.6f}" for label, value in zip(shared, probabilities, strict=True)},
        }
        for one, text, truth, said, probabilities in zip(
            examined.utterances,
            examined.texts,
            evaluation.truth,
            evaluation.predicted,
            evaluation.probabilities,
            strict=True,
        )
    ]
    write_rows(folder / "evaluation_predictions.csv", rows)
    write_rows(folder / "evaluation_scores.csv", score_rows(evaluation))
    objective = evaluation.objective
    score = evaluation.overall.scores[objective.name].value
    title = f"{examined.model} on {examined.judge.corpus.name}, {objective.title} {score:.3f}"
    draw_confusion(folder / "evaluation_confusion.png", evaluation.truth, evaluation.predicted, shared, title)
    _draw_calibration(folder / "evaluation_calibration.png", evaluation)


def stress_rows(stressed: Sequence[Stressed]) -> list[dict[str, object]]:
    """Scores of conditions as a table: of the objective, which is first, with its interval and its difference."""
    rows = []
    for one in stressed:
        row: dict[str, object] = {"condition": one.kind, "severity": one.severity}
        for place, (name, score) in enumerate(one.scores.items()):
            row |= {name: score.value, **(_ends(name, score.interval) if place == 0 else {})}
        rows.append(row | {"difference": one.difference.value, **_ends("difference", one.difference.interval)})
    return rows


def _write_stress(folder: Path, evaluation: Evaluation, stressed: Sequence[Stressed]) -> None:
    write_rows(folder / "evaluation_stress.csv", stress_rows(stressed))
    title = f"{evaluation.examined.model} on {evaluation.examined.judge.corpus.name}"
    objective = evaluation.objective
    clean = evaluation.overall.scores[objective.name].value
    draw_stress(folder / "evaluation_stress.png", title, objective, clean, stressed)


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
