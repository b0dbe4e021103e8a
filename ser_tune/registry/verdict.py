"""The verdict on a new version: whether it becomes champion, and what was compared to decide it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..definition import Difference, worded
from ..metrics import Ranking
from ..promotion_rules import PROMOTION_RULES, Comparison, Ruling, WorseScores
from ..resampling import permutation_test
from ..tracking import (
    Result,
    Workspace,
    compare_seeds,
    is_solved,
    metrics_of,
    no_randomness,
    objective_of,
    protocol_of,
    read_predictions,
    score_of,
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
_BOUND = {"low": ("lower bound", "above"), "high": ("upper bound", "below")}
"""The worse end of an interval in words, and where a better score lies."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What training a configuration again on fresh seeds came to: its pooled validation score."""

    mean: float
    low: float
    """Lower end of the mean's 95 % interval."""
    high: float
    """Upper end."""
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
    def of(cls, workspace: Workspace, present: ModelVersion, run: Run) -> "_Champion":
        """Read a champion, whose run is `run`."""
        tags = dict(present.tags)
        if "confirmed_mean" in tags and not _seeds_differ(workspace, run):
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
    workspace: Workspace,
    name: str,
    run: Run,
    rule: str,
    confirmed: Confirmed | None,
    stressed: Callable[[Run], Mapping[str, float]] = lambda run: {},
) -> Verdict:
    """Compare a run with the present champion of a name; test scores are not compared.

    Where both are confirmed, their means over fresh seeds are compared. p-values are corrected for the searched
    trials, of which the best are compared: fresh seeds do not remove that choice, because it was made on the
    speakers who are compared. A champion whose seeds all predict the same is unconfirmed, though
    earlier versions of ser-tune registered it as confirmed. The champion may change afterwards: `claim_alias` looks
    again.

    Args:
        workspace: The project's stores.
        name: Of the registered model.
        run: Of the trial that would be registered.
        rule: Of `PROMOTION_RULES`.
        confirmed: What fresh seeds came to, if there were any.
        stressed: From a run to its validation score in worse recordings, by condition, for rules that ask for it.

    Raises:
        UnknownNameError: There is no such rule.
    """
    decides, tags = PROMOTION_RULES.get(rule).decide, {"rule": rule}
    if confirmed:
        tags |= {"confirmed_mean": f"{confirmed.mean:.4f}", "confirmed_low": f"{confirmed.low:.4f}"}
        tags |= {"confirmed_high": f"{confirmed.high:.4f}", "confirmed_seeds": str(confirmed.seeds)}
    aliases = aliases_of(workspace, name)
    if CHAMPION not in aliases:
        return Verdict(CHAMPION, "there was no champion before", tags)
    present = workspace.client.get_model_version(name, aliases[CHAMPION])
    verdict = _against(workspace, run, present, decides, confirmed, tags, stressed)
    return replace(verdict, champion=aliases[CHAMPION])


def _against(
    workspace: Workspace,
    run: Run,
    present: ModelVersion,
    decides: Callable[[Comparison], Ruling],
    confirmed: Confirmed | None,
    tags: dict[str, str],
    stressed: Callable[[Run], Mapping[str, float]],
) -> Verdict:
    """Compare a run with a champion; under another protocol no rule is asked."""
    before = f"version {present.version}"
    tags["compared_with"] = before
    try:
        other = workspace.client.get_run(str(present.run_id))
    except MlflowException:
        return Verdict(CHALLENGER, f"the run of the champion, {before}, is gone; the two cannot be compared", tags)
    if differences := protocol_of(run).differences(protocol_of(other)):
        return Verdict(CHALLENGER, _incomparable(before, differences, protocol_of(run).corpus), tags)
    champion = _Champion.of(workspace, present, other)
    both = confirmed is not None and champion.confirmed
    searched = max(1, *(len(searched_trials(workspace, one)) for one in (run, other)))
    p_value, tested = _tested(workspace, run, other, searched, both=both)
    objective = objective_of(run)

    def worse(one: Run) -> WorseScores:
        return WorseScores(one.data.metrics[f"validation_{objective.name}"], stressed(one))

    ruling = decides(
        Comparison(
            champion=before,
            metric=objective,
            by_score=lambda: _by_score(run, champion, confirmed),
            confirmed=confirmed is not None,
            same_search=_of_same_search(run, champion, confirmed),
            p_value=p_value,
            searched=searched,
            in_worse_recordings=lambda: (worse(run), worse(other)),
        )
    )
    return Verdict(CHAMPION if ruling.replaces else CHALLENGER, ruling.reason, {**tags, **tested, **ruling.tags})


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


def _seeds_differ(workspace: Workspace, run: Run) -> bool:
    """Whether a run's seeds trained unlike networks: without randomness seeds confirm nothing."""
    if is_solved(run):
        return False
    seeds = with_its_seeds(workspace, run).runs
    read = [read_predictions(workspace, one, "validation") for one in seeds]
    known = [one for one in read if one is not None]
    if len(known) == len(seeds):
        return not no_randomness(known)
    return len(seeds) == 1 or len({score_of(one, "validation") for one in seeds}) > 1


def _tested(
    workspace: Workspace, run: Run, other: Run, searched: int, *, both: bool
) -> tuple[float | None, dict[str, str]]:
    """The corrected p-value, None where predictions are gone; and tags of what was tested.

    Bonferroni's correction holds however much trials resemble each other: p times the complete trials of the larger
    search.

    Args:
        workspace: The project's stores.
        run: That would be registered.
        other: The champion's.
        searched: How many trials to correct for.
        both: Whether both are confirmed: all seeds are compared then.
    """
    results = [with_its_seeds(workspace, one) if both else Result((one,)) for one in (run, other)]
    ours, theirs = ([read_predictions(workspace, seed, "validation") for seed in one.runs] for one in results)
    known = [one for one in (*ours, *theirs) if one is not None]
    if len(known) < len(ours) + len(theirs) or len({one.utterances for one in known}) > 1:
        return None, {}
    paired = compare_seeds(known[: len(ours)], known[len(ours) :], metrics_of(run))
    interval = paired.primary.interval
    tags = {
        "difference": f"{paired.primary.value:.4f}",
        "difference_interval": f"{interval.low:.4f} to {interval.high:.4f}" if interval.known else "unknown",
        "p_value": f"{paired.p_value:.4f}",
        "test": permutation_test(objective_of(run)),
    }
    corrected = min(1.0, paired.p_value * searched)
    if searched > 1:
        tags |= {"p_value_corrected": f"{corrected:.4f}", "correction": f"Bonferroni, {searched} searched trials"}
    return corrected, tags


def _by_score(run: Run, champion: _Champion, confirmed: Confirmed | None) -> Ruling:
    """Compare means where both are confirmed, worse bounds where the new version alone is, else what searches saw."""
    if confirmed is None:
        return _by_searched(run, champion)
    before, objective = champion.version, objective_of(run)
    ranking = Ranking(objective)
    mine = f"the mean of {confirmed.seeds} fresh seeds, {confirmed.mean:.4f}"
    if champion.confirmed:
        mean, seeds = number_of(champion.tags, "confirmed_mean", before), champion.tags.get("confirmed_seeds", "some")
        if ranking.is_better(float(f"{confirmed.mean:.4f}"), mean):  # both as tags have it
            return Ruling(True, f"{mine}, beats the {mean:.4f} of {before} on {seeds} fresh seeds")
        return Ruling(False, f"{mine}, does not beat the {mean:.4f} of the champion, {before}")
    worse_end, (named, better) = ranking.worse_end, _BOUND[ranking.worse_end]
    mine += f", has the {named} {getattr(confirmed, worse_end):.4f}"
    if _of_same_search(run, champion, confirmed):
        return Ruling(True, f"{mine}; {before} was the best of the same search, which is optimistic")
    bound = champion.run.data.metrics.get(f"validation_{objective.name}_{worse_end}", math.nan)
    if ranking.is_better(getattr(confirmed, worse_end), bound):  # a champion without a bound has nothing to defend
        return Ruling(True, f"{mine}, {better} the {bound:.4f} of {before}, which is unconfirmed")
    return Ruling(False, f"{mine}, not {better} the {bound:.4f} of the champion, {before}")


def _by_searched(run: Run, champion: _Champion) -> Ruling:
    """Compare what the search saw of a run with the champion's score."""
    before = champion.version
    if champion.confirmed:
        reason = f"the champion, {before}, was confirmed on fresh seeds; `ser-tune confirm` this study to compare"
        return Ruling(False, reason)
    objective = objective_of(run)
    name = f"validation_{objective.name}"
    # Both as tags have it, to four digits: a score must not beat itself by what rounding took
    ours = float(f"{run.data.metrics[name]:.4f}")
    theirs = number_of(champion.tags, name, before) if name in champion.tags else math.nan
    what = f"its validation {objective.title} {ours:.4f}"
    if math.isnan(theirs) or not Ranking(objective).is_better(ours, theirs):  # nothing beats what somebody removed
        return Ruling(False, f"{what} does not beat the {theirs:.4f} of the champion, {before}")
    return Ruling(True, f"{what} beats the {theirs:.4f} of {before}")


def _of_same_search(run: Run, champion: _Champion, confirmed: Confirmed | None) -> bool:
    """Whether a champion is the best of the search whose configuration fresh seeds confirm."""
    return confirmed is not None and not champion.confirmed and searched_by(champion.run) == searched_by(run)
