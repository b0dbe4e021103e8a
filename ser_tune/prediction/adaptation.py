"""Batch norm by the statistics of the evaluated speaker: AdaBN (Li et al. 2017, arXiv 1603.04779)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["adapted", "batch_norms"]

SOURCE_SEGMENTS = 16
"""Segments that the training's statistics count for beside the speaker's own, as Schneider et al. 2020, arXiv
2006.16971, weigh them: a single utterance is a poor sample of its speaker."""


def batch_norms(network: "nn.Module") -> "list[nn.BatchNorm1d | nn.BatchNorm2d]":
    """Every batch norm of a network."""
    from torch import nn

    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]


@contextmanager
def adapted(network: "nn.Module", inputs: "Iterable[tuple[Tensor, ...]]", segments: int) -> Iterator[None]:
    """Within this context, batch norm's statistics are those of one speaker, weighed against the training's.

    Args:
        network: In evaluation mode; afterwards it is as it was.
        inputs: All of the speaker's segments in batches, as the network takes them; all batches have equal weight.
        segments: Their number.
    """
    norms = batch_norms(network)
    trained = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.train()
            norm.momentum = None  # the mean over batches
            norm.reset_running_stats()
        for batch in inputs:
            network(*batch)
        share = SOURCE_SEGMENTS / (SOURCE_SEGMENTS + segments)
        for norm, before in zip(norms, trained, strict=True):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.lerp_(before["running_mean"], share)
            norm.running_var.lerp_(before["running_var"], share)
            norm.eval()
        yield
    finally:
        for norm, before, momentum in zip(norms, trained, momenta, strict=True):
            norm.load_state_dict(before, strict=False)
            norm.momentum = momentum
            norm.eval()
