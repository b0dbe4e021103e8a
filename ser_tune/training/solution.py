"""Solving: a fold's model that is fitted at once, without epochs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..architectures import ARCHITECTURES, Examples
from .epochs import EpochReport, judged, unknown_scores
from .fold import FoldTraining, Learned

__all__ = ["solve"]

LOSSES_OF_RAW: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"classes": nn.functional.cross_entropy}
"""The training loss from raw outputs and values, by the kind of predictions; of other kinds it is the task's error."""


def solve(fold: FoldTraining, on_epoch: Callable[[EpochReport], None]) -> Learned:
    """Fit a model by its architecture's own solver; it counts as a single epoch.

    Args:
        fold: The model and what it learns from.
        on_epoch: Called with the report of that epoch.

    Raises:
        NonFiniteLossError: The validation loss is not finite.
    """
    started = time.perf_counter()
    solver = ARCHITECTURES.get(fold.config.model.name).solve
    assert solver is not None
    inputs, *lengths = fold.reader.gather(np.arange(len(fold.reader)))
    values = torch.from_numpy(fold.values).to(inputs.device)
    speakers = torch.from_numpy(fold.data.speakers[fold.utterances]).to(inputs.device)
    with torch.no_grad():
        solver(fold.network, fold.config.model, Examples((inputs, *lengths), values, speakers))
        raw = fold.network.eval()(inputs, *lengths).float()
    report = EpochReport(
        epoch=1,
        train_loss=_train_loss(fold, raw, values),
        learning_rate=0.0,
        seconds=time.perf_counter() - started,
        validation=unknown_scores(fold.goal),
    )
    outputs = fold.held_out_outputs(fold.network)
    if len(outputs):
        report = judged(report, outputs, fold.truth, fold.goal)
    report = replace(report, kept=report.score, seconds=time.perf_counter() - started)
    on_epoch(report)
    return Learned(epoch=1, history=(report,), validation=outputs)


def _train_loss(fold: FoldTraining, raw: Tensor, values: Tensor) -> float:
    loss = LOSSES_OF_RAW.get(fold.task.predictions)
    if loss is not None:
        return float(loss(raw, values))
    return fold.task.error(fold.task.activate(raw).cpu().numpy(), fold.values)
