"""`evaluate`: prints what a registered model scores on a corpus."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import api
from ..config import Project
from ..errors import ConfigError
from ..resampling import GroupScore, Interval, with_interval
from ..results import Evaluation, Stressed, score_rows, stress_rows
from .console import notes, print_json, print_table, results

__all__ = ["print_evaluation", "read_mapping"]

LISTED = 24
"""Groups of one kind that are printed; the run's table has all."""


def print_evaluation(
    model: str,
    *,
    corpus: str,
    data: Path | None,
    task: str | None,
    mapping: Sequence[str],
    by: Sequence[str],
    calibrate: bool,
    stress: bool,
    skip_trained: bool,
    as_json: bool,
    tracking_uri: str | None,
) -> None:
    """Evaluate a model and print scores, groups, calibration and coverage."""
    found = api.evaluate(
        model,
        corpus=corpus,
        data=data,
        task=task,
        mapping=read_mapping(mapping),
        by=by,
        calibrate=calibrate,
        stress=stress,
        on_condition=lambda note: notes.print(f"stress: {note}", markup=False),
        skip_trained=skip_trained,
        project=Project.locate(tracking_uri=tracking_uri),
    )
    if as_json:
        print_json([_as_json(found)])
        return
    evaluation = found.evaluation
    _print_scores(evaluation)
    _print_calibration(evaluation)
    if found.stressed:
        _print_stress(found.stressed, evaluation)
    for note in evaluation.setup.notes:
        results.print(f"note: {note}", markup=False)
    notes.print(f"run {found.run_id}; predictions, tables and pictures are its artifacts", markup=False)


def read_mapping(assignments: Sequence[str]) -> Mapping[str, str]:
    """Read `EMOTION=CLASS` assignments.

    Raises:
        ConfigError: One has no `=`, or no emotion.
    """
    mapping = {}
    for one in assignments:
        heard, equals, label = one.rpartition("=")
        if not equals or not heard.strip():
            raise ConfigError(f"--map is '{one}'; expected EMOTION=CLASS, such as happy=happiness")
        mapping[heard.strip()] = label.strip()
    return mapping


def _print_scores(evaluation: Evaluation) -> None:
    examined, mapping = evaluation.setup, evaluation.setup.mapping
    columns = ("utterances", "speakers", "classes", *(f"{one.title} [95 %]" for one in evaluation.metrics))
    print_table(
        ["model", "corpus", *columns],
        [[examined.model, examined.networks.corpus.name, *_cells(evaluation.overall)]],
    )
    results.print(
        f"judged by {examined.networks.description}; protocol {evaluation.protocol.fingerprint}", markup=False
    )
    results.print(f"labels: {mapping}; {examined.task.decision} over {', '.join(mapping.shared)}", markup=False)
    if mapping.unused:
        results.print(
            f"classes of the model without utterances, never named: {', '.join(mapping.unused)}", markup=False
        )
    for reason, count in examined.left_out.items():
        results.print(f"left out: {count} utterances, {reason}", markup=False)
    for part, values in evaluation.parts.items():
        rows = [[name, with_interval(*value)] for name, value in values.items()]
        print_table([examined.task.answer, f"{part} [95 %]"], rows)
    for kind, scores in evaluation.groups.items():
        print_table([kind, *columns], [[one.name, *_cells(one)] for one in scores[:LISTED]])
        if len(scores) > LISTED:
            notes.print(f"{len(scores) - LISTED} more are in the run's evaluation_scores.csv")
        if kind in evaluation.gaps:
            gap = evaluation.gaps[kind]
            chosen = f"; the largest among {len(scores)} groups, so it is partly chance" if len(scores) > 2 else ""
            difference = with_interval(gap.difference, gap.interval, "+")
            above = "above" if evaluation.objective.higher_is_better else "below"
            results.print(f"gap by {kind}: {difference}, {gap.best} {above} {gap.worst}{chosen}", markup=False)


def _cells(one: GroupScore) -> list[str]:
    counts = [str(one.utterances), str(one.speakers), str(one.strata)]
    return [*counts, *(with_interval(score.value, score.interval) for score in one.scores.values())]


def _print_calibration(evaluation: Evaluation) -> None:
    fitted = (
        ""
        if evaluation.temperature is None
        else (f", with temperature {evaluation.temperature:.3f}, fitted on the fold networks' validation predictions")
    )
    results.print(f"calibration: ECE {evaluation.reliability.ece:.4f}{fitted}", markup=False)
    bins = evaluation.reliability
    print_table(
        ["confidence", "accuracy", "utterances"],
        [
            [f"{confidence:.3f}", f"{accuracy:.3f}", str(count)]
            for confidence, accuracy, count in zip(bins.confidence, bins.accuracy, bins.count, strict=True)
        ],
    )
    print_table(
        ["coverage", "accuracy", "confidence at least"],
        [[f"{one.coverage:.0%}", f"{one.accuracy:.4f}", f"{one.confidence:.3f}"] for one in evaluation.coverage],
    )


def _print_stress(stressed: Sequence[Stressed], evaluation: Evaluation) -> None:
    objective = evaluation.objective
    clean = evaluation.overall.scores[objective.name]
    print_table(
        ["condition", "severity", f"{objective.title} [95 %]", "difference to clean [95 %]"],
        [
            ["clean", "", with_interval(clean.value, clean.interval), ""],
            *(
                [
                    one.kind,
                    one.severity,
                    with_interval(one.scores[objective.name].value, one.scores[objective.name].interval),
                    with_interval(one.difference.value, one.difference.interval, "+"),
                ]
                for one in stressed
            ),
        ],
    )


def _as_json(found: "api.Evaluated") -> dict[str, object]:
    evaluation, examined = found.evaluation, found.evaluation.setup
    return {
        "model": examined.model,
        "run": found.run_id,
        "protocol": evaluation.protocol.stored,
        "fingerprint": evaluation.protocol.fingerprint,
        "notes": list(examined.notes),
        "mapping": dict(examined.mapping.targets),
        "classes": list(examined.mapping.shared),
        "unused_classes": list(examined.mapping.unused),
        "left_out": dict(examined.left_out),
        "scores": _json_rows(score_rows(evaluation)),
        **{
            f"{part}s": {name: {part: value, **_ends(ends)} for name, (value, ends) in values.items()}
            for part, values in evaluation.parts.items()
        },
        "gaps": {
            kind: {"best": one.best, "worst": one.worst, "difference": one.difference, **_ends(one.interval)}
            for kind, one in evaluation.gaps.items()
        },
        "ece": evaluation.reliability.ece,
        "temperature": evaluation.temperature,
        "stress": _json_rows(stress_rows(found.stressed)),
        "coverage": [{"coverage": one.coverage, "accuracy": one.accuracy} for one in evaluation.coverage],
    }


def _json_rows(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Rows with null in place of NaN, which JSON lacks."""
    return [{name: None if value != value else value for name, value in row.items()} for row in rows]


def _ends(interval: Interval) -> dict[str, float | None]:
    return {"low": interval.low, "high": interval.high} if interval.known else {"low": None, "high": None}
