"""`reproduce` and `leaderboard`: results beside published numbers."""

import sys
from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..config import Project
from ..registry import markdown_table
from ..resampling import describe_score, with_interval
from ..search import read_assignments
from ..tracking import UNKNOWN_NETWORKS
from .console import notes, print_json, print_table, print_warnings, results, shown
from .progress import ProgressObserver
from .records import reproduction_record
from .rows import print_csv

__all__ = ["print_leaderboard", "reproduce_published"]

PUBLISHED_FORMS = {"pooled": "pooled", "fold mean": "mean over folds", "unknown": "pooled or mean over folds"}


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
    titles = {metric.name: metric.title for metric in outcome.protocol.metrics}
    rows = [
        [
            f"published: {published.who}, {PUBLISHED_FORMS[published.form]}",
            *(_value(*published.score(one)) for one in titles),
        ],
        [
            f"obtained: mean of {seeds} seed{'s' * (seeds > 1)}, pooled",
            *(with_interval(outcome.mean(f"test_{one}"), outcome.intervals[one]) for one in titles),
        ],
        [
            "obtained: mean ± deviation over folds",
            *(_value(outcome.mean(f"test_{one}_fold_mean"), outcome.mean(f"test_{one}_fold_std")) for one in titles),
        ],
        *(
            [f"seed {number}, pooled", *(describe_score(seed, f"test_{one}") for one in titles)]
            for number, seed in enumerate(outcome.seeds)
            if seeds > 1
        ),
    ]
    print_table(["test speakers", *titles.values()], rows)
    differs = f"; differs: {published.differs}" if published.differs else ""
    results.print(f"published protocol: {published.protocol} ({published.source}){differs}", markup=False)
    results.print(f"protocol here: {outcome.protocol.fingerprint}, {outcome.folds} folds", markup=False)
    results.print(outcome.verdict, markup=False)
    print_warnings(outcome.protocol.warnings)


def _value(value: float | None, deviation: float | None) -> str:
    """As its authors give it."""
    return "" if value is None else f"{value:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")


BEFORE = ("corpus", "task", "evaluation", "protocol", "rank", "who")
BEHIND = ("networks", "trials", "seeds", "normalisation", "pretraining", "folds", "source")
"""Columns around those of scores."""
TEST = "test_"
"""Beginning of the columns that published numbers have."""
WARNINGS = "warnings"
"""A further field of the forms for programs; people read the warnings below the table."""


def print_leaderboard(*, corpus: str | None, form: str, tracking_uri: str | None) -> None:
    """Print the best results, and the published numbers of the same corpora."""
    board = api.leaderboard(corpus, project=Project.locate(tracking_uri=tracking_uri))
    scores = board.columns
    columns = (*BEFORE, *scores.values(), *BEHIND)
    rows = []
    for one in board.entries:
        scope = one.protocol.in_words["normalisation_scope"]
        cells = (
            *(one.corpus, one.task, one.evaluation, one.protocol.fingerprint, str(one.rank)),
            f"{one.model}, {one.features}",
            *(describe_score(one.scores, one.metrics.get(column, "")) for column in scores),
            one.networks,
            *(str(one.trials), str(one.seeds), scope, one.pretraining, str(one.protocol.n_folds)),
            f"{one.source}, run {one.run.info.run_id}",
        )
        warnings = "; ".join(one.protocol.warnings)
        rows.append(dict(zip(columns, cells, strict=True)) | {WARNINGS: warnings})
    for known in board.published:
        cells = (
            *(known.corpus, known.task, "published", known.protocol, "", known.who),
            *(_value(*known.score(column.removeprefix(TEST))) if column.startswith(TEST) else "" for column in scores),
            *(UNKNOWN_NETWORKS, "", "", "", "", ""),
            known.source + (f"; differs: {known.differs}" if known.differs else ""),
        )
        rows.append(dict(zip(columns, cells, strict=True)) | {WARNINGS: ""})
    if not rows:
        notes.print("no complete trials yet; run `ser-tune study --model 3d_acrnn`")
        if form not in ("json", "csv"):
            return
    if form == "json":
        print_json(rows)
    elif form == "csv":
        print_csv((*columns, WARNINGS), rows)
    else:
        cells_of_rows = [[row[name] for name in columns] for row in rows]
        if form == "markdown":
            shown(sys.stdout).write(markdown_table(columns, cells_of_rows) + "\n")
        else:
            print_table(columns, cells_of_rows)
        print_warnings(f"protocol {row['protocol']}: {row[WARNINGS]}" for row in rows if row[WARNINGS])
