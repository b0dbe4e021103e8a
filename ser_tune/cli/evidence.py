"""`combine`, `compare`, `confirm`, `reproduce`, `leaderboard`, `replay`: what results are worth, alone and together."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..architectures import ARCHITECTURES
from ..config import Project
from ..metrics import PERMUTATION_TEST, describe_score, with_interval
from ..registry import markdown_table
from ..results import COLUMNS, Comparison
from ..study import read_assignments
from ..tracking import name_of
from ..training import EpochReport
from .console import notes, print_json, print_table, print_warnings, results
from .progress import ProgressObserver
from .records import combination_record, confirmation_record, ends, replay_record, reproduction_record
from .running import tell

__all__ = [
    "combine_trials",
    "compare_results",
    "confirm_study",
    "print_leaderboard",
    "replay_run",
    "reproduce_published",
]

PUBLISHED_FORMS = {"pooled": "pooled", "fold mean": "mean over folds", "unknown": "pooled or mean over folds"}
SHOWN_DIFFERENCES = 20
"""Utterances that `compare` lists, unless told to list all."""


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
    rows = [
        [
            name_of(one),
            one.data.params["model.name"],
            one.data.params["features.name"],
            describe_score(one.data.metrics, "validation_uar"),
        ]
        for one in found.members
    ]
    print_table(["member", "model", "features", "validation UAR"], rows)
    tell(found.promotion, tracking_uri)


def compare_results(
    first: str, second: str, *, side: str, as_json: bool, list_all: bool, tracking_uri: str | None
) -> None:
    """Print how two results compare: scores, paired test, confusion matrices, utterances that differ."""
    found = api.compare(first, second, side=side, project=Project.locate(tracking_uri=tracking_uri))
    if as_json:
        print_json([_comparison_as_json(found, first, second)])
        return
    judged, paired = found.predictions[0][0], found.paired
    print_table(
        ["", side, "UAR", "WA"],
        [
            [
                mark,
                _of_seeds(name, len(one.runs)),
                *(describe_score(known, f"{side}_{score}") for score in ("uar", "wa")),
            ]
            for mark, name, one, known in zip("AB", (first, second), found.results, found.scores, strict=True)
        ]
        + [
            [
                "A - B",
                "",
                with_interval(paired.uar_difference, paired.uar_interval, "+"),
                with_interval(paired.wa_difference, paired.wa_interval, "+"),
            ]
        ],
    )
    effect = "undefined" if paired.effect_size is None else f"{paired.effect_size:.2f}"
    results.print(f"p = {paired.p_value:.4f} ({PERMUTATION_TEST})", markup=False)
    results.print(
        f"effect size: Cohen's d_z {effect} over {paired.n_speakers} speakers; protocol {found.protocol.fingerprint}",
        markup=False,
    )
    print_warnings(found.protocol.warnings)
    named = judged.emotions
    for mark, counts, one in zip("AB", found.confusions, found.results, strict=True):
        results.print(f"\n{_of_seeds(f'confusion of {mark}', len(one.runs), 'sum')} (rows: truth)")
        print_table(["", *named], [[name, *map(str, row)] for name, row in zip(named, counts, strict=True)])
    differing = found.differing
    by_most = " by what most seeds name" if max(len(one.runs) for one in found.results) > 1 else ""
    results.print(f"\n{len(differing)} of {len(judged.utterances)} utterances differ{by_most}")
    shown = differing if list_all else differing[:SHOWN_DIFFERENCES]
    ours, theirs = found.predicted
    print_table(
        ["utterance", "speaker", "truth", "A", "B"],
        [
            [
                judged.utterances[one],
                judged.speakers[one],
                named[judged.truth[one]],
                named[ours[one]],
                named[theirs[one]],
            ]
            for one in shown
        ],
    )
    if len(shown) < len(differing):
        notes.print(f"{len(differing) - len(shown)} more; pass --all")


def _of_seeds(name: str, seeds: int, what: str = "mean") -> str:
    """A name; of a configuration on several seeds with a note."""
    return f"{name}, {what} of {seeds} seeds" if seeds > 1 else name


def _comparison_as_json(found: Comparison, first: str, second: str) -> dict[str, object]:
    judged, paired = found.predictions[0][0], found.paired
    ours, theirs = found.predicted
    emotions = judged.emotions
    return {
        "a": first,
        "b": second,
        "runs": [[run.info.run_id for run in one.runs] for one in found.results],
        "side": found.side,
        "fingerprint": found.protocol.fingerprint,
        "warnings": found.protocol.warnings,
        "uar": [one[f"{found.side}_uar"] for one in found.scores],
        "uar_difference": paired.uar_difference,
        "uar_difference_interval": ends(paired.uar_interval),
        "wa_difference": paired.wa_difference,
        "wa_difference_interval": ends(paired.wa_interval),
        "p_value": paired.p_value,
        "test": PERMUTATION_TEST,
        "effect_size": paired.effect_size,
        "speakers": paired.n_speakers,
        "emotions": emotions,
        "confusions": [counts.tolist() for counts in found.confusions],
        "differing": [
            {
                "utterance": judged.utterances[one],
                "speaker": judged.speakers[one],
                "truth": emotions[judged.truth[one]],
                "a": emotions[ours[one]],
                "b": emotions[theirs[one]],
            }
            for one in found.differing
        ],
    }


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
    print_table(
        ["trial", "search saw [95 %]", f"mean of {seeds} fresh seeds [95 %]", "optimism"],
        [
            [
                str(one.trial),
                with_interval(one.searched, one.searched_interval),
                with_interval(one.mean, one.interval),
                f"{one.searched - one.mean:+.4f}",
            ]
            for one in found.candidates
        ],
    )
    notes.print(
        f"trial {found.candidates[0].trial} has the highest lower bound; registered is the median of its seeds, trial "
        f"{found.promotion.trial} of {found.study}",
        markup=False,
    )
    model = found.promotion.prepared.definition.config.model.name
    if ARCHITECTURES.get(model).solve is not None:
        notes.print(f"{model} is solved without random numbers: every seed gives the same score", markup=False)
    tell(found.promotion, tracking_uri)


def reproduce_published(
    label: str,
    assignments: Sequence[str],
    *,
    data: Path | None,
    seeds: int,
    margin: float,
    study_name: str | None,
    as_json: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Train a published configuration, and print its number beside ours."""
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    with ProgressObserver() as progress:
        outcome = api.reproduce(
            label,
            data=data,
            seeds=seeds,
            margin=margin,
            settings=read_assignments(assignments),
            name=study_name,
            project=project,
            observer=progress,
        )
    if as_json:
        print_json([reproduction_record(outcome)])
        return
    published = outcome.published
    rows = [
        [
            f"published: {published.who}, {PUBLISHED_FORMS[published.form]}",
            _value(published.uar, published.uar_std),
            _value(published.wa, published.wa_std),
        ],
        [
            f"obtained: mean of {seeds} seed{'s' * (seeds > 1)}, pooled",
            with_interval(outcome.pooled.value, outcome.pooled.interval),
            with_interval(outcome.mean("test_wa"), outcome.wa_interval),
        ],
        [
            "obtained: mean ± deviation over folds",
            *(
                _value(outcome.mean(f"test_{one}_fold_mean"), outcome.mean(f"test_{one}_fold_std"))
                for one in ("uar", "wa")
            ),
        ],
        *(
            [f"seed {number}, pooled", describe_score(one, "test_uar"), describe_score(one, "test_wa")]
            for number, one in enumerate(outcome.seeds)
            if seeds > 1
        ),
    ]
    print_table(["test speakers", "UAR", "WA"], rows)
    differs = f"; differs: {published.differs}" if published.differs else ""
    results.print(f"published protocol: {published.protocol} ({published.source}){differs}", markup=False)
    results.print(f"protocol here: {outcome.protocol.fingerprint}, {outcome.folds} folds", markup=False)
    results.print(outcome.verdict, markup=False)
    print_warnings(outcome.protocol.warnings)


def _value(value: float | None, deviation: float | None) -> str:
    """As its authors give it."""
    return "" if value is None else f"{value:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")


BOARD = (
    *("corpus", "task", "evaluation", "protocol", "rank", "who"),
    *("validation UAR", "test UAR", "test WA", "outer UAR", "outer WA"),
    *("trials", "seeds", "normalisation", "pretraining", "folds", "source"),
)
WARNINGS = "warnings"
"""A further field of the forms for programs; people read the warnings below the table."""


def print_leaderboard(*, corpus: str | None, form: str, tracking_uri: str | None) -> None:
    """Print the best results, and the published numbers of the same corpora."""
    board = api.leaderboard(corpus, project=Project.locate(tracking_uri=tracking_uri))
    rows = []
    for one in board.entries:
        scope = one.protocol.facts["normalisation_scope"]
        cells = (
            *(one.corpus, one.task, one.evaluation, one.protocol.fingerprint, str(one.rank)),
            f"{one.model}, {one.features}",
            *(describe_score(one.scores, one.metrics.get(column, "")) for column in COLUMNS),
            *(str(one.trials), str(one.seeds), scope, one.pretraining, str(one.protocol.n_folds)),
            f"{one.source}, run {one.run.info.run_id}",
        )
        warnings = "; ".join(one.protocol.warnings)
        rows.append(dict(zip(BOARD, cells, strict=True)) | {WARNINGS: warnings})
    for known in board.published:
        cells = (
            *(known.corpus, known.task, "published", known.protocol, "", known.who, ""),
            *(_value(known.uar, known.uar_std), _value(known.wa, known.wa_std), "", "", "", "", "", "", ""),
            known.source + (f"; differs: {known.differs}" if known.differs else ""),
        )
        rows.append(dict(zip(BOARD, cells, strict=True)) | {WARNINGS: ""})
    if not rows:
        notes.print("no complete trials yet; run `ser-tune study --model 3d_acrnn`")
        if form not in ("json", "csv"):
            return
    if form == "json":
        print_json(rows)
    elif form == "csv":
        table = csv.DictWriter(sys.stdout, fieldnames=(*BOARD, WARNINGS), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    else:
        cells_of_rows = [[row[name] for name in BOARD] for row in rows]
        if form == "markdown":
            sys.stdout.write(markdown_table(BOARD, cells_of_rows) + "\n")
        else:
            print_table(BOARD, cells_of_rows)
        print_warnings(f"protocol {row['protocol']}: {row[WARNINGS]}" for row in rows if row[WARNINGS])


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
