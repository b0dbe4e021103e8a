"""The best result of every corpus, task, evaluation, model and features, ranked under one protocol each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Run

from ..corpora import CORPORA
from ..encoders import short_name
from ..study import Protocol
from ..tracking import (
    BEST_TAG,
    CONFIRMED_TAG,
    MEMBERS_TAG,
    PRETRAINING_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    protocol_of,
    search_runs,
    tracking_errors,
)
from .published import PUBLISHED, Published

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCORES", "Entry", "Leaderboard", "leaderboard"]

EVALUATIONS = ("nested", "held-out", "cross-validated")
"""How a result was obtained; the scores of the first two are free of the selection."""
HAS_BEST = f"tags.`{BEST_TAG}` LIKE '%'"
"""Finds the runs of studies that have a best trial."""
FINISHED = "attributes.status = 'FINISHED'"
SCORES = {
    "validation_uar": "validation_uar",
    "test_uar": "test_uar",
    "test_wa": "test_wa",
    "outer_uar": "holdout_uar",
    "outer_wa": "holdout_wa",
}
"""Columns of scores, each with a trial's metric."""
SCORES_OF_NESTED = {"validation_uar": "inner_uar", "outer_uar": "outer_uar", "outer_wa": "outer_wa"}
"""The same for a nested study: the searches' validation, and speakers whom they never saw."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The best of the trials, combinations or nested studies that share protocol, model and features."""

    protocol: Protocol
    rank: int
    """Among the entries of one protocol, from 1."""
    model: str
    features: str
    trials: int
    """Complete trials, combinations or nested studies that it is the best of, by validation UAR (nested: outer UAR)."""
    run: Run

    @property
    def evaluation(self) -> str:
        """One of `EVALUATIONS`: nested, with speakers held out from the search, or by cross-validation alone."""
        if _is_nested(self.run):
            return "nested"
        return "cross-validated" if self.protocol.facts.get("holdout", "none") == "none" else "held-out"

    @property
    def scores(self) -> Mapping[str, str]:
        """The metric of each column: validation, test, and speakers whom no search used (outer)."""
        names = SCORES_OF_NESTED if self.evaluation == "nested" else SCORES
        return {column: name for column, name in names.items() if name in self.run.data.metrics}

    @property
    def corpus(self) -> str:
        """The corpus's label."""
        return self.protocol.corpus

    @property
    def task(self) -> str:
        """Styles, merges and emotions, in words."""
        protocol = self.protocol
        styles = f"{' '.join(protocol.styles)}: " if protocol.styles else ""
        merged = f", {' '.join(protocol.merged)}" if protocol.merged else ""
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
    """By corpus, task and evaluation, then by protocol, then by validation UAR (nested: outer UAR); test scores rank
    nothing."""
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
                **{column: one.run.data.metrics.get(one.scores.get(column, "")) for column in SCORES},
                "trials": one.trials,
                "run": one.run.info.run_id,
            }
            for one in self.entries
        ]
        columns = ("corpus", "task", "evaluation", "protocol", "rank", "model", "features", *SCORES, "trials", "run")
        return pd.DataFrame(rows, columns=list(columns))


def leaderboard(client: MlflowClient, corpus: str | None = None) -> Leaderboard:
    """Read all complete trials and keep the best of each kind.

    Args:
        client: MLflow.
        corpus: Only this one; None is all.

    Raises:
        UnknownNameError: There are no results of the corpus, and no such corpus.
    """
    kinds: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    protocols: dict[str, Protocol] = {}
    with tracking_errors(client.tracking_uri):
        found = [search_runs(client, f"metrics.{one} >= 0 and {FINISHED}") for one in ("validation_uar", "outer_uar")]
        for run in chain.from_iterable(found):
            protocol = protocol_of(run)
            ranked_here = {TRIAL_TAG, MEMBERS_TAG} & run.data.tags.keys() or _is_nested(run)
            if not ranked_here or (corpus and protocol.corpus != corpus):
                continue
            protocols[protocol.fingerprint] = protocol
            params = run.data.params
            kinds[protocol.fingerprint, params["model.name"], _features(params)].append(run)
        promoted = {one.data.tags[STUDY_TAG]: one.data.tags[BEST_TAG] for one in search_runs(client, HAS_BEST)}
    ranked: dict[str, int] = defaultdict(int)
    entries = []
    confirmed = {run.data.tags[STUDY_TAG] for runs in kinds.values() for run in runs if CONFIRMED_TAG in run.data.tags}

    def stands(run: Run) -> bool:
        """Whether a run may stand for its study: of one that confirmed its best, the seed that was chosen, alone."""
        study = run.data.tags.get(STUDY_TAG)
        return study not in confirmed or promoted.get(study) == run.data.tags[TRIAL_TAG]

    # Of equals the oldest, as where a study's best is promoted
    able = {kind: [run for run in reversed(runs) if stands(run)] for kind, runs in kinds.items()}
    best = {kind: max(runs, key=_ranked_by) for kind, runs in able.items() if runs}
    for kind, run in sorted(best.items(), key=lambda one: -_ranked_by(one[1])):
        fingerprint, model, features = kind
        ranked[fingerprint] += 1
        entries.append(
            Entry(
                protocol=protocols[fingerprint],
                rank=ranked[fingerprint],
                model=model,
                features=features,
                trials=len(kinds[kind]),
                run=run,
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


def _features(params: Mapping[str, str]) -> str:
    """The feature set, with the encoder or the set of functionals that it takes."""
    detail = params.get("features.checkpoint") or params.get("model.checkpoint") or params.get("features.set")
    return params["features.name"] + (f" {short_name(detail)}" if detail else "")


def _is_nested(run: Run) -> bool:
    """Whether it is the run of a nested study; runs of earlier versions lack the model's name, and are left out."""
    return "outer_uar" in run.data.metrics and "model.name" in run.data.params


def _ranked_by(run: Run) -> float:
    return float(run.data.metrics["outer_uar" if _is_nested(run) else "validation_uar"])
