"""`models`, `promote`, `export` and `serve`: registered models."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .. import coordination, protocol, registry, search, serving, tracking
from .. import export as exports
from ..errors import RegistryError
from ..stored_names import refuse_unknown_model, refuse_unknown_study
from .arguments import Argument, AsName, Data, ErrorRate, RegisteredModel, Rule, StudyName, located, path_or_none

if TYPE_CHECKING:
    from ..export import Exported
    from ..project import Project
    from ..registry import Promotion, RegisteredVersion
    from ..serving import Limits

__all__ = ["export", "models", "promote", "serve"]


def models(*, project: "Project | None" = None) -> "Sequence[RegisteredVersion]":
    """List registered models: versions, aliases, scores, corpus.

    Returns:
        Every version of every model, by name and then newest first.
    """
    return registry.listed_versions(located(project))


def promote(
    name: StudyName,
    *,
    trial: int | None = None,
    prefer: Annotated[str | None, Argument(metavar="OBJECTIVE")] = None,
    as_name: AsName = None,
    rule: Rule = None,
    refit: bool = False,
    data: Data = None,
    project: "Project | None" = None,
) -> "Promotion":
    """Register a trial of a study, the best by its first objective unless told otherwise.

    Args:
        name: The study's name.
        trial: Which trial; default: the best.
        prefer: Of a study with several objectives, the trial of the Pareto front that is best by this one; of equal
            trials the best by the first objective.
        as_name: Registered name; default: ser-CORPUS-MODEL.
        rule: When to make champion: better, confident (p < 0.05, corrected for the searched trials), robust (loses no
            more than the champion in noise and other worse recordings), gated (passes the tests of study.tests) or
            always; default: the study's, which is better unless it was set.
        refit: Register one network trained on all speakers, not the folds'.
        data: The corpus's folder, or manifest's CSV file; default: as in the study.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such study or trial, its model was not kept, or the corpus is another now.
    """
    project = located(project)
    refuse_unknown_study(name, project)
    study, definition = coordination.load_study(name, project)
    prepared = protocol.prepare(definition.with_data(path_or_none(data)), project)
    prepared.refuse_other_protocol(study)
    if prefer is not None:
        if trial is not None:
            raise RegistryError(f"--trial {trial} and --prefer {prefer} exclude each other; pass one of them")
        trial = search.preferred_trial(study, prefer)
    workspace = tracking.Workspace(project)
    return registry.promote(workspace, prepared, study, trial=trial, name=as_name, with_refit=refit, rule=rule)


def export(
    model: RegisteredModel,
    *,
    format: str,  # noqa: A002 - as the option is called
    out: Data = None,
    recordings: Annotated[Sequence[Path | str], Argument(option="--recording", metavar="AUDIO")] = (),
    project: "Project | None" = None,
) -> "Exported":
    """Write a registered model as a folder that runs without MLflow and ser-tune, with a script and a Dockerfile.

    onnx and torchscript contain everything from 16 kHz samples to probabilities or ratings; safetensors and hub are
    weights, and the code that runs them. The folder appears only if all its numbers are within 1e-4 of predict's
    (ratings: of the largest). Nothing is uploaded.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        format: onnx, torchscript, safetensors or hub.
        out: Folder to make; default: NAME-VERSION-FORMAT.
        recordings: Check on this file; repeatable. Default: eight recordings of the model's corpus.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model, it cannot be written in this format, the folder exists, or a number
            differs by more than 1e-4.
    """
    project = located(project)
    refuse_unknown_model(model, project)
    workspace = tracking.open_delivered(project)
    checked = [Path(recording) for recording in recordings]
    return exports.export(workspace, model, form=format, out=path_or_none(out), recordings=checked)


def serve(
    model: RegisteredModel,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Argument(minimum=0, maximum=65535)] = 5001,
    allow_paths: Annotated[Sequence[Path | str], Argument(metavar="DIR")] = (),
    allow_hosts: Annotated[Sequence[str], Argument(option="--allow-host", metavar="NAME")] = (),
    error_rate: ErrorRate = None,
    limits: "Limits | None" = None,
    started: Callable[[str], None] = lambda address: None,
    project: "Project | None" = None,
) -> None:
    """Answer HTTP requests for predictions with a registered model, until Ctrl-C.

    In the form of MLflow's scoring server, with audio as base64 text of a sound file or as a waveform.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        host: Address to listen on.
        port: Port to listen on; 0: a free one.
        allow_paths: Requests may name sound files of this machine below DIR; repeatable. Default: none.
        allow_hosts: Requests may use NAME for this server, beside localhost and its address; repeatable; '*': any name.
        error_rate: Answer with prediction sets too, as predict does.
        limits: What a request may contain; None is the default.
        started: Receives the server's address once the model is loaded.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model, its files are gone, or the port is taken.
        KeyboardInterrupt: The server was ended.
    """
    project = located(project)
    refuse_unknown_model(model, project)
    workspace = tracking.Workspace(project)
    with workspace.errors():
        found = registry.find_version(workspace, model)
    try:
        with tracking.model_errors():
            folder = registry.version_folder(found)
            sets = None if error_rate is None else tracking.prediction_sets_of(folder).at(error_rate)
            allowed = [Path(path) for path in allow_paths]
            server = serving.Server(
                str(folder),
                host=host,
                port=port,
                allowed=allowed,
                allow_hosts=allow_hosts,
                limits=limits,
                sets=sets,
            )
    except ModuleNotFoundError as error:
        raise RegistryError(str(error)) from None
    started(server.address)
    server.run()
