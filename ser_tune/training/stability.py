"""Stability training: a network shall say of a perturbed copy what it says of the clean segment.

S. Zheng, Y. Song, T. Leung, I. Goodfellow: Improving the Robustness of Deep Neural Networks via Stability Training,
CVPR 2016, arXiv 1604.04326.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..prediction import batch_norms

__all__ = ["apart", "beside", "running_statistics_kept"]


def beside(clean: Sequence[Tensor], copies: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Put every segment's copy on channels of its own: the masks and mixtures of augmentation then fall on both alike.

    Args:
        clean: A network's inputs: segments (B, C, F, T), and perhaps lengths (B,).
        copies: The same segments of perturbed copies, of the same lengths.

    Returns:
        Segments (B, 2C, F, T), and perhaps lengths (B,).
    """
    segments, *lengths = clean
    return torch.cat([segments, copies[0]], dim=1), *lengths


def apart(inputs: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Undo `beside`: the inputs of the clean segments, and those of their copies."""
    segments, *lengths = inputs
    clean, copies = (one.contiguous(memory_format=torch.channels_last) for one in segments.chunk(2, dim=1))
    return (clean, *lengths), (copies, *lengths)


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
