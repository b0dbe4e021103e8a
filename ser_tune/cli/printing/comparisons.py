"""Printing of `compare` and `leaderboard`, `matrix` and `report`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ... import api, tracking
from ... import results as stored
from ...api.arguments import Argument
from ...drawing import refuse_other_picture
from ...errors import ConfigError, StorageError
from ...resampling import MAX_STATISTIC, describe_score, permutation_test, with_interval
from ...spreadsheets import safe_cell
from ..console import notes, print_json, print_table, print_warnings, results
from ..records import comparison_record
from ..registration import Call, Forms
from ..rows import print_csv, print_rows, refuse_no_file, written
from ..written_arguments import read_mapping
from .experiments import with_deviation

if TYPE_CHECKING:
    from ...report import Report
    from ...results import Cell, Choice, Comparison, Leaderboard

__all__ = ["print_comparison", "print_leaderboard", "print_matrix", "write_report"]

SHOWN_DIFFERENCES = 20
"""Number of utterances that `compare` lists by default."""
FORMS = Forms(("table", "markdown", "csv", "json"))
BEFORE = ("corpus", "task", "evaluation", "protocol", "rank", "who")
BEHIND = ("networks", "trials", "seeds", "normalisation", "pretraining", "folds", "source")
"""Columns around those of scores."""
NARROW, SHORTEST_WHO = 100, 12
"""Characters of a table without --wide, and of its column for names at least."""
DIFFERS = "; differs: "
"""In a source, before what makes a published number another one."""
TEST = "test_"
"""Beginning of the columns that published numbers have."""
WARNINGS, SETS = "warnings", "corpora"
"""Further fields of the forms for programs; people read warnings and scores of corpora below the table."""


def print_comparison(
    call: "Call[Comparison]",
    *,
    first: str,
    second: str,
    side: str,
    list_all: Annotated[bool, Argument(option="--all")] = False,
    html: Annotated[Path | None, Argument(metavar="FILE")] = None,
    as_json: bool,
) -> None:
    """Print scores, paired test, confusion matrices, and utterances that differ.

    Args:
        call: Compares two results.
        first: The name of result A.
        second: The name of result B.
        side: The speakers.
        list_all: List every utterance that differs.
        html: Also write a page: differences by class and speaker, both searches, the settings that differ.
        as_json: Print JSON.
    """
    refuse_no_file(html, "--html")
    found = call()
    if html is not None:
        with written(html, "--html") as file:
            file.write(api.comparison_page(found, first, second, project=call.arguments["project"]))
        notes.print(f"page: {html}")
    if as_json:
        print_json([comparison_record(found, first, second)])
        return
    paired, metrics, seeds = found.paired, found.metrics, [len(result.runs) for result in found.results]
    rows = [
        [
            mark,
            _of_seeds(name, count),
            *(describe_score(scores, f"{side}_{metric.name}") for metric in metrics),
        ]
        for mark, name, count, scores in zip("AB", (first, second), seeds, found.scores, strict=True)
    ]
    differences = [with_interval(value.value, value.interval, "+") for value in paired.differences.values()]
    print_table(["", side, *(metric.title for metric in metrics)], [*rows, ["A - B", "", *differences]])
    effect = "undefined" if paired.effect_size is None else f"{paired.effect_size:.2f}"
    results.print(f"p = {paired.p_value:.4f} ({permutation_test(metrics[0])})")
    if found.choice is not None:
        results.print(_chosen(found.choice))
    results.print(
        f"effect size: Cohen's d_z {effect} over {paired.n_speakers} speakers; protocol {found.protocol.fingerprint}"
    )
    print_warnings(found.protocol.warnings)
    for mark, counts, count in zip("AB", found.confusions, seeds, strict=False):
        results.print(f"\n{_of_seeds(f'confusion of {mark}', count, 'sum')} (rows: truth)")
        names = found.predictions[0][0].names
        print_table(["", *names], [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)])
    _print_differing(found, list_all=list_all)


def _print_differing(found: "Comparison", *, list_all: bool) -> None:
    """Print the utterances whose answers differ."""
    judged, differing, task = found.predictions[0][0], found.differing, found.protocol.task
    seeds = [len(result.runs) for result in found.results]
    how = " by what most seeds name" if found.kind.has_classes else " in the means of the seeds"
    first = "; the largest differences first" if len(differing) and not found.kind.has_classes else ""
    results.print(f"\n{len(differing)} of {len(judged.utterances)} utterances differ{how * (max(seeds) > 1)}{first}")
    predicted = found.predicted
    listed = differing if list_all else differing[:SHOWN_DIFFERENCES]
    print_table(
        ["utterance", "speaker", "truth", "A", "B"],
        [
            [
                judged.utterances[index],
                judged.speakers[index],
                *(found.kind.told(task, answers[index], judged.names) for answers in (judged.truth, *predicted)),
            ]
            for index in listed
        ],
    )
    if len(listed) < len(differing):
        notes.print(f"{len(differing) - len(listed)} more; pass --all")


def _chosen(choice: "Choice") -> str:
    """The p-value of results that were chosen for their scores."""
    how = MAX_STATISTIC if choice.exact else f"Bonferroni, times {max(choice.searched)}"
    ours, theirs = choice.searched
    return f"p = {choice.p_value:.4f} if A was chosen as the best of {ours} configurations, and B of {theirs} ({how})"


def _of_seeds(name: str, seeds: int, what: str = "mean") -> str:
    """A name; of a configuration on several seeds with a note."""
    return f"{name}, {what} of {seeds} seeds" if seeds > 1 else name


def print_leaderboard(call: "Call[Leaderboard]", *, form: Annotated[str, FORMS] = "table", wide: bool = False) -> None:
    """Print the best results, and the published numbers of the same corpora.

    Args:
        call: Collects them.
        form: The form of the table.
        wide: Print every column of the table, as the other forms have.
    """
    board = call()
    columns, rows = _board_rows(board)
    if not rows:
        of_corpus = f" of corpus '{corpus}'" if (corpus := call.arguments.get("corpus")) is not None else ""
        notes.print(f"no complete trials{of_corpus} yet; run `ser-tune study --model 3d_acrnn`")
        if form not in ("json", "csv"):
            return
    if form == "json":
        print_json(rows)
    elif form == "csv":
        print_csv((*columns, WARNINGS, SETS), rows)
    else:
        for part in board.parts:
            columns, rows = _board_rows(part)
            if form == "table" and not wide:
                columns, rows = narrow_board(rows, list(part.columns.values()))
            print_rows(columns, [[row[name] for name in columns] for row in rows], form)
            if any(row["who"].endswith(" *") for row in rows):
                results.print("* by another protocol; --wide has the difference")
            print_warnings(f"protocol {row['protocol']}: {row[WARNINGS]}" for row in rows if row[WARNINGS])
            for row in rows:
                if row[SETS]:
                    results.print(f"protocol {row['protocol']}, {row[BEFORE[-1]]}: {row[SETS]}")


def narrow_board(
    rows: Sequence[Mapping[str, str]], scores: Sequence[str]
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Columns and rows of at most `NARROW` characters: of the scores the objective's, of free ones if there are any.

    Args:
        rows: With every column.
        scores: The columns of scores; the first is that of validation, then test and outer ones.
    """
    objective = scores[0].removeprefix("validation ")
    best = f"outer or test {objective}"
    columns = ("corpus", "evaluation", "protocol", "rank", "who", best)
    narrow = [
        {
            **row,
            "who": f"{row['who']} *" if DIFFERS in row["source"] else row["who"],
            "protocol": "" if row["evaluation"] == "published" else row["protocol"],
            best: row.get(f"outer {objective}") or row.get(f"test {objective}") or "",
        }
        for row in rows
    ]
    widths = {name: max(map(len, (name, *(row[name] for row in narrow)))) for name in columns}
    room = max(SHORTEST_WHO, NARROW - 2 * (len(columns) - 1) - sum(widths.values()) + widths["who"])
    for row in narrow:
        row["who"] = row["who"] if len(row["who"]) <= room else f"{row['who'][: room - 1]}…"
    return columns, narrow


def _board_rows(board: "Leaderboard") -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Columns, and a row for each entry and published number; rows have the protocol's warnings too."""
    scores = board.columns
    columns = (*BEFORE, *scores.values(), *BEHIND)
    rows = []
    for entry in board.entries:
        scope = entry.protocol.in_words["normalisation_scope"]
        cells = (
            *(entry.corpus, entry.task, entry.evaluation, entry.protocol.fingerprint, str(entry.rank)),
            f"{entry.model}, {entry.features}",
            *(describe_score(entry.scores, entry.metrics.get(column, "")) for column in scores),
            entry.networks,
            *(str(entry.trials), str(entry.seeds), scope, entry.pretraining, str(entry.protocol.n_folds)),
            f"{entry.source}, run {entry.run.info.run_id}",
        )
        warnings = "; ".join(entry.protocol.warnings)
        sets = "; ".join(f"{found.name} {found.described(entry.protocol.metrics[:1])[0]}" for found in entry.corpora)
        rows.append(dict(zip(columns, cells, strict=True)) | {WARNINGS: warnings, SETS: sets})
    for known in board.published:
        cells = (
            *(known.corpus, known.task, "published", known.protocol, "", known.who),
            *(
                with_deviation(*known.score(column.removeprefix(TEST))) if column.startswith(TEST) else ""
                for column in scores
            ),
            *(tracking.UNKNOWN_NETWORKS, "", "", "", "", ""),
            known.source + (f"{DIFFERS}{known.differs}" if known.differs else ""),
        )
        rows.append(dict(zip(columns, cells, strict=True)) | {WARNINGS: "", SETS: ""})
    return columns, rows


def print_matrix(
    call: "Call[Sequence[Cell]]",
    *,
    corpora: Mapping[str, api.JudgedCorpus],
    mappings: Annotated[Sequence[str], Argument(option="--map", metavar="CORPUS:EMOTION=CLASS")] = (),
    picture: Path = Path("matrix.png"),
    form: Annotated[str, FORMS] = "table",
) -> None:
    """Print and draw every model on every corpus; models are rows, corpora are columns.

    Args:
        call: Evaluates the models.
        corpora: The corpora by the name of their column.
        mappings: As --map of `evaluate`, for the corpus that the table calls CORPUS. Repeatable.
        picture: Where to draw the matrix.
        form: The form of the table.
    """
    refuse_other_picture(picture, name="--picture")  # before minutes of evaluation
    cells = call(
        corpora=_mapped(corpora, mappings),
        on_cell=lambda model, corpus: notes.print(f"{model} on {corpus}"),
    )
    stored.draw_matrix(picture, cells)
    if form == "json":
        print_json(stored.cell_rows(cells))
    elif form == "csv":
        print_csv(stored.cell_columns(cells), stored.cell_rows(cells))
    else:
        _print_cells(cells, form)
    notes.print(str(picture))


def _print_cells(cells: "Sequence[Cell]", form: str) -> None:
    corpora = list(dict.fromkeys(cell.corpus for cell in cells))
    metrics = dict.fromkeys(cell.evaluation.objective.title for cell in cells if cell.evaluation is not None)
    texts = {(cell.model, cell.corpus): _text(cell, with_title=len(metrics) > 1) for cell in cells}
    models = dict.fromkeys(cell.model for cell in cells)
    print_rows(["model", *corpora], [[model, *(texts[model, corpus] for corpus in corpora)] for model in models], form)
    titles = " and ".join(metrics) or "scores"
    outputs = dict.fromkeys(cell.evaluation.setup.task.outputs for cell in cells if cell.evaluation is not None)
    shared = " or ".join(outputs) or "classes"
    results.print(
        f"{titles} [95 %] ({shared} that model and corpus share); {titles} of unlike {shared} is not comparable"
    )
    for cell in cells:
        if cell.reason:
            results.print(f"none: {cell.model} on {cell.corpus}: {cell.reason}")


def _text(cell: "Cell", *, with_title: bool) -> str:
    if cell.evaluation is None:
        return "none"
    objective = cell.evaluation.objective
    score, title = cell.evaluation.overall.scores[objective.name], f"{objective.title} " * with_title
    return f"{title}{with_interval(score.value, score.interval)} ({cell.evaluation.compared})"


def _mapped(corpora: Mapping[str, api.JudgedCorpus], written: Sequence[str]) -> dict[str, api.JudgedCorpus]:
    """Read `CORPUS:EMOTION=CLASS`, where CORPUS is the name of a column."""
    mapped = dict(corpora)
    for text in written:
        column = max((name for name in mapped if text.startswith(f"{name}:")), key=len, default=None)
        if column is None:
            raise ConfigError(f"--map is '{text}'; expected CORPUS:EMOTION=CLASS, CORPUS one of {', '.join(mapped)}")
        given = read_mapping([text.removeprefix(f"{column}:")])
        mapped[column] = replace(mapped[column], mapping={**mapped[column].mapping, **given})
    return mapped


def write_report(
    call: "Call[Report]",
    *,
    with_audio: bool,
    out: Path = Path("report.html"),
    csv: Annotated[Path | None, Argument(metavar="FILE")] = None,
    latex: Annotated[Path | None, Argument(metavar="FILE")] = None,
) -> None:
    """Write the page and its tables, and print where they are.

    Args:
        call: Collects the report.
        with_audio: Whether the page has recordings.
        out: The page.
        csv: Also write the trials as CSV.
        latex: Also write tables of scores in LaTeX.
    """
    for option, path in (("--out", out), ("--csv", csv), ("--latex", latex)):
        refuse_no_file(path, option)
    found = call()
    with written(out) as file:
        file.write(found.html)
    if found.missing:
        notes.print(f"note: without recordings and the audit of the folds: {found.missing}")
    elif with_audio and found.mistakes:
        licence = found.recordings.licence if found.recordings else ""
        notes.print(f"note: the page contains recordings (licence: {licence}); --no-audio leaves them out")
    results.print(f"report: {out}")
    if csv is not None:
        with written(csv, "--csv") as file:
            found.trials.rename(columns=safe_cell).map(safe_cell).to_csv(file)
        results.print(f"trials: {csv}")
    if latex is not None:
        with written(latex, "--latex") as file:
            file.write(found.latex)
        results.print(f"tables: {latex}")
    try:
        api.log_pictures(found, project=call.arguments["project"])
    except StorageError as error:  # of somebody else's server, perhaps: the page is written
        notes.print(f"note: the pictures are not in MLflow: {error}")
