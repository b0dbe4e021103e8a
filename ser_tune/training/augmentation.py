"""Augmentation of training segments: SpecAugment, mixup, and the perturbed copies that stability training compares."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from ..config import AugmentationSettings

__all__ = ["Mixer", "apart", "beside", "mixer", "specaugment"]

Mixer: TypeAlias = Callable[[Sequence[Tensor], Tensor], tuple[tuple[Tensor, ...], Tensor]]
"""From inputs, segments (B, C, F, T) and perhaps lengths (B,), and targets to mixed inputs and targets."""


def specaugment(segments: Tensor, settings: AugmentationSettings, lengths: Tensor | None = None) -> Tensor:
    """Set random bands of frequencies and of frames to 0, the mean of standardised features.

    Args:
        segments: Shape (B, C, F, T).
        settings: Number and largest width of the masks; widths are uniform from 0.
        lengths: Frames of each utterance, shape (B,), where T is only the longest's; masks of time keep within them.

    Returns:
        A masked copy; the same band is masked in all channels. Park et al. 2019, arXiv 1904.08779.
    """
    keep = torch.ones((), dtype=torch.bool, device=segments.device)
    for axis, widest in ((2, settings.frequency_mask), (3, settings.time_mask)):
        size = segments.shape[axis]
        draws = torch.rand(2, settings.masks, len(segments), 1, device=segments.device)
        extent = size if lengths is None or axis == 2 else lengths[:, None]
        width = draws[0] * widest * extent
        start = draws[1] * (extent - width)
        position = torch.arange(size, device=segments.device) + 0.5  # the middle, or the first would never be masked
        masked = ((position >= start) & (position < start + width)).any(dim=0)
        keep = keep & ~masked.view(len(segments), 1, *((size, 1) if axis == 2 else (1, size)))
    return segments * keep


def mixer(settings: AugmentationSettings) -> Mixer | None:
    """A function that mixes a network's inputs and targets (B, K), float32; None where settings ask for no mixup."""
    if not settings.mixup:
        return None
    if settings.mixup_per_sample or settings.mixup_dominant:
        return partial(_mix, settings=settings)
    alpha = torch.tensor([settings.mixup_alpha])
    weights = torch.distributions.Beta(alpha, alpha)

    def mix(inputs: Sequence[Tensor], targets: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        # As torchvision's MixUp, to the bit; torchvision takes half a second or more to import
        segments, *lengths = inputs
        weight = float(weights.sample(()))
        mixed, mixed_targets = (own.roll(1, 0).mul_(1.0 - weight).add_(own.mul(weight)) for own in (segments, targets))
        return (mixed, *_longer(lengths)), mixed_targets

    return mix


def _mix(
    inputs: Sequence[Tensor], targets: Tensor, *, settings: AugmentationSettings
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Mixup with weights that torchvision lacks: a weight for each segment, or at least 1/2."""
    segments, *lengths = inputs
    alpha = torch.tensor(settings.mixup_alpha)
    draws = (len(segments) if settings.mixup_per_sample else 1,)
    weight = torch.distributions.Beta(alpha, alpha).sample(draws).to(segments.device)
    if settings.mixup_dominant:
        weight = torch.maximum(weight, 1 - weight)
    mixed = segments.roll(1, 0).lerp_(segments, weight[:, None, None, None])
    return (mixed, *_longer(lengths)), targets.roll(1, 0).lerp_(targets, weight[:, None])


def _longer(lengths: Sequence[Tensor]) -> list[Tensor]:
    """A segment is mixed with the one before it, batch.roll(1, 0): the mixture is as long as the longer of both."""
    return [torch.maximum(own, own.roll(1, 0)) for own in lengths]


def beside(clean: Sequence[Tensor], copies: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Put every segment's copy on channels of its own: the masks and mixtures of augmentation then fall on both alike.

    For stability training: S. Zheng, Y. Song, T. Leung, I. Goodfellow, CVPR 2016, arXiv 1604.04326.

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
    clean, copies = (half.contiguous(memory_format=torch.channels_last) for half in segments.chunk(2, dim=1))
    return (clean, *lengths), (copies, *lengths)
