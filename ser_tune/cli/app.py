"""The commands: what they are called, what they take, and which room does the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .corpus import app as corpus_app
from .parameters import (
    ROW_FORMS,
    TABLE_FORMS,
    AsName,
    CorpusName,
    Data,
    Features,
    FirstResult,
    Holdout,
    Json,
    Model,
    Name,
    Refit,
    RegisteredModel,
    Results,
    RowForm,
    Rule,
    SecondResult,
    Set,
    Storage,
    StudyFile,
    StudyName,
    TableForm,
    Task,
    TextIndependent,
    TrackingUri,
    refuse_other_form,
    shared_flags,
)

if TYPE_CHECKING:
    from ..api import ConfigurationFlags, StudyFlags

__all__ = ["app"]

app = typer.Typer(
    help="Experiment manager for speech emotion recognition: Optuna studies, tracked in MLflow, champions by name.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(corpus_app, name="corpus")


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
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Start no new trial after so many seconds.", show_default=False)
    ] = None,
    sampler: Annotated[
        str | None, typer.Option("--sampler", help="tpe (default), random, qmc or gp.", show_default=False)
    ] = None,
    pruner: Annotated[
        str | None, typer.Option("--pruner", help="racing (default) or none.", show_default=False)
    ] = None,
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
    text_independent: TextIndependent = False,
    nested: Annotated[
        bool, typer.Option("--nested", help="Search once for each test fold, which the search never sees.")
    ] = False,
    rule: Rule = None,
    assignments: Set = None,
    refit: Refit = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Search for the best configuration of an architecture, and promote it.

    Every trial trains one network for each speaker fold; its score is the pooled validation UAR. The best trial's
    networks are scored once on the test speakers and registered as ser-CORPUS-MODEL.
    """
    from .running import show_nested, show_study

    flags: StudyFlags = {
        **shared_flags(model, corpus=corpus, data=data, task=task, features=features, holdout=holdout),
        "name": name,
        "text_independent": text_independent,
        "rule": rule,
        "trials": trials,
        "timeout": timeout,
        "sampler": sampler,
        "pruner": pruner,
        "warm_start": warm_start,
        "keep_models": keep_models,
    }
    if nested:
        if refit or rule:
            raise typer.BadParameter("--nested registers nothing, so --refit and --rule mean nothing with it")
        show_nested(file, flags, assignments or [], tracking_uri=tracking_uri, storage=storage)
    else:
        show_study(file, flags, assignments or [], refit=refit, tracking_uri=tracking_uri, storage=storage)


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
    text_independent: TextIndependent = False,
    rule: Rule = None,
    assignments: Set = None,
    refit: Refit = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train one configuration over all folds, without a search, and promote it."""
    from .running import show_training

    flags: ConfigurationFlags = {
        **shared_flags(model, corpus=corpus, data=data, task=task, features=features, holdout=holdout),
        "name": name,
        "text_independent": text_independent,
        "rule": rule,
    }
    show_training(file, flags, assignments or [], refit=refit, tracking_uri=tracking_uri, storage=storage)


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
def ablate(
    file: StudyFile = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--change",
            metavar="PATH=VALUE[,PATH=VALUE...]",
            help="What to change; repeat for more changes, each by itself.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Trainings of each that differ by their seed alone.", min=1)
    ] = 2,
    model: Model = None,
    corpus: CorpusName = None,
    data: Data = None,
    task: Task = None,
    features: Features = None,
    name: Name = None,
    assignments: Set = None,
    form: TableForm = "table",
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train a configuration with and without each change: differences of validation UAR, paired by speaker.

    Test speakers are not scored, and nothing is registered. The same command resumes.
    """
    from .ablation import run_ablation

    if not changes:
        raise typer.BadParameter("nothing to change; pass --change PATH=VALUE, such as augmentation.mixup=true")
    refuse_other_form(form, TABLE_FORMS)
    flags = shared_flags(model, corpus=corpus, data=data, task=task, features=features)
    flags["name"] = name
    run_ablation(
        file,
        flags,
        assignments or [],
        changes,
        seeds=seeds,
        markdown=form == "markdown",
        tracking_uri=tracking_uri,
        storage=storage,
    )


@app.command()
def reproduce(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="chen2018, zhang2019, ntu-ser or fcn-gap.", show_default=False)
    ],
    data: Data = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings that differ by their seed alone.", min=1)] = 5,
    assignments: Set = None,
    study_name: Name = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train a published configuration under its protocol, and compare with the published number.

    The study files are studies/published/NAME.yaml. The same command resumes.
    """
    from .evidence import reproduce_published

    reproduce_published(
        name,
        assignments or [],
        data=data,
        seeds=seeds,
        study_name=study_name,
        tracking_uri=tracking_uri,
        storage=storage,
    )


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
        tracking_uri=tracking_uri,
        storage=storage,
    )


@app.command()
def confirm(
    name: StudyName,
    top: Annotated[int, typer.Option("--top", help="How many of its best trials.", min=1)] = 3,
    seeds: Annotated[int, typer.Option("--seeds", help="How often each is trained again.", min=2)] = 5,
    as_name: AsName = None,
    data: Data = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train a study's best trials again on fresh seeds; champion by lower confidence bound.

    The best of many trials is optimistic. The same command resumes.
    """
    from .evidence import confirm_study

    confirm_study(name, top=top, seeds=seeds, as_name=as_name, data=data, tracking_uri=tracking_uri, storage=storage)


@app.command()
def combine(
    members: Results,
    top: Annotated[int, typer.Option("--top", help="Of a study, so many of its best trials.", min=1)] = 1,
    as_name: AsName = None,
    rule: Rule = None,
    data: Data = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Average what trials of unlike configurations say, and register them as one model.

    They share a protocol. Choose them by validation UAR: test speakers are scored for the combination alone.
    """
    from .evidence import combine_trials

    combine_trials(members, top=top, as_name=as_name, rule=rule, data=data, tracking_uri=tracking_uri)


@app.command()
def compare(
    first: FirstResult,
    second: SecondResult,
    side: Annotated[str, typer.Option("--on", help="validation, test or holdout speakers.")] = "validation",
    list_all: Annotated[bool, typer.Option("--all", help="List every utterance that differs.")] = False,
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare two results of one protocol, paired by speaker: differences, p-value, effect size, confusions."""
    from .evidence import compare_results

    compare_results(first, second, side=side, as_json=json, list_all=list_all, tracking_uri=tracking_uri)


@app.command()
def leaderboard(
    corpus: Annotated[str | None, typer.Option("--corpus", help="Only this corpus.", show_default=False)] = None,
    form: RowForm = "table",
    tracking_uri: TrackingUri = None,
) -> None:
    """Best result for each corpus, task, model and features, beside the published ones.

    Ranked by validation UAR, within one protocol only; test speakers rank nothing.
    """
    from .evidence import print_leaderboard

    refuse_other_form(form, ROW_FORMS)
    print_leaderboard(corpus=corpus, form=form, tracking_uri=tracking_uri)


@app.command()
def replay(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, STUDY:TRIAL or a registered model.", show_default=False)
    ],
    data: Data = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Train a trial again from what MLflow holds, and compare every number; exit code 1 where one differs."""
    from .evidence import replay_run

    replay_run(run, data=data, tracking_uri=tracking_uri)


@app.command()
def models(json: Json = False, tracking_uri: TrackingUri = None) -> None:
    """List registered models: versions, aliases, scores, corpus."""
    from .data import list_models

    list_models(as_json=json, tracking_uri=tracking_uri)


@app.command()
def predict(
    model: RegisteredModel,
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO", help="Sound files.", show_default=False)],
    segments: Annotated[bool, typer.Option("--segments", help="A row for every segment.")] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Recognise the emotion in sound files with a registered model."""
    from .data import predict_files

    if json and csv:
        raise typer.BadParameter("pass --json or --csv, not both")
    form = "json" if json else "csv" if csv else "table"
    predict_files(model, audio, by_segment=segments, form=form, tracking_uri=tracking_uri)


@app.command()
def options(model: Model = None, json: Json = False) -> None:
    """List every setting: path, type, bounds, default, search range, help."""
    from .settings import list_options

    list_options(model, as_json=json)


@app.command()
def sync(tracking_uri: TrackingUri = None) -> None:
    """Deliver to MLflow the trials that wait in the outbox, because its server was away when they ended.

    A study does so while it runs, and so does every command that reads its trials.
    """
    from .data import deliver

    deliver(tracking_uri=tracking_uri)


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)] = 5000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve MLflow's pages on this project's tracking data, until Ctrl-C."""
    from .data import serve

    serve(host=host, port=port, tracking_uri=tracking_uri)
