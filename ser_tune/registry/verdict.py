"""The promotion rule: whether a new version becomes champion, and what was compared to decide it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..metrics import PERMUTATION_TEST, PairedComparison, compare_paired
from ..study import worded
from ..tracking import CONFIRMS_TAG, STUDY_TAG, protocol_of, read_predictions
from .versions import CHAMPION, aliases_of

__all__ = ["CHALLENGER", "TAGS", "Confirmed", "Verdict", "decide"]

TAGS = (
    *("rule", "compared_with", "difference", "difference_interval", "p_value", "test", "verdict"),
    *("confirmed_mean", "confirmed_low", "confirmed_high", "confirmed_seeds"),
)
"""Every tag that a verdict can leave on a version."""
CHALLENGER = "challenger"
SIGNIFICANT = 0.05
"""Rule `confident` asks for a p-value below this."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What training a configuration again on fresh seeds came to: pooled validation UAR."""

    mean: float
    low: float
    """Lower end of the mean's 95 % interval."""
    high: float
    seeds: int
    trial: int
    """The trial with the median score, which represents the seeds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a new version becomes."""

    alias: str
    reason: str
    """In words."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What was compared: rule, version, difference, interval, p-value."""
    champion: str | None = None
    """The version that was champion; None where there was none."""


def decide(client: MlflowClient, name: str, run: Run, rule: str, confirmed: Confirmed | None) -> Verdict:
    """Compare a run with the present champion of a name; test scores are not compared.

    The champion may change afterwards: `claim_alias` of the verdict looks again.

    Args:
        client: MLflow.
        name: Of the registered model.
        run: Of the trial that would be registered.
        rule: `better`, `confident` or `always`; a confirmed configuration is judged by its lower bound instead.
        confirmed: What fresh seeds came to, if there were any.
    """
    tags = {"rule": "confirmed" if confirmed and rule != "always" else rule}
    if confirmed:
        tags |= {"confirmed_mean": f"{confirmed.mean:.4f}", "confirmed_low": f"{confirmed.low:.4f}"}
        tags |= {"confirmed_high": f"{confirmed.high:.4f}", "confirmed_seeds": str(confirmed.seeds)}
    aliases = aliases_of(client, name)
    if CHAMPION not in aliases:
        return Verdict(CHAMPION, "there was no champion before", tags)
    present = client.get_model_version(name, aliases[CHAMPION])
    return replace(_against(client, run, present, rule, confirmed, tags), champion=aliases[CHAMPION])


def _against(
    client: MlflowClient,
    run: Run,
    present: ModelVersion,
    rule: str,
    confirmed: Confirmed | None,
    tags: dict[str, str],
) -> Verdict:
    """Compare a run with a champion."""
    before = f"version {present.version}"
    tags["compared_with"] = before
    try:
        other = client.get_run(str(present.run_id))
    except MlflowException:
        return Verdict(CHALLENGER, f"the run of the champion, {before}, is gone; the two cannot be compared", tags)
    if differences := protocol_of(run).differences(protocol_of(other)):
        reason = (
            f"the champion, {before}, was scored under another protocol, the two are not comparable: "
            f"{worded(differences)}"
        )
        return Verdict(CHALLENGER, reason, tags)
    paired = _paired(client, run, other)
    if paired is not None:
        tags |= {
            "difference": f"{paired.uar_difference:.4f}",
            "difference_interval": (
                f"{paired.uar_interval.low:.4f} to {paired.uar_interval.high:.4f}"
                if paired.uar_interval.known
                else "unknown"
            ),
            "p_value": f"{paired.p_value:.4f}",
            "test": PERMUTATION_TEST,
        }
    if confirmed and rule != "always":
        return _by_lower_bound(run, other, present, confirmed, tags)
    return _by_rule(rule, float(f"{run.data.metrics['validation_uar']:.4f}"), present, paired, tags)


def _paired(client: MlflowClient, run: Run, other: Run) -> PairedComparison | None:
    """Both runs' validation predictions, compared; None where one has none."""
    ours, theirs = (read_predictions(client, one.info.run_id, "validation") for one in (run, other))
    if ours is None or theirs is None or ours.utterances != theirs.utterances:
        return None
    return compare_paired(ours.truth, ours.predicted, theirs.predicted, ours.speaker_numbers, len(ours.emotions))


def _by_rule(
    rule: str, uar: float, present: ModelVersion, paired: PairedComparison | None, tags: Mapping[str, str]
) -> Verdict:
    # Both as tags have it, to four digits: a score must not beat itself by what rounding took
    score = float(present.tags.get("validation_uar", "nan"))
    before = f"version {present.version}"
    if rule == "always":
        return Verdict(CHAMPION, f"the rule is to replace {before}, whatever the scores", tags)
    if "confirmed_low" in present.tags:
        reason = f"the champion, {before}, was confirmed on fresh seeds; `ser-tune confirm` this study to compare"
        return Verdict(CHALLENGER, reason, tags)
    if not uar > score:
        reason = f"its validation UAR {uar:.4f} does not beat the {score:.4f} of the champion, {before}"
        return Verdict(CHALLENGER, reason, tags)
    reason = f"its validation UAR {uar:.4f} beats the {score:.4f} of {before}"
    if rule == "confident":
        if paired is None:
            return Verdict(CHALLENGER, f"{reason}, but without predictions of both there is no paired test", tags)
        if paired.p_value >= SIGNIFICANT:
            return Verdict(CHALLENGER, f"{reason}, but not with p < {SIGNIFICANT} (p = {paired.p_value:.3f})", tags)
        reason += f" with p = {paired.p_value:.3f}"
    return Verdict(CHAMPION, reason, tags)


def _by_lower_bound(
    run: Run, other: Run, present: ModelVersion, confirmed: Confirmed, tags: Mapping[str, str]
) -> Verdict:
    """A confirmed configuration replaces what the same search found, and whatever has a lower bound below its own."""
    before = f"version {present.version}"
    mine = f"the mean of {confirmed.seeds} fresh seeds, {confirmed.mean:.4f}, has the lower bound {confirmed.low:.4f}"
    if "confirmed_low" not in present.tags and _searched_by(other) == _searched_by(run):
        return Verdict(CHAMPION, f"{mine}; {before} was the best of the same search, which is optimistic", tags)
    bound = float(present.tags.get("confirmed_low", other.data.metrics.get("validation_uar_low", "nan")))
    if confirmed.low > (-math.inf if math.isnan(bound) else bound):  # a champion without a bound has nothing to defend
        return Verdict(CHAMPION, f"{mine}, above the {bound:.4f} of {before}", tags)
    return Verdict(CHALLENGER, f"{mine}, not above the {bound:.4f} of the champion, {before}", tags)


def _searched_by(run: Run) -> str | None:
    """The study that found a run's configuration; None where it combines several."""
    tags = run.data.tags
    return tags.get(CONFIRMS_TAG) or tags.get(STUDY_TAG)
