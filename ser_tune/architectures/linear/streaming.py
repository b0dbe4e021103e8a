"""Linear maps with an L2 penalty of more examples than memory holds: Newton's method on rows that are read in blocks.

Conjugate gradients find each step (C. Lin, R. Weng, S. Keerthi: Trust region Newton method, JMLR 9, 2008); an iteration
reads all rows once. The preconditioner has the largest eigenvalues of the features' Gram matrix, from a randomised
sketch (Z. Frangella, J. Tropp, M. Udell: Randomized Nyström preconditioning, SIAM Journal on Matrix Analysis 44(2),
2023). Memory holds a block, the sketch, and a few vectors of weights and of scores. Products are
float32; their sums are float64.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .newton import LOSSES
from .targets import Supervision

__all__ = ["Sketch", "Stream", "fit_stream"]

SKETCHED = 256
"""Eigenvalues of the preconditioner."""
STEPS, ITERATIONS = 60, 400
"""Most steps of Newton's method, and iterations of conjugate gradients for each."""
FORCED, SHORT = (0.1, 0.01), 0.1
"""Fractions of the gradient that are left of a step, on the way, and once a step changes no score by more than SHORT;
scores are then off by about this fraction of their change."""
FLAT, HALVINGS = 0.1, 20
"""Slope along a step, relative to its start's, at which the step ends, and most halvings of a step."""
JOINED = 16
"""Blocks whose products are added in float32."""
TINY = torch.finfo(torch.float64).tiny
EXACT, ROUGH = (1e-6, 1e-3), (1e-3, 1e-2)
"""Fraction of the gradient that the step of a quadratic loss leaves, and the error of scores of another loss: of the
classifier, and of those that calibration is fitted to."""
JITTER = 1e-10
"""Least penalty, relative to the mean eigenvalue of the Gram matrix."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Features (N, D) of examples; products add a feature that is always 1."""

    blocks: Callable[[], Iterator[tuple[slice, Tensor]]]
    """Reads all rows once, in order: rows, and their features (B, D), float32."""
    count: int
    """N."""
    width: int
    """D."""

    def pulled(self, columns: int, of: Callable[[slice, Tensor], Tensor]) -> Tensor:
        """Sum the features, weighted by what a function makes of each block's rows and features.

        Args:
            columns: Q.
            of: From rows and their features (B, D) to weights (B, Q), float64.

        Returns:
            Shape (Q, D + 1), float64.
        """
        sums, partial = torch.empty(0), torch.empty(0)
        for number, (rows, features) in enumerate(self.blocks()):
            weights = of(rows, features)
            if number == 0:
                sums = torch.zeros(columns, self.width + 1, dtype=torch.float64, device=features.device)
                partial = sums[:, :-1].float()
            elif number % JOINED == 0:
                sums[:, :-1] += partial
                partial.zero_()
            sums[:, -1] += weights.sum(dim=0)
            partial.addmm_(weights.float().T, features)
        sums[:, :-1] += partial
        return sums

    def through(self, weights: Tensor, bend: Callable[[slice, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Multiply weights (Q, D + 1) with the features, change the products, and multiply with the features again.

        Args:
            weights: Float64.
            bend: From rows and their products (B, Q), float64, to changed ones.

        Returns:
            The products (N, Q), and the sums (Q, D + 1), both float64.
        """
        products = torch.empty(self.count, len(weights), dtype=torch.float64, device=weights.device)
        narrow = weights[:, :-1].float().T

        def bent(rows: slice, features: Tensor) -> Tensor:
            products[rows] = (features @ narrow).double() + weights[:, -1]
            return bend(rows, products[rows])

        return products, self.pulled(len(weights), bent)


@dataclass(frozen=True, slots=True)
class Sketch:
    """The largest eigenvalues of the Gram matrix of features (N, D + 1), and their vectors."""

    vectors: Tensor
    """Shape (D + 1, R), float32, orthonormal."""
    values: Tensor
    """Shape (R,), float64, descending."""
    trace: float

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return self.vectors.nbytes

    @classmethod
    def of(cls, stream: Stream, device: torch.device) -> "Sketch":
        """Read all features once."""
        size = min(SKETCHED, stream.count, stream.width + 1)
        random = torch.randn(stream.width + 1, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        tested = torch.linalg.qr(random.to(device)).Q
        squares = torch.zeros((), dtype=torch.float64, device=device)

        def same(rows: slice, products: Tensor) -> Tensor:
            squares.add_(products.square().sum())
            return products

        seen = stream.through(tested.T.contiguous(), same)[1].T
        trace = float(squares) * (stream.width + 1) / size
        moved = 1e-6 * float(torch.linalg.matrix_norm(seen))
        seen += moved * tested
        core = tested.T @ seen
        factor = torch.linalg.cholesky((core + core.T) / 2)
        basis = torch.linalg.qr(torch.linalg.solve_triangular(factor, seen.T, upper=False).T)
        left, singular, _ = torch.linalg.svd(basis.R)
        return cls((basis.Q @ left).float(), (singular.square() - moved).clamp(min=0), trace)

    def preconditioned(self, rest: Tensor, curvature: Tensor, penalty: float) -> Tensor:
        """Approximate solutions (Q, D + 1) of (curvature · Gram + penalty) x = rest, with a curvature (Q,) for each."""
        curved = curvature[:, None] * self.values + penalty  # (Q, R)
        tail = curved[:, -1:]
        inside = (rest.float() @ self.vectors).double() * (tail / curved - 1)
        return (rest + (inside.float() @ self.vectors.T).double()) / tail


@dataclass(frozen=True, slots=True)
class _Curvature:
    """Second derivatives of losses by scores."""

    own: Tensor
    """By each score, shape (N, Q)."""
    counts: Tensor
    """Weight of each score, shape (N, Q)."""
    chances: Tensor | None
    """Chances of logistic loss, shape (N, Q), whose outputs depend on one another; None for others."""

    def of(self, columns: Tensor, outputs: int) -> Callable[[slice, Tensor], Tensor]:
        """From rows and changes of some scores (B, A), by their columns (A,), to changes of the slopes."""
        if self.chances is None:
            own = self.own[:, columns]
            return lambda rows, change: own[rows] * change
        counts, chances = self.counts[:, columns], self.chances[:, columns]

        def bend(rows: slice, change: Tensor) -> Tensor:
            shape = (len(change), -1, outputs)
            weighted = (chances[rows] * change).reshape(shape)
            mean = chances[rows].reshape(shape) * weighted.sum(dim=2, keepdim=True)
            return counts[rows] * (weighted - mean).reshape(change.shape)

        return bend


@dataclass(frozen=True, slots=True)
class _Problems:
    """Problems that are solved together, so that each reading of the rows serves all.

    There are P of K outputs, with Q = P · K scores of an example. Outputs of logistic loss depend on one another; each
    output of another loss is a unit of its own.
    """

    stream: Stream
    sketch: Sketch
    supervision: Supervision
    counts: np.ndarray
    """Weight of each score, 0 where an example does not belong to a problem, shape (N, Q)."""
    penalty: float
    left: float
    """Fraction of the gradient that is left of the step of a quadratic loss."""
    tolerance: float
    """Error of scores of another loss."""

    @property
    def outputs(self) -> int:
        """K."""
        outputs: int = self.supervision.targets.shape[1]
        return outputs

    @property
    def unit(self) -> int:
        """Outputs of a unit: those that depend on one another."""
        return self.outputs if self.supervision.loss == "logistic" else 1

    def slopes(self, scores: Tensor, columns: np.ndarray) -> Tensor:
        """Slopes (N, C) of the losses of some columns (C,), whole units, at their scores (N, C)."""
        slopes, of = np.empty(scores.shape), LOSSES[self.supervision.loss]
        for first in range(0, len(columns), self.unit):
            own = slice(first, first + self.unit)
            counts = self.counts[:, columns[own]]
            given = counts[:, 0] if self.unit > 1 else counts
            targets = self.supervision.targets[:, columns[own] % self.outputs]
            _, slopes[:, own] = of(scores[:, own].cpu().numpy(), targets, given)
        return torch.from_numpy(slopes).to(scores.device)

    def _of_units(self, products: Tensor) -> Tensor:
        """Sums (A,) over the columns (C,) of each unit."""
        return products.reshape(-1, self.unit).sum(dim=1)

    def curvature(self, scores: Tensor, columns: np.ndarray) -> _Curvature:
        """The second derivatives of the losses of some columns (C,), whole units, at their scores (N, C)."""
        counts = torch.from_numpy(self.counts[:, columns]).to(scores.device)
        if self.supervision.loss == "ridge":
            return _Curvature(counts, counts, None)
        if self.supervision.loss == "squared_hinge":
            signs = torch.from_numpy(self.supervision.targets[:, columns % self.outputs]).to(scores.device)
            return _Curvature(2 * counts * (signs * scores < 1), counts, None)
        if self.supervision.loss == "binary":
            return _Curvature(counts * torch.sigmoid(scores) * torch.sigmoid(-scores), counts, None)
        chances = torch.softmax(scores.reshape(len(scores), -1, self.outputs), dim=2).reshape(scores.shape)
        return _Curvature(counts * chances * (1 - chances), counts, chances)

    def step(self, curvature: _Curvature, gradient: Tensor, left: np.ndarray) -> tuple[Tensor, Tensor]:
        """Newton's step by conjugate gradients: of weights (C, D + 1), and of scores (N, C).

        Args:
            curvature: At the scores.
            gradient: Shape (C, D + 1).
            left: Fraction of the gradient that is left in the end, for each unit (A,).
        """
        mean = curvature.own.mean(dim=0)
        change, rest = torch.zeros_like(gradient), -gradient
        moved = torch.zeros_like(curvature.own)
        near = self.sketch.preconditioned(rest, mean, self.penalty)
        size = self._of_units((rest * near).sum(dim=1))
        enough, direction = torch.from_numpy(left**2).to(size) * size, near
        for _ in range(ITERATIONS):
            active = torch.nonzero((size > enough).repeat_interleave(self.unit))[:, 0]
            if len(active) == 0:
                break
            ahead = direction[active]
            products, curved = self.stream.through(ahead, curvature.of(active, self.unit))
            curved += self.penalty * ahead
            units = active[:: self.unit] // self.unit
            reach = (size[units] / self._of_units((ahead * curved).sum(dim=1))).repeat_interleave(self.unit)
            change[active] += reach[:, None] * ahead
            moved[:, active] += products * reach
            rest[active] -= reach[:, None] * curved
            near = self.sketch.preconditioned(rest[active], mean[active], self.penalty)
            now = self._of_units((rest[active] * near).sum(dim=1))
            direction[active] = near + (now / size[units]).repeat_interleave(self.unit)[:, None] * ahead
            size[units] = now
        return change, moved

    def solved(self, weights: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The best weights (Q, D + 1) and their scores (N, Q), from a start, both changed in place."""
        unfinished = np.arange(len(weights) // self.unit)
        left = np.full(len(unfinished), FORCED[0])
        for _ in range(STEPS):
            columns = (unfinished[:, None] * self.unit + np.arange(self.unit)).ravel()
            own, at = weights[columns], scores[:, columns]
            slopes = self.slopes(at, columns)
            gradient = self.stream.pulled(len(columns), lambda rows, _: slopes[rows]) + self.penalty * own  # noqa: B023
            curvature = self.curvature(at, columns)
            if self.supervision.loss == "ridge":
                change, moved = self.step(curvature, gradient, np.full(len(unfinished), self.left))
                return weights + change, scores + moved
            change, moved = self.step(curvature, gradient, left[unfinished])
            shares = self._shares(own, at, change, moved, columns)
            taken = torch.from_numpy(shares.repeat(self.unit)).to(at)
            weights[columns], scores[:, columns] = own + taken[:, None] * change, at + taken * moved
            reached = scores[:, columns].abs().amax(dim=0).reshape(-1, self.unit).amax(dim=1).clamp(max=1.0)
            size = moved.abs().amax(dim=0).reshape(-1, self.unit).amax(dim=1) / reached.clamp(min=TINY)
            short = (shares == 1) & (size.cpu().numpy() < SHORT)
            # A step of squared hinge may be short in one piece, and the next in another piece is long
            error = size.cpu().numpy() * (1 if self.supervision.loss == "squared_hinge" else left[unfinished])
            ended = (shares == 0) | short & (error < self.tolerance)
            left[unfinished] = np.where(short, FORCED[1], FORCED[0])
            unfinished = unfinished[~ended]
            if len(unfinished) == 0:
                break
        return weights, scores

    def _shares(self, own: Tensor, at: Tensor, change: Tensor, moved: Tensor, columns: np.ndarray) -> np.ndarray:
        """The fraction of each unit's step at which the value hardly descends further, shape (A,); at most 1."""
        ahead, bent = (self._of_units((own * change).sum(dim=1)), self._of_units(change.square().sum(dim=1)))

        def slopes(shares: np.ndarray) -> np.ndarray:
            taken = torch.from_numpy(shares).to(at)
            of_scores = self.slopes(at + taken.repeat_interleave(self.unit) * moved, columns)
            of_loss = self._of_units((of_scores * moved).sum(dim=0))
            sloped: np.ndarray = (of_loss + self.penalty * (ahead + taken * bent)).cpu().numpy()
            return sloped

        low, high = np.zeros(len(bent)), np.ones(len(bent))
        first, shares = slopes(low), high.copy()
        enough = FLAT * np.abs(first)
        for _ in range(HALVINGS):
            now = slopes(shares)
            steep = np.abs(now) > enough
            low, high = np.where(now < 0, shares, low), np.where(now < 0, high, shares)
            wanted = steep & (low < 1)
            if not wanted.any():
                break
            shares = np.where(wanted, (low + high) / 2, shares)
        return np.where(first < 0, shares, 0.0)


def fit_stream(
    stream: Stream, sketch: Sketch, supervision: Supervision, penalty: float, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Solve a linear map, and where asked for a map without each of some groups of examples.

    Args:
        stream: The features.
        sketch: Of these features.
        supervision: Targets, weights and loss.
        penalty: The squared weights count half of it.
        groups: A number for each example's group, shape (N,), or None.

    Returns:
        Best weights (K, D), biases (K,), and scores (N, K) of each example by the weights without its group.
    """
    penalty = max(penalty, JITTER * sketch.trace / min(stream.count, stream.width + 1))
    outputs, device = supervision.targets.shape[1], sketch.values.device

    def problems(masks: np.ndarray, exact: tuple[float, float]) -> _Problems:
        """Problems of the examples of masks (N, P)."""
        counts = masks[:, :, None] * supervision.weights.reshape(stream.count, 1, -1)
        spread = np.broadcast_to(counts, (*masks.shape, outputs)).reshape(stream.count, -1)
        return _Problems(stream, sketch, supervision, spread, penalty, *exact)

    weights = torch.zeros(outputs, stream.width + 1, dtype=torch.float64, device=device)
    scores = torch.zeros(stream.count, outputs, dtype=torch.float64, device=device)
    weights, scores = problems(np.ones((stream.count, 1)), EXACT).solved(weights, scores)
    found, without = weights.cpu().numpy(), None
    if groups is not None:
        present, number = np.unique(groups, return_inverse=True)
        parts = problems(number[:, None] != np.arange(len(present)), ROUGH)
        _, scores = parts.solved(weights.repeat(len(present), 1), scores.repeat(1, len(present)))
        without = scores.cpu().numpy().reshape(len(scores), -1, outputs)[np.arange(len(scores)), number]
    return found[:, :-1], found[:, -1], without
