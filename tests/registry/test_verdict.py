"""The promotion rule against champions that are planted: what is decided, why, and what is written down of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ser_tune.metrics import METRICS
from ser_tune.registry import Confirmed
from ser_tune.registry.verdict import Verdict, decide
from ser_tune.resampling import compare_paired
from ser_tune.tracking import CONFIRMED_TAG, CONFIRMS_TAG, MEMBERS_TAG, STUDY_TAG, TRIAL_TAG

SPEAKERS = 6
"""The fewest with which the permutation test can fall below 0.05: 2 / 2**6 is 0.031."""
ALL, MOST = [True, True, True, True], [True, True, True, False]
GOOD, POOR = [ALL] * SPEAKERS, [MOST] * SPEAKERS
LUCKY = [ALL, *POOR[1:]]
"""Better than poor with one speaker only, which convinces no test."""
WRONG = [[False] * 4] * SPEAKERS


@pytest.fixture
def decided(planting: Any) -> Callable[..., Verdict]:
    def _decided(right: Any, rule: str = "better", confirmed: Confirmed | None = None, **how: Any) -> Verdict:
        return decide(planting.workspace, planting.name, planting.run(right, **how), rule, confirmed)

    return _decided


@pytest.mark.parametrize("rule", ["better", "confident", "robust", "always"])
def test_the_first_version_is_champion_and_compared_with_nothing(decided: Callable[..., Verdict], rule: str) -> None:
    assert decided(POOR, rule) == Verdict("champion", "there was no champion before", {"rule": rule})


@pytest.mark.parametrize(
    ("rule", "right", "alias"),
    [
        ("better", GOOD, "champion"),
        ("better", LUCKY, "champion"),
        ("better", POOR, "challenger"),
        ("confident", GOOD, "champion"),
        ("confident", LUCKY, "challenger"),
        ("confident", POOR, "challenger"),
        ("always", GOOD, "champion"),
        ("always", POOR, "champion"),
        ("always", WRONG, "champion"),
    ],
)
def test_each_rule_decides_as_it_says(
    planting: Any, decided: Callable[..., Verdict], rule: str, right: Any, alias: str
) -> None:
    planting.champion(planting.run(POOR))
    assert decided(right, rule).alias == alias


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["error", "shortfall"])
@pytest.mark.parametrize(
    ("rule", "right", "alias"),
    [
        ("better", GOOD, "champion"),
        ("better", POOR, "challenger"),
        ("better", WRONG, "challenger"),
        ("confident", GOOD, "champion"),
        ("confident", LUCKY, "challenger"),
    ],
)
def test_rules_decide_alike_where_a_good_score_is_low_or_negative(
    plugged: None, planting: Any, decided: Callable[..., Verdict], objective: str, rule: str, right: Any, alias: str
) -> None:
    planting.champion(planting.run(POOR, objective=objective))
    verdict = decided(right, rule, objective=objective)
    assert verdict.alias == alias
    metric = METRICS.get(objective)
    ours, theirs = (
        {"error": 1 - np.mean(right_of), "shortfall": np.mean(right_of) - 1}[objective] for right_of in (right, POOR)
    )
    told = f"{ours:.4f} {'beats' if np.mean(right) > np.mean(POOR) else 'does not beat'} the {theirs:.4f} of "
    assert verdict.reason.startswith(f"its validation {metric.title} {told}")
    assert verdict.tags["difference"] == f"{ours - theirs:.4f}"
    assert verdict.tags["test"].endswith(f"difference of pooled {metric.title}")


@pytest.mark.parametrize(
    ("objective", "confirmed", "bound", "told"),
    [
        ("error", Confirmed(0.1, 0.05, 0.2, 5, 0), 0.25, "has the upper bound 0.2000, below the 0.2500 of version 1"),
        ("error", Confirmed(0.1, 0.05, 0.2, 5, 0), 0.15, "has the upper bound 0.2000, not below the 0.1500 of the"),
        ("shortfall", Confirmed(-0.2, -0.3, -0.1, 5, 0), -0.4, "the lower bound -0.3000, above the -0.4000 of version"),
        ("shortfall", Confirmed(-0.2, -0.3, -0.1, 5, 0), -0.25, "bound -0.3000, not above the -0.2500 of the champion"),
    ],
)
def test_the_worse_ends_of_intervals_are_compared(
    plugged: None,
    planting: Any,
    decided: Callable[..., Verdict],
    objective: str,
    confirmed: Confirmed,
    bound: float,
    told: str,
) -> None:
    run = planting.run(POOR, study="other", objective=objective)
    end = "high" if objective == "error" else "low"
    planting.workspace.client.log_metric(run.info.run_id, f"validation_{objective}_{end}", bound)
    planting.champion(run)
    verdict = decided(GOOD, confirmed=confirmed, study="again", objective=objective)
    assert told in verdict.reason
    assert (verdict.alias == "champion") == (", not " not in told)


@pytest.mark.parametrize(
    ("rule", "right", "reason"),
    [
        ("better", GOOD, "its validation UAR 1.0000 beats the 0.7500 of version 1; the difference is unconfirmed"),
        ("better", POOR, "its validation UAR 0.7500 does not beat the 0.7500 of the champion, version 1"),
        ("confident", GOOD, "its validation UAR 1.0000 beats the 0.7500 of version 1, with p = 0.031"),
        (
            "confident",
            LUCKY,
            "its validation UAR 0.7917 beats the 0.7500 of version 1, but not with p < 0.05 (p = 1.000)",
        ),
        ("always", POOR, "the rule is to replace version 1, whatever the scores"),
    ],
)
def test_the_reason_has_the_numbers(
    planting: Any, decided: Callable[..., Verdict], rule: str, right: Any, reason: str
) -> None:
    planting.champion(planting.run(POOR))
    assert decided(right, rule).reason == reason


@pytest.mark.parametrize("rule", ["better", "confident", "always"])
def test_what_was_compared_is_written_down_whatever_the_rule(
    planting: Any, decided: Callable[..., Verdict], rule: str
) -> None:
    planting.champion(planting.run(POOR))
    tags = decided(LUCKY, rule).tags
    truth, speakers = np.tile([0, 1], SPEAKERS * 2), np.repeat(np.arange(SPEAKERS), 4)
    said = [np.where(np.array(right).ravel(), truth, 1 - truth) for right in (LUCKY, POOR)]
    paired = compare_paired(truth, *([predicted] for predicted in said), speakers, [METRICS.get("uar")], 2)
    assert tags == {
        "rule": rule,
        "compared_with": "version 1",
        "difference": "0.0417",  # one more of the 24 utterances that are half joy is right: (1/12) / 2
        "difference_interval": f"{paired.primary.interval.low:.4f} to {paired.primary.interval.high:.4f}",
        "p_value": f"{paired.p_value:.4f}",
        "test": "two-sided paired permutation test over speakers, statistic: difference of pooled UAR",
    }


@pytest.mark.parametrize("rule", ["better", "confident", "always"])
@pytest.mark.parametrize("confirmed", [None, Confirmed(1.0, 1.0, 1.0, 5, 0)], ids=["searched", "confirmed"])
def test_under_another_protocol_no_rule_makes_a_champion_and_the_reason_names_what_differs(
    planting: Any, decided: Callable[..., Verdict], rule: str, confirmed: Confirmed | None
) -> None:
    planting.champion(planting.run(POOR))
    verdict = decided(GOOD, rule, confirmed, facts={**planting.facts, "aggregation": "mean_probability"})
    assert verdict.alias == "challenger"
    assert verdict.reason == (
        "the champion, version 1, was scored under another protocol, the two are not comparable: "
        "aggregation is 'mean_probability', not None; this version and later ones of its protocol stay challengers "
        "under this name; register them with --as NAME"
    )
    assert verdict.tags["compared_with"] == "version 1"
    assert not {"difference", "p_value", "test"} & set(verdict.tags)


@pytest.mark.parametrize("fact", [{"corpus_digest": "other"}, {"corpus": "emodb"}], ids=["another table", "label"])
def test_a_champion_of_another_corpus_under_the_same_name_is_named_as_such(
    planting: Any, decided: Callable[..., Verdict], fact: Any
) -> None:
    planting.champion(planting.run(POOR))
    facts = {**planting.facts, **fact}
    told = decided(GOOD, "always", facts=facts).reason
    assert f"the champion is of another corpus, or of another state of it, under the label '{facts['corpus']}'" in told
    assert told.endswith("stay challengers under this name; register them with --as NAME")


def test_a_champion_whose_run_is_gone_cannot_be_beaten(planting: Any, decided: Callable[..., Verdict]) -> None:
    run = planting.run(POOR)
    planting.champion(run)
    planting.workspace.client.delete_run(run.info.run_id)
    planting.workspace.client._tracking_client.store._hard_delete_run(run.info.run_id)
    verdict = decided(GOOD)
    assert verdict.alias == "challenger"
    assert verdict.reason == "the run of the champion, version 1, is gone; the two cannot be compared"
    assert verdict.tags == {"rule": "better", "compared_with": "version 1"}


def test_without_predictions_there_is_no_test_to_be_confident_by(
    planting: Any, decided: Callable[..., Verdict], tmp_path: Any
) -> None:
    planting.champion(planting.run(POOR))
    for table in (tmp_path / "artifacts").rglob("validation_predictions.csv"):
        table.unlink()
    confident = decided(GOOD, "confident")
    assert confident.alias == "challenger"
    assert confident.reason.endswith("but without predictions of both there is no paired test")
    assert decided(GOOD, "better").alias == "champion"
    assert confident.tags == {"rule": "confident", "compared_with": "version 1"}


CONFIRMED = Confirmed(mean=0.7, low=0.6, high=0.8, seeds=5, trial=0)


@pytest.mark.parametrize(
    ("trials", "alias", "told"),
    [
        ((1, 1), "champion", "with p = 0.031"),
        ((2, 1), "challenger", "(p = 0.062, Bonferroni-corrected for 2 searched trials)"),
        ((2, 5), "challenger", "(p = 0.156, Bonferroni-corrected for 5 searched trials)"),
    ],
)
def test_the_best_of_many_trials_must_be_better_by_as_much_more(
    planting: Any, trials: tuple[int, int], alias: str, told: str
) -> None:
    studies = f"{planting.name}-mine", f"{planting.name}-theirs"
    searches = [
        [planting.run(right, study=study, tags={TRIAL_TAG: str(number)}) for number in range(count)]
        for right, study, count in zip((GOOD, POOR), studies, trials, strict=True)
    ]
    # What a confirmation trained, and what was pruned, is no choice of the search
    planting.run(GOOD, study=studies[0], tags={TRIAL_TAG: "8", CONFIRMED_TAG: "0"})
    pruned = planting.run(GOOD, study=studies[0], tags={TRIAL_TAG: "9"})
    planting.workspace.client.set_terminated(pruned.info.run_id, "KILLED")
    planting.champion(searches[1][0])
    verdict = decide(planting.workspace, planting.name, searches[0][0], "confident", None)
    assert verdict.alias == alias
    assert verdict.reason.endswith(told)
    if max(trials) > 1:
        assert verdict.tags["correction"] == f"Bonferroni, {max(trials)} searched trials"
        assert verdict.tags["p_value_corrected"] == f"{2 / 2**SPEAKERS * max(trials):.4f}"
    assert verdict.tags["p_value"] == "0.0312"


def test_a_combination_was_chosen_among_the_trials_of_all_its_members(planting: Any) -> None:
    names = [f"{planting.name}-{letter}" for letter in "ab"]
    members = [planting.run(GOOD, study=name, tags={TRIAL_TAG: str(place)}) for name in names for place in range(2)]
    planting.champion(planting.run(POOR))
    combination = planting.run(GOOD, tags={MEMBERS_TAG: " ".join(member.info.run_id for member in members[1:3])})
    planting.workspace.client.delete_tag(combination.info.run_id, STUDY_TAG)
    run = planting.workspace.client.get_run(combination.info.run_id)
    assert (
        decide(planting.workspace, planting.name, run, "confident", None)
        .tags["correction"]
        .startswith("Bonferroni, 4 ")
    )


OF_THREE = "Bonferroni-corrected for 3 searched trials"


def _both_confirmed(planting: Any, ours: Any, theirs: Any) -> tuple[Any, Confirmed]:
    """A run whose two fresh seeds are `ours`, and a champion whose two are `theirs`, each with many searched trials."""
    runs = {}
    for name, rights in (("ours", ours), ("theirs", theirs)):
        study = f"{planting.name}-{name}"
        for place in range(3):
            planting.run(GOOD, study=study, tags={TRIAL_TAG: str(place)}, seed=0)
        runs[name] = [
            planting.run(right, study=study, tags={TRIAL_TAG: str(8 + place), CONFIRMED_TAG: "0"}, seed=1 + place)
            for place, right in enumerate(rights)
        ]
    means = {name: np.mean([run.data.metrics["validation_uar"] for run in found]) for name, found in runs.items()}
    low = "0.1000"
    planting.champion(
        runs["theirs"][0], confirmed_mean=f"{means['theirs']:.4f}", confirmed_low=low, confirmed_seeds="2"
    )
    return runs["ours"][0], Confirmed(mean=float(means["ours"]), low=0.2, high=0.9, seeds=2, trial=8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "theirs", "rule", "alias", "told"),
    [
        ((GOOD, POOR), (POOR, POOR), "better", "champion", "0.8750, beats the 0.7500 of version 1 on 2 fresh seeds"),
        ((POOR, LUCKY), (POOR, LUCKY), "better", "challenger", "does not beat the 0.7708 of the champion, version 1"),
        # The seed that represents ours is worse than theirs, but the mean is better
        ((POOR, GOOD), (LUCKY, LUCKY), "better", "champion", "0.8750, beats the 0.7917 of version 1 on 2 fresh seeds"),
        (
            (GOOD, POOR),
            (POOR, POOR),
            "confident",
            "challenger",
            f"(p = 0.094, {OF_THREE})",
        ),
        (
            (LUCKY, POOR),
            (POOR, POOR),
            "confident",
            "challenger",
            f"but not with p < 0.05 (p = 1.000, {OF_THREE})",
        ),
        ((POOR, POOR), (GOOD, GOOD), "always", "champion", "whatever the scores"),
    ],
)
def test_of_two_confirmed_configurations_the_means_are_compared_and_the_choice_is_corrected(
    planting: Any, ours: Any, theirs: Any, rule: str, alias: str, told: str
) -> None:
    run, confirmed = _both_confirmed(planting, ours, theirs)
    verdict = decide(planting.workspace, planting.name, run, rule, confirmed)
    assert (verdict.alias, verdict.tags["rule"]) == (alias, rule)
    assert verdict.reason.endswith(told)
    # Fresh seeds do not remove the choice among configurations on the same speakers
    assert verdict.tags["correction"] == "Bonferroni, 3 searched trials"
    means = [np.mean([np.mean(right) for right in seeds]) for seeds in (ours, theirs)]
    assert float(verdict.tags["difference"]) == pytest.approx(means[0] - means[1], abs=1e-4)


@pytest.mark.parametrize(("low", "alias"), [(0.99, "champion"), (0.4, "challenger")])
def test_a_confirmed_configuration_is_compared_with_a_combination_by_bounds(
    planting: Any, decided: Callable[..., Verdict], low: float, alias: str
) -> None:
    combination = planting.run(GOOD)
    planting.workspace.client.delete_tag(combination.info.run_id, STUDY_TAG)
    planting.workspace.client.log_metric(combination.info.run_id, "validation_uar_low", 0.9)
    planting.champion(combination)
    verdict = decided(GOOD, confirmed=Confirmed(1.0, low, 1.0, 5, 0))
    assert verdict.alias == alias
    assert "the 0.9000 of" in verdict.reason


def test_a_confirmed_configuration_replaces_what_its_own_search_found(
    planting: Any, decided: Callable[..., Verdict]
) -> None:
    planting.champion(planting.run(GOOD, study="searched"))
    verdict = decided(POOR, confirmed=CONFIRMED, study="again", tags={CONFIRMS_TAG: "searched"})
    assert verdict.alias == "champion"
    assert verdict.reason == (
        "the mean of 5 fresh seeds, 0.7000, has the lower bound 0.6000; "
        "version 1 was the best of the same search, which is optimistic"
    )
    assert {key: value for key, value in verdict.tags.items() if key.startswith(("rule", "confirmed"))} == {
        "rule": "better",
        "confirmed_mean": "0.7000",
        "confirmed_low": "0.6000",
        "confirmed_high": "0.8000",
        "confirmed_seeds": "5",
    }


@pytest.mark.parametrize(("bound", "alias"), [(0.59, "champion"), (0.61, "challenger")])
def test_another_searchs_champion_is_taken_at_the_lower_end_of_its_interval(
    planting: Any, decided: Callable[..., Verdict], bound: float, alias: str
) -> None:
    run = planting.run(GOOD, study="other")
    planting.workspace.client.log_metric(run.info.run_id, "validation_uar_low", bound)
    planting.champion(run)
    assert decided(POOR, confirmed=CONFIRMED, study="again", tags={CONFIRMS_TAG: "searched"}).alias == alias


@pytest.mark.slow
def test_a_confirmed_champion_is_not_beaten_by_what_one_search_saw(
    planting: Any, decided: Callable[..., Verdict]
) -> None:
    planting.champion(planting.run(POOR))
    planting.workspace.client.set_model_version_tag(planting.name, "1", "confirmed_mean", "0.3000")
    for rule in ("better", "confident"):
        verdict = decided(GOOD, rule)
        assert verdict.alias == "challenger"
        assert "the champion, version 1, was confirmed on fresh seeds" in verdict.reason
    assert decided(GOOD, "always").alias == "champion"


def test_a_champion_whose_seeds_score_alike_but_predict_otherwise_is_confirmed(
    planting: Any, decided: Callable[..., Verdict]
) -> None:
    tags = {CONFIRMS_TAG: "x", TRIAL_TAG: "0"}
    seeds = [planting.run(POOR, study="again", tags=tags, seed=number) for number in range(2)]
    planting.champion(seeds[0], confirmed_mean="0.7500", confirmed_seeds="2")
    assert "was confirmed on fresh seeds" in decided(GOOD).reason
