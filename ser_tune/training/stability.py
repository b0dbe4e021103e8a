"""Stability training: a network shall say of a perturbed copy what it says of the clean segment.

S. Zheng, Y. Song, T. Leung, I. Goodfellow: Improving the Robustness of Deep Neural Networks via Stability Training,
CVPR 2016, arXiv 1604.04326.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["apart", "beside", "divergence"]


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


def apart(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Undo `beside`: first the clean segments, then their copies, (2B, C, F, T), and perhaps lengths (2B,)."""
    segments, *lengths = inputs
    both = torch.cat(segments.chunk(2, dim=1)).contiguous(memory_format=torch.channels_last)
    return both, *(one.repeat(2) for one in lengths)


def divergence(clean: Tensor, copies: Tensor) -> Tensor:
    """Mean of KL(clean || copy) = sum p log(p / q) over a batch, in nats; gradients flow into both.

    Args:
        clean: Logits of clean segments, shape (B, K).
        copies: Logits of their copies, shape (B, K).
    """
    said, said_of_copies = torch.log_softmax(clean, dim=1), torch.log_softmax(copies, dim=1)
    return torch.nn.functional.kl_div(said_of_copies, said, reduction="batchmean", log_target=True)
