"""ser-tune: an experiment manager for speech emotion recognition.

Start at `api`, the commands as functions; `cli` prints their results. Each room imports only rooms further down:

cli, api                        commands, and the same as Python functions
serving, export, recordings     registered models on a server, as files, on recordings
experiments, report             trainings around a study (nested, confirm, ablate, reproduce); its report
results                         results read from MLflow: compare, leaderboard, evaluate, matrix
registry, tracking              registered models and promotion; runs in MLflow, the outbox, the `Workspace`
search                          Optuna: assembly, sampling, pruning, objective, trials, selection
protocol                        fingerprint, leak check, folds of a file: what a score means
coordination                    processes that share a study: storage, locks, places of trials, kept folds
definition                      a study as it is defined: settings and search space
execution, training             where folds are trained; how a fold is trained
audit                           checks of any split
prediction                      recordings to probabilities, with the networks of a model
architectures, features, folds  networks; spectrograms, functionals and encoders; speaker folds
promotion_rules, resampling     when a version becomes champion; intervals and tests by speaker
tasks, metrics                  the recognised target; the scores
corpora, encoders, likeness     labelled recordings; pretrained encoders; near-identical sound
audio, device, config           decoding; processors and precision; every setting
components, drawing, errors     catalogues and plug-ins; figures; the exceptions
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import api
    from .registry import load_model

try:
    __version__ = version("ser-tune")
except PackageNotFoundError:  # a copy inside a registered model, where ser-tune itself need not be installed
    __version__ = "bundled"

__all__ = ["__version__", "api", "load_model"]


def __getattr__(name: str) -> object:
    """Import the rest when it is asked for: it brings torch and MLflow, which take seconds."""
    if name == "load_model":
        from .registry import load_model

        return load_model
    if name == "api":
        return import_module(".api", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
