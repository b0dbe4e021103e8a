"""`evaluate` and `matrix`: registered models on any corpus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import results
from ..config import Project
from ..errors import LeakError, MappingError
from ..results import Cell, Evaluation, Stressed
from ..tracking import open_delivered

__all__ = ["Evaluated", "JudgedCorpus", "evaluate", "matrix"]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation, and where it is stored."""

    evaluation: Evaluation
    stressed: Sequence[Stressed]
    """Its scores in worse conditions; empty where that was not asked for."""
    run_id: str
    """Of MLflow; nested under the version's run."""


@dataclass(frozen=True, slots=True)
class JudgedCorpus:
    """A corpus that `matrix` evaluates models on; fields as the arguments of `evaluate`."""

    corpus: str
    data: str | Path | None = None
    task: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


def evaluate(
    model: str,
    *,
    corpus: str,
    data: str | Path | None = None,
    task: str | None = None,
    mapping: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    calibrate: bool = False,
    stress: bool = False,
    skip_trained: bool = False,
    on_condition: Callable[[str], None] = lambda note: None,
    project: Project | None = None,
) -> Evaluated:
    """Evaluate a registered model on a corpus, log it as a run of the version, and add it to the version's card.

    On the model's own corpus, each fold network judges the test speakers of its fold. Elsewhere all networks judge
    together, and recordings that the model was trained on are refused.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`; or a nested study's name.
        corpus: Of `ser-tune corpus list`; `manifest` for a CSV.
        data: The corpus's folder or CSV.
        task: One of the corpus's; None is its first.
        mapping: Emotion of the corpus to class of the model; an empty class leaves the emotion out.
        by: Attributes of utterances to group by, in addition to speaker, gender and duration.
        calibrate: Whether to fit a temperature on the model's validation predictions.
        stress: Whether to judge all again in worse conditions: noise, rooms, telephone, codecs, clipping, level.
        skip_trained: Leave recordings that the model was trained on out, instead of refusing the corpus.
        on_condition: Is told each of these conditions before it is judged.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model or corpus, labels cannot be mapped, or the model was trained on recordings.
    """
    project = project or Project.locate()
    workspace = open_delivered(project)
    setup = results.set_up_evaluation(
        workspace,
        model,
        corpus=corpus,
        data=None if data is None else Path(data),
        subset=task,
        mapping=mapping,
        skip_trained=skip_trained,
    )
    groups = results.groups_of(setup.utterances, by)  # a mistake shows before all is judged
    evaluation = results.score_evaluation(
        workspace, setup, setup.networks.outputs(), groups=groups, calibrate=calibrate
    )
    stressed = list(results.stress(evaluation, on_condition=on_condition)) if stress else []
    return Evaluated(evaluation, stressed, results.log_evaluation(workspace, evaluation, stressed))


def matrix(
    models: Sequence[str],
    corpora: Mapping[str, JudgedCorpus],
    *,
    skip_trained: bool = False,
    project: Project | None = None,
    on_cell: Callable[[str, str], None] = lambda model, corpus: None,
) -> Sequence[Cell]:
    """Evaluate every model on every corpus; each evaluation is logged as by `evaluate`.

    Args:
        models: Registered models.
        corpora: What a corpus is called in the table, to the corpus.
        skip_trained: Leave recordings that a model was trained on out, instead of an empty cell.
        project: Where things are; None is `Project.locate()`.
        on_cell: Is told model and corpus before each evaluation.

    Returns:
        A cell for each pair, model after model. One has no evaluation, but a reason, where labels cannot be mapped or
        the model was trained on recordings.

    Raises:
        SerTuneError: A model or a corpus does not exist.
    """
    cells = []
    for model in models:
        for called, judged in corpora.items():
            on_cell(model, called)
            try:
                found = evaluate(
                    model,
                    corpus=judged.corpus,
                    data=judged.data,
                    task=judged.task,
                    mapping=judged.mapping,
                    skip_trained=skip_trained,
                    project=project,
                )
            except (MappingError, LeakError) as error:
                cells.append(Cell(model, called, None, "", str(error)))
            else:
                cells.append(Cell(model, called, found.evaluation, found.run_id))
    return cells
