"""`study`, `train` and `promote`: what came of them."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from .. import api
from ..api import ConfigurationFlags, StudyFlags
from ..config import Project
from ..folds import SIDES, selection_note
from ..metrics import Metric, score_in
from ..registry import CHAMPION, Promotion
from ..resampling import describe_score, with_interval
from ..results import Nested
from ..search import Convergence, SearchGain, Selection, read_assignments
from ..tracking import score_metrics
from .console import notes, print_json, print_table, print_warnings, results
from .progress import ProgressObserver
from .records import nested_record, promotion_record, study_record

__all__ = ["join_study", "promote_trial", "show_nested", "show_study", "show_training", "tell"]


def show_study(
    file: Path | None,
    flags: StudyFlags,
    assignments: Sequence[str],
    *,
    refit: bool,
    as_json: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Run a study, and print what came of it; exit code 130 where it was interrupted, 1 where too much failed."""
    run = partial(api.study, file, refit=refit, **flags)
    _show(run, assignments, tracking_uri, storage, as_json=as_json)


def show_training(
    file: Path | None,
    flags: ConfigurationFlags,
    assignments: Sequence[str],
    *,
    refit: bool,
    as_json: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Train one configuration, and print what came of it; exit codes as of `show_study`."""
    run = partial(api.train, file, refit=refit, **flags)
    _show(run, assignments, tracking_uri, storage, as_json=as_json)


def join_study(name: str, *, data: Path | None, tracking_uri: str | None, storage: str | None) -> None:
    """Work on a stored study, and print how far it is; exit codes as of `show_study`."""
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    with ProgressObserver() as progress:
        summary = api.worker(name, data=data, project=project, observer=progress)
    results.print(
        f"study {summary.name}: {summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed; "
        f"{summary.running} running elsewhere",
        markup=False,
    )
    if summary.interrupted or summary.failures:
        raise SystemExit(130 if summary.interrupted else 1)


def show_nested(
    file: Path | None,
    flags: StudyFlags,
    assignments: Sequence[str],
    *,
    as_json: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Run one search for each outer fold, and print what the whole procedure is worth."""
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    with ProgressObserver() as progress:
        settings = read_assignments(assignments)
        found = api.nested(file, settings=settings, project=project, observer=progress, **flags)
    if as_json:
        print_json([nested_record(found)])
    else:
        _tell_nested(found, tracking_uri)


def promote_trial(
    name: str,
    *,
    trial: int | None,
    as_name: str | None,
    refit: bool,
    rule: str | None,
    data: Path | None,
    as_json: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Promote a trial of a stored study, and print its scores."""
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    promotion = api.promote(name, trial=trial, as_name=as_name, refit=refit, rule=rule, data=data, project=project)
    if as_json:
        print_json([promotion_record(promotion)])
    else:
        tell(promotion, tracking_uri)


def _show(
    run: Callable[..., api.StudyResult],
    assignments: Sequence[str],
    tracking_uri: str | None,
    storage: str | None,
    *,
    as_json: bool,
) -> None:
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    with ProgressObserver() as progress:
        result = run(settings=read_assignments(assignments), project=project, observer=progress)
    summary = result.summary
    if as_json:
        print_json([study_record(result)])
    if summary.failures:
        notes.print(
            f"study {summary.name} ended: {len(summary.failures)} trials in a row failed (--max-failures); the same "
            "command goes on",
            markup=False,
        )
        for reason in summary.failures:
            notes.print(reason, markup=False)
    if summary.best is None or result.promotion is None:
        notes.print(f"study {summary.name} has no complete trial: nothing to promote", markup=False)
        raise SystemExit(130 if summary.interrupted else 1)
    if not as_json:
        _tell_study(result, tracking_uri)
    if summary.interrupted or summary.failures:
        raise SystemExit(130 if summary.interrupted else 1)


def _tell_study(result: api.StudyResult, tracking_uri: str | None) -> None:
    """Counts of trials, what the search is worth, and what became of the best."""
    summary = result.summary
    assert summary.best is not None
    assert result.promotion is not None
    results.print(
        f"study {summary.name}: {summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed; "
        f"best trial {summary.best[0]}",
        markup=False,
    )
    if summary.converged is not None:
        results.print(_converged(summary.converged), markup=False)
    if summary.gain is not None:
        results.print(_gains(summary.gain, result.promotion.prepared.definition.objective), markup=False)
    for edge in result.edges:
        results.print(str(edge), markup=False)
    tell(result.promotion, tracking_uri)


def _converged(found: Convergence) -> str:
    """Why the search ended early."""
    return (
        f"the search converged after {found.searched} trials: no configuration in its ranges is likely to be better by "
        f"more than {found.gain:.4f}, the standard error of the best is {found.error:.4f}"
    )


def _gains(gain: SearchGain, objective: Metric) -> str:
    """What the search is worth, on fresh seeds."""
    winner, seeds = gain.winner, len(gain.winner.scores)
    on = f"{seeds} fresh seed{'s' * (seeds > 1)}"
    return f"confirmed on {on}: trial {winner.trial} has the best mean validation {objective.title}, {winner.mean:.4f}"


def _without_choice(selection: Selection, epochs: str) -> str:
    """What the choice among trials was worth, and what is not corrected."""
    left = "" if epochs == "last" else "; not corrected: each validation speaker also chose the epoch"
    return f"corrected: {selection.sentence}{left}"


def tell(promotion: Promotion, tracking_uri: str | None) -> None:
    """Scores, the registered name, and what to run next."""
    metrics, prepared, selection = promotion.metrics, promotion.prepared, promotion.selection
    objective, chosen = prepared.definition.objective, selection is not None and selection.trials > 1
    _print_scores(promotion, prepared.definition.metrics)
    facts, folds = prepared.protocol.in_words, len(prepared.folds)
    if selection is not None and chosen:
        results.print(_without_choice(selection, facts["epoch_selection"]), markup=False)
    some = "" if folds == prepared.folds_of_protocol else f"the first {folds} of {prepared.folds_of_protocol} folds, "
    results.print(
        f"protocol {prepared.protocol.fingerprint}: {prepared.corpus.name}, {some or f'{folds} speaker folds, '}"
        f"normalisation by {facts['normalisation_scope']}",
        markup=False,
    )
    if f"test_{objective.name}" in metrics:
        results.print(selection_note(prepared.folds), markup=False)
    print_warnings(prepared.protocol.warnings)
    if "optimism" in metrics:
        results.print(
            f"speakers {facts['holdout']} were kept out of the search: inner {objective.title} "
            f"{metrics[f'validation_{objective.name}']:.4f}, outer {objective.title} "
            f"{metrics[f'holdout_single_{objective.name}']:.4f} (mean of single networks), optimism "
            f"{metrics['optimism']:+.4f} (of different speakers; --nested pairs it by speaker)",
            markup=False,
        )
    verb = "registered" if promotion.created else "already registered"
    alias = f" as {promotion.alias}" if promotion.alias else ""
    results.print(f"{verb}: {promotion.name} version {promotion.version}{alias} ({promotion.reason})", markup=False)
    reference = promotion.name if promotion.alias == CHAMPION else f"{promotion.name}/{promotion.version}"
    where = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
    first = prepared.corpus.utterances[int((~prepared.corpus.nobody).argmax())]  # of a speaker who is known
    same = [one for one in prepared.corpus.utterances if one.speaker == first.speaker]
    several = prepared.definition.config.normalisation.scope == "speaker"  # which takes all files for one speaker's
    audio = " ".join(shlex.quote(_shortest(one.path)) for one in same[: 3 if several else 1])
    results.print(f"next: ser-tune predict {reference} {audio}{where}", markup=False)
    results.print(f"next: ser-tune ui{where}", markup=False)


def _print_scores(promotion: Promotion, scored: Sequence[Metric]) -> None:
    """Print each scored side, and the validation score without the choice among trials where there was one."""
    metrics, selection = promotion.metrics, promotion.selection
    rows = [
        [
            side,
            *(describe_score(metrics, f"{side}_{one.name}") for one in scored),
            *(_over_folds(metrics, f"{side}_{one.name}") for one in scored),
        ]
        for side in SIDES
        if f"{side}_{scored[0].name}" in metrics
    ]
    if selection is not None and selection.trials > 1:
        corrected = [describe_score(selection.metrics, f"corrected_{one.name}") for one in scored]
        rows.insert(1, ["corrected", *corrected, *("" for _ in scored)])
    what = "combination" if promotion.trial is None else f"trial {promotion.trial}"
    print_table(
        [what, *(f"{one.title} [95 %]" for one in scored), *(f"{one.title} over folds" for one in scored)], rows
    )


def _over_folds(metrics: Mapping[str, float], name: str) -> str:
    """Mean and deviation over folds; empty where a fold has no score, such as one whose utterances are all of a class.

    >>> _over_folds({"test_uar_fold_mean": 0.7, "test_uar_fold_std": 0.05}, "test_uar"), _over_folds({}, "test_uar")
    ('0.7000 ± 0.0500', '')
    """
    mean, deviation = (score_in(metrics, f"{name}_fold_{what}") for what in ("mean", "std"))
    return "" if mean is None or deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _tell_nested(nested: Nested, tracking_uri: str | None) -> None:
    """What every search and the whole procedure came to."""
    title, scored = nested.objective.title, nested.protocol.metrics
    print_table(
        [
            *("study", "never saw", "best trial", f"inner {title} [95 %]", "corrected [95 %]"),
            f"outer {title} of one network",
        ],
        [
            [
                one.study,
                ", ".join(one.speakers),
                str(one.best_trial),
                with_interval(one.inner_score, one.inner_interval),
                ""
                if one.selection is None
                else describe_score(one.selection.metrics, f"corrected_{nested.objective.name}"),
                f"{one.outer_single_score:.4f}",
            ]
            for one in nested.folds
        ],
    )
    outer = score_metrics(nested.outer, nested.folds[0].predictions.names, "outer")
    print_table(
        [f"all networks of a search together ({nested.networks})", *(f"{one.title} [95 %]" for one in scored)],
        [["outer, pooled", *(describe_score(outer, f"outer_{one.name}") for one in scored)]],
    )
    results.print(
        f"single networks, mean over {len(nested.by_speaker)} speakers: inner {title} {nested.inner_score:.4f} in the "
        f"searches that saw the speaker, outer {title} {nested.outer_single_score:.4f} in the one that did not, "
        f"optimism {with_interval(nested.optimism, nested.optimism_interval, '+')}; protocol "
        f"{nested.protocol.fingerprint}",
        markup=False,
    )
    print_warnings(nested.protocol.warnings)
    results.print("nothing is registered: run the study without --nested for a champion", markup=False)
    where = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
    results.print(f"next: ser-tune evaluate {nested.study} --corpus {nested.protocol.corpus}{where}", markup=False)


def _shortest(path: Path) -> str:
    """The path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
