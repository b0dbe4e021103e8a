"""`ablate`, `combine`, `confirm`, `replay` and `reproduce`: trainings that test what a study found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Unpack

from .. import coordination, experiments, protocol, results, search, tracking
from ..errors import ConfigError, SerTuneError
from ..stored_names import refuse_unknown_result, refuse_unknown_study
from .arguments import Argument, AsName, Data, Rule, Settings, StudyFile, StudyName, located, path_or_none
from .configuration import define
from .studies import watching

if TYPE_CHECKING:
    from ..experiments import Ablated, Combination, Confirmation, Replay, Reproduction
    from ..project import Project
    from ..search import StudyObserver
    from ..training import EpochReport
    from .configuration import ConfigurationFlags

__all__ = ["ablate", "combine", "confirm", "replay", "reproduce"]


def confirm(
    name: StudyName,
    *,
    top: Annotated[int, Argument(minimum=1)] = 3,
    seeds: Annotated[int, Argument(minimum=2)] = 5,
    as_name: AsName = None,
    data: Data = None,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
) -> "Confirmation":
    """Train a study's best trials again on fresh seeds, and promote by lower confidence bound.

    The best of many trials is optimistic. Fresh seeds remove the luck of the seed, not the choice among configurations
    on the same speakers; the corrected score is without both. The same command resumes.

    Args:
        name: The study's name.
        top: How many of its best trials.
        seeds: How often each is trained again.
        as_name: Registered name; default: ser-CORPUS-MODEL.
        data: The corpus's folder, or manifest's CSV file; default: as in the study.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event of the trainings, in addition to MLflow.

    Raises:
        SerTuneError: There are fewer complete trials, the model is solved and has no random numbers, or a training
            failed.
        KeyboardInterrupt: The training was interrupted; the same call continues.
    """
    project = located(project)
    refuse_unknown_study(name, project)
    study, definition = coordination.load_study(name, project)
    prepared = protocol.prepare(definition.with_data(path_or_none(data)), project)
    prepared.refuse_other_protocol(study)
    workspace = tracking.open_delivered(project)
    with watching(workspace, observer) as watcher:
        return experiments.confirm(workspace, study, prepared, watcher, top=top, seeds=seeds, name=as_name)


def combine(
    references: Annotated[Sequence[str], Argument(metavar="RESULT", completes="result")],
    *,
    top: Annotated[int, Argument(minimum=1)] = 1,
    as_name: AsName = None,
    rule: Rule = None,
    data: Data = None,
    project: "Project | None" = None,
) -> "Combination":
    """Average the predictions of trials of different configurations, and register them as one model.

    They share a protocol. A study without a trial's number is its best configuration, with all seeds of it. Choose
    members by validation score: test speakers are scored for the combination alone.

    Args:
        references: A registered model, a study (or STUDY:TRIAL), a run; two or more.
        top: Of a study, so many of its best configurations.
        as_name: Registered name; default: ser-CORPUS-MODEL.
        rule: When to make champion: better (default), confident (p < 0.05, corrected for the searched trials), robust
            (loses no more than the champion in noise and other worse recordings), gated (passes the tests of
            study.tests) or always.
        data: The corpus's folder, or manifest's CSV file; default: as in the members.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There are not two different trials, or their protocols differ.
    """
    project = located(project)
    for reference in references:
        refuse_unknown_result(reference, project)
    workspace = tracking.open_delivered(project)
    return experiments.combine(workspace, references, top=top, data=path_or_none(data), name=as_name, rule=rule)


def reproduce(
    label: Annotated[str, Argument(metavar="NAME")],
    *,
    data: Data = None,
    seeds: Annotated[int, Argument(minimum=1)] = 5,
    margin: float = 0.03,
    settings: Settings = None,
    name: str | None = None,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
) -> "Reproduction":
    """Train a published configuration under its protocol, and compare with the published number.

    Reproduced: the 90 % interval of our UAR lies within the margin of the published one (two one-sided tests). Not
    reproduced: the 95 % interval lies wholly outside it. Else undecided. Pooled is compared with pooled, a fold mean
    with a fold mean. The study files are studies/published/NAME.yaml. The same command resumes.

    Args:
        label: chen2018, zhang2019, ntu-ser or fcn-gap.
        data: The corpus's folder; for manifest, its CSV file.
        seeds: Trainings that differ by their seed alone.
        margin: Difference from the published UAR, as a fraction, that is the same for practical purposes.
        settings: Fix any setting of `ser-tune options`; repeatable.
        name: The study's name; default: the study file's.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event of the trainings, in addition to MLflow.

    Raises:
        SerTuneError: There is no such published result, or a training failed.
        KeyboardInterrupt: The training was interrupted; the same call continues.
    """
    from ..config import Role  # pydantic

    project = located(project)
    published, file = results.published_study(label, project)
    flags: dict[str, object] = {"corpus.data": data, "study.trials": seeds, "name": name}
    definition = search.define_study(file, flags=flags, settings=settings or {})
    changed = definition.differences(search.define_study(file, flags=flags), but=Role.CIRCUMSTANCE)
    prepared = protocol.prepare(definition, project)
    workspace = tracking.Workspace(project)
    with watching(workspace, observer) as watcher:
        return experiments.reproduce(workspace, prepared, published, watcher, margin=margin, changed=changed)


def replay(
    reference: Annotated[str, Argument(metavar="RUN", completes="result")],
    *,
    data: Data = None,
    project: "Project | None" = None,
    on_epoch: "Callable[[int, EpochReport], None]" = lambda fold, report: None,
) -> "Replay":
    """Train a trial again from what MLflow holds, and compare every number; exit code 1 where a number differs.

    Args:
        reference: A run, STUDY:TRIAL or a registered model.
        data: The corpus's folder, or manifest's CSV file; default: as in the run.
        project: Where things are; None is `Project.locate()`.
        on_epoch: Receives the fold's number and the report of every epoch.

    Raises:
        SerTuneError: The run does not exist or does not hold what it takes.
    """
    project = located(project)
    refuse_unknown_result(reference, project)
    workspace = tracking.open_delivered(project)
    with workspace.errors():
        run = results.find_run(workspace, reference)
        return experiments.replay(workspace, run, data=path_or_none(data), on_epoch=on_epoch)


def ablate(
    file: StudyFile = None,
    *,
    changes: Annotated[
        Mapping[str, Mapping[str, object]] | None, Argument(option="--change", metavar="PATH=VALUE[,PATH=VALUE...]")
    ] = None,
    seeds: Annotated[int, Argument(minimum=1)] = 2,
    settings: Settings = None,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
    **flags: "Unpack[ConfigurationFlags]",
) -> "Iterator[Ablated | SerTuneError]":
    """Train a configuration with and without each change: differences of the validation score, by speaker.

    Test speakers are not scored, and nothing is registered. The same command resumes.

    Args:
        file: A study file, YAML; options win over it.
        changes: What to change; repeat for more changes, each by itself.
        seeds: Trainings of each that differ by their seed alone.
        settings: Fix any setting of `ser-tune options`; repeatable.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event, in addition to MLflow.
        flags: Settings by their short names.

    Returns:
        The unchanged configuration and each change, when it is trained; in place of a change that fails, the error.

    Raises:
        SerTuneError: A setting is wrong, or the unchanged configuration cannot be trained.
        KeyboardInterrupt: It was interrupted; the same call continues.
    """
    if not changes:
        raise ConfigError("nothing to change; pass --change PATH=VALUE, such as augmentation.mixup=true")
    project = located(project)
    unchanged = define(file, flags, settings)
    name = f"{unchanged.name}-ablate"  # no study or training of the configuration itself
    definitions = [experiments.variant(unchanged, name, seeds)]
    for change, changed in changes.items():
        definition = define(file, flags, {**(settings or {}), **changed}, option="--change")
        definitions.append(experiments.variant(definition, f"{name} {change}", seeds))
    # All are prepared first, so that a mistake shows before training
    studies = [protocol.prepare(definition, project) for definition in definitions]
    workspace = tracking.Workspace(project)
    return experiments.ablate(workspace, studies, partial(watching, workspace, observer))
