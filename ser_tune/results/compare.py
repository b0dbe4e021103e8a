"""Comparing two results on the same utterances, paired by speaker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from .references import find_results

__all__ = ["Choice", "Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the choice of two results for their scores makes of their p-value."""

    searched: tuple[int, int]
    """Configurations that A and B may have been chosen among, each at least 1."""
    p_value: float
    """With the choice taken into account."""
    exact: bool
    """By the predictions of all of them (`choice_p_value`); else Bonferroni's, with the larger search."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result A against result B."""

    side: str
    """Whose predictions were compared: `validation`, `test` or `holdout`."""
    results: tuple[Result, Result]
    predictions: tuple[Sequence[Predictions], Sequence[Predictions]]
    """Of every seed, of the same utterances in the same order."""
    scores: tuple[Mapping[str, float], Mapping[str, float]]
    """Of A and of B, by MLflow's names; of several seeds their means."""
    protocol: Protocol
    paired: PairedComparison
    """Of the means over the seeds."""
    choice: Choice | None
    """None where no search saw the speakers who are compared, or each side's study had one configuration."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is compared; the first, the objective, is tested."""
        return self.protocol.metrics

    @property
    def predicted(self) -> tuple[np.ndarray, np.ndarray]:
        """The class that most seeds name, of several the first: of A and of B, each of shape (N,)."""
        ours, theirs = map(_most_named, self.predictions)
        return ours, theirs

    @property
    def confusions(self) -> tuple[np.ndarray, np.ndarray]:
        """The confusion matrix of A and of B, each of shape (K, K), summed over the seeds: rows are the truth."""
        ours, theirs = (np.sum([_confusion(one) for one in seeds], axis=0) for seeds in self.predictions)
        return ours, theirs

    @property
    def differing(self) -> np.ndarray:
        """Numbers of the utterances of which A and B predict different classes."""
        ours, theirs = self.predicted
        return np.flatnonzero(ours != theirs)


def compare(workspace: Workspace, first: str, second: str, side: str) -> Comparison:
    """Compare two results; where one is a configuration on several seeds, by the mean over them.

    Args:
        workspace: The project's stores.
        first: A registered model, a study or a run; result A.
        second: Result B.
        side: `validation`, `test` or `holdout`.

    Raises:
        UnknownNameError: There is no such side.
        ProtocolError: Their protocols differ; the message says in what.
        RegistryError: One of them does not exist, or has no predictions of that side.
    """
    if side not in SIDES:
        raise UnknownNameError("side", side, SIDES)
    with workspace.errors():
        one, other = (find_results(workspace, reference)[0] for reference in (first, second))
        protocol = protocol_of(one.run)
        protocol.refuse_other(protocol_of(other.run), f"'{first}' and '{second}' cannot be compared")
        ours, theirs = ([_predictions(workspace, run, side) for run in result.runs] for result in (one, other))
        scores = (one.scores(workspace), other.scores(workspace))
    if len({seed.utterances for seed in (*ours, *theirs)}) > 1:
        raise RegistryError(f"'{first}' and '{second}' have {side} predictions of different utterances")
    paired = compare_seeds(ours, theirs, protocol.metrics)
    with workspace.errors():
        choice = None
        if side != "holdout":
            choice = _choice(workspace, (one, other), (ours, theirs), side, protocol.objective, paired.p_value)
    return Comparison(
        side=side,
        results=(one, other),
        predictions=(ours, theirs),
        scores=scores,
        protocol=protocol,
        paired=paired,
        choice=choice,
    )


def _choice(
    workspace: Workspace,
    results: tuple[Result, Result],
    chosen: tuple[Sequence[Predictions], Sequence[Predictions]],
    side: str,
    metric: Metric,
    p_value: float,
) -> Choice | None:
    """What the searches of two results make of their p-value.

    Test speakers of a fold are validation speakers of another, so a search chose by them too. Their predictions are
    those of promoted trials alone, so that Bonferroni's correction is left.
    """
    searches = [results_of(searched_trials(workspace, one.run)) for one in results]
    counts = [max(1, len(one)) for one in searches]
    if max(counts) == 1:
        return None
    runs = [[one.run for one in configurations] for configurations in searches]
    if side == "validation":
        families = [
            _sums(workspace, one, own[0].utterances, metric) if count > 1 else []
            for one, own, count in zip(runs, chosen, counts, strict=True)
        ]
        if None not in families:
            ours, theirs = (
                np.stack([np.mean([seed.sums(metric) for seed in own], axis=0), *(family or [])])
                for own, family in zip(chosen, families, strict=True)
            )
            return Choice((counts[0], counts[1]), choice_p_value(metric, ours, theirs), exact=True)
    return Choice((counts[0], counts[1]), min(1.0, max(counts) * p_value), exact=False)


def _sums(
    workspace: Workspace, runs: Sequence[Run], utterances: tuple[str, ...], metric: Metric
) -> list[np.ndarray] | None:
    """A metric's sums by speaker of runs' validation predictions; None where those of a run are gone."""
    read = [read_predictions(workspace, run, "validation") for run in runs]
    found = [one.sums(metric) for one in read if one is not None and one.utterances == utterances]
    return found if len(found) == len(runs) else None


def _predictions(workspace: Workspace, run: Run, side: str) -> Predictions:
    found = read_predictions(workspace, run, side)
    if found is None:
        hint = "" if side == "validation" else "; it is scored on them when it is promoted"
        raise RegistryError(f"run {run.info.run_id} ({name_of(run)}) has no {side} predictions{hint}")
    return found


def _most_named(seeds: Sequence[Predictions]) -> np.ndarray:
    votes = sum(np.eye(len(one.names), dtype=np.int64)[one.predicted] for one in seeds)
    named: np.ndarray = np.argmax(votes, axis=1)
    return named


def _confusion(one: Predictions) -> np.ndarray:
    together = np.zeros(len(one.truth), dtype=np.int64)
    counts: np.ndarray = confusions(one.truth, one.predicted, together, 1, len(one.names))[0]
    return counts
