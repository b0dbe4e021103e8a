"""A fold of `linear_probe`: a search over penalties, calibrated on left-out speakers, beside scikit-learn.

Features are random, of the shape that EmoDB has with Whisper base. The plain way fits scikit-learn's ridge to all
features, again for each penalty and each left-out part. The good engineer changes features once to as many coordinates
as there are examples, computes ridge without parts by its hat matrix, and starts logistic regression from the solution
of the penalty before.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from .rows import Options, Row, slope
from .ways import Work, compared

__all__ = ["measure"]

PENALTIES = np.geomspace(0.01, 1.0, 10)
"""Of a trial each, as fractions of the number of features."""
CLASSES, PARTS, GAP = 7, 5, 0.06


def _data(examples: int, features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, D), classes and parts (N,)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, examples)
    inputs = rng.normal(size=(examples, features)) + GAP * rng.normal(size=(CLASSES, features))[labels]
    return inputs.astype(np.float32), labels, np.arange(examples) % PARTS


def _product(objective: str, shape: tuple[int, int]) -> Work:
    """All penalties by the program's solver, as the trials of a fold call it."""
    from threadpoolctl import threadpool_limits

    from ser_tune.architectures import Shared
    from ser_tune.architectures.linear.problem import Problem, space_of
    from ser_tune.architectures.linear.solvers import left_out, solved
    from ser_tune.architectures.linear.targets import supervision

    inputs, labels, parts = _data(*shape)

    def work() -> None:
        shared = Shared(2**29)
        with threadpool_limits(1, user_api="blas"):
            for penalty in PENALTIES:
                space = shared.get(("fold", "space"), lambda: space_of(inputs))
                aims = supervision("classes", labels, CLASSES, objective)
                problem = Problem.of(space, aims, penalty * shape[1], shared=shared, key="fold")
                full = solved(problem)
                space.of_features(full.weights)
                left_out(problem, full, parts)

    return work


def _estimator(objective: str, penalty: float, *, keeps_solution: bool) -> object:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import LinearSVC

    if objective == "ridge":
        return Ridge(alpha=penalty)
    if objective == "squared_hinge":
        return LinearSVC(C=1 / penalty, tol=1e-3, max_iter=10_000)
    return LogisticRegression(C=1 / penalty, tol=1e-3, max_iter=1_000, warm_start=keeps_solution)


def _fitted(model: object, inputs: np.ndarray, labels: np.ndarray) -> None:
    counts = np.bincount(labels, minlength=CLASSES)
    signs = np.where(labels[:, None] == np.arange(CLASSES), 1.0, -1.0)
    targets = signs if type(model).__name__ == "Ridge" else labels
    fit: Callable[..., object] = getattr(model, "fit")  # noqa: B009 - estimators have no common type
    fit(inputs, targets, sample_weight=len(labels) / CLASSES / counts[labels])


def _plain(objective: str, shape: tuple[int, int]) -> Work:
    """Fit all features for each penalty, and for each left-out part."""
    inputs, labels, parts = _data(*shape)

    def work() -> None:
        for penalty in PENALTIES:
            for part in range(-1, PARTS):  # none is left out first
                model = _estimator(objective, penalty * shape[1], keeps_solution=False)
                _fitted(model, inputs[parts != part], labels[parts != part])

    return work


def _skilled(objective: str, shape: tuple[int, int]) -> Work:
    """Change features to coordinates once; ridge is left out in closed form."""
    from scipy.linalg import cho_factor, cho_solve
    from threadpoolctl import threadpool_limits

    inputs, labels, parts = _data(*shape)
    signs = np.where(labels[:, None] == np.arange(CLASSES), 1.0, -1.0)

    def work() -> None:
        with threadpool_limits(1, user_api="blas"):
            exact = inputs.astype(np.float64)
            gram = exact @ exact.T + 1
            if objective == "ridge":
                for penalty in PENALTIES:
                    inverse = cho_solve(
                        cho_factor(gram + penalty * shape[1] * np.eye(len(gram))), np.eye(len(gram)), check_finite=False
                    )
                    solution = inverse @ signs
                    solution.T @ exact
                    for part in range(PARTS):
                        out = parts == part
                        np.linalg.solve(inverse[np.ix_(out, out)], solution[out])
                return
            rows = np.linalg.cholesky(gram + 1e-10 * gram.trace() / len(gram) * np.eye(len(gram)))
            for part in range(-1, PARTS):
                model = _estimator(objective, shape[1], keeps_solution=True)
                for penalty in PENALTIES[::-1]:
                    setattr(model, "C", 1 / (penalty * shape[1]))  # noqa: B010 - as in _fitted
                    _fitted(model, rows[parts != part], labels[parts != part])

    return work


def _calibration_s(examples: int) -> float:
    """Processor seconds of the scores of left-out parts, of 128 features."""
    from threadpoolctl import threadpool_limits

    from ser_tune.architectures.linear.problem import Problem, space_of
    from ser_tune.architectures.linear.solvers import left_out, solved
    from ser_tune.architectures.linear.targets import supervision

    inputs, labels, parts = _data(examples, 128)
    problem = Problem.of(space_of(inputs), supervision("classes", labels, CLASSES, "ridge"), 12.8)
    taken = []
    with threadpool_limits(1, user_api="blas"):
        full = solved(problem)
        for _ in range(3):
            start = time.process_time()
            left_out(problem, full, parts)
            taken.append(time.process_time() - start)
    return sorted(taken)[1]


def measure(options: Options) -> list[Row]:
    """Seconds of all penalties of a fold by each objective, and the growth of ridge's calibration."""
    shape = (40, 96) if options.quick else (428, 7168)
    rows = [
        compared(
            f"{objective} of {shape[0]} x {shape[1]}, {len(PENALTIES)} penalties, calibrated",
            {
                "product": partial(_product, objective, shape),
                "skilled": partial(_skilled, objective, shape),
                # Of other objectives a turn takes minutes
                **({"plain": partial(_plain, objective, shape)} if objective == "ridge" else {}),
            },
            options,
            at_least=1.2,
        )
        for objective in ("ridge", "squared_hinge", "logistic")
    ]
    sizes = [200, 400] if options.quick else [2_000, 4_000, 8_000, 16_000]
    taken = [_calibration_s(size) for size in sizes]
    for size, seconds in zip(sizes, taken, strict=True):
        rows.append(Row(f"calibration of ridge, {size} x 128", seconds, "s"))
    growth = slope(sizes, taken)
    return [*rows, Row("its growth, log-log slope", growth, "", below=None if options.quick else 1.1)]
