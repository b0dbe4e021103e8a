"""Runs in MLflow: the tags that they are found by, what their scores are of, how many networks gave them."""

import json
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import Run

from ..corpora import Corpus
from ..metrics import Metric, Ranking, score_in
from ..stored_names import STUDY_NAME_TAG
from ..tasks import Task
from .mlflow_internals import MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, get_git_commit
from .queries import search_runs
from .workspace import Workspace

if TYPE_CHECKING:
    from ..prediction import Committee
    from ..protocol import Protocol

__all__ = [
    "ATTEMPT_TAG",
    "BEST_TAG",
    "CONFIRMED_TAG",
    "CONFIRMS_TAG",
    "CORPUS_TAG",
    "EVALUATES_TAG",
    "FEATURES_TAG",
    "FRONT_TAG",
    "MEMBERS_TAG",
    "MODEL_TAG",
    "NETWORKS_TAG",
    "NOTES_TAG",
    "OBJECTIVES_TAG",
    "PACKAGES",
    "PRETRAINING_TAG",
    "PROCESS_TAG",
    "READERS_TAG",
    "SOLVER_TAG",
    "STUDY_NAME_TAG",
    "STUDY_TAG",
    "TRIAL_TAG",
    "UNKNOWN_NETWORKS",
    "attempt_of",
    "best_first",
    "corpus_tags",
    "find_runs",
    "is_complete",
    "metrics_of",
    "name_of",
    "networks_of",
    "networks_tags",
    "objective_of",
    "origin_tags",
    "protocol_of",
    "protocol_tags",
    "readers_of",
    "score_of",
    "task_of",
]

STUDY_TAG = "ser_tune.study_id"
TRIAL_TAG, MODEL_TAG, BEST_TAG = "ser_tune.trial", "ser_tune.model_id", "ser_tune.best_trial"
ATTEMPT_TAG = "ser_tune.attempt"
"""On trials that are run again after an interruption, and on trials after these: Optuna's number."""
CONFIRMS_TAG = "ser_tune.confirms"
"""On runs that train configurations of an earlier study again: that study's identifier."""
CONFIRMED_TAG = "ser_tune.confirmed_trial"
"""On trials of a study's own confirmation: the number of the searched trial that they train again."""
OBJECTIVES_TAG = "ser_tune.objectives"
"""On runs of a study with several objectives: their names, as JSON."""
FRONT_TAG = "ser_tune.front"
"""On a study with several objectives: the numbers of the trials of its Pareto front, the best by the primary first."""
MEMBERS_TAG = "ser_tune.members"
"""On a run that combines others: their identifiers, sorted."""
EVALUATES_TAG = "ser_tune.evaluates"
"""On runs of `evaluate`: the registered version, such as `ser-emodb-light_cnn/2`."""
NOTES_TAG = "ser_tune.notes"
"""On runs: the warnings of their protocol, and in a study the text-only baseline."""
PRETRAINING_TAG = "ser_tune.pretraining"
"""On runs with a pretrained encoder: whether it learned from the corpus, as far as is known."""
NETWORKS_TAG = "ser_tune.networks"
"""Number of networks whose probabilities are averaged: on a combination's run those of each fold, on a nested study's
those of its outer scores. A trial's follows from its parameters."""
FEATURES_TAG = "ser_tune.feature_format"
"""On runs: `FEATURE_FORMAT` of the features that networks were trained on."""
SOLVER_TAG = "ser_tune.solver"
"""On runs of a model that is solved: the method."""
CORPUS_TAG = "ser_tune.corpus"
"""On runs: the corpus's name for its users."""
READERS_TAG = "ser_tune.readers"
"""On runs of a union: label of each corpus to the name of its reader, as JSON."""
PROCESS_TAG = "ser_tune.process"
"""On runs that a process has open, or had: the process, as JSON."""
_FACT = "protocol."

UNKNOWN_NETWORKS = "unknown"
"""Number of networks of runs without it, and of published results."""
PACKAGES = ("ser-tune", "torch", "torchvision", "librosa", "numpy", "scikit-learn", "optuna", "mlflow")
OPTIONAL = ("opensmile", "peft", "transformers")
"""Packages of extras, whose versions are recorded where they are installed."""


def name_of(run: Run) -> str:
    """A run's name in messages: `trial 3 of STUDY`, or its name in MLflow where it is no trial."""
    tags = run.data.tags
    if TRIAL_TAG in tags and STUDY_NAME_TAG in tags:
        return f"trial {tags[TRIAL_TAG]} of {tags[STUDY_NAME_TAG]}"
    return str(run.info.run_name)


def find_runs(workspace: Workspace, experiment_id: str, study_id: str) -> tuple[Run | None, dict[int, Run]]:
    """A study's own run, and its trials' runs by number."""
    parent, trials = None, dict[int, Run]()
    for run in search_runs(workspace, experiments=[experiment_id], tags={STUDY_TAG: study_id}):
        number = run.data.tags.get(TRIAL_TAG)
        if number is None:
            parent = run
        elif number.isdecimal():  # else somebody has edited the tag
            trials[int(number)] = max(run, trials.get(int(number), run), key=attempt_of)
    return parent, trials


def attempt_of(run: Run) -> int:
    """The attempt that a trial's run is of: Optuna's number, by which a repeated trial has a later one."""
    tags = run.data.tags
    again = tags.get(ATTEMPT_TAG, "")
    return int(again if again.isdecimal() else tags[TRIAL_TAG])


def protocol_tags(protocol: "Protocol") -> dict[str, str]:
    """Tags of a run's protocol: the fingerprint, every fact behind it, and the warnings."""
    tags = {"ser_tune.fingerprint": protocol.fingerprint}
    tags |= {f"{_FACT}{name}": value for name, value in protocol.tags.items()}
    if protocol.warnings:
        tags[NOTES_TAG] = "; ".join(protocol.warnings)
    return tags


def corpus_tags(corpus: Corpus) -> dict[str, str]:
    """Tags of a run's corpus that `readers_of` reads."""
    return {CORPUS_TAG: corpus.name, **({READERS_TAG: json.dumps(corpus.readers)} if corpus.is_union else {})}


def origin_tags(corpus: Corpus, protocol: "Protocol") -> dict[str, str]:
    """Tags of the origin of a run's scores: corpus, protocol, versions of packages, commit."""
    packages = (*PACKAGES, *(package for package in OPTIONAL if find_spec(package) is not None))
    tags = {
        MLFLOW_SOURCE_NAME: "ser-tune",
        **corpus_tags(corpus),
        "ser_tune.corpus_digest": corpus.digest,
        **protocol_tags(protocol),
        **{f"version.{package}": version(package) for package in packages},
    }
    if commit := get_git_commit(str(Path(__file__).parent)):
        tags[MLFLOW_GIT_COMMIT] = commit
    return tags


def protocol_of(run: Run) -> "Protocol":
    """The protocol of a run's scores."""
    from ..protocol import Protocol  # architectures: predicting does without

    tags = run.data.tags
    return Protocol.read({key.removeprefix(_FACT): tags[key] for key in tags if key.startswith(_FACT)})


def readers_of(run: Run) -> dict[str, str]:
    """The name of a run's corpus for its users to that of its reader; of a union each of its corpora."""
    tags, corpus = run.data.tags, protocol_of(run).corpus
    if READERS_TAG in tags:
        return {str(label): str(reader) for label, reader in json.loads(tags[READERS_TAG]).items()}
    return {tags.get(CORPUS_TAG, corpus): corpus}


def task_of(run: Run) -> Task:
    """The task of a run's networks."""
    return protocol_of(run).task


def metrics_of(run: Run) -> tuple[Metric, ...]:
    """The metrics of a run's scores; the first is its objective."""
    return protocol_of(run).metrics


def objective_of(run: Run) -> Metric:
    """The metric that ranks a run."""
    return protocol_of(run).objective


def score_of(run: Run, side: str) -> float | None:
    """A run's score by its objective; None where it has none.

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


def networks_tags(committee: "Committee") -> dict[str, str]:
    """The tag of a combination: the number of networks of each fold whose probabilities are averaged."""
    return {NETWORKS_TAG: str(sum(member.recipe.model.ensemble_size for member in committee.members))}


def networks_of(run: Run, side: str) -> str:
    """Number of networks whose probabilities are averaged for a run's score.

    Args:
        run: A trial's, a combination's or a nested study's.
        side: `validation` or `test`: each utterance by the networks of one fold; `holdout`: by those of all folds;
            `outer`, of a nested study: by those of all folds of a search.

    Returns:
        A number, or several where searches differ; `unknown` where the run has none.
    """
    if TRIAL_TAG in run.data.tags:
        each = run.data.params.get("model.networks", "1")
    else:
        each = run.data.tags.get(NETWORKS_TAG, UNKNOWN_NETWORKS)
    if side != "holdout" or not each.isdigit():
        return each
    return str(int(each) * protocol_of(run).n_folds)
