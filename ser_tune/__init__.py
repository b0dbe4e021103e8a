"""ser-tune: an experiment manager for speech emotion recognition.

Start at `api`: it has a function for every command; `cli` prints the results. Each package imports only those below it:

cli, api                        commands, and the same as Python functions
serving, export, recordings     registered models on a server, as files, on recordings
experiments, report             trainings around a study (nested, confirm, ablate, reproduce); its report
results                         results read from MLflow: compare, leaderboard, evaluate, matrix
registry, tracking              registered models and promotion; runs in MLflow, the outbox, the `Workspace`
search                          Optuna: assembly, sampling, pruning, objective, trials, selection
protocol                        conditions of a score and their fingerprint, leak check, folds read from a file
coordination                    processes that share a study: storage, locks, the queue of trials, stored folds
definition                      the definition of a study: settings and search space
execution, training             processes and devices of training; the training of a fold
audit                           checks of any split
prediction                      answers for recordings and their numbers, from the networks of a model
architectures, features, folds  networks; spectrograms, functionals and encoders; speaker folds
promotion_rules, resampling     rules by which a version becomes champion; intervals and tests by speaker
tasks                           recognised targets, such as emotions
metrics                         scores
corpora, encoders, likeness     labelled recordings; pretrained encoders; near-identical sound
audio, device, config           decoding; processors and precision; every setting
components, drawing             catalogues and plug-ins; figures
markdown, spreadsheets, errors  tables in Markdown; safe cells of CSV files; the exceptions
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import api
    from .registry import load_model

    __version__: str

__all__ = ["__version__", "api", "load_model"]


def __getattr__(name: str) -> object:
    """Import `api` or `load_model`, or look up the version, on first access: torch and MLflow take seconds."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("ser-tune")
        except PackageNotFoundError:  # a copy inside a registered model, where ser-tune itself need not be installed
            return "bundled"
    if name == "load_model":
        from .registry import load_model

        return load_model
    if name == "api":
        return import_module(".api", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
