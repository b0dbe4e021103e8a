"""The best result of every corpus, task, evaluation, model and features, ranked under one protocol each.

A configuration on several seeds is one result, their mean: see `tracking/configurations.py`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from mlflow import MlflowClient
from mlflow.entities import Run

from ..corpora import CORPORA
from ..encoders import short_name
from ..study import Protocol
from ..tracking import (
    BEST_TAG,
    CONFIRMED_TAG,
    CONFIRMS_TAG,
    MEMBERS_TAG,
    PRETRAINING_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Result,
    networks_of,
    protocol_of,
    results_of,
    search_runs,
    tracking_errors,
)
from .published import PUBLISHED, Published

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "Entry", "Leaderboard", "leaderboard"]

EVALUATIONS = ("nested", "held-out", "cross-validated")
"""How a result was obtained; the scores of the first two are free of the selection."""
HAS_BEST = f"tags.`{BEST_TAG}` LIKE '%'"
"""Finds the runs of studies that have a best trial."""
FINISHED = "attributes.status = 'FINISHED'"
COLUMNS = {
    "validation_uar": "validation_uar",
    "test_uar": "test_uar",
    "test_wa": "test_wa",
    "outer_uar": "holdout_uar",
    "outer_wa": "holdout_wa",
    "outer_single_uar": "holdout_single_uar",
}
"""Columns of scores, each with a trial's metric."""
COLUMNS_OF_NESTED = {
    "validation_uar": "inner_uar",
    "outer_uar": "outer_uar",
    "outer_wa": "outer_wa",
    "outer_single_uar": "outer_single_uar",
}
"""The same for a nested study: the searches' validation, and speakers whom they never saw."""
Kind: TypeAlias = tuple[str, str, str]
"""Protocol's fingerprint, model, features."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The best of the configurations, combinations or nested studies that share protocol, models and features.

    The best has the highest validation UAR (nested: inner UAR), of several seeds their mean.
    """

    protocol: Protocol
    rank: int
    """Among the entries of one protocol, from 1."""
    model: str
    features: str
    trials: int
    """Complete trials, combinations or nested studies that it is the best of."""
    result: Result
    scores: Mapping[str, float]
    """UAR and WA of every side and the ends of their intervals, by MLflow's names; of several seeds their means."""

    @property
    def run(self) -> Run:
        """The result's run; of several seeds the median one's."""
        return self.result.run

    @property
    def seeds(self) -> int:
        """How many trainings it is the mean of."""
        return len(self.result.runs)

    @property
    def networks(self) -> str:
        """How many networks judge an utterance together, for validation and test; and for outer scores, if any."""
        if self.evaluation == "nested":
            return f"outer {networks_of(self.run, 'outer')}"
        outer = f", outer {networks_of(self.run, 'holdout')}" if self.evaluation == "held-out" else ""
        return f"{networks_of(self.run, 'test')}{outer}"

    @property
    def evaluation(self) -> str:
        """One of `EVALUATIONS`: nested, with speakers held out from the search, or by cross-validation alone."""
        if _is_nested(self.run):
            return "nested"
        return "held-out" if self.protocol.holdout else "cross-validated"

    @property
    def metrics(self) -> Mapping[str, str]:
        """The metric of each column: validation, test, and speakers whom no search used (outer)."""
        return COLUMNS_OF_NESTED if self.evaluation == "nested" else COLUMNS

    @property
    def corpus(self) -> str:
        """The corpus's label."""
        return self.protocol.corpus

    @property
    def task(self) -> str:
        """Styles, merges and emotions, in words."""
        protocol = self.protocol
        styles = f"{', '.join(protocol.styles)}: " if protocol.styles else ""
        merged = f", {', '.join(protocol.merged)}" if protocol.merged else ""
        return f"{styles}{len(protocol.emotions)} emotions{merged}"

    @property
    def pretraining(self) -> str:
        """Whether an encoder learned from the corpus: `seen`, `unknown` or `other data`; empty without an encoder."""
        return self.run.data.tags.get(PRETRAINING_TAG, "")

    @property
    def source(self) -> str:
        """The study, or the trials that are combined, in words."""
        tags = self.run.data.tags
        return f"study {tags[STUDY_NAME_TAG]}" if STUDY_NAME_TAG in tags else self.run.data.params["members"]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The best results here, and the published numbers of the same corpora."""

    entries: Sequence[Entry]
    """By corpus, task and evaluation, then by protocol, then by validation UAR (nested: outer UAR). Test scores neither
    choose nor rank; outer scores rank nested results, but do not choose among those of one model and features."""
    published: Sequence[Published]

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each entry: what was trained, its rank within its protocol, and its scores."""
        import pandas as pd

        rows = [
            {
                "corpus": one.corpus,
                "task": one.task,
                "evaluation": one.evaluation,
                "protocol": one.protocol.fingerprint,
                "rank": one.rank,
                "model": one.model,
                "features": one.features,
                **{column: one.scores.get(one.metrics.get(column, "")) for column in COLUMNS},
                "networks": one.networks,
                "trials": one.trials,
                "seeds": one.seeds,
                "run": one.run.info.run_id,
            }
            for one in self.entries
        ]
        keys = ("corpus", "task", "evaluation", "protocol", "rank", "model", "features")
        columns = (*keys, *COLUMNS, "networks", "trials", "seeds", "run")
        return pd.DataFrame(rows, columns=list(columns))


def leaderboard(client: MlflowClient, corpus: str | None = None) -> Leaderboard:
    """Read all complete trials and keep the best configuration of each kind.

    Args:
        client: MLflow.
        corpus: Only this one; None is all.

    Raises:
        UnknownNameError: There are no results of the corpus, and no such corpus.
    """
    kinds: dict[Kind, list[Run]] = defaultdict(list)
    protocols: dict[str, Protocol] = {}
    with tracking_errors(client.tracking_uri):
        found = [search_runs(client, f"metrics.{one} >= 0 and {FINISHED}") for one in ("validation_uar", "outer_uar")]
        for run in chain.from_iterable(found):
            protocol = protocol_of(run)
            ranked_here = {TRIAL_TAG, MEMBERS_TAG} & run.data.tags.keys() or _is_nested(run)
            if not ranked_here or (corpus and protocol.corpus != corpus):
                continue
            protocols.setdefault(protocol.fingerprint, protocol)  # of the newest run: earlier ones stored no lists
            params = run.data.params
            kinds[protocol.fingerprint, params["model.name"], _features(params)].append(run)
        promoted = {one.data.tags[STUDY_TAG]: one.data.tags[BEST_TAG] for one in search_runs(client, HAS_BEST)}
        able = _able(kinds, promoted)
        best = {kind: max(found, key=lambda one: one.mean) for kind, found in able.items() if found}
        scores = {kind: one.scores(client) for kind, one in best.items()}
    ranked: dict[str, int] = defaultdict(int)
    entries = []
    for kind, result in sorted(best.items(), key=lambda one: -_ranked_by(one[1])):
        fingerprint, model, features = kind
        ranked[fingerprint] += 1
        entries.append(
            Entry(
                protocol=protocols[fingerprint],
                rank=ranked[fingerprint],
                model=model,
                features=features,
                trials=len(kinds[kind]),
                result=result,
                scores=scores[kind],
            )
        )
    entries.sort(
        key=lambda one: (one.corpus, one.task, EVALUATIONS.index(one.evaluation), one.protocol.fingerprint, one.rank)
    )
    here = {one.corpus for one in entries} | ({corpus} if corpus else set())
    published = [one for one in PUBLISHED if one.corpus in here]
    if corpus and not entries and not published:
        CORPORA.get(corpus)
    return Leaderboard(entries=entries, published=published)


def _able(kinds: Mapping[Kind, Sequence[Run]], promoted: Mapping[str, str]) -> dict[Kind, list[Result]]:
    """The results of each kind that represent their study, oldest first.

    Trainings on fresh seeds, by the study or by a later `confirm`, represent the search that chose them. A study's own
    confirmation also trains trials for comparison; only the promoted configuration represents it.

    Args:
        kinds: Runs, newest first.
        promoted: The number of the trial that a study calls its best, by the study's identifier.
    """
    tags_of_all = [run.data.tags for runs in kinds.values() for run in runs]
    own = {tags[STUDY_TAG] for tags in tags_of_all if CONFIRMED_TAG in tags}
    later = {tags[CONFIRMS_TAG] for tags in tags_of_all if CONFIRMS_TAG in tags}

    def represents(result: Result) -> bool:
        study = result.run.data.tags.get(STUDY_TAG)
        if study in later and CONFIRMED_TAG not in result.run.data.tags:
            return False
        return study not in own or any(promoted.get(study) == run.data.tags[TRIAL_TAG] for run in result.runs)

    return {kind: [one for one in results_of(runs) if represents(one)] for kind, runs in kinds.items()}


def _features(params: Mapping[str, str]) -> str:
    """The feature set, with the encoder or the set of functionals that it takes."""
    detail = params.get("features.checkpoint") or params.get("model.checkpoint") or params.get("features.set")
    return params["features.name"] + (f" {short_name(detail)}" if detail else "")


def _is_nested(run: Run) -> bool:
    """Whether it is the run of a nested study; runs of earlier versions lack the model's name, and are left out."""
    return "outer_uar" in run.data.metrics and "model.name" in run.data.params


def _ranked_by(result: Result) -> float:
    return float(result.run.data.metrics["outer_uar"]) if _is_nested(result.run) else result.mean
