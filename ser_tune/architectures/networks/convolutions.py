"""AlexNet's convolutions, which several architectures share, over segments or over utterances of unequal lengths."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_unshuffle

from ...errors import ConfigError
from ..base import InputShape
from ..pretrained import SMALLEST_INPUT
from .layers import scaled

__all__ = [
    "UnshuffledConv2d",
    "alexnet_convolutions",
    "check_input",
    "convolve",
    "masked_batch_norm",
    "real_positions",
]


def check_input(shape: InputShape) -> None:
    """Refuse segments that AlexNet's strides and poolings would reduce to nothing."""
    if min(shape.bands, shape.frames) < SMALLEST_INPUT:
        raise ConfigError(
            f"segments of {shape.bands} bands × {shape.frames} frames are too small for AlexNet's convolutions; "
            f"expected at least {SMALLEST_INPUT} × {SMALLEST_INPUT} (features.n_mels or n_bins, segments.frames)"
        )


def alexnet_convolutions(channels: int, width: float, *, batch_norm: bool) -> nn.Sequential:
    """AlexNet's five convolutions and three poolings (Krizhevsky 2014, arXiv 1404.5997).

    Maps (B, C, F, T) to (B, scaled(256, width), F', T'), where F' and T' are about 1/32 of F and T. Without batch
    norm and at width 1, layers are numbered as in torchvision's `alexnet().features`, so its weights fit.
    """
    maps = [scaled(size, width) for size in (64, 192, 384, 256, 256)]
    layers: list[nn.Module] = []
    before = channels
    for number, (after, kernel, stride, padding) in enumerate(
        zip(maps, (11, 5, 3, 3, 3), (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), strict=True)
    ):
        # With batch norm, a norm of the input learns as well, and asks the first convolution for its input's gradient
        kind = UnshuffledConv2d if batch_norm and stride > 1 else nn.Conv2d
        layers.append(kind(before, after, kernel, stride=stride, padding=padding, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
        if number in (0, 1, 4):
            layers.append(nn.MaxPool2d(kernel_size=3, stride=2))
        before = after
    return nn.Sequential(*layers)


class UnshuffledConv2d(nn.Conv2d):
    """A strided convolution (square kernels, no dilation, no groups), computed without its stride on more channels.

    Input and kernel are cut into the stride's phases, and the kernel is padded to a whole number of them (space to
    depth). The result is `nn.Conv2d`'s but for the order of sums; on CPUs, whose kernels are made for dozens of
    channels, the gradient of an input of one channel takes a fifth of the time.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, F, T)."""
        assert not isinstance(self.padding, str)
        (kernel, _), (stride, _), (margin, _) = self.kernel_size, self.stride, self.padding
        cells = -(-kernel // stride)
        sizes = [(size + 2 * margin - kernel) // stride + cells for size in maps.shape[2:]]
        after = [stride * cell - margin - size for cell, size in zip(sizes, maps.shape[2:], strict=True)]
        phases = pixel_unshuffle(pad(maps, (margin, after[1], margin, after[0])), stride)
        weight = pixel_unshuffle(pad(self.weight, (0, stride * cells - kernel) * 2), stride)
        return conv2d(phases.contiguous(memory_format=torch.channels_last), weight, self.bias)


def convolve(layers: Iterable[nn.Module], maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Run layers over a batch as over each utterance alone, its end followed by the layers' own padding.

    Args:
        layers: Convolutions, poolings, batch norms, and functions of single positions.
        maps: Shape (B, C, F, T).
        lengths: Real frames of each utterance, shape (B,), int64; None where all T are.

    Returns:
        Maps (B, C', F', T'), whose values beyond an utterance's end mean nothing, and the lengths within T'.
    """
    for layer in layers:
        if lengths is None:
            maps = layer(maps)
        elif isinstance(layer, nn.BatchNorm2d):
            maps = masked_batch_norm(layer, maps, lengths)
        elif isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            # A real position's kernel reaches past the end into 0, as it would in the utterance alone
            maps = layer(maps * real_positions(maps, lengths))
            kernel, stride = _along_time(layer.kernel_size), _along_time(layer.stride)
            lengths = (lengths + 2 * _along_time(layer.padding) - kernel) // stride + 1
        else:
            maps = layer(maps)
    return maps, lengths


def masked_batch_norm(norm: nn.BatchNorm2d, maps: Tensor, lengths: Tensor) -> Tensor:
    """Batch norm of maps (B, C, F, T) by the statistics of real positions, of which utterances have `lengths` (B,).

    In training mode, running statistics are updated as the norm's own `forward` would, if it tracks them. Values beyond
    an utterance's end mean nothing.
    """
    if not norm.training:
        normalised: Tensor = norm(maps)
        return normalised
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    real, values = real_positions(maps, lengths), maps.float()
    count = lengths.sum() * maps.shape[2]
    mean = (values * real).sum(dim=(0, 2, 3), keepdim=True) / count
    centred = values - mean
    variance = (centred * real).square().sum(dim=(0, 2, 3), keepdim=True) / count
    if norm.track_running_stats:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean.flatten(), momentum)
            norm.running_var.lerp_(variance.flatten() * count / (count - 1), momentum)
    factor = norm.weight[:, None, None] * torch.rsqrt(variance + norm.eps)
    return (centred * factor + norm.bias[:, None, None]).to(maps.dtype)


def real_positions(maps: Tensor, lengths: Tensor) -> Tensor:
    """Mask (B, 1, 1, T), bool, of the positions of maps (B, C, F, T) that are an utterance and not its padding."""
    frames = torch.arange(maps.shape[3], device=maps.device)
    return (frames < lengths[:, None])[:, None, None]


def _along_time(size: str | int | tuple[int, ...]) -> int:
    """A layer's kernel, stride or padding along its last axis, which is one number where both axes have the same."""
    assert not isinstance(size, str)  # padding "same"
    return size if isinstance(size, int) else size[-1]
