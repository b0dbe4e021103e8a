"""`compare`, `leaderboard`, `report`, `evaluate` and `matrix`: results that MLflow holds, read and scored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .. import report as reports
from .. import results, tracking
from ..errors import LeakError, MappingError
from ..stored_names import refuse_unknown_model, refuse_unknown_result
from .arguments import Argument, Data, ErrorRate, RegisteredModel, located, path_or_none
from .configuration import corpus_settings

if TYPE_CHECKING:
    from ..project import Project
    from ..report import Report
    from ..results import Cell, Comparison, Evaluation, HeardScore, Leaderboard, SetCoverage, Stressed

__all__ = [
    "Evaluated",
    "JudgedCorpus",
    "compare",
    "comparison_page",
    "evaluate",
    "leaderboard",
    "log_pictures",
    "matrix",
    "report",
]

LabelMap = Annotated[Mapping[str, str] | None, Argument(option="--map", metavar="EMOTION=CLASS")]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation, and where it is stored."""

    evaluation: "Evaluation"
    stressed: "Sequence[Stressed]"
    """Its scores in worse conditions; empty where they were not asked for."""
    run_id: str
    """MLflow's; nested under the version's run."""
    sets: "SetCoverage | None" = None
    """The error rate of its prediction sets; None where no error rate was stated."""
    heard: "Sequence[HeardScore]" = ()
    """Its scores by how much of a speaker was heard; empty where they were not asked for."""


@dataclass(frozen=True, slots=True)
class JudgedCorpus:
    """A corpus that `matrix` evaluates models on; fields as the arguments of `evaluate`."""

    corpus: str | Sequence[str]
    data: str | Path | None = None
    task: str | None = None
    table: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


def compare(
    first: Annotated[str, Argument(metavar="A", completes="result")],
    second: Annotated[str, Argument(metavar="B", completes="result")],
    *,
    side: Annotated[str, Argument(option="--on")] = "validation",
    project: "Project | None" = None,
) -> "Comparison":
    """Compare two results of one protocol, paired by speaker: differences, p-value, effect size, confusions.

    A study whose trials differ by their seed alone is compared by its mean over the seeds.

    Args:
        first: A registered model, a study (or STUDY:TRIAL), a run.
        second: The result to compare it with.
        side: validation, test or holdout speakers.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: Their protocols differ, or a result does not exist or has no predictions of that side.
    """
    project = located(project)
    for reference in (first, second):
        refuse_unknown_result(reference, project)
    return results.compare(tracking.open_delivered(project), first, second, side)


def comparison_page(
    comparison: "Comparison", first: str = "A", second: str = "B", *, project: "Project | None" = None
) -> str:
    """Write one page of HTML about a comparison: the difference, where it is from, both searches, what differs.

    Args:
        comparison: What `compare` returned.
        first: The name of result A.
        second: The name of result B.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: A store fails.
    """
    return reports.comparison_page(tracking.open_delivered(located(project)), comparison, (first, second))


def leaderboard(
    corpus: Annotated[str | None, Argument(option="--corpus")] = None, *, project: "Project | None" = None
) -> "Leaderboard":
    """List the best result for each corpus, task, model and features, beside the published ones.

    Nested, held-out, official-split and cross-validated results are listed apart, each ranked within one protocol by
    validation score (nested: outer score), of several seeds by their mean. The validation score (nested: inner score)
    chooses the best of one model and features; test scores do not. Outer scores are of speakers that the search did
    not use.

    Args:
        corpus: Only this corpus.
        project: Where things are; None is `Project.locate()`.
    """
    return results.leaderboard(tracking.open_delivered(located(project)), corpus)


def report(
    reference: Annotated[str, Argument(metavar="STUDY|MODEL", completes="result")],
    *,
    data: Data = None,
    with_audio: Annotated[bool, Argument(option="--audio/--no-audio")] = True,
    project: "Project | None" = None,
) -> "Report":
    """Write one page of HTML about a result: scores, baselines, confusions, speakers, the search, how to reproduce it.

    The page needs no network and no other file. Its pictures are also stored in MLflow, as artifacts of the run.

    Args:
        reference: A registered model, a study (or STUDY:TRIAL), a run.
        data: The corpus's folder, or manifest's CSV file; default: as in the study.
        with_audio: Recordings of the utterances that are wrong most often.
        project: Where things are; None is `Project.locate()`.

    Returns:
        `html` is the page, `trials` a DataFrame, `latex` and `bibtex` are for a paper. `log_pictures` stores its
        pictures.

    Raises:
        SerTuneError: There is no such result, or its trial did not complete.
    """
    project = located(project)
    refuse_unknown_result(reference, project)
    workspace = tracking.open_delivered(project)
    return reports.report(workspace, reference, data=path_or_none(data), with_audio=with_audio)


def log_pictures(report: "Report", *, project: "Project | None" = None) -> None:
    """Store a report's pictures in MLflow, as artifacts of its run in the folder `report`.

    Args:
        report: What `report` returned.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails.
    """
    reports.log_pictures(tracking.open_delivered(located(project)), report)


def evaluate(
    model: RegisteredModel,
    *,
    corpus: Annotated[Sequence[str] | str, Argument(metavar="NAME[:TASK][=DATA]", completes="corpora")],
    data: Data = None,
    task: str | None = None,
    table: Annotated[str | None, Argument(option="--mapping")] = None,
    mapping: LabelMap = None,
    by: Annotated[Sequence[str], Argument(metavar="COLUMN")] = (),
    calibrate: bool = False,
    stress: bool = False,
    error_rate: ErrorRate = None,
    guaranteed: bool = False,
    heard: bool = False,
    skip_trained: bool = False,
    on_condition: Callable[[str], None] = lambda note: None,
    project: "Project | None" = None,
) -> Evaluated:
    """Score a registered model on any corpus: groups, calibration, coverage; logged as a run of the version.

    On the model's own corpus, or corpora of its union, each fold network predicts its own test speakers. MODEL may also
    be a nested study, which is evaluated on its own corpus: each search predicts the speakers that it did not use.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        corpus: Corpus, of `ser-tune corpus list`, or manifest; several are a union. Repeatable.
        data: The corpus's folder; for manifest, its CSV file.
        task: One of the corpus's tasks, of `ser-tune corpus list`; default: its first.
        table: The table that maps the emotions of several corpora to classes, as of studies.
        mapping: Count an emotion, or dimension, of the corpus as a class, or dimension, of the model; nothing after =
            leaves it out. Repeatable.
        by: Score groups by text, style, session, or a manifest's meta_COLUMN, beside speaker, gender and duration;
            repeatable.
        calibrate: Fit a temperature of class probabilities on the model's validation predictions.
        stress: Score again with noise, rooms, telephone, codecs, clipping, lower level.
        error_rate: Measure the error rate of prediction sets that are stated to have the error rate R, by group.
        guaranteed: Of the larger sets for which R is a bound.
        heard: Score a model that adapts to speakers after 0, 1, 3, 10, 30 and all other utterances of each speaker.
        skip_trained: Leave recordings out that the model was trained on.
        on_condition: Receives each condition of `stress`, and each number of `heard`, before it is scored.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model or corpus, labels cannot be mapped, or the model was trained on recordings.
    """
    project = located(project)
    refuse_unknown_model(model, project, or_study=True)
    workspace = tracking.open_delivered(project)
    judged = corpus_settings(corpus, data=data, task=task, mapping=table)
    setup = results.set_up_evaluation(workspace, model, corpus=judged, mapping=mapping, skip_trained=skip_trained)
    groups = results.groups_of(setup.utterances, by)  # mistakes show before the predictions
    temperature = results.temperature_of(workspace, setup) if calibrate else None
    outputs, sets, stated = setup.networks.outputs(), None, error_rate
    if stated is not None:
        sets = results.measure_sets(workspace, setup, outputs, error_rate=stated, guaranteed=guaranteed, groups=groups)
    evaluation = results.score_evaluation(setup, outputs, groups=groups, temperature=temperature)
    stressed = list(results.stress(evaluation, on_condition=on_condition)) if stress else []
    by_heard = results.score_by_heard(evaluation, on_heard=on_condition) if heard else []
    run_id = results.log_evaluation(workspace, evaluation, stressed, sets, by_heard)
    return Evaluated(evaluation, stressed, run_id, sets, by_heard)


def matrix(
    models: Annotated[Sequence[str], Argument(option="--models", metavar="MODEL", completes="model")],
    corpora: Annotated[Mapping[str, JudgedCorpus], Argument(option="--corpora", metavar="NAME[:TASK][=DATA]")],
    *,
    skip_trained: bool = False,
    project: "Project | None" = None,
    on_cell: Callable[[str, str], None] = lambda model, corpus: None,
) -> "Sequence[Cell]":
    """Evaluate every model on every corpus: train on A, test on B. Each evaluation is logged as by `evaluate`.

    Args:
        models: A registered model; repeat for more.
        corpora: A corpus, its task, and its folder or CSV; repeatable.
        skip_trained: Leave recordings out that the model was trained on.
        project: Where things are; None is `Project.locate()`.
        on_cell: Receives model and corpus before each evaluation.

    Returns:
        A cell for each pair, model after model. It has a reason in place of an evaluation where labels cannot be mapped
        or the model was trained on recordings.

    Raises:
        SerTuneError: A model or a corpus does not exist.
    """
    project, cells = located(project), []
    for model in models:
        refuse_unknown_model(model, project, or_study=True)
    for model in models:
        for name, judged in corpora.items():
            on_cell(model, name)
            try:
                found = evaluate(
                    model,
                    corpus=judged.corpus,
                    data=judged.data,
                    task=judged.task,
                    table=judged.table,
                    mapping=judged.mapping,
                    skip_trained=skip_trained,
                    project=project,
                )
            except (MappingError, LeakError) as error:
                cells.append(results.Cell(model, name, None, "", str(error)))
            else:
                cells.append(results.Cell(model, name, found.evaluation, found.run_id))
    return cells
