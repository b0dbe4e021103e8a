"""`matrix`: prints every model on every corpus, and draws it."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import api
from ..config import Project
from ..errors import ConfigError
from ..registry import markdown_table
from ..resampling import with_interval
from ..results import Cell, cell_columns, cell_rows, draw_matrix
from .console import notes, print_json, print_table, results, shown
from .evaluate import read_mapping
from .rows import print_csv

__all__ = ["print_matrix"]

FORMATS = (".pdf", ".png", ".svg")


def print_matrix(
    models: Sequence[str],
    corpora: Sequence[str],
    *,
    mapping: Sequence[str],
    skip_trained: bool,
    picture: Path,
    form: str,
    tracking_uri: str | None,
) -> None:
    """Evaluate every model on every corpus; models are rows, corpora are columns."""
    if picture.suffix not in FORMATS or not picture.parent.is_dir():  # before minutes of evaluation
        raise ConfigError(
            f"--picture is '{picture}'; expected a name that ends in {', '.join(FORMATS)}, in an existing folder"
        )
    cells = api.matrix(
        models,
        _mapped(_corpora(corpora), mapping),
        skip_trained=skip_trained,
        project=Project.locate(tracking_uri=tracking_uri),
        on_cell=lambda model, corpus: notes.print(f"{model} on {corpus}", markup=False),
    )
    draw_matrix(picture, cells)
    if form == "json":
        print_json(cell_rows(cells))
    elif form == "csv":
        print_csv(cell_columns(cells), cell_rows(cells))
    else:
        _print_table(cells, markdown=form == "markdown")
    notes.print(f"{picture}", markup=False)


def _print_table(cells: Sequence[Cell], *, markdown: bool) -> None:
    corpora = list(dict.fromkeys(one.corpus for one in cells))
    texts = {(one.model, one.corpus): _text(one) for one in cells}
    rows = [[model, *(texts[model, one] for one in corpora)] for model in dict.fromkeys(one.model for one in cells)]
    columns = ["model", *corpora]
    if markdown:
        shown(sys.stdout).write(markdown_table(columns, rows) + "\n")
    else:
        print_table(columns, rows)
    titles = " and ".join(dict.fromkeys(one.evaluation.objective.title for one in cells if one.evaluation is not None))
    results.print(
        f"{titles or 'scores'} [95 %] (classes that model and corpus share); {titles or 'scores'} of unlike classes "
        "is not comparable",
        markup=False,
    )
    for one in cells:
        if one.reason:
            results.print(f"none: {one.model} on {one.corpus}: {one.reason}", markup=False)


def _text(cell: Cell) -> str:
    if cell.evaluation is None:
        return "none"
    overall = cell.evaluation.overall
    score = overall.scores[cell.evaluation.objective.name]
    return f"{with_interval(score.value, score.interval)} ({overall.strata})"


def _corpora(written: Sequence[str]) -> dict[str, api.JudgedCorpus]:
    """Read `NAME[:TASK][=DATA]`; a manifest is called by its file, a second corpus of one name as it is written."""
    corpora: dict[str, api.JudgedCorpus] = {}
    for one in written:
        named, _, data = one.partition("=")
        name, _, task = named.partition(":")
        called = Path(data).stem if name == "manifest" and data else named
        called = one if called in corpora else called
        if called in corpora:
            raise ConfigError(f"--corpora has '{one}' twice; expected each once")
        corpora[called] = api.JudgedCorpus(name, Path(data) if data else None, task or None)
    return corpora


def _mapped(corpora: dict[str, api.JudgedCorpus], written: Sequence[str]) -> dict[str, api.JudgedCorpus]:
    """Read `CORPUS:EMOTION=CLASS`, where CORPUS is what a corpus is called in the table."""
    mapped = dict(corpora)
    for one in written:
        called = max((name for name in mapped if one.startswith(f"{name}:")), key=len, default=None)
        if called is None:
            raise ConfigError(f"--map is '{one}'; expected CORPUS:EMOTION=CLASS, CORPUS one of {', '.join(mapped)}")
        given = read_mapping([one.removeprefix(f"{called}:")])
        mapped[called] = replace(mapped[called], mapping={**mapped[called].mapping, **given})
    return mapped
