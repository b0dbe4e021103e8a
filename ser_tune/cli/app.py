"""The commands: a function of the interface, and the function that prints its result."""

from functools import partial
from typing import Annotated

import typer

from .. import api
from ..api.configuration import ConfigurationFlags, StudyFlags
from . import printing, servers
from .exit_codes import EXIT_CODES
from .registration import register

__all__ = ["app"]

app = typer.Typer(
    help="Experiment manager for speech emotion recognition: Optuna studies, tracked in MLflow, champions by name.",
    epilog=f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in EXIT_CODES.items())}.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
corpus = typer.Typer(
    help="List corpora, check one on disk, download it, or make one of your recordings.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ser-tune {version('ser-tune')}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Take the options that no command has."""


TRAINED = ("model", "corpus", "mapping", "data", "task", "features", "epochs", "lr", "batch_size", "seed")
"""Settings that are options of every command that trains."""
CONFIGURATION, STUDY = (tuple(flags.__annotations__) for flags in (ConfigurationFlags, StudyFlags))

command = partial(register, app)
command(api.study, lambda: printing.print_study, tracking=True, studies=True, settings=STUDY)
command(api.worker, lambda: printing.print_work, tracking=True, studies=True)
command(api.train, lambda: printing.print_training, tracking=True, studies=True, settings=CONFIGURATION)
command(api.find_lr, lambda: printing.print_learning_rate, settings=(*TRAINED, "holdout"))
command(api.extract, lambda: printing.write_segments)
command(api.promote, lambda: printing.print_promotion, tracking=True, studies=True)
command(api.models, lambda: printing.print_models, tracking=True)
command(api.export, lambda: printing.print_export, tracking=True)
command(api.doctor, lambda: printing.print_findings)
command(api.options, lambda: printing.print_options)
command(api.status, lambda: printing.print_status, studies=True)
command(api.sync, lambda: printing.print_synced, tracking=True)
app.add_typer(corpus, name="corpus")
register(corpus, api.corpora, lambda: printing.print_corpora, name="list")
register(corpus, api.check, lambda: printing.print_check)
register(corpus, api.make, lambda: printing.print_made)
register(corpus, api.download, lambda: printing.print_download)
command(api.ablate, lambda: printing.print_ablation, tracking=True, studies=True, settings=(*TRAINED, "name"))
command(api.reproduce, lambda: printing.print_reproduction, tracking=True, studies=True)
command(api.confirm, lambda: printing.print_confirmation, tracking=True, studies=True)
command(api.combine, lambda: printing.print_combination, tracking=True)
command(api.compare, lambda: printing.print_comparison, tracking=True)
command(api.leaderboard, lambda: printing.print_leaderboard, tracking=True)
command(api.evaluate, lambda: printing.print_evaluation, tracking=True)
command(api.check_model, lambda: printing.print_model_check, tracking=True)
command(api.matrix, lambda: printing.print_matrix, tracking=True)
command(api.replay, lambda: printing.print_replay, tracking=True)
command(api.report, lambda: printing.write_report, tracking=True, studies=True)
command(api.predict, lambda: printing.print_predictions, tracking=True)
command(api.submission, lambda: printing.write_submission, tracking=True)
command(api.listen, lambda: printing.print_changes, tracking=True)
command(api.serve, lambda: printing.announce_server, tracking=True)
command(servers.ui, tracking=True)
command(servers.dashboard, studies=True)
command(api.audit, lambda: printing.print_audit)
