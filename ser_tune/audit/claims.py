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
_SWAPPED = {"UAR": "WA", "WA": "UAR", "UAR-mean": "WA-mean", "WA-mean": "UAR-mean"}


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
        """Whether a number is the claimed number, as far as its digits go."""
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
    metrics = {name: METRICS.get(name.lower()) for name in ("UAR", "WA")}
    judged = [(truth[fold.test], predicted[fold.test], speakers[fold.test]) for fold in split.folds]
    scores = score(judged, list(metrics.values()), len(number_of))
    known = not any(is_placeholder(keys[row]) for row in rows)
    found = {name: scores[metric.name] for name, metric in metrics.items()}
    pooled = {name: Recomputed(own.value, own.interval if known else UNKNOWN) for name, own in found.items()}
    return pooled | {f"{name}-mean": Recomputed(own.fold_mean, UNKNOWN) for name, own in found.items()}


def judge_claims(claims: Sequence[Claim], metrics: Mapping[str, Recomputed]) -> list[Finding]:
    """Compare claims with the scores of the predictions, those of `recomputed`.

    Returns:
        A finding for each claim; without claims, one that lists all metrics.
    """
    listed = tuple(f"{_words(name)}: {with_interval(own.value, own.interval)}" for name, own in metrics.items())
    if not claims:
        return [Finding("metrics", "ok", "; ".join(listed))]
    findings = []
    for claim in claims:
        own = metrics[claim.metric]
        verdict = f"{claim.value:g} is claimed as {_words(claim.metric)}"
        right = f"{_words(claim.metric)} is {with_interval(own.value, own.interval)}"
        if claim.matches(own.value):
            findings.append(Finding("claim", "ok", f"{verdict}, and {right}", listed))
        else:
            findings.append(Finding("claim", "wrong", f"{verdict}{_mistake(claim, claims, metrics, right)}", listed))
    return findings


def _mistake(claim: Claim, claims: Sequence[Claim], metrics: Mapping[str, Recomputed], right: str) -> str:
    """The end of a sentence on a claim that is wrong: which other metric it is, if any, and the right number."""
    own = metrics[claim.metric]
    equal = [name for name, metric in metrics.items() if claim.matches(metric.value)]
    swapped = _SWAPPED[claim.metric]
    if swapped in equal and any(other.metric == swapped and other.matches(own.value) for other in claims):
        return f": WA and UAR are swapped; {right}"
    if equal:
        return f" and equals {' and '.join(map(_words, equal))}; {right}"
    where = ""
    if own.interval.known:
        within = own.interval.low <= claim.value <= own.interval.high
        where = f", and the claim lies {'within' if within else 'outside'} the interval"
    return f" and equals no metric of the predictions; {right}{where}"


def _words(metric: str) -> str:
    """A metric in words.

    >>> _words("UAR-mean"), _words("WA")
    ('fold mean UAR', 'pooled WA')
    """
    name, _, mean = metric.partition("-")
    return f"{'fold mean' if mean else 'pooled'} {name}"
