"""What is done to training segments: SpecAugment, and mixup from torchvision."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..config import AugmentationSettings

__all__ = ["mixer", "specaugment"]


def specaugment(segments: Tensor, settings: AugmentationSettings) -> Tensor:
    """Set random bands of frequencies and of frames to 0, the mean of standardised features.

    Args:
        segments: Shape (B, C, F, T).
        settings: Number and largest width of the masks; widths are uniform from 0.

    Returns:
        A masked copy; the same band is masked in all channels. Park et al. 2019, arXiv 1904.08779.
    """
    keep = torch.ones((), dtype=torch.bool, device=segments.device)
    for axis, widest in ((2, settings.frequency_mask), (3, settings.time_mask)):
        size = segments.shape[axis]
        draws = torch.rand(2, settings.masks, len(segments), 1, device=segments.device)
        width = draws[0] * widest * size
        start = draws[1] * (size - width)
        position = torch.arange(size, device=segments.device) + 0.5  # the middle, or the first would never be masked
        masked = ((position >= start) & (position < start + width)).any(dim=0)
        keep = keep & ~masked.view(len(segments), 1, *((size, 1) if axis == 2 else (1, size)))
    return segments * keep


def mixer(settings: AugmentationSettings, n_classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """Mixup as settings ask for it: from segments (B, C, F, T) and labels (B,) to mixed segments and targets (B, K)."""
    if not settings.mixup:
        return None
    from torchvision.transforms import v2  # takes 2 s, and most trials do without

    mixup: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = v2.MixUp(
        alpha=settings.mixup_alpha, num_classes=n_classes
    )
    return mixup
