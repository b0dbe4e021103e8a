"""Finding runs in MLflow, and the tags that they are found by."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME

from ..corpora import Corpus
from ..study import Protocol
from .queries import search_runs
from .tags import NOTES_TAG, STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG

__all__ = [
    "PACKAGES",
    "find_runs",
    "name_of",
    "origin_tags",
    "protocol_of",
    "protocol_tags",
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


def find_runs(client: MlflowClient, experiment_id: str, study_id: str) -> tuple[Run | None, dict[int, Run]]:
    """A study's parent run, and its trials' runs by number."""
    parent, trials = None, {}
    for run in search_runs(client, experiments=[experiment_id], tags={STUDY_TAG: study_id}):
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
