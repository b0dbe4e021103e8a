"""`confirm`, `compare`, `combine`, `leaderboard`, `report`, `reproduce`, `replay`, `ablate`: what results are worth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

from .. import experiments, results
from .. import report as reports
from ..config import Project, Role
from ..coordination import load_study
from ..errors import SerTuneError
from ..experiments import Ablated, Combination, Confirmation, Replay, Reproduction
from ..protocol import prepare
from ..report import Report
from ..results import Comparison, Leaderboard
from ..search import StudyObserver, define_study
from ..tracking import Workspace, open_delivered
from ..training import EpochReport
from .flags import ConfigurationFlags, define
from .studies import watching

__all__ = ["ablate", "combine", "compare", "confirm", "leaderboard", "log_pictures", "replay", "report", "reproduce"]


def confirm(
    name: str,
    *,
    top: int = 3,
    seeds: int = 5,
    as_name: str | None = None,
    data: str | Path | None = None,
    project: Project | None = None,
    observer: StudyObserver | None = None,
) -> Confirmation:
    """Train a study's best trials again on fresh seeds, and promote by the lower confidence bound.

    Args:
        name: The study's.
        top: How many of its best trials.
        seeds: How often each is trained.
        as_name: What to register; None is `ser-<corpus>-<model>`.
        data: Where the corpus is now; None is where it was.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event of the trainings, in addition to MLflow.

    Raises:
        SerTuneError: There are fewer complete trials, the model is solved and has no random numbers, or a training
            failed.
        KeyboardInterrupt: The training was interrupted; the same call goes on from there.
    """
    project = project or Project.locate()
    study, definition = load_study(name, project)
    prepared = prepare(definition.with_data(_path(data)), project)
    prepared.refuse_other_protocol(study)
    workspace = open_delivered(project)
    with watching(workspace, observer) as watcher:
        return experiments.confirm(workspace, study, prepared, watcher, top=top, seeds=seeds, name=as_name)


def compare(first: str, second: str, *, side: str = "validation", project: Project | None = None) -> Comparison:
    """Compare two results of one protocol, paired by speaker; of a configuration on several seeds the mean.

    Args:
        first: A registered model, a study (or `STUDY:TRIAL`), or a run; result A.
        second: Result B.
        side: `validation`, `test` or `holdout` speakers.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: Their protocols differ, or one does not exist or has no predictions of that side.
    """
    return results.compare(open_delivered(project or Project.locate()), first, second, side)


def combine(
    references: Sequence[str],
    *,
    top: int = 1,
    as_name: str | None = None,
    rule: str | None = None,
    data: str | Path | None = None,
    project: Project | None = None,
) -> Combination:
    """Average the probabilities of trials of one protocol, and register them as one model.

    Args:
        references: Registered models, studies (or `STUDY:TRIAL`) or runs.
        top: Of a study, its so many best configurations, each with all its seeds.
        as_name: What to register it as.
        rule: When it becomes champion.
        data: Where the corpus is now; None is where it was.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There are not two different trials, or their protocols differ.
    """
    project = project or Project.locate()
    workspace = open_delivered(project)
    return experiments.combine(workspace, references, top=top, data=_path(data), name=as_name, rule=rule)


def leaderboard(corpus: str | None = None, *, project: Project | None = None) -> Leaderboard:
    """The best result for each corpus, task, model and features, beside the published ones.

    A configuration on several seeds is one result, its mean.

    Args:
        corpus: Only this one; None is all that have results.
        project: Where things are; None is `Project.locate()`.
    """
    return results.leaderboard(open_delivered(project or Project.locate()), corpus)


def report(
    reference: str,
    *,
    data: str | Path | None = None,
    with_audio: bool = True,
    project: Project | None = None,
) -> Report:
    """Collect the evidence of a result: `html` is its page, `trials` a DataFrame, `latex` and `bibtex` are for a paper.

    Args:
        reference: A study (its best trial, or `STUDY:TRIAL`), a registered model or a run.
        data: Where the corpus is now; None is where it was.
        with_audio: Whether the page contains the sound of the utterances that are wrong most often.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such result, or its trial did not complete.
    """
    project = project or Project.locate()
    return reports.report(open_delivered(project), reference, data=_path(data), with_audio=with_audio)


def log_pictures(report: Report, *, project: Project | None = None) -> None:
    """Store a report's pictures in MLflow, as artifacts of its run in the folder `report`.

    Args:
        report: What `report` returned.
        project: Where things are; None is `Project.locate()`.

    Raises:
        StorageError: The tracking store fails.
    """
    reports.log_pictures(open_delivered(project or Project.locate()), report)


def reproduce(
    label: str,
    *,
    data: str | Path | None = None,
    seeds: int = 5,
    margin: float = experiments.MARGIN,
    settings: Mapping[str, object] | None = None,
    name: str | None = None,
    project: Project | None = None,
    observer: StudyObserver | None = None,
) -> Reproduction:
    """Train a published configuration on several seeds, and compare with the published number.

    Args:
        label: Such as `chen2018`.
        data: The corpus.
        seeds: Trainings that differ by their seed alone.
        margin: How far from the published UAR is the same for practical purposes, as a fraction.
        settings: Dotted path to value; they win over the study file.
        name: The study's; None is the file's.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event of the trainings, in addition to MLflow.

    Raises:
        SerTuneError: There is no such published result, or a training failed.
        KeyboardInterrupt: The training was interrupted; the same call goes on from there.
    """
    project = project or Project.locate()
    published, file = results.published_study(label, project)
    flags: dict[str, object] = {"corpus.data": data, "study.trials": seeds, "name": name}
    definition = define_study(file, flags=flags, settings=settings or {})
    changed = definition.differences(define_study(file, flags=flags), but=Role.CIRCUMSTANCE)
    prepared = prepare(definition, project)
    workspace = Workspace(project)
    with watching(workspace, observer) as watcher:
        return experiments.reproduce(workspace, prepared, published, watcher, margin=margin, changed=changed)


def replay(
    reference: str,
    *,
    data: str | Path | None = None,
    project: Project | None = None,
    on_epoch: Callable[[int, EpochReport], None] = lambda fold, report: None,
) -> Replay:
    """Train a trial again from what MLflow holds, and compare every number.

    Args:
        reference: A run, `STUDY:TRIAL` or a registered model.
        data: Where the corpus is now; None is where it was.
        project: Where things are; None is `Project.locate()`.
        on_epoch: Is told after every epoch, with the fold's number.

    Raises:
        SerTuneError: The run does not exist or does not hold what it takes.
    """
    project = project or Project.locate()
    workspace = open_delivered(project)
    with workspace.errors():
        run = results.find_run(workspace, reference)
        return experiments.replay(workspace, run, data=_path(data), on_epoch=on_epoch)


def ablate(
    file: str | Path | None = None,
    *,
    changes: Mapping[str, Mapping[str, object]],
    seeds: int = 2,
    settings: Mapping[str, object] | None = None,
    project: Project | None = None,
    observer: StudyObserver | None = None,
    **flags: Unpack[ConfigurationFlags],
) -> Iterator[Ablated | SerTuneError]:
    """Train a configuration with and without each change. Test speakers are not scored, and nothing is registered.

    Args:
        file: A study file.
        changes: What each is called, and its settings: dotted path to value.
        seeds: Trainings of each that differ by their seed alone.
        settings: Dotted path to value, of all.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event, in addition to MLflow.
        flags: As on the command line.

    Returns:
        The unchanged configuration and each change, when it is trained; in place of a change that fails, why.

    Raises:
        SerTuneError: A setting is wrong, or the unchanged configuration cannot be trained.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    project = project or Project.locate()
    unchanged = define(file, flags, settings)
    name = f"{unchanged.name}-ablate"  # no study or training of the configuration itself
    definitions = [experiments.variant(unchanged, name, seeds)]
    for change, changed in changes.items():
        definition = define(file, flags, {**(settings or {}), **changed}, option="--change")
        definitions.append(experiments.variant(definition, f"{name} {change}", seeds))
    studies = [prepare(one, project) for one in definitions]  # all of them, so that a mistake shows before training
    workspace = Workspace(project)
    return experiments.ablate(workspace, studies, partial(watching, workspace, observer))


def _path(data: str | Path | None) -> Path | None:
    return None if data is None else Path(data)
