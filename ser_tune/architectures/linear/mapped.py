"""`MappedRows`: examples' features, averaged over frames and mapped when they are read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..base import Inputs, Rows
from ..networks.linear_probe import averaged

__all__ = ["MappedRows"]


@dataclass(frozen=True, slots=True)
class MappedRows:
    """Examples of a single frame each, the mean of their frames, of which all channels together are mapped."""

    rows: Rows
    """Source of the inputs, of all channels."""
    maps: Sequence[Callable[[np.ndarray], np.ndarray]]
    """From features (B, D), float32, to features (B, D)."""
    number: np.ndarray
    """Number of each example's map, shape (N,), int64."""
    picked: tuple[int, ...] | None = None
    """Channels that are kept of the mapped ones; None keeps all."""

    @property
    def nbytes(self) -> int:
        """Bytes of all inputs at once, at most."""
        return self.rows.nbytes

    def blocks(self, nbytes: int) -> Iterator[tuple[slice, Inputs]]:
        """As of `Rows`."""
        for rows, inputs in self.rows.blocks(nbytes):
            features = averaged(*inputs)
            flat, number = features.flatten(start_dim=1).cpu().numpy(), self.number[rows]
            mapped = np.empty_like(flat)
            for which in np.unique(number):
                mapped[number == which] = self.maps[which](flat[number == which])
            result = torch.from_numpy(mapped).to(features.device).reshape(features.shape)
            if self.picked is not None:
                result = result[:, list(self.picked)]
            yield rows, (result[..., None],)

    def channels(self, which: Sequence[int]) -> "MappedRows":
        """As of `Rows`."""
        before = self.picked
        return replace(self, picked=tuple(which) if before is None else tuple(before[number] for number in which))
