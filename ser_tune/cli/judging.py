"""The commands that judge results, such as `compare`, `leaderboard` and `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from .completion import complete_component, complete_model, complete_result
from .parameters import (
    ROW_FORMS,
    TABLE_FORMS,
    AsName,
    CorpusName,
    Data,
    Features,
    FirstResult,
    Json,
    Model,
    Name,
    RegisteredModel,
    Result,
    Results,
    RowForm,
    Rule,
    SecondResult,
    Set,
    SkipTrained,
    Storage,
    StudyFile,
    StudyName,
    TableForm,
    Task,
    TrackingUri,
    form_of,
    shared_flags,
)

__all__ = ["app"]

app = typer.Typer()


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
    json: Json = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train a configuration with and without each change: differences of the validation score, by speaker.

    Test speakers are not scored, and nothing is registered. The same command resumes.
    """
    from .ablation import run_ablation

    if not changes:
        raise typer.BadParameter("nothing to change; pass --change PATH=VALUE, such as augmentation.mixup=true")
    form = form_of(form, TABLE_FORMS, as_json=json)
    flags = shared_flags(model, corpus=corpus, data=data, task=task, features=features)
    flags["name"] = name
    run_ablation(
        file,
        flags,
        assignments or [],
        changes,
        seeds=seeds,
        form=form,
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
    margin: Annotated[
        float, typer.Option("--margin", help="How far from the published UAR is the same for practical purposes.")
    ] = 0.03,
    assignments: Set = None,
    study_name: Name = None,
    json: Json = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train a published configuration under its protocol, and compare with the published number.

    Reproduced: the 90 % interval of our UAR lies within the margin of the published one (two one-sided tests). Not
    reproduced: the 95 % interval lies wholly outside it. Else undecided. Pooled is compared with pooled, a fold mean
    with a fold mean. The study files are studies/published/NAME.yaml. The same command resumes.
    """
    from .published import reproduce_published

    reproduce_published(
        name,
        assignments or [],
        data=data,
        seeds=seeds,
        margin=margin,
        study_name=study_name,
        as_json=json,
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
    json: Json = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Train a study's best trials again on fresh seeds, and promote by lower confidence bound.

    The best of many trials is optimistic. Fresh seeds remove the luck of the seed, not the choice among configurations
    on the same speakers; the corrected score is without both. The same command resumes.
    """
    from .evidence import confirm_study

    confirm_study(
        name, top=top, seeds=seeds, as_name=as_name, data=data, as_json=json, tracking_uri=tracking_uri, storage=storage
    )


@app.command()
def combine(
    members: Results,
    top: Annotated[int, typer.Option("--top", help="Of a study, so many of its best configurations.", min=1)] = 1,
    as_name: AsName = None,
    rule: Rule = None,
    data: Data = None,
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Average what trials of unlike configurations say, and register them as one model.

    They share a protocol. A study without a trial's number is its best configuration, with all seeds of it. Choose
    members by validation score: test speakers are scored for the combination alone.
    """
    from .evidence import combine_trials

    combine_trials(members, top=top, as_name=as_name, rule=rule, data=data, as_json=json, tracking_uri=tracking_uri)


@app.command()
def compare(
    first: FirstResult,
    second: SecondResult,
    side: Annotated[str, typer.Option("--on", help="validation, test or holdout speakers.")] = "validation",
    list_all: Annotated[bool, typer.Option("--all", help="List every utterance that differs.")] = False,
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare two results of one protocol, paired by speaker: differences, p-value, effect size, confusions.

    A study whose trials differ by their seed alone is compared by its mean over the seeds.
    """
    from .comparing import compare_results

    compare_results(first, second, side=side, as_json=json, list_all=list_all, tracking_uri=tracking_uri)


@app.command()
def leaderboard(
    corpus: Annotated[str | None, typer.Option("--corpus", help="Only this corpus.", show_default=False)] = None,
    form: RowForm = "table",
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Best result for each corpus, task, model and features, beside the published ones.

    Nested, held-out and cross-validated results are listed apart, each ranked within one protocol by validation score
    (nested: outer score), of several seeds by their mean. The validation score (nested: inner score) chooses the best
    of one model and features; test scores do not. Outer scores are of speakers that the search did not use.
    """
    from .published import print_leaderboard

    form = form_of(form, ROW_FORMS, as_json=json)
    print_leaderboard(corpus=corpus, form=form, tracking_uri=tracking_uri)


@app.command()
def evaluate(
    model: RegisteredModel,
    corpus: Annotated[
        str,
        typer.Option(
            "--corpus",
            help="Corpus, of `ser-tune corpus list`, or manifest.",
            autocompletion=complete_component("corpora"),
            show_default=False,
        ),
    ],
    data: Data = None,
    task: Task = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="EMOTION=CLASS",
            help="Count an emotion of the corpus as a class of the model; nothing after = leaves it out. Repeatable.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help="Score groups by text, style, session, or a manifest's meta_COLUMN; repeatable.",
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature on the model's validation predictions.")
    ] = False,
    stress: Annotated[
        bool, typer.Option("--stress", help="Judge again with noise, rooms, telephone, codecs, clipping, lower level.")
    ] = False,
    skip_trained: SkipTrained = False,
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Score a registered model on any corpus: groups, calibration, coverage; logged as a run of the version.

    On the model's own corpus each fold network judges its own test speakers. MODEL may also be a nested study, which is
    evaluated on its own corpus: each search judges the speakers that it never saw.
    """
    from .evaluate import print_evaluation

    print_evaluation(
        model,
        corpus=corpus,
        data=data,
        task=task,
        mapping=mapping or [],
        by=by or [],
        calibrate=calibrate,
        stress=stress,
        skip_trained=skip_trained,
        as_json=json,
        tracking_uri=tracking_uri,
    )


@app.command()
def matrix(
    models: Annotated[
        list[str],
        typer.Option(
            "--models",
            metavar="MODEL",
            help="A registered model; repeat for more.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ],
    corpora: Annotated[
        list[str],
        typer.Option(
            "--corpora",
            metavar="NAME[:TASK][=DATA]",
            help="A corpus, its task, and its folder or CSV; repeatable.",
            show_default=False,
        ),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="CORPUS:EMOTION=CLASS",
            help="As --map of `evaluate`, for the corpus that the table calls CORPUS. Repeatable.",
            show_default=False,
        ),
    ] = None,
    skip_trained: SkipTrained = False,
    picture: Annotated[Path, typer.Option("--picture", help="Where to draw the matrix.")] = Path("matrix.png"),
    form: RowForm = "table",
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Evaluate every model on every corpus: train on A, test on B. Each evaluation is logged as by `evaluate`."""
    from .matrix import print_matrix

    form = form_of(form, ROW_FORMS, as_json=json)
    print_matrix(
        models,
        corpora,
        mapping=mapping or [],
        skip_trained=skip_trained,
        picture=picture,
        form=form,
        tracking_uri=tracking_uri,
    )


@app.command()
def replay(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run, STUDY:TRIAL or a registered model.",
            autocompletion=complete_result,
            show_default=False,
        ),
    ],
    data: Data = None,
    json: Json = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Train a trial again from what MLflow holds, and compare every number; exit code 1 where one differs."""
    from .evidence import replay_run

    replay_run(run, data=data, as_json=json, tracking_uri=tracking_uri)


@app.command()
def report(
    result: Result,
    out: Annotated[Path, typer.Option("--out", help="The page.")] = Path("report.html"),
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Also write the trials as CSV.", show_default=False)
    ] = None,
    latex: Annotated[
        Path | None,
        typer.Option("--latex", metavar="FILE", help="Also write tables of scores in LaTeX.", show_default=False),
    ] = None,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Recordings of the utterances that are wrong most often.")
    ] = True,
    data: Data = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Write one page of HTML about a result: scores, baselines, confusions, speakers, the search, how to reproduce it.

    The page needs no network and no other file. Its pictures are also stored in MLflow, as artifacts of the run.
    """
    from .report import write_report

    write_report(
        result, out=out, csv=csv, latex=latex, data=data, audio=audio, tracking_uri=tracking_uri, storage=storage
    )
