"""The verdict on a new version: whether it becomes champion, what was compared to decide it, and the alias it gets."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from filelock import FileLock
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ..definition import Difference, worded
from ..errors import RegistryError, StorageError, brief
from ..metrics import Ranking
from ..project import Project
from ..promotion_rules import PROMOTION_RULES, Comparison, Ruling, WorseScores
from ..resampling import permutation_test
from ..search import Selection
from ..tracking import (
    Result,
    Workspace,
    compare_seeds,
    metrics_of,
    objective_of,
    protocol_of,
    read_predictions,
    searched_by,
    searched_trials,
    with_its_seeds,
)
from .versions import CHAMPION, aliases_of, challenger_alias

__all__ = ["TAGS", "Confirmed", "Verdict", "claim_alias", "decide", "promotion_lock"]

TAGS = (
    *("rule", "compared_with", "difference", "difference_interval", "p_value", "p_value_corrected", "correction"),
    *("test", "tests", "tests_file", "verdict", "stress_loss", "stress_loss_before"),
    *("confirmed_mean", "confirmed_low", "confirmed_high", "confirmed_seeds"),
)
"""Every tag that a verdict can leave on a version."""
CORPUS_FACTS = {"corpus", "corpus_digest"}
"""Facts of a protocol that identify the recordings."""
_BOUND = {"low": ("lower bound", "above"), "high": ("upper bound", "below")}
"""The worse end of an interval in words, and where a better score lies."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The pooled validation score of a configuration that was trained again on fresh seeds."""

    mean: float
    low: float
    """Lower end of the mean's 95 % interval."""
    high: float
    """Upper end."""
    seeds: int
    trial: int
    """The trial with the median score, which represents the seeds."""
    selection: Selection | None = None
    """The score without the choice on fresh seeds, where several configurations were confirmed."""


@dataclass(frozen=True, slots=True)
class _Champion:
    """The present champion."""

    version: str
    """Such as `version 3`."""
    run: Run
    tags: Mapping[str, str]
    """The version's tags."""

    @property
    def confirmed(self) -> bool:
        """Whether fresh seeds confirmed it."""
        return "confirmed_mean" in self.tags

    def number(self, tag: str) -> float:
        """The number that its version has as a tag, or a `RegistryError` where somebody edited it."""
        try:
            return float(self.tags[tag])
        except ValueError:
            raise RegistryError(
                f"{self.version} has the tag {tag} = {brief(self.tags[tag])}; expected a number: correct it in "
                "MLflow's pages"
            ) from None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The alias of a new version, and why."""

    alias: str
    reason: str
    """In words."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The comparison: rule, version, difference, interval, p-value."""
    champion: str | None = None
    """The version that was champion; None where there was none."""
    contested: str = CHAMPION
    """The champion's alias."""

    @property
    def wins(self) -> bool:
        """Whether the new version becomes champion."""
        return self.alias == self.contested


def decide(
    workspace: Workspace,
    name: str,
    run: Run,
    rule: str,
    confirmed: Confirmed | None,
    stressed: Callable[[Run], Mapping[str, float]] = lambda run: {},
    contested: str = CHAMPION,
) -> Verdict:
    """Compare a run with the present champion of a name and task; test scores are not compared.

    Where both are confirmed, their means over fresh seeds are compared. p-values are corrected for the searched
    trials, of which the best are compared: fresh seeds do not remove that choice, because it was made on the
    speakers who are compared. The champion may change afterwards: `claim_alias` looks again.

    Args:
        workspace: The project's stores.
        name: Of the registered model.
        run: Of the trial that would be registered.
        rule: Of `PROMOTION_RULES`.
        confirmed: Its score on fresh seeds, if there were any.
        stressed: From a run to its validation score in worse recordings, by condition, for rules that ask for it.
        contested: The champion's alias.

    Raises:
        UnknownNameError: There is no such rule.
    """
    challenger = challenger_alias(contested)
    decides, tags = PROMOTION_RULES.get(rule).decide, {"rule": rule}
    if confirmed:
        tags |= {f"confirmed_{key}": f"{getattr(confirmed, key):.4f}" for key in ("mean", "low", "high")}
        tags["confirmed_seeds"] = str(confirmed.seeds)
    number = aliases_of(workspace, name).get(contested)
    if number is None:
        reason = "there was no champion before" if contested == CHAMPION else f"no version was {contested} before"
        return Verdict(contested, reason, tags, contested=contested)
    present = workspace.client.get_model_version(name, number)
    before = f"version {present.version}"
    tags["compared_with"] = before
    try:
        other = workspace.client.get_run(str(present.run_id))
    except MlflowException:
        reason = f"the run of the champion, {before}, is gone; the two cannot be compared"
        return Verdict(challenger, reason, tags, number, contested)
    if differences := protocol_of(run).differences(protocol_of(other)):
        reason = _incomparable(before, differences, protocol_of(run).corpus)
        return Verdict(challenger, reason, tags, number, contested)
    champion = _Champion(before, other, present.tags)
    comparison, tested = _comparison(workspace, run, champion, confirmed, stressed)
    ruling = decides(comparison)
    alias = contested if ruling.replaces else challenger
    return Verdict(alias, ruling.reason, {**tags, **tested, **ruling.tags}, number, contested)


def _comparison(
    workspace: Workspace,
    run: Run,
    champion: _Champion,
    confirmed: Confirmed | None,
    stressed: Callable[[Run], Mapping[str, float]],
) -> tuple[Comparison, Mapping[str, str]]:
    """A run beside the champion of its protocol, for a rule; and tags of the paired test."""
    both = confirmed is not None and champion.confirmed
    searched = max(1, *(len(searched_trials(workspace, compared)) for compared in (run, champion.run)))
    p_value, tested = _paired_test(workspace, run, champion.run, searched, both=both)
    objective = objective_of(run)

    def worse(compared: Run) -> WorseScores:
        return WorseScores(compared.data.metrics[f"validation_{objective.name}"], stressed(compared))

    comparison = Comparison(
        champion=champion.version,
        metric=objective,
        by_score=lambda: _by_confirmed(run, champion, confirmed) if confirmed else _by_searched(run, champion),
        confirmed=confirmed is not None,
        same_search=confirmed is not None and _of_same_search(run, champion),
        p_value=p_value,
        searched=searched,
        in_worse_recordings=lambda: (worse(run), worse(champion.run)),
    )
    return comparison, tested


def _incomparable(before: str, differences: Sequence[Difference], corpus: str) -> str:
    """Why a version cannot be compared with the champion, and the remedy, in words."""
    advice = (
        "this version and later ones of its protocol stay challengers under this name; register them with --as NAME"
    )
    if CORPUS_FACTS.intersection(difference.path for difference in differences):
        advice = f"the champion is of another corpus, or of another state of it, under the label '{corpus}': {advice}"
    return (
        f"the champion, {before}, was scored under another protocol, the two are not comparable: "
        f"{worded(differences)}; {advice}"
    )


def _paired_test(
    workspace: Workspace, run: Run, other: Run, searched: int, *, both: bool
) -> tuple[float | None, Mapping[str, str]]:
    """The p-value of a run against the champion's, corrected for the searched trials; and tags of the test.

    Bonferroni's correction holds however much trials resemble each other: p times the complete trials of the larger
    search. Where both are confirmed, all their seeds are compared. The p-value is None where predictions are gone.
    """
    results = [with_its_seeds(workspace, compared) if both else Result((compared,)) for compared in (run, other)]
    ours, theirs = ([read_predictions(workspace, seed, "validation") for seed in result.runs] for result in results)
    known = [predictions for predictions in (*ours, *theirs) if predictions is not None]
    if len(known) < len(ours) + len(theirs) or len({predictions.utterances for predictions in known}) > 1:
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


def _by_confirmed(run: Run, champion: _Champion, confirmed: Confirmed) -> Ruling:
    """Compare the mean over fresh seeds with the champion's, or its worse bound with that of an unconfirmed one."""
    before, objective = champion.version, objective_of(run)
    ranking = Ranking(objective)
    mine = f"the mean of {confirmed.seeds} fresh seeds, {confirmed.mean:.4f}"
    if champion.confirmed:
        mean, seeds = champion.number("confirmed_mean"), champion.tags.get("confirmed_seeds", "some")
        if ranking.is_better(float(f"{confirmed.mean:.4f}"), mean):  # both as tags have it
            return Ruling(True, f"{mine}, beats the {mean:.4f} of {before} on {seeds} fresh seeds")
        return Ruling(False, f"{mine}, does not beat the {mean:.4f} of the champion, {before}")
    worse_end, (named, better) = ranking.worse_end, _BOUND[ranking.worse_end]
    own_bound = getattr(confirmed, worse_end)
    mine += f", has the {named} {own_bound:.4f}"
    if _of_same_search(run, champion):
        return Ruling(True, f"{mine}; {before} was the best of the same search, which is optimistic")
    bound = champion.run.data.metrics.get(f"validation_{objective.name}_{worse_end}", math.nan)
    if ranking.is_better(own_bound, bound):  # a champion without a bound has nothing to defend
        return Ruling(True, f"{mine}, {better} the {bound:.4f} of {before}, which is unconfirmed")
    return Ruling(False, f"{mine}, not {better} the {bound:.4f} of the champion, {before}")


def _by_searched(run: Run, champion: _Champion) -> Ruling:
    """Compare the searches' scores of a run and of the champion."""
    before = champion.version
    if champion.confirmed:
        reason = f"the champion, {before}, was confirmed on fresh seeds; `ser-tune confirm` this study to compare"
        return Ruling(False, reason)
    objective = objective_of(run)
    name = f"validation_{objective.name}"
    # Both as tags have it, to four digits: a score must not beat itself by a rounding difference
    ours = float(f"{run.data.metrics[name]:.4f}")
    theirs = champion.number(name) if name in champion.tags else math.nan
    scored = f"its validation {objective.title} {ours:.4f}"
    if math.isnan(theirs) or not Ranking(objective).is_better(ours, theirs):  # nothing beats a score that was removed
        return Ruling(False, f"{scored} does not beat the {theirs:.4f} of the champion, {before}")
    return Ruling(True, f"{scored} beats the {theirs:.4f} of {before}")


def _of_same_search(run: Run, champion: _Champion) -> bool:
    """Whether an unconfirmed champion is of the search that a run is of."""
    return not champion.confirmed and searched_by(champion.run) == searched_by(run)


@contextmanager
def promotion_lock(project: Project) -> Iterator[None]:
    """Keep the project's other processes from promoting.

    Raises:
        StorageError: The lock file cannot be written.
    """
    lock = FileLock(project.root / "mlruns" / ".promotion.lock")
    try:
        (project.root / "mlruns").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise StorageError(f"'{lock.lock_file}' cannot be locked: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def claim_alias(
    workspace: Workspace, name: str, version: str, verdict: Verdict, decide_again: Callable[[], Verdict]
) -> Verdict:
    """Give a version the alias of its verdict, unless the champion has changed since the comparison.

    Other machines that share the tracking server do not see `promotion_lock`, and MLflow cannot set an alias on a
    condition. So the champion is read before and after the alias is set, and where another machine has replaced it, the
    version is compared with the new one. The remaining risk is a machine that halts between the two calls.

    Returns:
        The verdict that the alias is of.
    """
    while verdict.wins:
        if aliases_of(workspace, name).get(verdict.contested) == verdict.champion:
            workspace.client.set_registered_model_alias(name, verdict.contested, version)
            if aliases_of(workspace, name).get(verdict.contested) == version:
                return verdict
        verdict = decide_again()
    workspace.client.set_registered_model_alias(name, verdict.alias, version)
    return verdict
