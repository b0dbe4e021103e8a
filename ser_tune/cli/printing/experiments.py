"""Printing of `ablate`, `combine`, `confirm`, `replay` and `reproduce`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from ... import experiments, tracking
from ...metrics import Ranking
from ...resampling import describe_score, with_interval
from ..console import notes, print_json, print_table, print_warnings, results
from ..records import ablation_records, combination_record, confirmation_record, replay_record, reproduction_record
from ..registration import Call, Forms
from ..rows import print_rows
from .studies import print_scores

if TYPE_CHECKING:
    from ...errors import SerTuneError
    from ...experiments import Ablated, Combination, Confirmation, Replay, Reproduction
    from ...protocol import Protocol
    from ...training import EpochReport

__all__ = [
    "print_ablation",
    "print_combination",
    "print_confirmation",
    "print_replay",
    "print_reproduction",
    "with_deviation",
]

ABLATION_COLUMNS = ("of each seed", "difference [95 %]", "p", "seconds a seed")
"""Behind the change and its score."""
PUBLISHED_FORMS = {"pooled": "pooled", "fold mean": "mean over folds", "unknown": "pooled or mean over folds"}


def print_combination(call: "Call[Combination]", *, as_json: bool, tracking_uri: str | None = None) -> None:
    """Print the combination's scores beside its members'."""
    found = call()
    if as_json:
        print_json([combination_record(found)])
        return
    objective = found.promotion.prepared.definition.objective
    rows = [
        [
            tracking.name_of(run),
            run.data.params["model.name"],
            run.data.params["features.name"],
            describe_score(run.data.metrics, f"validation_{objective.name}"),
        ]
        for run in found.members
    ]
    print_table(["member", "model", "features", f"validation {objective.title}"], rows)
    print_scores(found.promotion, tracking_uri)


def print_confirmation(
    call: "Call[Confirmation]", *, seeds: int, as_json: bool, tracking_uri: str | None = None
) -> None:
    """Print the mean of every candidate over fresh seeds, and the promotion."""
    found = call()
    if as_json:
        print_json([confirmation_record(found)])
        return
    objective = found.promotion.prepared.definition.objective
    print_table(
        ["trial", "search saw [95 %]", f"mean of {seeds} fresh seeds [95 %]", "luck of the seed"],
        [
            [
                str(candidate.trial),
                with_interval(candidate.searched, candidate.searched_interval),
                with_interval(candidate.mean, candidate.interval),
                f"{Ranking(objective).gain(candidate.searched, candidate.mean):+.4f}",
            ]
            for candidate in found.candidates
        ],
    )
    bound = "highest lower" if objective.higher_is_better else "lowest upper"
    notes.print(
        f"trial {found.candidates[0].trial} has the {bound} bound; registered is the median of its seeds, trial "
        f"{found.promotion.trial} of {found.study}"
    )
    print_scores(found.promotion, tracking_uri)


def print_replay(call: "Call[Replay]", *, as_json: bool) -> None:
    """Print the numbers that differ; exit code 1 where a number differs."""

    def on_epoch(fold: int, report: "EpochReport") -> None:
        if report.epoch == 1:
            notes.print(f"fold {fold + 1}")

    outcome = call(on_epoch=on_epoch)
    if as_json:
        print_json([replay_record(outcome)])
    else:
        name = f"run {outcome.run.info.run_id} ({tracking.name_of(outcome.run)})"
        numbers = f"identical, {outcome.compared} numbers"
        verdict = numbers if outcome.identical else f"{len(outcome.unequal)} numbers differ"
        for line in (*outcome.circumstances, f"{name}: {verdict}", *outcome.unequal):
            results.print(line)
    if not outcome.identical:
        raise SystemExit(1)


def print_ablation(
    call: "Call[Iterator[Ablated | SerTuneError]]",
    *,
    changes: Iterable[str] = (),
    form: Annotated[str, Forms(("table", "markdown"))] = "table",
) -> None:
    """Print the difference that every change makes; exit code 1 where a change failed."""
    from ..progress import ProgressObserver

    names = ("unchanged", *changes)
    ablated: list[Ablated | SerTuneError] = []
    with ProgressObserver() as progress:
        try:
            ablated.extend(call.function(**call.arguments, observer=progress))
        except KeyboardInterrupt:  # those before it are in the list
            notes.print(f"left: {'; '.join(names[len(ablated) :])}; the same command goes on from here")
            raise
    trained = [found for found in ablated if isinstance(found, experiments.Ablated)]
    unchanged = trained[0].protocol
    if form == "json":
        print_json(ablation_records(names, ablated))
    else:
        columns = ("change", f"validation {unchanged.objective.title} [95 %]", *ABLATION_COLUMNS)
        rows = [_ablation_row(name, found, unchanged) for name, found in zip(names, ablated, strict=True)]
        print_rows(columns, rows, form)
        print_warnings(warning for found in trained for warning in found.protocol.warnings)
        seeds = sorted({f"{n} seed{'s' * (n > 1)}" for n in (len(found.scores) for found in trained)})
        notes.print(
            f"{' and '.join(seeds)}, paired by speaker; protocol {unchanged.fingerprint}; test speakers were not "
            "scored; p of one change among many is worth less than it says"
        )
    if len(trained) < len(ablated):
        raise SystemExit(1)


def _ablation_row(name: str, found: "Ablated | SerTuneError", unchanged: "Protocol") -> list[str]:
    """The cells of a configuration, with a note where its scores are of another protocol."""
    if not isinstance(found, experiments.Ablated):
        return [name, f"failed: {found}", *("" for _ in ABLATION_COLUMNS)]
    objective, against = found.protocol.objective, found.against
    other = "" if objective == unchanged.objective else f"{objective.title} "  # than that of the column
    return [
        name if found.protocol.fingerprint == unchanged.fingerprint else f"{name} (another protocol)",
        f"{other}{with_interval(found.mean, found.interval)}",
        " ".join(f"{score:.3f}" for score in found.scores),
        "" if against is None else with_interval(against.primary.value, against.primary.interval, "+"),
        "" if against is None else f"{against.p_value:.3f}",
        f"{found.seconds / len(found.scores):.0f}",
    ]


def print_reproduction(call: "Call[Reproduction]", *, seeds: int, as_json: bool) -> None:
    """Print the published number beside ours, and the verdict."""
    outcome = call()
    if as_json:
        print_json([reproduction_record(outcome)])
        return
    published = outcome.published
    titles = {metric.name: metric.title for metric in outcome.protocol.metrics}
    rows = [
        [
            f"published: {published.who}, {PUBLISHED_FORMS[published.form]}",
            *(with_deviation(*published.score(name)) for name in titles),
        ],
        [
            f"obtained: mean of {seeds} seed{'s' * (seeds > 1)}, pooled",
            *(with_interval(outcome.mean(f"test_{name}"), outcome.intervals[name]) for name in titles),
        ],
        [
            "obtained: mean ± deviation over folds",
            *(
                with_deviation(outcome.mean(f"test_{name}_fold_mean"), outcome.mean(f"test_{name}_fold_std"))
                for name in titles
            ),
        ],
        *(
            [f"seed {number}, pooled", *(describe_score(seed, f"test_{name}") for name in titles)]
            for number, seed in enumerate(outcome.seeds)
            if seeds > 1
        ),
    ]
    print_table(["test speakers", *titles.values()], rows)
    differs = f"; differs: {published.differs}" if published.differs else ""
    results.print(f"published protocol: {published.protocol} ({published.source}){differs}")
    results.print(f"protocol here: {outcome.protocol.fingerprint}, {outcome.folds} folds")
    results.print(outcome.verdict)
    print_warnings(outcome.protocol.warnings)


def with_deviation(value: float | None, deviation: float | None) -> str:
    """A published score, with its deviation where there is one."""
    return "" if value is None else f"{value:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")
