"""Printing of `evaluate`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ... import api
from ... import results as stored
from ...resampling import GroupScore, Interval, share_in_words, with_interval
from ..console import notes, print_json, print_table, results
from ..registration import Call
from .agreement import crowd_record

if TYPE_CHECKING:
    from ...resampling import Estimate
    from ...results import AnswerKind, Evaluation, HeardScore, SetCoverage, Stressed

__all__ = ["print_evaluation"]

LISTED = 24
"""Groups of one kind that are printed; the run's table has all."""


def print_evaluation(call: Call[api.Evaluated], *, as_json: bool) -> None:
    """Print scores, groups, calibration and coverage."""
    found = call(on_condition=lambda note: notes.print(f"judged again: {note}"))
    if as_json:
        print_json([_record(found)])
        return
    evaluation = found.evaluation
    _print_scores(evaluation)
    _print_calibration(evaluation)
    for sentence in () if evaluation.crowd is None else evaluation.crowd.sentences:
        results.print(f"crowd: {sentence}")
    if found.stressed:
        _print_stress(found.stressed, evaluation)
    if found.sets is not None:
        _print_sets(found.sets)
    if found.heard:
        _print_heard(found.heard, evaluation)
    for note in evaluation.setup.notes:
        results.print(f"note: {note}")
    notes.print(f"run {found.run_id}; predictions, tables and pictures are its artifacts")


def _print_scores(evaluation: "Evaluation") -> None:
    setup, mapping = evaluation.setup, evaluation.setup.mapping
    classes = ["classes"] * setup.kind.has_classes
    columns = ("utterances", "speakers", *classes, *(f"{metric.title} [95 %]" for metric in evaluation.metrics))
    print_table(
        ["model", "corpus", *columns],
        [[setup.model, setup.networks.corpus_name, *_cells(evaluation.overall, setup.kind)]],
    )
    results.print(f"judged by {setup.networks.description}; protocol {evaluation.protocol.fingerprint}")
    results.print(f"labels: {mapping}; {setup.task.decision} over {', '.join(mapping.shared)}")
    if mapping.unused:
        never = "never named" if setup.task.named else "not judged"
        results.print(f"{setup.task.outputs} of the model without utterances, {never}: {', '.join(mapping.unused)}")
    for reason, count in setup.left_out.items():
        results.print(f"left out: {count} utterances, {reason}")
    for part, values in evaluation.parts.items():
        rows = [[name, with_interval(*value)] for name, value in values.items()]
        print_table([setup.task.answer, f"{part} [95 %]"], rows)
    for kind, scores in evaluation.groups.items():
        print_table([kind, *columns], [[group.name, *_cells(group, setup.kind)] for group in scores[:LISTED]])
        if len(scores) > LISTED:
            notes.print(f"{len(scores) - LISTED} more are in the run's evaluation_scores.csv")
        if kind in evaluation.gaps:
            gap = evaluation.gaps[kind]
            chosen = f"; the largest among {len(scores)} groups, so it is partly chance" if len(scores) > 2 else ""
            difference = with_interval(gap.difference, gap.interval, "+")
            above = "above" if evaluation.objective.higher_is_better else "below"
            if gap.difference:
                results.print(f"gap by {kind}: {difference}, {gap.best} {above} {gap.worst}{chosen}")
            else:
                results.print(f"gap by {kind}: none, all groups have the same score")


def _cells(group: GroupScore, kind: "AnswerKind") -> list[str]:
    counts = [str(group.utterances), str(group.speakers), *([str(group.strata)] if kind.has_classes else [])]
    return [*counts, *(with_interval(score.value, score.interval) for score in group.scores.values())]


def _print_calibration(evaluation: "Evaluation") -> None:
    bins, kind = evaluation.reliability, evaluation.setup.kind
    if bins is None:
        return
    fitted = (
        ""
        if evaluation.temperature is None
        else (f", with temperature {evaluation.temperature:.3f}, fitted on the fold networks' validation predictions")
    )
    results.print(f"calibration: {kind.error[1]} {bins.ece:.4f}{fitted}")
    print_table(
        list(kind.axes),
        [
            [f"{confidence:.3f}", f"{accuracy:.3f}", str(count)]
            for confidence, accuracy, count in zip(bins.confidence, bins.accuracy, bins.count, strict=True)
        ],
    )
    print_table(
        ["coverage", "accuracy", "confidence at least"],
        [[f"{row.coverage:.0%}", f"{row.accuracy:.4f}", f"{row.confidence:.3f}"] for row in evaluation.coverage],
    )


def _print_stress(stressed: "Sequence[Stressed]", evaluation: "Evaluation") -> None:
    objective = evaluation.objective
    clean, mean = evaluation.overall.scores[objective.name], stored.mean_of_conditions(objective, stressed)
    print_table(
        ["condition", "severity", f"{objective.title} [95 %]", "difference to clean [95 %]"],
        [
            ["clean", "", with_interval(clean.value, clean.interval), ""],
            *(
                [
                    worse.kind,
                    worse.severity,
                    with_interval(worse.scores[objective.name].value, worse.scores[objective.name].interval),
                    with_interval(worse.difference.value, worse.difference.interval, "+"),
                ]
                for worse in stressed
            ),
            ["mean", f"of {len(stressed)}", with_interval(mean.value, mean.interval), ""],
        ],
    )


def _print_sets(sets: "SetCoverage") -> None:
    """Print the measured error rate of prediction sets beside the stated one."""
    bound = "at most " * sets.guaranteed
    rows = [row for row in stored.set_rows(sets) if row["kind"] in ("all", "speaker")]
    print_table(
        ["prediction sets of", "utterances", f"error rate [95 %], stated {bound}{sets.error_rate:g}"],
        [
            [str(row["group"]), str(row["utterances"]), with_interval(score.value, score.interval)]
            for row, score in zip(rows[:LISTED], _errors(sets), strict=False)
        ],
    )
    if sets.decided is None:
        widths = ", ".join(f"{name} {width:.2f}" for name, width in sets.sizes.items())
        results.print(f"mean width of the ranges: {widths}")
    else:
        wrong = "" if sets.wrong is None else f", of whose answers {sets.wrong:.1%} are wrong"
        results.print(
            f"a set has {sets.sizes['']:.2f} classes on average; {sets.decided:.1%} of the utterances have a single one"
            f"{wrong}; {sets.empty:.1%} have an empty set"
        )
    results.print(f"calibrated: {sets.calibration}")


def _errors(sets: "SetCoverage") -> "Iterator[Estimate]":
    for found in (*sets.errors.values(), *sets.groups.get("speaker", ())):
        yield from found.scores.values()


def _set_record(sets: "SetCoverage") -> dict[str, object]:
    return {
        "error_rate": sets.error_rate,
        "guaranteed": sets.guaranteed,
        "calibration": sets.calibration,
        "measured": _json_rows(stored.set_rows(sets)),
        "sizes": {name or "all": size for name, size in sets.sizes.items()},
        "decided": sets.decided,
        "empty": sets.empty,
        "wrong": sets.wrong,
    }


def _print_heard(by_heard: "Sequence[HeardScore]", evaluation: "Evaluation") -> None:
    title, union = evaluation.objective.title, any(each.corpus for each in by_heard)
    print_table(
        [
            *["corpus"] * union,
            "other utterances heard",
            f"{title} [95 %]",
            "difference to none [95 %]",
            "difference to all [95 %]",
            "share of the gain of all [95 %]",
        ],
        [
            [
                *[each.corpus or "all"] * union,
                each.name,
                with_interval(each.score.value, each.score.interval),
                _estimate(each.gain, "+"),
                _estimate(each.shortfall, "+"),
                "" if each.share is None else share_in_words(each.share),
            ]
            for each in by_heard
        ],
    )
    results.print("each utterance is judged with itself and others of its speaker, which are drawn without labels")


def _estimate(found: "Estimate | None", sign: str) -> str:
    return "" if found is None else with_interval(found.value, found.interval, sign)


def _record(found: api.Evaluated) -> dict[str, object]:
    evaluation, setup = found.evaluation, found.evaluation.setup
    return {
        "model": setup.model,
        "run": found.run_id,
        "protocol": evaluation.protocol.stored,
        "fingerprint": evaluation.protocol.fingerprint,
        "notes": list(setup.notes),
        "mapping": dict(setup.mapping.targets),
        setup.task.outputs: list(setup.mapping.shared),
        f"unused_{setup.task.outputs}": list(setup.mapping.unused),
        "left_out": dict(setup.left_out),
        "scores": _json_rows(stored.score_rows(evaluation)),
        **{
            f"{part}s": {name: {part: value, **_ends(ends)} for name, (value, ends) in values.items()}
            for part, values in evaluation.parts.items()
        },
        "gaps": {
            kind: {"best": gap.best, "worst": gap.worst, "difference": gap.difference, **_ends(gap.interval)}
            for kind, gap in evaluation.gaps.items()
        },
        **({} if evaluation.reliability is None else {setup.kind.error[0]: evaluation.reliability.ece}),
        "temperature": evaluation.temperature,
        "crowd": evaluation.crowd and crowd_record(evaluation.crowd),
        **({} if found.sets is None else {"prediction_sets": _set_record(found.sets)}),
        "stress": _json_rows(stored.stress_rows(found.stressed)),
        **({"heard": _json_rows(stored.heard_rows(found.heard))} if found.heard else {}),
        "coverage": [{"coverage": row.coverage, "accuracy": row.accuracy} for row in evaluation.coverage],
    }


def _json_rows(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Rows with null in place of NaN, which JSON lacks."""
    return [{name: None if value != value else value for name, value in row.items()} for row in rows]


def _ends(interval: Interval) -> dict[str, float | None]:
    return {"low": interval.low, "high": interval.high} if interval.known else {"low": None, "high": None}
