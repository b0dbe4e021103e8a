"""Claims: published numbers, compared with the scores of a split's predictions."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..metrics import METRICS
from ..resampling import with_interval
from .finding import Finding
from .recomputed import MEAN, SCORES, Recomputed

__all__ = ["Claim", "judge_claims", "read_claim"]

_CLAIM = re.compile(rf"([a-z0-9_-]+?)(:.+?)?({MEAN})?=([+-]?\d*\.?\d+)\s*(%?)", re.IGNORECASE)
_OTHER_NAMES = {"ua": "UAR", "macrof1": "macro-F1"}
_SWAPPED = {"UAR": "WA", "WA": "UAR", "CCC": "PCC", "PCC": "CCC", "MAE": "RMSE", "RMSE": "MAE"}
"""Scores that are taken for each other."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A published number."""

    metric: str
    """A name of `SCORES`, of dimensions perhaps with `:` and a dimension, and `-mean` where it is of folds, such as
    `UAR`, `WA-mean` or `CCC:arousal`."""
    value: float
    """A fraction, of metrics that have a highest value."""
    precision: float
    """Half of its last digit."""

    def matches(self, value: float) -> bool:
        """Whether a number is the claimed number, as far as its digits go."""
        return abs(value - self.value) <= self.precision + 1e-9


def read_claim(text: str) -> Claim:
    """Read a claim; numbers above 1 are per cent, but those of errors, which may have any size.

    >>> read_claim("UAR=72.3")
    Claim(metric='UAR', value=0.723, precision=0.0005)
    >>> read_claim("ccc:arousal-mean=0.61").metric, read_claim("RMSE=1.2").value
    ('CCC:arousal-mean', 1.2)

    Raises:
        ConfigError: It is not METRIC=NUMBER, or the number is above 100 %.
    """
    found = _CLAIM.fullmatch(text.strip())
    title = _title(found[1]) if found else None
    if not found or title is None or (found[2] and SCORES[title][0] == SCORES["UAR"][0]):
        raise ConfigError(_expected(text))
    number, metric = float(found[4]), METRICS.get(SCORES[title][1])
    per_cent = bool(found[5]) or (math.isfinite(metric.high) and number > 1)
    if per_cent and (number > 100 or not math.isfinite(metric.high)):
        raise ConfigError(_expected(text))
    digits = len(found[4].partition(".")[2]) + (2 if per_cent else 0)
    name = f"{title}{found[2] or ''}{(found[3] or '').lower()}"
    return Claim(name, round(number / 100 if per_cent else number, digits), 0.5 * 10**-digits)


def _title(name: str) -> str | None:
    """The score of this name, in any usual spelling; None where there is no such score."""
    key = re.sub(r"[_-]", "", name.lower())
    known = {title.lower().replace("-", ""): title for title in SCORES} | _OTHER_NAMES
    return known.get(key)


def _expected(text: str) -> str:
    return (
        f"--claim is '{text}'; expected METRIC=NUMBER with {', '.join(SCORES)}, of all dimensions or of one "
        f"(CCC:arousal), pooled or as mean of folds (UAR{MEAN}), such as UAR=0.723 or WA{MEAN}=71.2"
    )


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
        if claim.metric not in metrics:
            raise ConfigError(
                f"--claim {claim.metric}: the predictions have no such score; they have {', '.join(metrics)}"
            )
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
    title = re.split(rf":|{MEAN}$", claim.metric)[0]
    other_title = _SWAPPED.get(title, "")
    swapped = other_title + claim.metric.removeprefix(title)
    if swapped in equal and any(other.metric == swapped and other.matches(own.value) for other in claims):
        return f": {' and '.join(sorted((title, other_title), reverse=True))} are swapped; {right}"
    if equal:
        return f" and equals {' and '.join(map(_words, equal))}; {right}"
    where = ""
    if own.interval.known:
        within = own.interval.low <= claim.value <= own.interval.high
        where = f", and the claim lies {'within' if within else 'outside'} the interval"
    return f" and equals no metric of the predictions; {right}{where}"


def _words(metric: str) -> str:
    """A metric in words.

    >>> _words("UAR-mean"), _words("WA"), _words("CCC:arousal")
    ('fold mean UAR', 'pooled WA', 'pooled CCC of arousal')
    """
    title, _, dimension = metric.removesuffix(MEAN).partition(":")
    form = "fold mean" if metric.endswith(MEAN) else "pooled"
    return f"{form} {title}{f' of {dimension}' if dimension else ''}"
