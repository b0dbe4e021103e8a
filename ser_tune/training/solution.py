"""Solving: a fold's model that is fitted at once, without epochs."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..architectures import ARCHITECTURES, Examples
from .epochs import EpochReport, judged
from .fold import FoldTraining, Learned

__all__ = ["solve"]


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
    labels = torch.from_numpy(fold.classes).to(inputs.device)
    speakers = torch.from_numpy(fold.data.speakers[fold.utterances]).to(inputs.device)
    with torch.no_grad():
        solver(fold.network, fold.config.model, Examples((inputs, *lengths), labels, speakers))
        logits = fold.network.eval()(inputs, *lengths)
    loss = float(nn.functional.cross_entropy(logits.float(), labels))
    report = EpochReport(epoch=1, train_loss=loss, learning_rate=0.0, seconds=time.perf_counter() - started)
    scores = fold.held_out_scores(fold.network)
    if len(scores):
        report = judged(report, scores, fold.truth)
    report = replace(report, kept_uar=report.validation_uar, seconds=time.perf_counter() - started)
    on_epoch(report)
    return Learned(epoch=1, history=(report,), validation=scores)
