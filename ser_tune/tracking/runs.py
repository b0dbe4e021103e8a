"""Finding runs in MLflow, the tags that they are found by, and their scores by the metrics of their protocol."""

from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mlflow.entities import Run

from ..corpora import Corpus
from ..metrics import Metric, Ranking, score_in
from ..protocol import Protocol
from ..tasks import Task
from .mlflow_internals import MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, get_git_commit
from .queries import search_runs
from .tags import NOTES_TAG, STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG
from .workspace import Workspace

__all__ = [
    "PACKAGES",
    "best_first",
    "find_runs",
    "is_complete",
    "metrics_of",
    "name_of",
    "objective_of",
    "origin_tags",
    "protocol_of",
    "protocol_tags",
    "score_of",
    "task_of",
]

PACKAGES = ("ser-tune", "torch", "torchvision", "librosa", "numpy", "scikit-learn", "optuna", "mlflow")
OPTIONAL = ("opensmile", "peft", "transformers")
"""Packages of extras, whose versions are recorded where they are installed."""
_FACT = "protocol."


def name_of(run: Run) -> str:
    """What messages call a run: `trial 3 of STUDY`, or its name in MLflow where it is no trial."""
    tags = run.data.tags
    if TRIAL_TAG in tags and STUDY_NAME_TAG in tags:
        return f"trial {tags[TRIAL_TAG]} of {tags[STUDY_NAME_TAG]}"
    return str(run.info.run_name)


def find_runs(workspace: Workspace, experiment_id: str, study_id: str) -> tuple[Run | None, dict[int, Run]]:
    """A study's parent run, and its trials' runs by number."""
    parent, trials = None, {}
    for run in search_runs(workspace, experiments=[experiment_id], tags={STUDY_TAG: study_id}):
        number = run.data.tags.get(TRIAL_TAG)
        if number is None:
            parent = run
        elif number.isdecimal():  # else somebody has edited the tag
            trials[int(number)] = run
    return parent, trials


def protocol_tags(protocol: Protocol) -> dict[str, str]:
    """The tags of a run's protocol: the fingerprint, every fact behind it, and the warnings."""
    return {
        "ser_tune.fingerprint": protocol.fingerprint,
        **{f"{_FACT}{name}": value for name, value in protocol.tags.items()},
        **({NOTES_TAG: "; ".join(protocol.warnings)} if protocol.warnings else {}),
    }


def origin_tags(corpus: Corpus, protocol: Protocol) -> dict[str, str]:
    """Where a run's scores come from: corpus, protocol, versions of packages, commit."""
    tags = {
        MLFLOW_SOURCE_NAME: "ser-tune",
        "ser_tune.corpus": corpus.name,
        "ser_tune.corpus_digest": corpus.digest,
        **protocol_tags(protocol),
        **{f"version.{package}": version(package) for package in (*PACKAGES, *filter(_is_installed, OPTIONAL))},
    }
    if commit := get_git_commit(str(Path(__file__).parent)):
        tags[MLFLOW_GIT_COMMIT] = commit
    return tags


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def protocol_of(run: Run) -> Protocol:
    """The protocol of a run's scores."""
    tags = run.data.tags
    return Protocol.read({key.removeprefix(_FACT): tags[key] for key in tags if key.startswith(_FACT)})


def task_of(run: Run) -> Task:
    """What the networks of a run recognise."""
    return protocol_of(run).task


def metrics_of(run: Run) -> tuple[Metric, ...]:
    """The metrics of a run's scores; the first is its objective."""
    return protocol_of(run).metrics


def objective_of(run: Run) -> Metric:
    """The metric that ranks a run."""
    return protocol_of(run).objective


def score_of(run: Run, side: str) -> float | None:
    """A run's score of a side by its objective; None where it has none.

    Args:
        run: Of MLflow.
        side: Such as `validation` or `test`; of a nested study also `inner` or `outer`.
    """
    return score_in(run.data.metrics, f"{side}_{protocol_of(run).objectives[0]}")


def is_complete(run: Run) -> bool:
    """Whether a run has all its scores, and was stored to its end."""
    return score_of(run, "validation") is not None and run.info.status == "FINISHED"


def best_first(trials: Iterable[Run]) -> list[Run]:
    """Sort trials of a study by their validation scores, the best first; of equal ones the earlier trial."""
    trials = list(trials)
    if not trials:
        return []
    ranking = Ranking(objective_of(trials[0]))
    return ranking.best_first(
        trials, lambda run: score_of(run, "validation"), lambda run: int(run.data.tags[TRIAL_TAG])
    )
