"""`study`, `train` and `promote`: run, promote, and tell what came of it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mlflow import MlflowClient

from ..config import Project
from ..folds import SIDES
from ..metrics import describe_score, with_interval
from ..registry import Promotion
from ..registry import promote as promote_in_registry
from ..results import Nested, run_nested
from ..study import Prepared, StudyObserver, define_study, load_study, prepare, run_study
from ..tracking import TrackingObserver, open_tracking, score_metrics
from .console import notes, print_table, print_warnings, results
from .progress import Fanout, ProgressObserver

__all__ = ["promote_trial", "run_and_promote", "tell", "watching"]


def run_and_promote(
    file: Path | None,
    flags: Mapping[str, object],
    assignments: Sequence[str],
    *,
    refit: bool,
    tracking_uri: str | None,
    storage: str | None,
    single: bool = False,
    nested: bool = False,
) -> None:
    """Run a study and promote its best trial; with `single` one configuration, with `nested` one search an outer fold.

    Raises:
        SerTuneError: As every room below does.
    """
    definition = define_study(file, flags=flags, assignments=assignments)
    if single:
        definition = definition.without_search()
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    if definition.config.corpus.name == "demo":
        notes.print("corpus demo: synthetic speech, small networks and short training; pass --corpus for real speech")
    prepared = prepare(definition, project)
    client = open_tracking(project)
    if nested:
        _tell_nested(run_nested(prepared, client, project, partial(watching, client, project)))
        return
    with watching(client, project) as observer:
        summary = run_study(prepared, project, observer)
    if summary.best is None:
        notes.print(f"study {summary.name} has no complete trial: nothing to promote", markup=False)
        raise SystemExit(130 if summary.interrupted else 1)
    study, _ = load_study(definition.name, project)
    promotion = promote_in_registry(client, project, prepared, study, with_refit=refit)
    results.print(
        f"study {summary.name}: {summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed; "
        f"best trial {summary.best[0]}",
        markup=False,
    )
    tell(promotion, prepared, tracking_uri)
    if summary.interrupted:
        raise SystemExit(130)


@contextmanager
def watching(client: MlflowClient, project: Project) -> Iterator[StudyObserver]:
    """What watches a study: MLflow, and the person at the terminal."""
    with ProgressObserver() as progress:
        yield Fanout(TrackingObserver(client, project), progress)


def promote_trial(
    name: str,
    *,
    trial: int | None,
    as_name: str | None,
    refit: bool,
    rule: str | None,
    data: Path | None,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Promote a trial of a stored study.

    Raises:
        SerTuneError: As every room below does.
    """
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    study, definition = load_study(name, project)
    prepared = prepare(definition.with_data(data), project)
    prepared.refuse_other_protocol(study)
    client = open_tracking(project)
    promotion = promote_in_registry(
        client, project, prepared, study, trial=trial, name=as_name, with_refit=refit, rule=rule
    )
    tell(promotion, prepared, tracking_uri)


def tell(promotion: Promotion, prepared: Prepared, tracking_uri: str | None) -> None:
    """Scores, the registered name, and what to run next."""
    metrics = promotion.metrics
    rows = [
        [
            side,
            describe_score(metrics, f"{side}_uar"),
            describe_score(metrics, f"{side}_wa"),
            f"{metrics[f'{side}_uar_fold_mean']:.4f} ± {metrics[f'{side}_uar_fold_std']:.4f}",
            f"{metrics[f'{side}_wa_fold_mean']:.4f} ± {metrics[f'{side}_wa_fold_std']:.4f}",
        ]
        for side in SIDES
        if f"{side}_uar" in metrics
    ]
    what = "combination" if promotion.trial is None else f"trial {promotion.trial}"
    columns = [what, "UAR [95 %]", "WA [95 %]", "UAR over folds", "WA over folds"]
    print_table(columns, rows)
    facts, folds = prepared.protocol.facts, len(prepared.folds)
    some = "" if folds == prepared.folds_of_protocol else f"the first {folds} of {prepared.folds_of_protocol} folds, "
    results.print(
        f"protocol {prepared.protocol.fingerprint}: {prepared.corpus.name}, {some or f'{folds} speaker folds, '}"
        f"normalisation by {facts['normalisation_scope']}; validation speakers chose, test speakers were scored once",
        markup=False,
    )
    print_warnings(prepared.protocol.warnings)
    if "optimism" in metrics:
        results.print(
            f"speakers {facts['holdout']} were kept out of the search: inner UAR {metrics['validation_uar']:.4f}, "
            f"outer UAR {metrics['holdout_single_uar']:.4f} (mean of single networks), "
            f"optimism {metrics['optimism']:+.4f}",
            markup=False,
        )
    verb = "registered" if promotion.created else "already registered"
    alias = f" as {promotion.alias}" if promotion.alias else ""
    results.print(f"{verb}: {promotion.name} version {promotion.version}{alias} ({promotion.reason})", markup=False)
    reference = promotion.name if promotion.alias == "champion" else f"{promotion.name}/{promotion.version}"
    where = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
    first = prepared.corpus.utterances[0]
    same = [one for one in prepared.corpus.utterances if one.speaker == first.speaker]
    several = prepared.definition.config.normalisation.scope == "speaker"  # which takes all files for one speaker's
    audio = " ".join(shlex.quote(_shortest(one.path)) for one in same[: 3 if several else 1])
    results.print(f"next: ser-tune predict {reference} {audio}{where}", markup=False)
    results.print(f"next: ser-tune ui{where}", markup=False)


def _tell_nested(nested: Nested) -> None:
    """What every search and the whole procedure came to."""
    print_table(
        ["study", "never saw", "best trial", "inner UAR [95 %]", "outer UAR of one network"],
        [
            [
                one.study,
                " ".join(one.speakers),
                str(one.best_trial),
                with_interval(one.inner_uar, one.inner_interval),
                f"{one.outer_single_uar:.4f}",
            ]
            for one in nested.folds
        ],
    )
    outer = score_metrics(nested.outer, nested.folds[0].predictions.emotions, "outer")
    print_table(
        ["all networks of a search together", "UAR [95 %]", "WA [95 %]"],
        [["outer, pooled", describe_score(outer, "outer_uar"), describe_score(outer, "outer_wa")]],
    )
    results.print(
        f"inner UAR {nested.inner_uar:.4f} (mean of what the searches saw), outer UAR {nested.outer_single_uar:.4f} "
        f"(mean of single networks), optimism {nested.optimism:+.4f}; protocol {nested.protocol.fingerprint}",
        markup=False,
    )
    print_warnings(nested.protocol.warnings)
    results.print("nothing is registered: run the study without --nested for a champion", markup=False)


def _shortest(path: Path) -> str:
    """The path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
