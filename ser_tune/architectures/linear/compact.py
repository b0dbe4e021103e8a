"""Coordinates of examples, of which there are no more than examples: far fewer than features of all layers.

The best weights are a sum of examples (representer theorem), so that the Cholesky factor of the examples' Gram matrix
holds all that their features do. It lies in a file that has no name, and is mapped into memory.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.linalg.blas import ssyrk
from scipy.linalg.lapack import dpotrf

from ...errors import StorageError
from .streaming import Stream

__all__ = ["MOST", "Compact"]

MOST = 10_000
"""Most examples; of more the matrix takes more memory and time than reading their features again and again."""
JITTER = 1e-8
"""Added to the Gram matrix's diagonal, relative to its mean; ten times as much where rounding makes it indefinite."""
ROWS = 512
"""Rows of a block."""


@dataclass(frozen=True, slots=True)
class Compact:
    """The lower Cholesky factor of examples' Gram matrix, shape (N, N), float64, mapped into memory."""

    lower: np.ndarray
    narrow: np.ndarray
    """The same in float32, row after row."""

    @property
    def nbytes(self) -> int:
        """An eighth of the files' bytes: they take memory only while there is room, and several folds are kept."""
        return (self.lower.nbytes + self.narrow.nbytes) // 8

    @classmethod
    def of(cls, layers: Iterator[np.ndarray], count: int) -> "Compact":
        """From features (N, F), float32, layer by layer.

        Raises:
            LinAlgError: A feature is not finite.
            StorageError: The disk has no room for the matrix.
        """
        gram = np.zeros((count, count), dtype=np.float32, order="F")
        for features in layers:
            gram = ssyrk(1.0, features.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
        mean, jitter = float(gram.diagonal().mean()) or 1.0, JITTER  # 0 where all features are
        if not np.isfinite(mean):
            raise np.linalg.LinAlgError("features of examples are not finite")
        lower, narrow = _mapped(np.float64, count, "F"), _mapped(np.float32, count, "C")
        while True:
            for start in range(0, count, ROWS):
                lower[:, start : start + ROWS] = gram[:, start : start + ROWS]
            lower[np.diag_indices(count)] += jitter * mean
            factor, failed = dpotrf(lower, lower=1, clean=1, overwrite_a=1)
            if not failed:
                break
            jitter *= 10
        for start in range(0, count, ROWS):
            narrow[start : start + ROWS] = factor[start : start + ROWS]
        return cls(factor, narrow)

    @property
    def stream(self) -> Stream:
        """The coordinates as features of examples."""
        return Stream(self._blocks, len(self.lower), len(self.lower))

    def _blocks(self) -> Iterator[tuple[slice, torch.Tensor]]:
        for start in range(0, len(self.lower), ROWS):
            rows = slice(start, min(start + ROWS, len(self.lower)))
            yield rows, torch.from_numpy(self.narrow[rows])

    def of_examples(self, weights: np.ndarray) -> np.ndarray:
        """Weights of examples (K, N) from weights of coordinates (K, N)."""
        lower = torch.from_numpy(self.lower)
        found = torch.linalg.solve_triangular(lower.T, torch.from_numpy(np.ascontiguousarray(weights.T)), upper=True)
        of_examples: np.ndarray = found.T.numpy()
        return of_examples


def _mapped(dtype: type, count: int, order: Literal["C", "F"]) -> np.ndarray:
    """A matrix of zeros, shape (count, count), in a file that ends with it; `StorageError` where there is no room."""
    with tempfile.TemporaryFile() as file:
        size = count**2 * np.dtype(dtype).itemsize
        try:
            if hasattr(os, "posix_fallocate"):  # or the process would be killed when it writes to a full disk
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise StorageError(
                f"a matrix of {count} examples takes {size / 1e9:.1f} GB of the folder for temporary files "
                f"'{tempfile.gettempdir()}', which cannot be written: {error.strerror or error}; set TMPDIR to a "
                "folder with room"
            ) from None
        return np.memmap(file, dtype, "w+", shape=(count, count), order=order)
