"""Every model on every corpus: a cell for each, as rows of a table and as a picture."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import draw_to, lettering_for
from ..metrics import Metric, Ranking
from ..tasks import DEFAULT_TASK, TASKS
from .evaluation_scores import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Cell", "cell_columns", "cell_rows", "draw_matrix"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One model on one corpus."""

    model: str
    """The user's reference to the model."""
    corpus: str
    """The corpus's name in the table."""
    evaluation: Evaluation | None
    """None where the two cannot be evaluated."""
    run_id: str
    """MLflow's run of the evaluation; empty without an evaluation."""
    reason: str = ""
    """Why there is no evaluation."""


def cell_columns(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The columns of `cell_rows`: three for each metric of the models, a score and the ends of its interval."""
    judged = [cell.evaluation.setup.task.outputs for cell in cells if cell.evaluation is not None]
    counted = dict.fromkeys(judged or [TASKS.get(DEFAULT_TASK).outputs])
    found = [metric.name for cell in cells if cell.evaluation is not None for metric in cell.evaluation.metrics]
    names = dict.fromkeys(found or TASKS.get(DEFAULT_TASK).metrics)
    scores = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    return (
        *("model", "trained_on", "corpus", *scores),
        *("chance", *counted, "utterances", "speakers", "judged_by", "run", "reason"),
    )


def cell_rows(cells: Sequence[Cell]) -> list[dict[str, object]]:
    """A row for each cell; `chance` is the objective's value of guessing among the shared classes or other outputs."""
    rows, columns = [], cell_columns(cells)
    for cell in cells:
        row: dict[str, object] = dict.fromkeys(columns, "")
        row |= {"model": cell.model, "corpus": cell.corpus, "run": cell.run_id, "reason": cell.reason}
        if (found := cell.evaluation) is not None:
            setup, chance = found.setup, found.objective.chance
            for name, score in found.overall.scores.items():
                row |= {name: score.value, f"{name}_low": score.interval.low, f"{name}_high": score.interval.high}
            row |= {
                "model": setup.model,
                "trained_on": setup.facts["corpus"],
                "chance": "" if chance is None else chance(found.compared),
                setup.task.outputs: found.compared,
                "utterances": found.overall.utterances,
                "speakers": found.overall.speakers,
                "judged_by": setup.networks.description,
            }
        rows.append(row)
    return rows


def draw_matrix(path: Path, cells: Sequence[Cell]) -> None:
    """Draw models as rows and corpora as columns, with the score and the number of shared outputs in every cell.

    A cell is the darker, the better the score is within its metric's range.
    """
    models = list(dict.fromkeys(cell.model for cell in cells))
    corpora = list(dict.fromkeys(cell.corpus for cell in cells))
    values = np.full((len(models), len(corpora)), np.nan)
    letters = lettering_for([*models, *corpora])
    found = [cell.evaluation for cell in cells if cell.evaluation is not None]
    titles = dict.fromkeys(evaluation.objective.title for evaluation in found)
    shared = list(dict.fromkeys(evaluation.setup.task.outputs for evaluation in found)) or ["classes"]
    title = f"{' and '.join(titles) or 'scores'} over the shared {shared[0]}"
    of_metric: dict[str, list[float]] = defaultdict(list)
    for evaluation in found:
        name = evaluation.objective.name
        of_metric[name].append(evaluation.overall.scores[name].value)

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        for cell in cells:
            row, column = models.index(cell.model), corpora.index(cell.corpus)
            text, shade = "none", "black"
            if (evaluation := cell.evaluation) is not None:
                objective, overall = evaluation.objective, evaluation.overall
                score = overall.scores[objective.name].value
                values[row, column] = _darkness(objective, score, of_metric[objective.name])
                what = f"{objective.title} " if len(titles) > 1 else ""
                text = f"{what}{score:.3f}\n{_counted(evaluation)}"
                shade = "white" if values[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=shade)
        axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(corpora)), [letters(name) for name in corpora])
        axes.set_yticks(range(len(models)), [letters(name) for name in models])
        axes.set(xlabel="tested on", title=title if len(shared) == 1 else "over the shared outputs")

    width, height = 3 + 1.4 * len(corpora), 1.6 + 0.7 * len(models)
    draw_to(path, height, fill, width=width, dpi=100, letters=letters)


def _counted(evaluation: Evaluation) -> str:
    """The number of outputs that the scores are of, with their noun."""
    count, task = evaluation.compared, evaluation.setup.task
    return f"{count} {task.answer if count == 1 and task.outputs == task.answers else task.outputs}"


def _darkness(metric: Metric, value: float, values: Sequence[float]) -> float:
    """The place of a score between the metric's worst and best value, from 0 to 1; of an open range, among others."""
    low, high = metric.limits
    low, high = min(values) if low is None else low, max(values) if high is None else high
    if high <= low:
        return 0.5
    place = (value - low) / (high - low)
    return place if Ranking(metric).is_better(high, low) else 1 - place
