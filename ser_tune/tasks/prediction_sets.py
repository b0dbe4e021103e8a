"""Prediction sets with a stated error rate, calibrated on speakers whom the networks were not trained on.

A set has the answers whose score is within a limit; its error is that the true answer is outside. Utterances of a
speaker are alike, so what is exchangeable is speakers: each calibration speaker has the same weight, whatever the
number of utterances. Two limits are stored for each error rate:

- `expected`: the limit of the pooled distribution of scores (R. Dunn, L. Wasserman, A. Ramdas: Distribution-Free
  Prediction Sets for Two-Layer Hierarchical Models, JASA 118, 2023, arXiv 1809.07441, there CDF pooling), at the level
  at which every calibration speaker, judged by the limit of the others, errs at the stated rate on average. Without
  this correction the limit errs more often, because few speakers hide how much speakers differ.
- `guaranteed`: hierarchical conformal prediction (Y. Lee, R. F. Barber, R. Willett: Distribution-free inference with
  hierarchical data, arXiv 2306.06342, 2023). Its error rate is at most the stated one for any distribution, and with
  few speakers far below: of S speakers it has no limit at error rates below 1 / (S + 1).

Both statements are of an utterance of a new speaker of the same population, on average over calibrations.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..row_groups import rows_by

__all__ = ["SETS_FILE", "PredictionSets", "StatedSets", "calibrate_sets", "read_prediction_sets"]

SETS_FILE = "prediction_sets.json"
"""The file beside a recipe."""
RATES = tuple(round(0.001 * step, 3) for step in range(1, 501))
"""Error rates whose limits are stored."""
SET_COLUMN, NO_MEMBER, ENDS = "prediction_set", "none", ("low", "high")
"""The key of a set of classes in a row, the text of an empty one, and the endings of the keys of ranges."""
UNCERTAIN = "uncertain"
"""The label of an utterance that is not decided."""
DECIMALS = 6
"""Decimals of limits; they are rounded up."""


@dataclass(frozen=True, slots=True)
class StatedSets:
    """Prediction sets at one error rate."""

    error_rate: float
    limits: np.ndarray
    """The largest score within a set: of classes shape (1,), of K dimensions shape (K,)."""
    kind: str
    """The kind of predictions: `classes`, or `dimensions`."""
    guaranteed: bool = False
    """Whether the error rate is a bound for any distribution of speakers."""

    def inside(self, shown: np.ndarray) -> np.ndarray:
        """Whether each class is in the set of each utterance, shape (N, K), from probabilities (N, K)."""
        inside: np.ndarray = 1 - shown <= self.limits + 0.5 * 10**-DECIMALS
        return inside

    def covers(self, shown: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Whether the true answer is within, shape (N, 1) of classes, (N, K) of K dimensions.

        Args:
            shown: Probabilities or ratings, shape (N, K).
            truth: Class numbers (N,), or ratings (N, K).
        """
        covered: np.ndarray = _SCORES[self.kind](shown, truth) <= self.limits + 0.5 * 10**-DECIMALS
        return covered

    def members(self, numbers: Mapping[str, float]) -> tuple[str, ...] | None:
        """The classes in the set of an utterance, the most probable first; None where answers are ratings."""
        if not self.has_members:
            return None
        inside = self.inside(np.array([list(numbers.values())]))[0]
        within = [name for name, is_member in zip(numbers, inside, strict=True) if is_member]
        return tuple(sorted(within, key=lambda name: -numbers[name]))

    def ranges(self, numbers: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """The lowest and the highest rating of each dimension within the set; empty of classes."""
        if self.has_members:
            return {}
        limits = zip(numbers.items(), self.limits.tolist(), strict=True)
        return {name: (value - limit, value + limit) for (name, value), limit in limits}

    def columns(self, numbers: Mapping[str, float], label: str) -> dict[str, object]:
        """The answer and the set of an utterance, as rows of tables have them.

        Args:
            numbers: The probability of each class, or the rating of each dimension.
            label: The answer without a set.

        Returns:
            `label`, which is `uncertain` where the set has not exactly one class; and `prediction_set`, its classes
            with `|` between them, or `none`; or for each dimension `NAME_low` and `NAME_high`.
        """
        if (members := self.members(numbers)) is not None:
            return {"label": label if len(members) == 1 else UNCERTAIN, SET_COLUMN: "|".join(members) or NO_MEMBER}
        ranges = self.ranges(numbers).items()
        return {f"{name}_{end}": place for name, ends in ranges for end, place in zip(ENDS, ends, strict=True)}

    def column_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The columns of the set, for the names of all outputs."""
        return (SET_COLUMN,) if self.has_members else tuple(f"{name}_{end}" for name in labels for end in ENDS)

    @property
    def has_members(self) -> bool:
        """Whether a set is a list of classes; otherwise it is a range of each rating."""
        return _SCORES[self.kind] is _class_scores


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """The limits of prediction sets at every error rate of 0.001 to 0.5, as a registered model has them."""

    kind: str
    """The kind of predictions: `classes`, or `dimensions`."""
    speakers: int
    """Calibration speakers."""
    utterances: int
    expected: tuple[tuple[float | None, ...], ...]
    """The limit at each error rate: a row of classes, or for each dimension; None where the speakers are too few."""
    guaranteed: tuple[tuple[float | None, ...], ...]
    """The same with a distribution-free bound."""

    def at(self, error_rate: float, *, guaranteed: bool = False) -> StatedSets:
        """The sets at an error rate, which is rounded down to three decimals.

        Raises:
            ConfigError: The error rate is not from 0.001 to 0.5, or the calibration speakers are too few for it.
        """
        if not RATES[0] <= error_rate <= RATES[-1]:
            raise ConfigError(f"error_rate is {error_rate:g}; expected {RATES[0]:g} to {RATES[-1]:g}")
        place = math.floor(round(error_rate * 1000, 6)) - 1
        rows = self.guaranteed if guaranteed else self.expected
        limits = [row[place] for row in rows]
        known = [limit for limit in limits if limit is not None]
        if len(known) < len(limits):
            usable = [rate for number, rate in enumerate(RATES) if all(row[number] is not None for row in rows)]
            least = f"expected at least {usable[0]:g}" if usable else "they determine no error rate"
            raise ConfigError(
                f"error_rate is {error_rate:g}, for which {self.speakers} calibration speakers are too few: every set "
                f"would have all answers; {least}{' with a guarantee' if guaranteed and usable else ''}"
            )
        return StatedSets(RATES[place], np.array(known), self.kind, guaranteed)

    def as_json(self) -> str:
        """The limits as text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "PredictionSets":
        """Read what `as_json` wrote."""
        written: dict[str, Any] = json.loads(text)
        rows = {name: tuple(map(tuple, written[name])) for name in ("expected", "guaranteed")}
        return cls(**(written | rows))


def calibrate_sets(kind: str, shown: np.ndarray, truth: np.ndarray, speakers: np.ndarray) -> PredictionSets | None:
    """Calibrate prediction sets; None where predictions of this kind have none.

    Args:
        kind: The kind of predictions: `classes`, or `dimensions`; others have no sets.
        shown: Probabilities or ratings of utterances by networks that were not trained on their speakers, shape (N, K).
        truth: Class numbers (N,), or ratings (N, K).
        speakers: A number for each utterance's speaker, shape (N,).
    """
    if kind not in _SCORES:
        return None
    scores = _SCORES[kind](shown.astype(np.float64), truth)
    numbers = np.unique(speakers, return_inverse=True)[1]
    limits = [_limits(column, numbers) for column in scores.T]
    return PredictionSets(
        kind=kind,
        speakers=int(numbers.max()) + 1,
        utterances=len(numbers),
        expected=tuple(_stored(expected) for expected, _ in limits),
        guaranteed=tuple(_stored(guaranteed) for _, guaranteed in limits),
    )


def read_prediction_sets(folder: Path) -> PredictionSets | None:
    """The prediction sets of a saved predictor; None where it was saved without, as those of earlier versions are."""
    file = folder / SETS_FILE
    return PredictionSets.from_json(file.read_text(encoding="utf-8")) if file.is_file() else None


def _limits(scores: np.ndarray, speakers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected and guaranteed limits at `RATES`; infinite where the speakers are too few.

    Args:
        scores: Of the true answers, shape (N,).
        speakers: Counted from 0, shape (N,).
    """
    counts = np.bincount(speakers)
    order = np.argsort(scores, kind="stable")
    sorted_scores, weights = scores[order], 1 / counts[speakers[order]]
    below = _mass_below(sorted_scores, weights)
    mass, total = np.cumsum(weights), len(counts)
    rates = np.array(RATES)
    guaranteed = _quantiles(sorted_scores, mass, (1 - rates) * (total + 1))
    if total == 1:
        return np.full(len(rates), math.inf), guaranteed
    own = np.empty(len(scores))
    for rows in rows_by(speakers[order]).values():
        own[rows] = _mass_below(sorted_scores[rows], weights[rows])
    # The share of the others' distribution below each score: a speaker errs where it is above the level
    levels = (below - own) / (total - 1)
    by_level = np.argsort(levels, kind="stable")
    at = _quantiles(levels[by_level], np.cumsum(weights[by_level]), (1 - rates) * total)
    place = np.searchsorted(mass / total, at + 1e-9, side="right")
    expected = np.append(sorted_scores, math.inf)[place]
    return expected, guaranteed


def _mass_below(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sum of the weights of smaller scores, for each of ascending scores, shape (N,)."""
    before: np.ndarray = np.concatenate([[0.0], np.cumsum(weights)])[np.searchsorted(scores, scores, side="left")]
    return before


def _quantiles(values: np.ndarray, mass: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The smallest of ascending values (N,) whose cumulative mass (N,) reaches what is wanted (R,), or infinity."""
    found: np.ndarray = np.append(values, math.inf)[np.searchsorted(mass, wanted - 1e-9, side="left")]
    return found


def _stored(limits: np.ndarray) -> tuple[float | None, ...]:
    scale = 10**DECIMALS
    return tuple(math.ceil(limit * scale) / scale if math.isfinite(limit) else None for limit in limits.tolist())


def _class_scores(shown: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 less the probability of the true class, shape (N, 1)."""
    scores: np.ndarray = 1 - shown[np.arange(len(truth)), truth][:, np.newaxis]
    return scores


def _distances(shown: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances of ratings from the true ones, shape (N, K)."""
    distances: np.ndarray = np.abs(shown - truth)
    return distances


_SCORES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "classes": _class_scores,
    "dimensions": _distances,
}
"""From shown numbers and truth to scores of the true answer, by the kind of predictions."""
