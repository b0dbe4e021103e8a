"""Comparing two results on the same utterances, paired by speaker."""

from dataclasses import dataclass

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run

from ..errors import RegistryError, UnknownNameError
from ..folds import SIDES
from ..metrics import PairedComparison, compare_paired
from ..study import Protocol
from ..tracking import Predictions, protocol_of, read_predictions, tracking_errors
from .references import find_run

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result A against result B."""

    side: str
    """Whose predictions were compared: `validation`, `test` or `holdout`."""
    runs: tuple[Run, Run]
    predictions: tuple[Predictions, Predictions]
    """Of the same utterances in the same order."""
    protocol: Protocol
    paired: PairedComparison

    @property
    def differing(self) -> np.ndarray:
        """Numbers of the utterances on which the two predictions differ."""
        ours, theirs = self.predictions
        return np.flatnonzero(ours.predicted != theirs.predicted)


def compare(client: MlflowClient, first: str, second: str, side: str) -> Comparison:
    """Compare two results.

    Args:
        client: MLflow.
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
    with tracking_errors(client.tracking_uri):
        one, other = (find_run(client, reference) for reference in (first, second))
        protocol = protocol_of(one)
        protocol.refuse_other(protocol_of(other), f"'{first}' and '{second}' cannot be compared")
        ours, theirs = (_predictions(client, run, side) for run in (one, other))
    if ours.utterances != theirs.utterances:
        raise RegistryError(f"'{first}' and '{second}' have {side} predictions of different utterances")
    return Comparison(
        side=side,
        runs=(one, other),
        predictions=(ours, theirs),
        protocol=protocol,
        paired=compare_paired(ours.truth, ours.predicted, theirs.predicted, ours.speaker_numbers, len(ours.emotions)),
    )


def _predictions(client: MlflowClient, run: Run, side: str) -> Predictions:
    found = read_predictions(client, run.info.run_id, side)
    if found is None:
        hint = "" if side == "validation" else "; it is scored on them when it is promoted"
        raise RegistryError(f"run {run.info.run_id} ({run.info.run_name}) has no {side} predictions{hint}")
    return found
