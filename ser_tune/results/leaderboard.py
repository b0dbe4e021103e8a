"""The best result of every corpus, task, evaluation, model and features, ranked under one protocol each.

The objective is part of the protocol, so that scores of unlike metrics are never ranked together.

A configuration on several seeds is one result, their mean: see `tracking/configurations.py`.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlflow.entities import Run

from ..corpora import CORPORA
from ..encoders import short_name
from ..errors import UnknownNameError
from ..metrics import METRICS, Metric, Ranking
from ..protocol import Protocol
from ..tasks import DEFAULT_TASK, TASKS
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
    Workspace,
    is_complete,
    networks_of,
    protocol_of,
    results_of,
    score_of,
    search_runs,
)
from .outer import is_nested
from .published import PUBLISHED, Published

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Leaderboard", "leaderboard"]

logger = logging.getLogger(__name__)

EVALUATIONS = ("nested", "held-out", "cross-validated")
"""How a result was obtained; the scores of the first two are free of the selection."""
HAS_BEST = f"tags.`{BEST_TAG}` LIKE '%'"
"""Finds the runs of studies that have a best trial."""
SCORED = "attributes.status = 'FINISHED' and tags.`protocol.corpus` LIKE '%'"
"""Finds the finished runs whose scores have a protocol; a server may hold many others."""
Kind: TypeAlias = tuple[str, str, str]
"""Protocol's fingerprint, model, features."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The best of the configurations, combinations or nested studies that share protocol, models and features.

    The best has the best validation score (nested: inner score), of several seeds their mean.
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
    """Scores of every side and the ends of their intervals, by MLflow's names; of several seeds their means."""

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
        if is_nested(self.run):
            return "nested"
        return "held-out" if self.protocol.holdout else "cross-validated"

    @property
    def metrics(self) -> Mapping[str, str]:
        """The metric in MLflow of each column: validation, test, and speakers whom no search used (outer)."""
        chosen, scored = self.protocol.objective.name, [one.name for one in self.protocol.metrics]
        single = f"outer_single_{chosen}"
        if self.evaluation == "nested":
            outer = {f"outer_{one}": f"outer_{one}" for one in scored}
            return {f"validation_{chosen}": f"inner_{chosen}", **outer, single: single}
        sides = {"test": "test", "outer": "holdout"}
        found = {f"{name}_{one}": f"{side}_{one}" for name, side in sides.items() for one in scored}
        return {f"validation_{chosen}": f"validation_{chosen}", **found, single: f"holdout_single_{chosen}"}

    @property
    def corpus(self) -> str:
        """The corpus's label."""
        return self.protocol.corpus

    @property
    def task(self) -> str:
        """Styles, merges and the number of classes, in words."""
        protocol = self.protocol
        styles = f"{', '.join(protocol.styles)}: " if protocol.styles else ""
        merged = f", {', '.join(protocol.merged)}" if protocol.merged else ""
        return f"{styles}{len(protocol.names)} {protocol.task.answers}{merged}"

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
    """By corpus, task and evaluation, then by protocol, then by validation score (nested: outer score). Test scores
    neither choose nor rank; outer scores rank nested results, but do not choose among those of one model and
    features."""
    published: Sequence[Published]

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of scores, each with its title: of every objective and metric of the entries."""
        protocols = [one.protocol for one in self.entries]
        task = TASKS.get(DEFAULT_TASK)
        usual = tuple(map(METRICS.get, task.metrics))
        chosen = _unlike([one.objective for one in protocols] or usual[:1])
        scored = _unlike([metric for one in protocols for metric in one.metrics] or usual)
        return {
            **{f"validation_{one.name}": f"validation {one.title}" for one in chosen},
            **{f"{side}_{one.name}": f"{side} {one.title}" for side in ("test", "outer") for one in scored},
            **{f"outer_single_{one.name}": f"outer {one.title} of one network" for one in chosen},
        }

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each entry: what was trained, its rank within its protocol, and its scores."""
        import pandas as pd

        shown = self.columns
        rows = [
            {
                "corpus": one.corpus,
                "task": one.task,
                "evaluation": one.evaluation,
                "protocol": one.protocol.fingerprint,
                "rank": one.rank,
                "model": one.model,
                "features": one.features,
                **{column: one.scores.get(one.metrics.get(column, "")) for column in shown},
                "networks": one.networks,
                "trials": one.trials,
                "seeds": one.seeds,
                "run": one.run.info.run_id,
            }
            for one in self.entries
        ]
        keys = ("corpus", "task", "evaluation", "protocol", "rank", "model", "features")
        columns = (*keys, *shown, "networks", "trials", "seeds", "run")
        return pd.DataFrame(rows, columns=list(columns))


def leaderboard(workspace: Workspace, corpus: str | None = None) -> Leaderboard:
    """Read all complete trials and keep the best configuration of each kind.

    Args:
        workspace: The project's stores.
        corpus: Only this one; None is all.

    Raises:
        UnknownNameError: There are no results of the corpus, and no such corpus.
    """
    kinds: dict[Kind, list[Run]] = defaultdict(list)
    protocols: dict[str, Protocol] = {}
    with workspace.errors():
        for run in search_runs(workspace, SCORED):
            protocol = protocol_of(run)
            if (corpus and protocol.corpus != corpus) or not _is_ranked(run, protocol):
                continue
            protocols.setdefault(protocol.fingerprint, protocol)  # of the newest run: earlier ones stored no lists
            params = run.data.params
            kinds[protocol.fingerprint, params["model.name"], _features(params)].append(run)
        promoted = {one.data.tags[STUDY_TAG]: one.data.tags[BEST_TAG] for one in search_runs(workspace, HAS_BEST)}
        able = _able(kinds, promoted)
        ranked = {
            kind: Ranking(protocols[kind[0]].objective).best_first(found, lambda one: one.mean)
            for kind, found in able.items()
        }
        best = {kind: found[0] for kind, found in ranked.items() if found}
        scores = {kind: one.scores(workspace) for kind, one in best.items()}
    entries = [
        Entry(
            protocol=protocol,
            rank=rank,
            model=model,
            features=features,
            trials=len(kinds[fingerprint, model, features]),
            result=best[fingerprint, model, features],
            scores=scores[fingerprint, model, features],
        )
        for fingerprint, protocol in protocols.items()
        for rank, (_, model, features) in enumerate(_ranked(best, fingerprint, protocol.objective), start=1)
    ]
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


def _is_ranked(run: Run, protocol: Protocol) -> bool:
    """Whether it is a complete trial, a combination or a nested study; runs of a plug-in that is gone are left out."""
    if not {TRIAL_TAG, MEMBERS_TAG}.isdisjoint(run.data.tags):
        ranked = is_complete(run)
    else:  # nested studies of earlier versions lack the model's name
        ranked = "model.name" in run.data.params and is_nested(run)
    try:
        return ranked and bool(protocol.metrics)
    except UnknownNameError as error:
        logger.warning("run %s is left out: %s", run.info.run_id, error)
        return False


def _ranked(best: Mapping[Kind, Result], fingerprint: str, objective: Metric) -> list[Kind]:
    """The kinds of a protocol, by the scores of their best results: of nested studies by outer scores."""

    def score(kind: Kind) -> float | None:
        result = best[kind]
        return score_of(result.run, "outer") if is_nested(result.run) else result.mean

    return Ranking(objective).best_first([kind for kind in best if kind[0] == fingerprint], score)


def _unlike(metrics: Iterable[Metric]) -> list[Metric]:
    """Each once, in the order in which they occur."""
    return list({one.name: one for one in metrics}.values())
