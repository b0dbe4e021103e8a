"""An evaluation as a run in MLflow: metrics, tables, pictures, and a line in the version's card."""

import csv
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import Metric

from ..drawing import draw_to
from ..metrics import Coverage, Reliability
from ..registry import add_evaluations
from ..resampling import Interval
from ..spreadsheets import safe_cell
from ..tracking import (
    CORPUS_TAG,
    EVALUATES_TAG,
    FOREIGN,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    Workspace,
    metric_names,
    open_run,
    origin_tags,
)
from .answer_kinds import AnswerKind
from .evaluation_scores import Evaluation
from .heard_scores import HeardScore, draw_heard, heard_metrics, heard_rows
from .set_coverage import SetCoverage
from .stressed_scores import Stressed, draw_stress, mean_of_conditions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["log_evaluation", "score_rows", "set_rows", "stress_rows"]


def log_evaluation(
    workspace: Workspace,
    evaluation: Evaluation,
    stressed: Sequence[Stressed] = (),
    sets: SetCoverage | None = None,
    by_heard: Sequence[HeardScore] = (),
) -> str:
    """Store an evaluation as a run nested under the version's or the nested study's, and add it to a version's card.

    Returns:
        The run's identifier.
    """
    setup = evaluation.setup
    with workspace.errors():
        with open_run(
            workspace,
            setup.run.info.experiment_id,
            name=f"{setup.model} on {setup.networks.corpus_name}",
            tags={
                EVALUATES_TAG: setup.model,
                MLFLOW_PARENT_RUN_ID: setup.run.info.run_id,
                MLFLOW_RUN_NOTE: "; ".join(setup.notes),
                **origin_tags(setup.networks.corpus, evaluation.protocol),
                CORPUS_TAG: setup.networks.corpus_name,
            },
        ) as run_id:
            with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
                _write_files(Path(temporary), evaluation, stressed)
                if by_heard:
                    _write_heard(Path(temporary), evaluation, by_heard)
                workspace.client.log_artifacts(run_id, temporary)
            now = int(time.time() * 1000)
            values = dict(_metrics(evaluation, stressed)) | _set_metrics(sets)
            values |= heard_metrics(evaluation.objective, by_heard)
            workspace.client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in values.items()])
        if setup.version is not None:
            add_evaluations(workspace, setup.version.name, str(setup.version.version))
    return run_id


def _metrics(evaluation: Evaluation, stressed: Sequence[Stressed]) -> Iterator[tuple[str, float]]:
    """Names and values of the run's metrics."""
    for name, score in evaluation.overall.scores.items():
        yield f"evaluation_{name}", score.value
        if score.interval.known:
            yield f"evaluation_{name}_low", score.interval.low
            yield f"evaluation_{name}_high", score.interval.high
    if evaluation.reliability is not None:
        yield f"evaluation_{evaluation.setup.kind.error[0]}", evaluation.reliability.ece
    if evaluation.temperature is not None:
        yield "evaluation_temperature", evaluation.temperature
    names = metric_names(evaluation.setup.shared)
    for part, values in evaluation.parts.items():
        for name, (value, _) in values.items():
            yield f"evaluation_{part}/{names[name]}", value
    names = metric_names(list(evaluation.gaps))
    for kind, gap in evaluation.gaps.items():
        yield f"evaluation_gap/{names[kind]}", gap.difference
    objective = evaluation.objective.name
    for condition in stressed:
        yield f"stress_{objective}/{FOREIGN.sub('_', condition.name)}", condition.scores[objective].value
    if stressed:
        mean = mean_of_conditions(evaluation.objective, stressed)
        yield f"stress_mean_{objective}", mean.value
        if mean.interval.known:
            yield f"stress_mean_{objective}_low", mean.interval.low
            yield f"stress_mean_{objective}_high", mean.interval.high


def _set_metrics(sets: SetCoverage | None) -> dict[str, float]:
    """Metrics of prediction sets: stated and measured error rate, and what a set has on average."""
    if sets is None:
        return {}
    names = metric_names(list(sets.errors))
    values = {"evaluation_set_error_stated": sets.error_rate}
    for name, found in sets.errors.items():
        part = f"/{names[name]}" if name else ""
        (score,) = found.scores.values()
        values |= {f"evaluation_set_error{part}": score.value, f"evaluation_set_size{part}": sets.sizes[name]}
    return values if sets.decided is None else values | {"evaluation_set_decided": sets.decided}


def set_rows(sets: SetCoverage) -> list[dict[str, object]]:
    """Measured error rates of prediction sets as a table: of all utterances, and of every group."""
    found = [("all", name or "all", score) for name, score in sets.errors.items()]
    found += [(kind, group.name, group) for kind, groups in sets.groups.items() for group in groups]
    rows = []
    for kind, name, score in found:
        (error,) = score.scores.values()
        row: dict[str, object] = {"kind": kind, "group": name, "utterances": score.utterances}
        rows.append(row | {"error_rate": error.value, **_ends("error_rate", error.interval)})
    return rows


def score_rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """Every group's scores as a table: its sizes, then each metric's score and the ends of its interval."""
    rows, has_classes = [], evaluation.setup.kind.has_classes
    for kind, groups in {"all": [evaluation.overall], **evaluation.groups}.items():
        for group in groups:
            row: dict[str, object] = {
                "kind": kind,
                "group": group.name,
                "utterances": group.utterances,
                "speakers": group.speakers,
            }
            row |= {"classes": group.strata} if has_classes else {}
            for name, score in group.scores.items():
                row |= {name: score.value, **_ends(name, score.interval)}
            rows.append(row)
    return rows


def stress_rows(stressed: Sequence[Stressed]) -> list[dict[str, object]]:
    """Scores of conditions as a table: of the objective, which is first, with its interval and its difference."""
    rows = []
    for condition in stressed:
        row: dict[str, object] = {"condition": condition.kind, "severity": condition.severity}
        for place, (name, score) in enumerate(condition.scores.items()):
            row |= {name: score.value, **(_ends(name, score.interval) if place == 0 else {})}
        difference = condition.difference
        rows.append(row | {"difference": difference.value, **_ends("difference", difference.interval)})
    return rows


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _write_rows(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write a table as CSV, for people and their spreadsheets; all rows have the columns of the first."""
    columns = list(rows[0])
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(map(safe_cell, columns))
        table.writerows([safe_cell(row[column]) for column in columns] for row in rows)


def _write_files(folder: Path, evaluation: Evaluation, stressed: Sequence[Stressed]) -> None:
    """Write the run's tables and pictures."""
    setup, kind, objective = evaluation.setup, evaluation.setup.kind, evaluation.objective
    score = evaluation.overall.scores[objective.name].value
    title = f"{setup.model} on {setup.networks.corpus_name}"
    _write_rows(folder / "evaluation_predictions.csv", _prediction_rows(evaluation))
    _write_rows(folder / "evaluation_scores.csv", score_rows(evaluation))
    if kind.draw is not None:
        path, with_score = folder / f"evaluation_{kind.picture}.png", f"{title}, {objective.title} {score:.3f}"
        kind.draw(path, evaluation.truth, evaluation.predicted, setup.shared, with_score)
    if (bins := evaluation.reliability) is not None:
        _draw_calibration(folder / "evaluation_calibration.png", bins, evaluation.coverage, kind)
    if stressed:
        _write_rows(folder / "evaluation_stress.csv", stress_rows(stressed))
        draw_stress(folder / "evaluation_stress.png", title, objective, score, stressed)


def _write_heard(folder: Path, evaluation: Evaluation, by_heard: Sequence[HeardScore]) -> None:
    """Write the table and the curve of scores by utterances heard."""
    title = f"{evaluation.setup.model} on {evaluation.setup.networks.corpus.name}"
    _write_rows(folder / "evaluation_heard.csv", heard_rows(by_heard))
    draw_heard(folder / "evaluation_heard.png", title, evaluation.objective, by_heard)


def _prediction_rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """A row for each utterance: its truth in the corpus's and the model's words, prediction and shown numbers."""
    setup, shared, task = evaluation.setup, evaluation.setup.shared, evaluation.setup.task
    judged = zip(
        setup.utterances,
        setup.matched.texts,
        evaluation.truth,
        evaluation.predicted,
        evaluation.shown,
        strict=True,
    )
    return [
        {
            "utterance": utterance.id,
            "speaker": utterance.speaker,
            f"corpus_{task.answer}": text,
            task.answer: task.write(truth, shared),
            "predicted": task.described(predicted, shared),
            **{label: f"{value:.6f}" for label, value in zip(shared, shown, strict=True)},
        }
        for utterance, text, truth, predicted, shown in judged
    ]


def _draw_calibration(path: Path, bins: Reliability, coverage: Sequence[Coverage], kind: AnswerKind) -> None:
    """Draw accuracy by confidence, or true by predicted shares, and accuracy by coverage beside it."""
    (_, title), (predicted, true, _) = kind.error, kind.axes

    def fill(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="grey", linewidth=1)
        left.plot(bins.confidence, bins.accuracy, marker="o")
        left.set(xlabel=predicted, ylabel=true, title=f"{title} {bins.ece:.3f}", xlim=(0, 1), ylim=(0, 1))
        right.plot([point.coverage for point in coverage], [point.accuracy for point in coverage], marker="o")
        right.set(xlabel="coverage", ylabel="accuracy", title="most confident first", xlim=(0, 1.02), ylim=(0, 1.02))

    draw_to(path, 4, fill, width=8, dpi=100)
