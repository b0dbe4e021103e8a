"""Features of training corpora that are made alike for a solver: whitening between corpora, and CORAL."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
import torch

from ...architectures import BLOCK, PART, Held, Inputs, Rows
from ...architectures.linear.mapped import MappedRows
from ...architectures.linear.maps import Covariance, shrinkage_of
from ...architectures.networks.linear_probe import averaged
from ...config import AlignmentSettings
from ...prediction import SegmentReader

__all__ = ["aligned_rows", "alignment_key", "coral", "whitening"]

SAMPLED = 1_000
"""Most recordings of a corpus that a covariance is estimated from, evenly spaced."""

Map: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""From features (B, D), float32, to features (B, D)."""


def alignment_key(settings: AlignmentSettings, corpora: np.ndarray) -> str:
    """All that aligned features depend on besides features and unlabelled speech."""
    return f"{settings.model_dump_json()} {hashlib.sha256(corpora.tobytes()).hexdigest()}"


def aligned_rows(
    rows: Rows, corpora: np.ndarray, settings: AlignmentSettings, unlabelled: SegmentReader | None
) -> Rows:
    """Map the features of every training corpus; those of a single block are kept in memory.

    Args:
        rows: Training examples.
        corpora: A number for each example's corpus, shape (N,), int64.
        settings: Kind whitening or coral.
        unlabelled: Speech of the target, for coral.
    """
    present, number = np.unique(corpora, return_inverse=True)
    own = [_sample(rows.blocks(PART), np.flatnonzero(number == which)) for which in range(len(present))]
    if settings.kind == "whitening":
        maps = whitening(own, settings)
    else:
        assert unlabelled is not None
        maps = coral(own, _sample(unlabelled.blocks(PART), np.arange(len(unlabelled))), settings)
    mapped = MappedRows(rows, maps, number)
    if rows.nbytes > BLOCK:
        return mapped
    return Held((torch.cat([inputs[0] for _, inputs in mapped.blocks(PART)]),))


def whitening(corpora: Sequence[np.ndarray], settings: AlignmentSettings) -> list[Map]:
    """A map for each corpus, to the mean and the covariance that corpora have on average.

    Args:
        corpora: Features of each, (N, D), float32.
        settings: Strength and shrinkage.
    """
    found = [_covariance(features, settings) for features in corpora]
    centred = np.concatenate([own - covariance.mean for own, covariance in zip(corpora, found, strict=True)])
    shares = np.concatenate([np.full(len(own), 1 / len(own) / len(corpora)) for own in corpora])
    shrinkage = float(np.mean([covariance.shrinkage for covariance in found]))
    target = Covariance.of(centred, shrinkage=shrinkage, weights=shares)
    mean = np.mean([covariance.mean for covariance in found], axis=0)
    return [_moved(covariance, target, mean, settings.strength) for covariance in found]


def coral(corpora: Sequence[np.ndarray], target: np.ndarray, settings: AlignmentSettings) -> list[Map]:
    """A map for each corpus, to the mean and the covariance of a target's features (N, D): CORAL in closed form.

    B. Sun, J. Feng, K. Saenko: Return of frustratingly easy domain adaptation, AAAI 2016, arXiv 1511.05547. Means are
    aligned too; covariances are shrunk, where the paper adds the identity.
    """
    wanted = _covariance(target, settings)
    found = [_covariance(features, settings) for features in corpora]
    return [_moved(covariance, wanted, wanted.mean, settings.strength) for covariance in found]


def _covariance(features: np.ndarray, settings: AlignmentSettings) -> Covariance:
    return Covariance.of(features, shrinkage=settings.shrinkage or shrinkage_of(features))


def _moved(own: Covariance, target: Covariance, mean: np.ndarray, strength: float) -> Map:
    """A map that removes a mean and a covariance and gives others; `strength` is the share of the way."""
    whiten, colour = own.power(-0.5), target.power(0.5)

    def moved(rows: np.ndarray) -> np.ndarray:
        there = colour(whiten(rows - own.mean)) + mean
        mapped: np.ndarray = rows + rows.dtype.type(strength) * (there - rows)
        return mapped

    return moved


def _sample(blocks: Iterable[tuple[slice, Inputs]], which: np.ndarray) -> np.ndarray:
    """Features (N, D) of some examples, by their numbers, evenly spaced where there are many."""
    if len(which) > SAMPLED:
        which = which[np.linspace(0, len(which) - 1, SAMPLED).astype(np.int64)]
    found = []
    for rows, inputs in blocks:
        own = which[(which >= rows.start) & (which < rows.stop)] - rows.start
        if len(own):
            features = averaged(*inputs)[torch.from_numpy(own)]
            found.append(features.flatten(start_dim=1).cpu().numpy())
    return np.concatenate(found)
