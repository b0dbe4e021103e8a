"""Every model on every corpus: a cell for each, as rows of a table and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import draw_to, lettering_for
from .evaluate import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CELL_COLUMNS", "Cell", "cell_rows", "draw_matrix"]

CELL_COLUMNS = (
    *("model", "trained_on", "corpus", "uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high"),
    *("chance", "classes", "utterances", "speakers", "judged_by", "run", "reason"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One model on one corpus."""

    model: str
    """As it was asked for."""
    corpus: str
    """What the corpus is called in the table."""
    evaluation: Evaluation | None
    """None where the two cannot be evaluated."""
    run_id: str
    """Of the evaluation in MLflow; empty where there is none."""
    reason: str = ""
    """Why there is no evaluation."""


def cell_rows(cells: Sequence[Cell]) -> list[dict[str, object]]:
    """A row for each cell: columns as `CELL_COLUMNS`; `chance` is the UAR of guessing among the shared classes."""
    rows = []
    for cell in cells:
        row: dict[str, object] = dict.fromkeys(CELL_COLUMNS, "")
        row |= {"model": cell.model, "corpus": cell.corpus, "run": cell.run_id, "reason": cell.reason}
        if (found := cell.evaluation) is not None:
            uar, wa, examined = found.overall.uar_interval, found.overall.wa_interval, found.examined
            row |= {
                "model": examined.model,
                "trained_on": examined.facts["corpus"],
                "uar": found.overall.uar,
                "uar_low": uar.low,
                "uar_high": uar.high,
                "wa": found.overall.wa,
                "wa_low": wa.low,
                "wa_high": wa.high,
                "chance": 1 / found.overall.classes,
                "classes": found.overall.classes,
                "utterances": found.overall.utterances,
                "speakers": found.overall.speakers,
                "judged_by": examined.judge.description,
            }
        rows.append(row)
    return rows


def draw_matrix(path: Path, cells: Sequence[Cell]) -> None:
    """A picture: models are rows, corpora are columns, UAR and the number of shared classes in every cell."""
    models, corpora = (list(dict.fromkeys(names)) for names in zip(*((c.model, c.corpus) for c in cells), strict=True))
    values = np.full((len(models), len(corpora)), np.nan)
    letters = lettering_for([*models, *corpora])

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        for cell in cells:
            row, column = models.index(cell.model), corpora.index(cell.corpus)
            text, shade = "none", "black"
            if (found := cell.evaluation) is not None:
                values[row, column] = found.overall.uar
                text = f"{found.overall.uar:.3f}\n{found.overall.classes} classes"
                shade = "white" if found.overall.uar > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=shade)
        axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(corpora)), [letters(name) for name in corpora])
        axes.set_yticks(range(len(models)), [letters(name) for name in models])
        axes.set(xlabel="tested on", title="UAR over the shared classes")

    width, height = 3 + 1.4 * len(corpora), 1.6 + 0.7 * len(models)
    draw_to(path, height, fill, width=width, dpi=100, letters=letters)
