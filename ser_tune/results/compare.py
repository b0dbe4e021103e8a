"""Comparing two results on the same utterances, paired by speaker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from mlflow.entities import Run

from ..errors import RegistryError, UnknownNameError
from ..folds import SIDES
from ..metrics import Metric, confusions
from ..protocol import Protocol
from ..resampling import PairedComparison, choice_p_value
from ..tracking import (
    Predictions,
    Result,
    Workspace,
    compare_seeds,
    name_of,
    protocol_of,
    read_predictions,
    results_of,
    searched_trials,
)
from .answer_kinds import AnswerKind, kind_of
from .stored_runs import find_results

__all__ = ["Choice", "Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The p-value of two results that were chosen for their scores."""

    searched: tuple[int, int]
    """Configurations that A and B may have been chosen among, each at least 1."""
    p_value: float
    """With the choice taken into account."""
    exact: bool
    """By the predictions of all configurations (`choice_p_value`); else Bonferroni's, with the larger search."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result A against result B."""

    side: str
    """Side of the compared predictions: `validation`, `test` or `holdout`."""
    results: tuple[Result, Result]
    predictions: tuple[Sequence[Predictions], Sequence[Predictions]]
    """For every seed, of the same utterances in the same order."""
    scores: tuple[Mapping[str, float], Mapping[str, float]]
    """Scores of A and of B, by MLflow's names; means over several seeds."""
    protocol: Protocol
    paired: PairedComparison
    """Comparison of the means over the seeds."""
    choice: Choice | None
    """None where no search saw the compared speakers, or each search had a single configuration."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The first, the objective, is tested."""
        return self.protocol.metrics

    @property
    def kind(self) -> AnswerKind:
        """The kind of the compared predictions."""
        return kind_of(self.protocol.task)

    @property
    def predicted(self) -> tuple[np.ndarray, np.ndarray]:
        """The predictions of A and of B, each of shape (N, ...).

        Of several seeds the class that most of them predict, of several classes the first; other answers are means.
        """
        ours, theirs = (
            self.kind.joined([seed.predicted for seed in seeds], len(seeds[0].names)) for seeds in self.predictions
        )
        return ours, theirs

    @property
    def confusions(self) -> tuple[np.ndarray, ...]:
        """The confusion matrix of A and of B, each of shape (K, K), summed over the seeds: rows are the truth.

        None where predictions are no classes.
        """
        if not self.kind.has_classes:
            return ()
        return tuple(np.sum([_confusion(seed) for seed in seeds], axis=0) for seeds in self.predictions)

    @property
    def differing(self) -> np.ndarray:
        """Numbers of the utterances for which A and B have different answers, the most different first."""
        apart = self.kind.apart(*self.predicted)
        order = np.argsort(-apart, kind="stable")
        return order[apart[order] > 0]


def compare(workspace: Workspace, first: str, second: str, side: str) -> Comparison:
    """Compare two results, each a registered model, a study or a run; of a configuration on several seeds the mean.

    Raises:
        UnknownNameError: There is no such side.
        ProtocolError: Their protocols differ; the message names the differences.
        RegistryError: One of them does not exist, or has no predictions of that side.
    """
    if side not in SIDES:
        raise UnknownNameError("side", side, SIDES)
    with workspace.errors():
        results = (find_results(workspace, first)[0], find_results(workspace, second)[0])
        protocol = protocol_of(results[0].run)
        protocol.refuse_other(protocol_of(results[1].run), f"'{first}' and '{second}' cannot be compared")
        ours, theirs = ([_predictions(workspace, run, side) for run in result.runs] for result in results)
        scores = (results[0].scores(workspace), results[1].scores(workspace))
        if len({seed.utterances for seed in (*ours, *theirs)}) > 1:
            raise RegistryError(f"'{first}' and '{second}' have {side} predictions of different utterances")
        paired = compare_seeds(ours, theirs, protocol.metrics)
        comparison = Comparison(side, results, (ours, theirs), scores, protocol, paired, choice=None)
        return comparison if side == "holdout" else replace(comparison, choice=_choice(workspace, comparison))


def _choice(workspace: Workspace, comparison: Comparison) -> Choice | None:
    """The p-value with the choice among the configurations of both searches.

    Test speakers of a fold are validation speakers of another fold, so a search chose by them too. Only promoted trials
    have predictions of them, so Bonferroni's correction is left.
    """
    metric = comparison.protocol.objective
    searches = [results_of(searched_trials(workspace, result.run)) for result in comparison.results]
    counts = (max(1, len(searches[0])), max(1, len(searches[1])))
    if max(counts) == 1:
        return None
    if comparison.side == "validation":
        families = []
        for configurations, own in zip(searches, comparison.predictions, strict=True):
            runs = [configuration.run for configuration in configurations] if len(configurations) > 1 else []
            others = _sums(workspace, runs, own[0].utterances, metric)
            families.append(None if others is None else [np.mean([seed.sums(metric) for seed in own], axis=0), *others])
        ours, theirs = families
        if ours is not None and theirs is not None:
            return Choice(counts, choice_p_value(metric, np.stack(ours), np.stack(theirs)), exact=True)
    return Choice(counts, min(1.0, max(counts) * comparison.paired.p_value), exact=False)


def _sums(
    workspace: Workspace, runs: Sequence[Run], utterances: tuple[str, ...], metric: Metric
) -> list[np.ndarray] | None:
    """A metric's sums by speaker for the validation predictions of runs; None where a run has lost them."""
    read = [read_predictions(workspace, run, "validation") for run in runs]
    found = [own.sums(metric) for own in read if own is not None and own.utterances == utterances]
    return found if len(found) == len(runs) else None


def _predictions(workspace: Workspace, run: Run, side: str) -> Predictions:
    """Predictions of a run, which must have them."""
    found = read_predictions(workspace, run, side)
    if found is None:
        hint = "" if side == "validation" else "; it is scored on them when it is promoted"
        raise RegistryError(f"run {run.info.run_id} ({name_of(run)}) has no {side} predictions{hint}")
    return found


def _confusion(seed: Predictions) -> np.ndarray:
    """The confusion matrix of a run, shape (K, K)."""
    together = np.zeros(len(seed.truth), dtype=np.int64)
    counts: np.ndarray = confusions(seed.truth, seed.predicted, together, 1, len(seed.names))[0]
    return counts
