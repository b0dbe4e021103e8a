"""The promotion rule against champions that are planted: what is decided, why, and what is written down of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ser_tune.metrics import PERMUTATION_TEST, compare_paired
from ser_tune.registry import Confirmed
from ser_tune.registry.verdict import Verdict, decide
from ser_tune.tracking import CONFIRMS_TAG, STUDY_TAG

SPEAKERS = 6
"""The fewest with which the permutation test can fall below 0.05: 2 / 2**6 is 0.031."""
ALL, MOST = [True, True, True, True], [True, True, True, False]
GOOD, POOR = [ALL] * SPEAKERS, [MOST] * SPEAKERS
LUCKY = [ALL, *POOR[1:]]
"""Better than poor with one speaker only, which convinces no test."""


@pytest.fixture
def decided(planting: Any) -> Callable[..., Verdict]:
    def _decided(right: Any, rule: str = "better", confirmed: Confirmed | None = None, **how: Any) -> Verdict:
        return decide(planting.client, planting.name, planting.run(right, **how), rule, confirmed)

    return _decided


@pytest.mark.parametrize("rule", ["better", "confident", "always"])
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
        ("always", [[False] * 4] * SPEAKERS, "champion"),
    ],
)
def test_each_rule_decides_as_it_says(
    planting: Any, decided: Callable[..., Verdict], rule: str, right: Any, alias: str
) -> None:
    planting.champion(planting.run(POOR))
    assert decided(right, rule).alias == alias


@pytest.mark.parametrize(
    ("rule", "right", "reason"),
    [
        ("better", GOOD, "its validation UAR 1.0000 beats the 0.7500 of version 1"),
        ("better", POOR, "its validation UAR 0.7500 does not beat the 0.7500 of the champion, version 1"),
        ("confident", GOOD, "its validation UAR 1.0000 beats the 0.7500 of version 1 with p = 0.031"),
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
    paired = compare_paired(truth, *said, speakers, 2)
    assert tags == {
        "rule": rule,
        "compared_with": "version 1",
        "difference": "0.0417",  # one more of the 24 utterances that are half joy is right: (1/12) / 2
        "difference_interval": f"{paired.uar_interval.low:.4f} to {paired.uar_interval.high:.4f}",
        "p_value": f"{paired.p_value:.4f}",
        "test": PERMUTATION_TEST,
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
        "aggregation is 'mean_probability', not None"
    )
    assert verdict.tags["compared_with"] == "version 1"
    assert not {"difference", "p_value", "test"} & set(verdict.tags)


def test_a_champion_whose_run_is_gone_cannot_be_beaten(planting: Any, decided: Callable[..., Verdict]) -> None:
    run = planting.run(POOR)
    planting.champion(run)
    planting.client.delete_run(run.info.run_id)
    planting.client._tracking_client.store._hard_delete_run(run.info.run_id)
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


@pytest.mark.parametrize(("low", "alias"), [(0.99, "champion"), (0.4, "challenger")])
def test_a_confirmed_configuration_is_compared_with_a_combination_by_bounds(
    planting: Any, decided: Callable[..., Verdict], low: float, alias: str
) -> None:
    combination = planting.run(GOOD)
    planting.client.delete_tag(combination.info.run_id, STUDY_TAG)
    planting.client.log_metric(combination.info.run_id, "validation_uar_low", 0.9)
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
        "rule": "confirmed",
        "confirmed_mean": "0.7000",
        "confirmed_low": "0.6000",
        "confirmed_high": "0.8000",
        "confirmed_seeds": "5",
    }


@pytest.mark.parametrize(("bound", "alias"), [("0.5900", "champion"), ("0.6000", "challenger")])
def test_a_confirmed_champion_gives_way_to_a_higher_lower_bound_only(
    planting: Any, decided: Callable[..., Verdict], bound: str, alias: str
) -> None:
    planting.champion(planting.run(GOOD, study="again", tags={CONFIRMS_TAG: "searched"}), confirmed_low=bound)
    verdict = decided(POOR, confirmed=CONFIRMED, study="again", tags={CONFIRMS_TAG: "searched"})
    assert verdict.alias == alias
    assert f"above the {bound} of" in verdict.reason


@pytest.mark.parametrize(("bound", "alias"), [(0.59, "champion"), (0.61, "challenger")])
def test_another_searchs_champion_is_taken_at_the_lower_end_of_its_interval(
    planting: Any, decided: Callable[..., Verdict], bound: float, alias: str
) -> None:
    run = planting.run(GOOD, study="other")
    planting.client.log_metric(run.info.run_id, "validation_uar_low", bound)
    planting.champion(run)
    assert decided(POOR, confirmed=CONFIRMED, study="again", tags={CONFIRMS_TAG: "searched"}).alias == alias


def test_a_confirmed_champion_is_not_beaten_by_what_one_search_saw(
    planting: Any, decided: Callable[..., Verdict]
) -> None:
    planting.champion(planting.run(POOR))
    planting.client.set_model_version_tag(planting.name, "1", "confirmed_low", "0.3000")
    for rule in ("better", "confident"):
        verdict = decided(GOOD, rule)
        assert verdict.alias == "challenger"
        assert "the champion, version 1, was confirmed on fresh seeds" in verdict.reason
    assert decided(GOOD, "always").alias == "champion"
