"""The promotion rule: whether a new version becomes champion, and what was compared to decide it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..resampling.old import PERMUTATION_TEST
from ..study import Difference, worded
from ..tracking import (
    Result,
    compare_seeds,
    is_solved,
    no_randomness,
    protocol_of,
    read_predictions,
    searched_by,
    searched_trials,
    with_its_seeds,
)
from .versions import CHAMPION, aliases_of, number_of

__all__ = ["CHALLENGER", "TAGS", "Confirmed", "Verdict", "decide"]

TAGS = (
    *("rule", "compared_with", "difference", "difference_interval", "p_value", "p_value_corrected", "correction"),
    *("test", "verdict", "stress_loss", "stress_loss_before"),
    *("confirmed_mean", "confirmed_low", "confirmed_high", "confirmed_seeds"),
)
"""Every tag that a verdict can leave on a version."""
CHALLENGER = "challenger"
CORPUS_FACTS = {"corpus", "corpus_digest"}
"""Facts of a protocol that tell which recordings were scored."""
SIGNIFICANT = 0.05
"""Rule `confident` asks for a p-value below this, corrected for the searched trials."""


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
class _Champion:
    """The present champion."""

    version: str
    """Such as `version 3`."""
    run: Run
    tags: Mapping[str, str]
    """Of the version; without those of a confirmation where every seed is the same network."""

    @classmethod
    def of(cls, client: MlflowClient, present: ModelVersion, run: Run) -> "_Champion":
        """Read a champion, whose run is `run`."""
        tags = dict(present.tags)
        if "confirmed_mean" in tags and not _seeds_differ(client, run):
            tags = {key: value for key, value in tags.items() if not key.startswith("confirmed_")}
        return cls(f"version {present.version}", run, tags)

    @property
    def confirmed(self) -> bool:
        """Whether fresh seeds confirmed it."""
        return "confirmed_mean" in self.tags


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


def decide(
    client: MlflowClient,
    name: str,
    run: Run,
    rule: str,
    confirmed: Confirmed | None,
    stressed: Callable[[Run], Mapping[str, float]] = lambda run: {},
) -> Verdict:
    """Compare a run with the present champion of a name; test scores are not compared.

    Where both are confirmed, their means over fresh seeds are compared. `confident` corrects its p-value for the
    searched trials, of which the best are compared: fresh seeds do not remove that choice, because it was made on the
    speakers who are compared. A champion whose seeds all predict the same is unconfirmed, though
    earlier versions of ser-tune registered it as confirmed. The champion may change afterwards: `claim_alias` looks
    again.

    Args:
        client: MLflow.
        name: Of the registered model.
        run: Of the trial that would be registered.
        rule: `better`, `confident`, `robust` or `always`.
        confirmed: What fresh seeds came to, if there were any.
        stressed: From a run to its validation UAR in worse recordings, by condition; rule `robust` calls it.
    """
    tags = {"rule": rule}
    if confirmed:
        tags |= {"confirmed_mean": f"{confirmed.mean:.4f}", "confirmed_low": f"{confirmed.low:.4f}"}
        tags |= {"confirmed_high": f"{confirmed.high:.4f}", "confirmed_seeds": str(confirmed.seeds)}
    aliases = aliases_of(client, name)
    if CHAMPION not in aliases:
        return Verdict(CHAMPION, "there was no champion before", tags)
    present = client.get_model_version(name, aliases[CHAMPION])
    verdict = _against(client, run, present, rule, confirmed, tags)
    if rule == "robust" and verdict.alias == CHAMPION:
        verdict = _if_robust(verdict, run, client.get_run(str(present.run_id)), stressed)
    return replace(verdict, champion=aliases[CHAMPION])


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
        return Verdict(CHALLENGER, _incomparable(before, differences, protocol_of(run).corpus), tags)
    champion = _Champion.of(client, present, other)
    both = confirmed is not None and champion.confirmed
    searched = max(1, *(len(searched_trials(client, one)) for one in (run, other)))
    p_value, tested = _tested(client, run, other, searched, both=both)
    tags |= tested
    if rule == "always":
        return Verdict(CHAMPION, f"the rule is to replace {before}, whatever the scores", tags)
    verdict = _by_score(run, champion, confirmed, tags)
    if verdict.alias == CHALLENGER or _of_same_search(run, champion, confirmed):
        return verdict
    if rule == "confident":
        return _if_significant(verdict, p_value, searched)
    return verdict if confirmed else replace(verdict, reason=f"{verdict.reason}; the difference is unconfirmed")


def _incomparable(before: str, differences: Sequence[Difference], corpus: str) -> str:
    """Why a version cannot be compared with the champion, and the remedy, in words."""
    advice = (
        "this version and later ones of its protocol stay challengers under this name; register them with --as NAME"
    )
    if CORPUS_FACTS.intersection(one.path for one in differences):
        advice = f"the champion is of another corpus, or of another state of it, under the label '{corpus}': {advice}"
    return (
        f"the champion, {before}, was scored under another protocol, the two are not comparable: "
        f"{worded(differences)}; {advice}"
    )


def _seeds_differ(client: MlflowClient, run: Run) -> bool:
    """Whether a run's seeds trained unlike networks: without randomness seeds confirm nothing."""
    if is_solved(run):
        return False
    seeds = with_its_seeds(client, run).runs
    read = [read_predictions(client, one.info.run_id, "validation") for one in seeds]
    known = [one for one in read if one is not None]
    if len(known) == len(seeds):
        return not no_randomness(known)
    return len(seeds) == 1 or len({one.data.metrics["validation_uar"] for one in seeds}) > 1


def _tested(
    client: MlflowClient, run: Run, other: Run, searched: int, *, both: bool
) -> tuple[float | None, dict[str, str]]:
    """The corrected p-value, None where predictions are gone; and tags of what was tested.

    Bonferroni's correction holds however much trials resemble each other: p times the complete trials of the larger
    search.

    Args:
        client: MLflow.
        run: That would be registered.
        other: The champion's.
        searched: How many trials to correct for.
        both: Whether both are confirmed: all seeds are compared then.
    """
    results = [with_its_seeds(client, one) if both else Result((one,)) for one in (run, other)]
    ours, theirs = ([read_predictions(client, seed.info.run_id, "validation") for seed in one.runs] for one in results)
    known = [one for one in (*ours, *theirs) if one is not None]
    if len(known) < len(ours) + len(theirs) or len({one.utterances for one in known}) > 1:
        return None, {}
    paired = compare_seeds(known[: len(ours)], known[len(ours) :])
    interval = paired.uar_interval
    tags = {
        "difference": f"{paired.uar_difference:.4f}",
        "difference_interval": f"{interval.low:.4f} to {interval.high:.4f}" if interval.known else "unknown",
        "p_value": f"{paired.p_value:.4f}",
        "test": PERMUTATION_TEST,
    }
    corrected = min(1.0, paired.p_value * searched)
    if searched > 1:
        tags |= {"p_value_corrected": f"{corrected:.4f}", "correction": f"Bonferroni, {searched} searched trials"}
    return corrected, tags


def _if_significant(verdict: Verdict, p_value: float | None, searched: int) -> Verdict:
    """Rule `confident`: a higher score alone does not make a champion."""
    if p_value is None:
        reason = f"{verdict.reason}, but without predictions of both there is no paired test"
        return replace(verdict, alias=CHALLENGER, reason=reason)
    told = f"p = {p_value:.3f}" + (f", Bonferroni-corrected for {searched} searched trials" if searched > 1 else "")
    if p_value >= SIGNIFICANT:
        return replace(verdict, alias=CHALLENGER, reason=f"{verdict.reason}, but not with p < {SIGNIFICANT} ({told})")
    return replace(verdict, reason=f"{verdict.reason}, with {told}")


def _if_robust(verdict: Verdict, run: Run, other: Run, stressed: Callable[[Run], Mapping[str, float]]) -> Verdict:
    """Rule `robust`: what is better in clean recordings may not lose more in worse ones."""
    ours, theirs = stressed(run), stressed(other)
    if not (shared := sorted(set(ours) & set(theirs))):
        reason = f"{verdict.reason}, but without scores of both in worse recordings the two cannot be compared there"
        return replace(verdict, alias=CHALLENGER, reason=reason)
    loss, before = (
        one.data.metrics["validation_uar"] - fmean(scores[condition] for condition in shared)
        for one, scores in ((run, ours), (other, theirs))
    )
    tags = {**verdict.tags, "stress_loss": f"{loss:.4f}", "stress_loss_before": f"{before:.4f}"}
    kinds = f"{len(shared)} kind{'s' * (len(shared) > 1)}"
    told = f"in {kinds} of worse recordings it loses {loss:.4f} UAR, the champion {before:.4f}"
    if loss > before:
        return replace(verdict, alias=CHALLENGER, reason=f"{verdict.reason}, but {told}", tags=tags)
    return replace(verdict, reason=f"{verdict.reason}; {told}", tags=tags)


def _by_score(run: Run, champion: _Champion, confirmed: Confirmed | None, tags: Mapping[str, str]) -> Verdict:
    """Compare means where both are confirmed, lower bounds where the new version alone is, else what searches saw."""
    if confirmed is None:
        return _by_searched(run, champion, tags)
    before = champion.version
    mine = f"the mean of {confirmed.seeds} fresh seeds, {confirmed.mean:.4f}"
    if champion.confirmed:
        mean, seeds = number_of(champion.tags, "confirmed_mean", before), champion.tags.get("confirmed_seeds", "some")
        if float(f"{confirmed.mean:.4f}") > mean:  # both as tags have it
            return Verdict(CHAMPION, f"{mine}, beats the {mean:.4f} of {before} on {seeds} fresh seeds", tags)
        return Verdict(CHALLENGER, f"{mine}, does not beat the {mean:.4f} of the champion, {before}", tags)
    mine += f", has the lower bound {confirmed.low:.4f}"
    if _of_same_search(run, champion, confirmed):
        return Verdict(CHAMPION, f"{mine}; {before} was the best of the same search, which is optimistic", tags)
    bound = champion.run.data.metrics.get("validation_uar_low", math.nan)
    if confirmed.low > (-math.inf if math.isnan(bound) else bound):  # a champion without a bound has nothing to defend
        return Verdict(CHAMPION, f"{mine}, above the {bound:.4f} of {before}, which is unconfirmed", tags)
    return Verdict(CHALLENGER, f"{mine}, not above the {bound:.4f} of the champion, {before}", tags)


def _by_searched(run: Run, champion: _Champion, tags: Mapping[str, str]) -> Verdict:
    """Compare what the search saw of a run with the champion's score."""
    before = champion.version
    if champion.confirmed:
        reason = f"the champion, {before}, was confirmed on fresh seeds; `ser-tune confirm` this study to compare"
        return Verdict(CHALLENGER, reason, tags)
    # Both as tags have it, to four digits: a score must not beat itself by what rounding took
    uar = float(f"{run.data.metrics['validation_uar']:.4f}")
    score = number_of(champion.tags, "validation_uar", before) if "validation_uar" in champion.tags else math.nan
    if not uar > score:
        reason = f"its validation UAR {uar:.4f} does not beat the {score:.4f} of the champion, {before}"
        return Verdict(CHALLENGER, reason, tags)
    reason = f"its validation UAR {uar:.4f} beats the {score:.4f} of {before}"
    return Verdict(CHAMPION, reason, tags)


def _of_same_search(run: Run, champion: _Champion, confirmed: Confirmed | None) -> bool:
    """Whether a champion is the best of the search whose configuration fresh seeds confirm."""
    return confirmed is not None and not champion.confirmed and searched_by(champion.run) == searched_by(run)
