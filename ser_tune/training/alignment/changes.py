"""Changes of features that perturbation makes, which a solver keeps from changing scores."""

import numpy as np
import torch
from torch import Tensor

from ...architectures.networks.linear_probe import averaged
from ...prediction import SegmentReader

__all__ = ["changes_of"]

SAMPLED = 2_000
"""Most changes that are read, evenly spaced."""
AT_ONCE = 256
"""Segments that are read together."""


def changes_of(reader: SegmentReader, clean: int) -> Tensor:
    """Features of copies less those of the clean segments, averaged over frames.

    S. Zheng, Y. Song, T. Leung, I. Goodfellow: Improving the robustness of deep neural networks via stability training,
    CVPR 2016, arXiv 1604.04326.

    Args:
        reader: Clean segments, then those of each copy, as many and in the same order.
        clean: Number of clean segments, N.

    Returns:
        Shape (M, C, F), float32, of which the squares sum up to the mean over copies, times N.
    """
    which = np.arange(clean, len(reader))
    if len(which) > SAMPLED:
        which = which[np.linspace(0, len(which) - 1, SAMPLED).astype(np.int64)]
    found = []
    for numbers in np.array_split(which, -(-len(which) // AT_ONCE)):
        perturbed, own = (averaged(*reader.gather(part)) for part in (numbers, numbers % clean))
        found.append(perturbed - own)
    scaled: Tensor = torch.cat(found) * (clean / len(which)) ** 0.5
    return scaled
