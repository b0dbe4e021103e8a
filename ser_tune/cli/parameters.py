"""Arguments and options of the commands, each declared once, and the settings that they fix."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import valid_names
from .completion import complete_component, complete_model, complete_result, complete_study

if TYPE_CHECKING:
    from ..api import ConfigurationFlags

__all__ = [
    "ROW_FORMS",
    "TABLE_FORMS",
    "AsName",
    "CorpusName",
    "Data",
    "ExecutorName",
    "Features",
    "FirstResult",
    "Folds",
    "Holdout",
    "Json",
    "Model",
    "Name",
    "Parallel",
    "PrunerName",
    "RayAddress",
    "Refit",
    "RegisteredModel",
    "Result",
    "Results",
    "RowForm",
    "Rule",
    "SamplerName",
    "SecondResult",
    "Set",
    "SkipTrained",
    "Storage",
    "StudyFile",
    "StudyName",
    "TableForm",
    "Task",
    "TextIndependent",
    "TrackingUri",
    "Workers",
    "form_of",
    "refuse_other_form",
    "shared_flags",
]

StudyFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="A study file, YAML; options win over it.", show_default=False)
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Architecture, such as 3d_acrnn.",
        autocompletion=complete_component("architectures"),
        show_default=False,
    ),
]
CorpusName = Annotated[
    str | None,
    typer.Option(
        "--corpus",
        help="Corpus, of `ser-tune corpus list`; default: demo.",
        autocompletion=complete_component("corpora"),
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", help="The corpus's folder; for manifest, its CSV file.", show_default=False)
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        help="Feature set; default: the architecture's own.",
        autocompletion=complete_component("features"),
        show_default=False,
    ),
]
Name = Annotated[
    str | None, typer.Option("--name", help="The study's name; default: CORPUS-MODEL-FEATURES.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Fix any setting of `ser-tune options`; repeatable.", show_default=False
    ),
]
SkipTrained = Annotated[
    bool, typer.Option("--skip-trained", help="Leave recordings out that the model was trained on.")
]
Task = Annotated[
    str | None, typer.Option("--task", help="One of the corpus's tasks, of `ser-tune corpus list`.", show_default=False)
]
Holdout = Annotated[
    list[str] | None,
    typer.Option(
        "--holdout", metavar="SPEAKER", help="A speaker that the search never sees; repeatable.", show_default=False
    ),
]
Folds = Annotated[
    Path | None,
    typer.Option("--folds", metavar="FILE", help="A CSV path,fold,split of folds to use.", show_default=False),
]
TextIndependent = Annotated[
    bool, typer.Option("--text-independent", help="Folds share neither speakers nor spoken texts.")
]
Rule = Annotated[
    str | None,
    typer.Option(
        "--rule",
        help="When to make champion: better (default), confident (p < 0.05, corrected for the searched trials), "
        "robust (loses no more than the champion in noise and other worse recordings) or always.",
        autocompletion=complete_component("promotion_rules"),
        show_default=False,
    ),
]
SamplerName = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        help="tpe (default), random, qmc, gp, or a class of optuna.samplers, such as NSGAIISampler.",
        autocompletion=complete_component("samplers", "search/samplers"),
        show_default=False,
    ),
]
PrunerName = Annotated[
    str | None,
    typer.Option(
        "--pruner",
        help="racing (default), none, or a class of optuna.pruners, such as MedianPruner.",
        autocompletion=complete_component("pruners", "search/pruners"),
        show_default=False,
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Processes on this machine that train.", show_default=False)
]
Parallel = Annotated[
    str | None,
    typer.Option("--parallel", help="What the workers train at once: trials (default), or folds of one trial."),
]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor",
        help="Where folds are trained: local (default) or ray.",
        autocompletion=complete_component("executors", "execution"),
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="The Ray cluster's; default: a running one, or else a new one on this machine."),
]
Refit = Annotated[bool, typer.Option("--refit", help="Register one network trained on all speakers, not the folds'.")]
TrackingUri = Annotated[
    str | None,
    typer.Option("--tracking-uri", help="MLflow's; default: mlruns/mlflow.db.", show_default=False),
]
Storage = Annotated[
    str | None, typer.Option("--storage", help="Optuna's database; default: studies/optuna.db.", show_default=False)
]
AsName = Annotated[
    str | None, typer.Option("--as", help="Registered name; default: ser-CORPUS-MODEL.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_RESULT = "A registered model, a study (or STUDY:TRIAL), a run"
Result = Annotated[
    str, typer.Argument(metavar="STUDY|MODEL", help=f"{_RESULT}.", autocompletion=complete_result, show_default=False)
]
FirstResult = Annotated[
    str, typer.Argument(metavar="A", help=f"{_RESULT}.", autocompletion=complete_result, show_default=False)
]
SecondResult = Annotated[
    str,
    typer.Argument(metavar="B", help="What to compare it with.", autocompletion=complete_result, show_default=False),
]
Results = Annotated[
    list[str],
    typer.Argument(
        metavar="RESULT", help=f"{_RESULT}; two or more.", autocompletion=complete_result, show_default=False
    ),
]
RegisteredModel = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="NAME (its champion), NAME@ALIAS, NAME/VERSION.",
        autocompletion=complete_model,
        show_default=False,
    ),
]
StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="The study's name.", autocompletion=complete_study, show_default=False)
]

TABLE_FORMS = ("table", "markdown")
ROW_FORMS = (*TABLE_FORMS, "csv", "json")
TableForm = Annotated[str, typer.Option("--format", help=f"{' or '.join(TABLE_FORMS)}.")]
RowForm = Annotated[str, typer.Option("--format", help=f"{', '.join(ROW_FORMS[:-1])} or {ROW_FORMS[-1]}.")]


def form_of(form: str, forms: Sequence[str], *, as_json: bool) -> str:
    """The form to print: --format's, or JSON with --json; raises `BadParameter` where it is none, or both are given."""
    refuse_other_form(form, forms)
    if as_json and form not in ("table", "json"):
        raise typer.BadParameter(f"pass --json or --format {form}, not both")
    return "json" if as_json else form


def refuse_other_form(form: str, forms: Sequence[str]) -> None:
    """Raise `BadParameter` where a command cannot print such a form."""
    if form not in forms:
        raise typer.BadParameter(f"--format is '{form}'; choose from: {valid_names(form, forms)}")


def shared_flags(
    model: str | None,
    *,
    corpus: str | None,
    data: Path | None,
    task: str | None,
    features: str | None,
    holdout: list[str] | None = None,
) -> "ConfigurationFlags":
    """What every command that trains is told; None where it was not given."""
    return {
        "model": model,
        "corpus": corpus,
        "data": data,
        "task": task,
        "features": features,
        "holdout": holdout or None,
    }
