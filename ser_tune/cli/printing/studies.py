"""Print the results of the commands `study`, `train`, `worker` and `promote`."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ... import api, tracking
from ...errors import ConfigError
from ...folds import SIDES, selection_note
from ...metrics import score_in
from ...resampling import describe_score, with_interval
from ..console import notes, print_json, print_table, print_warnings, results
from ..records import nested_record, promotion_record, study_record
from ..registration import Call
from .next_steps import print_next

if TYPE_CHECKING:
    from ...metrics import Metric
    from ...registry import Promotion
    from ...results import Nested
    from ...search import Convergence, Front, SearchGain, Selection, StudySummary

__all__ = ["print_promotion", "print_scores", "print_study", "print_training", "print_work"]

BESIDE = 2
"""Metrics with a column each; of more, each has a row, so that the table fits a terminal."""
MOST_ROWS = 20
"""Trials of a front that are printed."""


def print_study(
    call: Call[api.StudyResult],
    *,
    nested: bool = False,
    refit: bool = False,
    rule: str | None = None,
    as_json: bool,
    tracking_uri: str | None = None,
) -> None:
    """Print the trials of a study and the promotion of the best.

    Args:
        call: Runs the study.
        nested: Search once for each test fold, which the search never sees.
        refit: Whether a refit was asked for.
        rule: The promotion rule.
        as_json: Print JSON.
        tracking_uri: The option's value.
    """
    if not nested:
        _print_training(call, as_json=as_json, tracking_uri=tracking_uri, searched=True)
        return
    if refit or rule:
        raise ConfigError("--nested registers nothing, so --refit and --rule mean nothing with it")
    arguments = {name: value for name, value in call.arguments.items() if name != "refit"}
    found = Call(api.nested, arguments)()
    if as_json:
        print_json([nested_record(found)])
    else:
        _print_nested(found, tracking_uri)


def print_training(call: Call[api.StudyResult], *, as_json: bool, tracking_uri: str | None = None) -> None:
    """Print the trials of a study and the promotion of the best; exit code 130 after Ctrl-C, 1 if too much failed."""
    _print_training(call, as_json=as_json, tracking_uri=tracking_uri, searched=False)


def _print_training(call: Call[api.StudyResult], *, as_json: bool, tracking_uri: str | None, searched: bool) -> None:
    result = call()
    summary = result.summary
    if as_json:
        print_json([study_record(result)])
    if summary.failures:
        notes.print(
            f"study {summary.name} ended: {len(summary.failures)} trials in a row failed (--max-failures); the same "
            "command goes on"
        )
        for reason in summary.failures:
            notes.print(reason)
    if summary.best is None or result.promotion is None:
        notes.print(f"study {summary.name} has no complete trial: nothing to promote")
        raise SystemExit(130 if summary.interrupted else 1)
    if not as_json:
        _print_trials(result)
        print_scores(result.promotion, tracking_uri, searched=searched)
    _exit(summary)


def print_work(call: "Call[StudySummary]") -> None:
    """Print the progress of a study that this process joined; exit codes are those of `print_training`."""
    summary = call()
    results.print(
        f"study {summary.name}: {summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed; "
        f"{summary.running} running elsewhere"
    )
    _exit(summary)


def print_promotion(call: "Call[Promotion]", *, as_json: bool, tracking_uri: str | None = None) -> None:
    """Print the scores of a registered trial."""
    promotion = call()
    if as_json:
        print_json([promotion_record(promotion)])
    else:
        print_scores(promotion, tracking_uri)


def _exit(summary: "StudySummary") -> None:
    if summary.interrupted or summary.failures:
        raise SystemExit(130 if summary.interrupted else 1)


def _print_trials(result: api.StudyResult) -> None:
    """Print the numbers of trials, and the search's convergence, gain and settings at the edge of their range."""
    summary = result.summary
    assert summary.best is not None
    results.print(
        f"study {summary.name}: {summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed; "
        f"best trial {summary.best[0]}"
    )
    if summary.converged is not None:
        results.print(_converged(summary.converged))
    if summary.gain is not None:
        results.print(_gains(summary.gain, result.objective))
    if summary.front is not None:
        _print_front(summary.front, summary.name, summary.best[0])
    for edge in result.edges:
        results.print(str(edge))


def _print_front(front: "Front", study: str, chosen: int) -> None:
    """Print the trials of a Pareto front, its hypervolume, and the command that promotes another than the best."""
    rows = [[f"trial {trial.number}", *(f"{value:.4g}" for value in trial.values)] for trial in front.trials]
    print_table(["Pareto front", *front.names], rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        results.print(f"and {len(rows) - MOST_ROWS} more (--json)")
    results.print(front.sentence)
    for name in front.names[1:]:
        if (other := front.best_by(name)) != front.trials[0] and other.number != chosen:
            command = f"ser-tune promote {shlex.quote(study)} --prefer {shlex.quote(name)}"
            results.print(f"trial {other.number} is the best of the front by {name}: {command} --as NAME registers it")


def _converged(found: "Convergence") -> str:
    """A sentence for a search that ended early because it converged."""
    return (
        f"the search converged after {found.searched} trials: no configuration in its ranges is likely to be better by "
        f"more than {found.gain:.4f}, the standard error of the best is {found.error:.4f}"
    )


def _gains(gain: "SearchGain", objective: "Metric") -> str:
    """A sentence with the winner's mean validation score on fresh seeds."""
    winner, seeds = gain.winner, len(gain.winner.scores)
    on = f"{seeds} fresh seed{'s' * (seeds > 1)}"
    return f"confirmed on {on}: trial {winner.trial} has the best mean validation {objective.title}, {winner.mean:.4f}"


def _without_choice(selection: "Selection", epochs: str) -> str:
    """A sentence with the score corrected for the choice among trials, and with the remaining bias."""
    left = "" if epochs == "last" else "; not corrected: each validation speaker also chose the epoch"
    return f"corrected: {selection.sentence}{left}"


def print_scores(promotion: "Promotion", tracking_uri: str | None, *, searched: bool = False) -> None:
    """Print scores, the registered name, and the next commands; arguments are those of `print_next`."""
    metrics, prepared, selection = promotion.metrics, promotion.prepared, promotion.selection
    objective, chosen = prepared.definition.objective, selection is not None and selection.trials > 1
    _print_sides(promotion, prepared.definition.metrics)
    facts, folds = prepared.protocol.in_words, len(prepared.folds)
    if selection is not None and chosen:
        results.print(_without_choice(selection, facts["epoch_selection"]))
    some = "" if folds == prepared.folds_of_protocol else f"the first {folds} of {prepared.folds_of_protocol} folds, "
    drawn = "the official split, " if prepared.is_official else some or f"{folds} speaker folds, "
    if scheme := prepared.protocol.scheme:
        drawn = f"{scheme}, {some}"
    results.print(
        f"protocol {prepared.protocol.fingerprint}: {prepared.corpus.name}, {drawn}"
        f"normalisation by {facts['normalisation_scope']}"
        f"{f', adaptation by {adapted}' if (adapted := facts.get('adaptation')) else ''}"
    )
    if prepared.is_official or f"test_{objective.name}" in metrics:
        results.print(selection_note(prepared.folds))
    print_warnings(prepared.protocol.warnings)
    if "optimism" in metrics:
        results.print(
            f"speakers {facts['holdout']} were kept out of the search: inner {objective.title} "
            f"{metrics[f'validation_{objective.name}']:.4f}, outer {objective.title} "
            f"{metrics[f'holdout_single_{objective.name}']:.4f} (mean of single networks), optimism "
            f"{metrics['optimism']:+.4f} (of different speakers; --nested pairs it by speaker)"
        )
    verb = "registered" if promotion.created else "already registered"
    alias = f" as {promotion.alias}" if promotion.alias else ""
    results.print(f"{verb}: {promotion.name} version {promotion.version}{alias} ({promotion.reason})")
    print_next(promotion, tracking_uri, searched=searched)


def _print_sides(promotion: "Promotion", scored: "Sequence[Metric]") -> None:
    """Print the scores of each side and test set, and the validation score corrected for the choice among trials."""
    metrics, selection, sets = promotion.metrics, promotion.selection, tracking.scored_sets(promotion.metrics)
    folded = scored if len(promotion.prepared.folds) > 1 else ()
    blank = ["" for _ in folded]
    rows = [
        (
            side,
            [describe_score(metrics, f"{side}_{metric.name}") for metric in scored],
            [_over_folds(metrics, f"{side}_{metric.name}") for metric in folded],
        )
        for side in SIDES
        if f"{side}_{scored[0].name}" in metrics
    ]
    if selection is not None and selection.trials > 1:
        corrected = [describe_score(selection.metrics, f"corrected_{metric.name}") for metric in scored]
        rows.insert(1, ("corrected", corrected, blank))
    rows += [(found.name, list(found.described(scored)), blank) for found in sets]
    what = "combination" if promotion.trial is None else f"trial {promotion.trial}"
    titles = [metric.title for metric in scored]
    if len(scored) <= BESIDE:
        over = [f"{metric.title} over folds" for metric in folded]
        columns = [what, *(f"{title} [95 %]" for title in titles), *over]
        print_table(columns, [[side, *pooled, *folds] for side, pooled, folds in rows])
    else:
        over_folds = [(side, folds) for side, _, folds in rows if any(folds)]
        columns = [what, *(f"{side} [95 %]" for side, *_ in rows), *(f"{side} over folds" for side, _ in over_folds)]
        by_metric = zip(titles, *(pooled for _, pooled, _ in rows), *(folds for _, folds in over_folds), strict=True)
        print_table(columns, [list(row) for row in by_metric])
    if sets:
        results.print(f"test sets: {'; '.join(found.title for found in sets)}")
    if not promotion.prepared.is_official:
        _print_mean(sets, scored[0])


def _print_mean(sets: "Sequence[tracking.ScoredSet]", metric: "Metric") -> None:
    """Print the mean over corpora, where there are several."""
    if mean := tracking.mean_over_sets(sets, metric):
        results.print(mean)


def _over_folds(metrics: Mapping[str, float], name: str) -> str:
    """Mean and standard deviation over folds; empty if a fold has no score, such as a fold with a single class.

    >>> _over_folds({"test_uar_fold_mean": 0.7, "test_uar_fold_std": 0.05}, "test_uar"), _over_folds({}, "test_uar")
    ('0.7000 ± 0.0500', '')
    """
    mean, deviation = (score_in(metrics, f"{name}_fold_{what}") for what in ("mean", "std"))
    return "" if mean is None or deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _print_nested(nested: "Nested", tracking_uri: str | None) -> None:
    """Print the inner and outer scores of every search, and the pooled outer scores."""
    title, scored = nested.objective.title, nested.protocol.metrics
    print_table(
        [
            *("study", "never saw", "best trial", f"inner {title} [95 %]", "corrected [95 %]"),
            f"outer {title} of one network",
        ],
        [
            [
                fold.study,
                ", ".join(fold.speakers),
                str(fold.best_trial),
                with_interval(fold.inner_score, fold.inner_interval),
                ""
                if fold.selection is None
                else describe_score(fold.selection.metrics, f"corrected_{nested.objective.name}"),
                f"{fold.outer_single_score:.4f}",
            ]
            for fold in nested.folds
        ],
    )
    outer = tracking.score_metrics(nested.outer, nested.folds[0].predictions.names, "outer")
    print_table(
        [f"all networks of a search together ({nested.networks})", *(f"{metric.title} [95 %]" for metric in scored)],
        [["outer, pooled", *(describe_score(outer, f"outer_{metric.name}") for metric in scored)]],
    )
    if nested.sets:
        rows = [
            [found.name, str(found.utterances), str(found.speakers), *found.described(scored)] for found in nested.sets
        ]
        print_table(["corpus", "utterances", "speakers", *(f"{metric.title} [95 %]" for metric in scored)], rows)
        _print_mean(nested.sets, nested.objective)
    results.print(f"{_optimism(nested)}; protocol {nested.protocol.fingerprint}")
    print_warnings(nested.protocol.warnings)
    results.print("nothing is registered: run the study without --nested for a champion")
    where = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
    corpora = " ".join(f"--corpus {shlex.quote(str(part))}" for part in nested.parts or (nested.protocol.corpus,))
    results.print(f"next: ser-tune evaluate {nested.study} {corpora}{where}")


def _optimism(nested: "Nested") -> str:
    """A sentence on inner and outer scores of single networks; with what the difference has in it."""
    title = nested.objective.title
    optimism = with_interval(nested.optimism, nested.optimism_interval, "+")
    if not nested.is_paired:
        return (
            f"single networks: inner {title} {nested.inner_score:.4f} of speakers of other corpora, outer {title} "
            f"{nested.outer_single_score:.4f}, difference {optimism}"
        )
    change = ", with the change of corpus in it" if nested.protocol.scheme else ""
    return (
        f"single networks, mean over {len(nested.by_speaker)} speakers: inner {title} {nested.inner_score:.4f} in the "
        f"searches that saw the speaker, outer {title} {nested.outer_single_score:.4f} in the one that did not, "
        f"optimism {optimism}{change}"
    )
