"""`combine`, `confirm` and `replay`: results of trainings that test what a study found."""

from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..config import Project
from ..metrics import Ranking
from ..resampling import describe_score, with_interval
from ..tracking import name_of
from ..training import EpochReport
from .console import notes, print_json, print_table, results
from .progress import ProgressObserver
from .records import combination_record, confirmation_record, replay_record
from .running import tell

__all__ = [
    "combine_trials",
    "confirm_study",
    "replay_run",
]


def combine_trials(
    references: Sequence[str],
    *,
    top: int,
    as_name: str | None,
    rule: str | None,
    data: Path | None,
    as_json: bool,
    tracking_uri: str | None,
) -> None:
    """Register the mean of what several trials say, and print it beside what each says alone."""
    project = Project.locate(tracking_uri=tracking_uri)
    found = api.combine(references, top=top, as_name=as_name, rule=rule, data=data, project=project)
    if as_json:
        print_json([combination_record(found)])
        return
    objective = found.promotion.prepared.definition.objective
    rows = [
        [
            name_of(one),
            one.data.params["model.name"],
            one.data.params["features.name"],
            describe_score(one.data.metrics, f"validation_{objective.name}"),
        ]
        for one in found.members
    ]
    print_table(["member", "model", "features", f"validation {objective.title}"], rows)
    tell(found.promotion, tracking_uri)


def confirm_study(
    name: str,
    *,
    top: int,
    seeds: int,
    as_name: str | None,
    data: Path | None,
    as_json: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Train a study's best trials again on fresh seeds, and promote by the lower confidence bound."""
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    with ProgressObserver() as progress:
        found = api.confirm(name, top=top, seeds=seeds, as_name=as_name, data=data, project=project, observer=progress)
    if as_json:
        print_json([confirmation_record(found)])
        return
    objective = found.promotion.prepared.definition.objective
    print_table(
        ["trial", "search saw [95 %]", f"mean of {seeds} fresh seeds [95 %]", "luck of the seed"],
        [
            [
                str(one.trial),
                with_interval(one.searched, one.searched_interval),
                with_interval(one.mean, one.interval),
                f"{Ranking(objective).gain(one.searched, one.mean):+.4f}",
            ]
            for one in found.candidates
        ],
    )
    bound = "highest lower" if objective.higher_is_better else "lowest upper"
    notes.print(
        f"trial {found.candidates[0].trial} has the {bound} bound; registered is the median of its seeds, trial "
        f"{found.promotion.trial} of {found.study}",
        markup=False,
    )
    tell(found.promotion, tracking_uri)


def replay_run(reference: str, *, data: Path | None, as_json: bool, tracking_uri: str | None) -> None:
    """Train a run again and print what is not the same; exit code 1 where something is not."""

    def on_epoch(fold: int, report: EpochReport) -> None:
        if report.epoch == 1:
            notes.print(f"fold {fold + 1}")

    project = Project.locate(tracking_uri=tracking_uri)
    outcome = api.replay(reference, data=data, project=project, on_epoch=on_epoch)
    if as_json:
        print_json([replay_record(outcome)])
        if not outcome.identical:
            raise SystemExit(1)
        return
    for one in outcome.circumstances:
        results.print(one, markup=False)
    name = f"run {outcome.run.info.run_id} ({name_of(outcome.run)})"
    if outcome.identical:
        results.print(f"{name}: identical, {outcome.compared} numbers", markup=False)
        return
    results.print(f"{name}: {len(outcome.unequal)} numbers differ", markup=False)
    for line in outcome.unequal:
        results.print(line, markup=False)
    raise SystemExit(1)
