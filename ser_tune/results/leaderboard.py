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
    CORPUS_TAG,
    MEMBERS_TAG,
    PRETRAINING_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Result,
    ScoredSet,
    Workspace,
    is_complete,
    networks_of,
    protocol_of,
    results_of,
    score_of,
    scored_sets,
    search_runs,
)
from .nested_scores import is_nested
from .published_numbers import PUBLISHED, Published

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Leaderboard", "leaderboard"]

logger = logging.getLogger(__name__)

EVALUATIONS = ("nested", "held-out", "official split", "train-test", "cross-validated")
"""Ways to evaluate a result; the scores of all but the last, on outer or test speakers, are free of the selection."""
SCORED = "protocol.corpus"
"""A tag of the runs whose scores have a protocol; a server may hold many others."""
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
    """Number of complete trials, combinations or nested studies of this kind."""
    result: Result
    scores: Mapping[str, float]
    """Scores of every side and the ends of their intervals, by MLflow's names; means over several seeds."""

    @property
    def run(self) -> Run:
        """The result's run; of several seeds the median one's."""
        return self.result.run

    @property
    def seeds(self) -> int:
        """Number of trainings whose mean the result is."""
        return len(self.result.runs)

    @property
    def networks(self) -> str:
        """Number of networks that judge an utterance together, for validation and test, and for outer scores."""
        if self.evaluation == "nested":
            return f"outer {networks_of(self.run, 'outer')}"
        outer = f", outer {networks_of(self.run, 'holdout')}" if self.evaluation == "held-out" else ""
        return f"{networks_of(self.run, 'test')}{outer}"

    @property
    def evaluation(self) -> str:
        """`nested`, `held-out` (from the search), `official split`, `train-test` (corpora) or `cross-validated`."""
        if is_nested(self.run):
            return "nested"
        if self.protocol.is_official:
            return "official split"
        if self.protocol.holdout:
            return "held-out"
        return "train-test" if self.protocol.scheme == "train-test" else "cross-validated"

    @property
    def metrics(self) -> Mapping[str, str]:
        """MLflow's metric of each column: validation, test, and outer (speakers outside every search)."""
        chosen, scored = self.protocol.objective.name, [metric.name for metric in self.protocol.metrics]
        single = f"outer_single_{chosen}"
        if self.evaluation == "nested":
            outer = {f"outer_{name}": f"outer_{name}" for name in scored}
            return {f"validation_{chosen}": f"inner_{chosen}", **outer, single: single}
        sides = {"test": "test", "outer": "holdout"}
        found = {f"{column}_{name}": f"{side}_{name}" for column, side in sides.items() for name in scored}
        return {f"validation_{chosen}": f"validation_{chosen}", **found, single: f"holdout_single_{chosen}"}

    @property
    def corpus(self) -> str:
        """The corpus's name for its users."""
        return self.run.data.tags.get(CORPUS_TAG, self.protocol.corpus)

    @property
    def task(self) -> str:
        """Target, styles, merges and the number of outputs, in words."""
        protocol = self.protocol
        styles = f"{', '.join(protocol.styles)}: " if protocol.styles else ""
        merged = f", {', '.join(protocol.merged)}" if protocol.merged else ""
        target = "" if protocol.task.name == DEFAULT_TASK else f"{protocol.task.name}: "
        scheme = f", {protocol.scheme}" if protocol.scheme else ""
        return f"{target}{styles}{len(protocol.names)} {protocol.task.answers}{merged}{scheme}"

    @property
    def corpora(self) -> Sequence[ScoredSet]:
        """Scores of each corpus of a union, or test set of an official split, of the result's run."""
        return scored_sets(self.run.data.metrics)

    @property
    def pretraining(self) -> str:
        """Pretraining of the encoder: corpus `seen`, `unknown` or `other data`; empty without an encoder."""
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
    def parts(self) -> "Sequence[Leaderboard]":
        """A leaderboard for each task: scores of unlike metrics are in tables of their own."""
        tasks = [entry.protocol.task.name for entry in self.entries] + [known.target for known in self.published]
        return [
            Leaderboard(
                entries=[entry for entry in self.entries if entry.protocol.task.name == task],
                published=[known for known in self.published if known.target == task],
            )
            for task in sorted(set(tasks), key=lambda task: (task != DEFAULT_TASK, task))
        ]

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of scores, each with its title: of every objective and metric of the entries."""
        protocols = [entry.protocol for entry in self.entries]
        target = self.published[0].target if self.published and not self.entries else DEFAULT_TASK
        usual = tuple(map(METRICS.get, TASKS.get(target).metrics))
        chosen = _unlike([protocol.objective for protocol in protocols] or usual[:1])
        known = [METRICS.get(name) for published in self.published for name in published.scores]
        scored = _unlike([*([metric for protocol in protocols for metric in protocol.metrics] or usual), *known])
        sides = [(side, metric) for side in ("test", "outer") for metric in scored]
        return {
            **{f"validation_{metric.name}": f"validation {metric.title}" for metric in chosen},
            **{f"{side}_{metric.name}": f"{side} {metric.title}" for side, metric in sides},
            **{f"outer_single_{metric.name}": f"outer {metric.title} of one network" for metric in chosen},
        }

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each entry: what was trained, its rank within its protocol, and its scores."""
        import pandas as pd

        shown = self.columns
        rows = [
            {
                "corpus": entry.corpus,
                "task": entry.task,
                "evaluation": entry.evaluation,
                "protocol": entry.protocol.fingerprint,
                "rank": entry.rank,
                "model": entry.model,
                "features": entry.features,
                **{column: entry.scores.get(entry.metrics.get(column, "")) for column in shown},
                "networks": entry.networks,
                "trials": entry.trials,
                "seeds": entry.seeds,
                "run": entry.run.info.run_id,
            }
            for entry in self.entries
        ]
        keys = ("corpus", "task", "evaluation", "protocol", "rank", "model", "features")
        columns = (*keys, *shown, "networks", "trials", "seeds", "run")
        return pd.DataFrame(rows, columns=list(columns))


def leaderboard(workspace: Workspace, corpus: str | None = None) -> Leaderboard:
    """Read all complete trials of a corpus, or of all, and keep the best configuration of each kind.

    Raises:
        UnknownNameError: There are no results of the corpus, and no such corpus.
    """
    kinds: dict[Kind, list[Run]] = defaultdict(list)
    protocols: dict[str, Protocol] = {}
    with workspace.errors():
        for run in search_runs(workspace, having=[SCORED], finished=True):
            protocol = protocol_of(run)
            names = (None, protocol.corpus, run.data.tags.get(CORPUS_TAG))
            if corpus in names and _is_ranked(run, protocol):
                protocols.setdefault(protocol.fingerprint, protocol)
                params = run.data.params
                kinds[protocol.fingerprint, params["model.name"], _features(params)].append(run)
        eligible = _eligible(workspace, kinds)
        entries = [
            Entry(
                protocol=protocol,
                rank=rank,
                model=kind[1],
                features=kind[2],
                trials=len(kinds[kind]),
                result=result,
                scores=result.scores(workspace),
            )
            for protocol in protocols.values()
            for rank, (kind, result) in enumerate(_ranked(eligible, protocol), start=1)
        ]
    entries.sort(
        key=lambda entry: (
            entry.corpus,
            entry.task,
            EVALUATIONS.index(entry.evaluation),
            entry.protocol.fingerprint,
            entry.rank,
        )
    )
    here = {entry.protocol.corpus for entry in entries} | (set() if corpus is None else {corpus})
    published = [number for number in PUBLISHED if number.corpus in here]
    if corpus is not None and not entries and not published:
        CORPORA.get(corpus)
    return Leaderboard(entries=entries, published=published)


def _eligible(workspace: Workspace, kinds: Mapping[Kind, Sequence[Run]]) -> dict[Kind, list[Result]]:
    """The results of each kind that represent their study, oldest first; runs are listed newest first.

    Trainings on fresh seeds, by the study or by a later `confirm`, represent the search that chose them. A study's own
    confirmation also trains trials for comparison; only the promoted configuration represents it.
    """
    promoted = {run.data.tags[STUDY_TAG]: run.data.tags[BEST_TAG] for run in search_runs(workspace, having=[BEST_TAG])}
    tags_of_all = [run.data.tags for runs in kinds.values() for run in runs]
    own = {tags[STUDY_TAG] for tags in tags_of_all if CONFIRMED_TAG in tags}
    later = {tags[CONFIRMS_TAG] for tags in tags_of_all if CONFIRMS_TAG in tags}

    def represents(result: Result) -> bool:
        study = result.run.data.tags.get(STUDY_TAG)
        if study in later and CONFIRMED_TAG not in result.run.data.tags:
            return False
        return study not in own or any(promoted.get(study) == run.data.tags[TRIAL_TAG] for run in result.runs)

    return {kind: [result for result in results_of(runs) if represents(result)] for kind, runs in kinds.items()}


def _ranked(eligible: Mapping[Kind, Sequence[Result]], protocol: Protocol) -> list[tuple[Kind, Result]]:
    """The kinds of a protocol with their best results, sorted by validation score, or by the outer score if nested."""
    ranking = Ranking(protocol.objective)
    best = []
    for kind, results in eligible.items():
        if kind[0] == protocol.fingerprint and (chosen := ranking.best(results, lambda result: result.mean)):
            best.append((kind, chosen))

    def score(pair: tuple[Kind, Result]) -> float | None:
        _, result = pair
        return score_of(result.run, "outer") if is_nested(result.run) else result.mean

    return ranking.best_first(best, score)


def _features(params: Mapping[str, str]) -> str:
    """The feature set, with the encoder or the set of functionals that it takes."""
    detail = params.get("features.checkpoint") or params.get("model.checkpoint") or params.get("features.set")
    return params["features.name"] + (f" {short_name(detail)}" if detail else "")


def _is_ranked(run: Run, protocol: Protocol) -> bool:
    """Whether a run is a complete trial, a combination or a nested study, and no plug-in of its protocol is gone."""
    ranked = is_nested(run) if {TRIAL_TAG, MEMBERS_TAG}.isdisjoint(run.data.tags) else is_complete(run)
    try:
        return ranked and bool(protocol.metrics)
    except UnknownNameError as error:
        logger.warning("run %s is left out: %s", run.info.run_id, error)
        return False


def _unlike(metrics: Iterable[Metric]) -> list[Metric]:
    """Metrics without repetition, in the order in which they occur."""
    return list({metric.name: metric for metric in metrics}.values())
