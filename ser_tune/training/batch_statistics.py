"""Batch norm in training: which segments its running statistics record."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ..prediction import batch_norms

__all__ = ["running_statistics_kept"]


@contextmanager
def running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """Within this context, batch norms in training mode use their batch's statistics, but do not record them.

    Copies are called within it, apart from the clean segments: clean segments are then normalised by clean statistics
    alone, and the running statistics, by which the network judges, are those of clean speech.
    """
    norms = batch_norms(network)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
