"""`study`, `train` and `promote`: run, promote, and tell what came of it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config import Project
from ..registry import Promotion
from ..registry import promote as promote_in_registry
from ..study import Prepared, define_study, load_study, prepare, run_study
from ..tracking import TrackingObserver, open_tracking
from .console import notes, print_table, results
from .progress import Fanout, ProgressObserver

__all__ = ["promote_trial", "run_and_promote"]


def run_and_promote(
    file: Path | None,
    flags: Mapping[str, object],
    assignments: Sequence[str],
    *,
    refit: bool,
    tracking_uri: str | None,
    storage: str | None,
    single: bool = False,
) -> None:
    """Run a study, or with `single` one configuration, and promote the best trial.

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
    with ProgressObserver() as progress:
        summary = run_study(prepared, project, Fanout(TrackingObserver(client, project), progress))
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
    _tell(promotion, prepared, tracking_uri)
    if summary.interrupted:
        raise SystemExit(130)


def promote_trial(
    name: str,
    *,
    trial: int | None,
    as_name: str | None,
    refit: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Promote a trial of a stored study.

    Raises:
        SerTuneError: As every room below does.
    """
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    study, definition = load_study(name, project)
    prepared = prepare(definition, project)
    prepared.refuse_other_protocol(study)
    client = open_tracking(project)
    promotion = promote_in_registry(client, project, prepared, study, trial=trial, name=as_name, with_refit=refit)
    _tell(promotion, prepared, tracking_uri)


def _tell(promotion: Promotion, prepared: Prepared, tracking_uri: str | None) -> None:
    """Scores, the registered name, and what to run next."""
    metrics = promotion.metrics
    rows = [
        [
            side,
            f"{metrics[f'{side}_uar']:.4f}",
            f"{metrics[f'{side}_wa']:.4f}",
            f"{metrics[f'{side}_uar_fold_mean']:.4f} ± {metrics[f'{side}_uar_fold_std']:.4f}",
            f"{metrics[f'{side}_wa_fold_mean']:.4f} ± {metrics[f'{side}_wa_fold_std']:.4f}",
        ]
        for side in ("validation", "test")
    ]
    print_table([f"trial {promotion.trial}", "UAR", "WA", "UAR over folds", "WA over folds"], rows)
    scope = prepared.protocol.facts["normalisation_scope"]
    results.print(
        f"protocol {prepared.protocol.fingerprint}: {prepared.corpus.name}, {len(prepared.folds)} speaker folds, "
        f"normalisation by {scope}; validation speakers chose, test speakers were scored once",
        markup=False,
    )
    verb = "registered" if promotion.created else "already registered"
    alias = f" as {promotion.alias}" if promotion.alias else ""
    results.print(f"{verb}: {promotion.name} version {promotion.version}{alias} ({promotion.reason})", markup=False)
    reference = promotion.name if promotion.alias == "champion" else f"{promotion.name}/{promotion.version}"
    where = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
    audio = _shortest(prepared.corpus.utterances[0].path)
    results.print(f"next: ser-tune predict {reference} {shlex.quote(audio)}{where}", markup=False)
    results.print(f"next: ser-tune ui{where}", markup=False)


def _shortest(path: Path) -> str:
    """The path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
