"""Recomputing a claimed WA or UAR, pooled or the mean over folds, with an interval by bootstrap over speakers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..corpora import is_placeholder, name_key
from ..errors import ConfigError, CorpusError
from ..metrics import METRICS
from ..resampling import UNKNOWN, Interval, score, with_interval
from .finding import Finding
from .split import Split

__all__ = ["Claim", "Recomputed", "judge_claims", "read_claim", "recomputed"]

_CLAIM = re.compile(r"(UAR|UA|WA)(-mean)?=(\d*\.?\d+)\s*(%?)", re.IGNORECASE)
OTHER_METRIC = {"UAR": "WA", "WA": "UAR"}


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A score of the file's predictions."""

    value: float
    interval: Interval
    """95 %, where it is known: of pooled scores, where all speakers are known and there are two or more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A published number."""

    metric: str
    """`UAR`, `WA`, `UAR-mean` or `WA-mean`: pooled, or the mean over folds."""
    value: float
    """A fraction."""
    precision: float
    """Half of its last digit."""

    def matches(self, value: float) -> bool:
        """Whether a number is the claimed one, as far as its digits go."""
        return abs(value - self.value) <= self.precision + 1e-9


def read_claim(text: str) -> Claim:
    """Read a claim; numbers above 1 are per cent.

    >>> read_claim("UAR=72.3")
    Claim(metric='UAR', value=0.723, precision=0.0005)

    Raises:
        ConfigError: It is not METRIC=NUMBER, or the number is above 100 %.
    """
    found = _CLAIM.fullmatch(text.strip())
    number = float(found[3]) if found else 0.0
    per_cent = bool(found and found[4]) or number > 1
    if not found or number > (100 if per_cent else 1):
        raise ConfigError(
            f"--claim is '{text}'; expected METRIC=NUMBER with UAR, WA (pooled), UAR-mean or WA-mean (of folds), such "
            "as UAR=0.723 or WA-mean=71.2"
        )
    digits = len(found[3].partition(".")[2]) + (2 if per_cent else 0)
    metric = ("WA" if found[1].upper() == "WA" else "UAR") + (found[2] or "").lower()
    return Claim(metric, round(number / 100 if per_cent else number, digits), 0.5 * 10**-digits)


def recomputed(split: Split) -> Mapping[str, Recomputed] | None:
    """Score the predictions of the test rows.

    Args:
        split: With predictions, or without any.

    Returns:
        By name, as `Claim.metric` has it; None where no test row has a prediction.

    Raises:
        CorpusError: Some test rows have a prediction, and some have none.
    """
    rows = np.concatenate([fold.test for fold in split.folds])
    missing = [row for row in rows if not split.predictions[row]]
    if len(missing) == len(rows):
        return None
    if missing:
        raise CorpusError(
            f"{split.source}: {len(missing)} of {len(rows)} test rows have no prediction, such as "
            f"'{split.utterances[missing[0]].id}'; expected one in each, or none at all"
        )
    number_of = {name: number for number, name in enumerate(split.emotions)}
    truth = np.array([number_of[utterance.emotion] for utterance in split.utterances])
    predicted = np.array([number_of.get(name, -1) for name in split.predictions])  # -1: none, of a row that trains
    keys = [name_key(utterance.speaker) for utterance in split.utterances]
    speakers = np.unique(keys, return_inverse=True)[1]
    metrics = {name: METRICS.get(name.lower()) for name in OTHER_METRIC}
    scores = score(
        [(truth[fold.test], predicted[fold.test], speakers[fold.test]) for fold in split.folds],
        list(metrics.values()),
        len(number_of),
    )
    known = not any(is_placeholder(keys[row]) for row in rows)
    pooled, of_folds = {}, {}
    for name, metric in metrics.items():
        found = scores[metric.name]
        pooled[name] = Recomputed(found.value, found.interval if known else UNKNOWN)
        of_folds[f"{name}-mean"] = Recomputed(found.fold_mean, UNKNOWN)
    return pooled | of_folds


def judge_claims(claims: Sequence[Claim], metrics: Mapping[str, Recomputed]) -> list[Finding]:
    """Compare claims with what the predictions score.

    Args:
        claims: Published numbers.
        metrics: Of `recomputed`.

    Returns:
        A finding for each claim; without claims, one that has all metrics.
    """
    listed = tuple(f"{described(name)}: {with_interval(one.value, one.interval)}" for name, one in metrics.items())
    if not claims:
        return [Finding("metrics", "ok", "; ".join(listed))]
    return [_judge(claim, claims, metrics, listed) for claim in claims]


def _judge(
    claim: Claim, claims: Sequence[Claim], metrics: Mapping[str, Recomputed], listed: tuple[str, ...]
) -> Finding:
    own = metrics[claim.metric]
    said = f"{claim.value:g} is claimed as {described(claim.metric)}"
    right = f"{described(claim.metric)} is {with_interval(own.value, own.interval)}"
    if claim.matches(own.value):
        return Finding("claim", "ok", f"{said}, and {right}", listed)
    equal = [name for name, metric in metrics.items() if claim.matches(metric.value)]
    name, _, form = claim.metric.partition("-")
    swapped = OTHER_METRIC[name] + (f"-{form}" if form else "")
    if swapped in equal and any(one.metric == swapped and one.matches(own.value) for one in claims):
        return Finding("claim", "wrong", f"{said}: WA and UAR are swapped; {right}", listed)
    if equal:
        names = " and ".join(described(one) for one in equal)
        return Finding("claim", "wrong", f"{said} and equals {names}; {right}", listed)
    low, high = own.interval.low, own.interval.high
    inside = f", and the claim lies {'within' if low <= claim.value <= high else 'outside'} the interval"
    where = inside if own.interval.known else ""
    return Finding("claim", "wrong", f"{said} and equals no metric of the predictions; {right}{where}", listed)


def described(metric: str) -> str:
    """A metric in words.

    >>> described("UAR-mean"), described("WA")
    ('fold mean UAR', 'pooled WA')
    """
    name, _, mean = metric.partition("-")
    return f"{'fold mean' if mean else 'pooled'} {name}"
