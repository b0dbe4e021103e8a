"""The commands: what they are called, what they take, and which room does the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .audit import app as audit_app
from .completion import complete_study
from .corpus import app as corpus_app
from .exit_codes import EXIT_CODES
from .hosting import app as hosting_app
from .judging import app as judging_app
from .parameters import (
    AsName,
    CorpusName,
    Data,
    ExecutorName,
    Features,
    Folds,
    Holdout,
    Json,
    Model,
    Name,
    Parallel,
    PrunerName,
    RayAddress,
    Refit,
    RegisteredModel,
    Rule,
    SamplerName,
    Set,
    Storage,
    StudyFile,
    StudyName,
    Task,
    TextIndependent,
    TrackingUri,
    Workers,
    shared_flags,
)
from .predicting import app as predicting_app

if TYPE_CHECKING:
    from ..api import ConfigurationFlags, StudyFlags

__all__ = ["app"]

app = typer.Typer(
    help="Experiment manager for speech emotion recognition: Optuna studies, tracked in MLflow, champions by name.",
    epilog=f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in EXIT_CODES.items())}.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(corpus_app, name="corpus")
app.add_typer(judging_app)
app.add_typer(predicting_app)
app.add_typer(hosting_app)
app.add_typer(audit_app)


@app.command()
def study(
    file: StudyFile = None,
    model: Model = None,
    corpus: CorpusName = None,
    data: Data = None,
    task: Task = None,
    features: Features = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Trials of the study in total; again resumes. Default 50.")
    ] = None,
    name: Name = None,
    workers: Workers = None,
    per_gpu: Annotated[
        int | None, typer.Option("--per-gpu", metavar="K", help="Workers that share a GPU; default 1.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Start no new trial after so many seconds.", show_default=False)
    ] = None,
    max_failures: Annotated[
        str | None,
        typer.Option(
            "--max-failures", metavar="N", help="End where N trials in a row failed (default: 5); none: never."
        ),
    ] = None,
    stop_when_converged: Annotated[
        bool, typer.Option("--stop-when-converged", help="End the search where little is left to gain.")
    ] = False,
    sampler: SamplerName = None,
    pruner: PrunerName = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-start",
            metavar="STUDY",
            help="Train the five best trials of this study of the same protocol first; repeatable.",
            show_default=False,
        ),
    ] = None,
    keep_models: Annotated[
        str | None,
        typer.Option("--keep-models", help="Keep the models of the best N trials; default: all.", show_default=False),
    ] = None,
    holdout: Holdout = None,
    folds: Folds = None,
    text_independent: TextIndependent = False,
    nested: Annotated[
        bool, typer.Option("--nested", help="Search once for each test fold, which the search never sees.")
    ] = False,
    rule: Rule = None,
    parallel: Parallel = None,
    executor: ExecutorName = None,
    ray_address: RayAddress = None,
    assignments: Set = None,
    refit: Refit = False,
    json: Json = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Search for the best configuration of an architecture, and promote it.

    Every trial trains one network for each speaker fold; its score is that of all validation utterances pooled, UAR
    unless study.objectives has another metric. The best trial's networks are scored once on the test speakers and
    registered as ser-CORPUS-MODEL.
    """
    from .running import show_nested, show_study

    flags: StudyFlags = {
        **shared_flags(model, corpus=corpus, data=data, task=task, features=features, holdout=holdout),
        "name": name,
        "folds": folds,
        "text_independent": text_independent,
        "rule": rule,
        "workers": workers,
        "parallel": parallel,
        "executor": executor,
        "ray_address": ray_address,
        "trials": trials,
        "per_gpu": per_gpu,
        "timeout": timeout,
        "max_failures": max_failures,
        "stop_when_converged": stop_when_converged,
        "sampler": sampler,
        "pruner": pruner,
        "warm_start": warm_start,
        "keep_models": keep_models,
    }
    if nested:
        if refit or rule:
            raise typer.BadParameter("--nested registers nothing, so --refit and --rule mean nothing with it")
        show_nested(file, flags, assignments or [], as_json=json, tracking_uri=tracking_uri, storage=storage)
    else:
        show_study(
            file, flags, assignments or [], refit=refit, as_json=json, tracking_uri=tracking_uri, storage=storage
        )


@app.command()
def worker(name: StudyName, data: Data = None, tracking_uri: TrackingUri = None, storage: Storage = None) -> None:
    """Work on a study that was started elsewhere, until it has all of its trials; promotes nothing.

    Everything but the corpus's folder is taken from the study. Another corpus or version of ser-tune is refused.
    """
    from .running import join_study

    join_study(name, data=data, tracking_uri=tracking_uri, storage=storage)


@app.command()
def train(
    file: StudyFile = None,
    model: Model = None,
    corpus: CorpusName = None,
    data: Data = None,
    task: Task = None,
    features: Features = None,
    name: Name = None,
    holdout: Holdout = None,
    folds: Folds = None,
    text_independent: TextIndependent = False,
    rule: Rule = None,
    workers: Workers = None,
    parallel: Parallel = None,
    executor: ExecutorName = None,
    ray_address: RayAddress = None,
    assignments: Set = None,
    refit: Refit = False,
    json: Json = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train one configuration over all folds, without a search, and promote it."""
    from .running import show_training

    flags: ConfigurationFlags = {
        **shared_flags(model, corpus=corpus, data=data, task=task, features=features, holdout=holdout),
        "name": name,
        "folds": folds,
        "text_independent": text_independent,
        "rule": rule,
        "workers": workers,
        "parallel": parallel,
        "executor": executor,
        "ray_address": ray_address,
    }
    show_training(file, flags, assignments or [], refit=refit, as_json=json, tracking_uri=tracking_uri, storage=storage)


@app.command()
def find_lr(
    file: StudyFile = None,
    model: Model = None,
    corpus: CorpusName = None,
    data: Data = None,
    task: Task = None,
    features: Features = None,
    holdout: Holdout = None,
    assignments: Set = None,
    picture: Annotated[Path, typer.Option("--picture", help="Where to draw the loss over the rate.")] = Path(
        "learning-rate.png"
    ),
) -> None:
    """Suggest a learning rate: train while it rises from 1e-6 to 1, and see where the loss falls.

    Learning-rate range test (Smith 2015, arXiv 1506.01186) on the training speakers of the first fold,
    for an epoch, or several of a small corpus until 100 steps.
    """
    from .rates import find_rate

    flags = shared_flags(model, corpus=corpus, data=data, task=task, features=features, holdout=holdout)
    find_rate(file, flags, assignments or [], picture=picture)


@app.command()
def extract(
    out: Annotated[Path, typer.Option("--out", help="File to write, .npz or .pkl.", show_default=False)],
    corpus: CorpusName = None,
    data: Data = None,
    features: Annotated[str, typer.Option("--features", help="Feature set.")] = "logmelspec",
    assignments: Set = None,
) -> None:
    """Export a corpus's segments, for each speaker, for use elsewhere.

    A dictionary of speaker to (segments (N, C, F, T), utterance labels, segment labels, segments per utterance).
    """
    from .data import export

    export(out, corpus=corpus or "demo", data=data, features=features, assignments=assignments or [])


@app.command()
def promote(
    name: StudyName,
    trial: Annotated[
        int | None, typer.Option("--trial", help="Which trial; default: the best.", show_default=False)
    ] = None,
    as_name: AsName = None,
    rule: Rule = None,
    refit: Refit = False,
    data: Data = None,
    json: Json = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Register a trial of a study, the best unless told otherwise."""
    from .running import promote_trial

    promote_trial(
        name,
        trial=trial,
        as_name=as_name,
        refit=refit,
        rule=rule,
        data=data,
        as_json=json,
        tracking_uri=tracking_uri,
        storage=storage,
    )


@app.command()
def models(json: Json = False, tracking_uri: TrackingUri = None) -> None:
    """List registered models: versions, aliases, scores, corpus."""
    from .data import list_models

    list_models(as_json=json, tracking_uri=tracking_uri)


@app.command("export")
def export_model(
    model: RegisteredModel,
    form: Annotated[str, typer.Option("--format", help="onnx, torchscript, safetensors or hub.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; default: NAME-VERSION-FORMAT.", show_default=False)
    ] = None,
    recordings: Annotated[
        list[Path] | None,
        typer.Option(
            "--recording",
            metavar="AUDIO",
            help="Check on this file; repeatable. Default: eight recordings of the model's corpus.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Write a registered model as a folder that runs without MLflow and ser-tune, with a script and a Dockerfile.

    onnx and torchscript contain everything from 16 kHz samples to probabilities; safetensors and hub are weights, and
    the code that runs them. The folder appears only if all its probabilities are within 1e-4 of predict's. Nothing is
    uploaded.
    """
    from .export import export_model as run

    run(model, form=form, out=out, recordings=recordings or [], as_json=json, tracking_uri=tracking_uri)


@app.command()
def doctor(json: Json = False) -> None:
    """Look at versions, device and precision, disk, stores, extras, plug-ins, checkpoints, and train for two seconds.

    Prints what is wrong and what to do about it; ends with 1 where something is wrong.
    """
    from .doctor import show_findings

    show_findings(as_json=json)


@app.command()
def options(model: Model = None, json: Json = False) -> None:
    """List every setting: path, type, bounds, default, search range, help."""
    from .settings import list_options

    list_options(model, as_json=json)


@app.command()
def status(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]",
            help="One study, in detail; default: all.",
            autocompletion=complete_study,
            show_default=False,
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Every two seconds, until all trials ended.")] = False,
    json: Json = False,
    storage: Storage = None,
) -> None:
    """Show how far studies are: trials by state, running trials, failures, estimated end, what waits for MLflow.

    Reads Optuna's database and the outbox; MLflow is not asked.
    """
    from .status import show_status

    if watch and json:
        raise typer.BadParameter("pass --watch or --json, not both")
    show_status(name, watch=watch, as_json=json, storage=storage)


@app.command()
def sync(
    restore: Annotated[
        str | None,
        typer.Option(
            "--restore",
            metavar="STUDY",
            help="First restore the runs of this study that were deleted in MLflow's pages.",
            show_default=False,
        ),
    ] = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Deliver to MLflow the trials that wait in the outbox, because its server was away when they ended.

    A study does so while it runs, and so does every command that reads its trials. Runs that killed commands left
    RUNNING in MLflow are closed.
    """
    from .data import deliver

    deliver(restore=restore, tracking_uri=tracking_uri)
