"""The promotion rule robust: a champion loses no more in worse recordings than the champion before."""

from typing import Any

import pytest

from ser_tune.registry.verdict import decide

GOOD, POOR = [[True] * 4] * 6, [[True, True, True, False]] * 6
"""Right predictions of six speakers: all, and three of four."""

NOISE, ROOM = "white noise 10 dB", "room 0.6 s"


@pytest.mark.parametrize(
    ("ours", "theirs", "alias", "told"),
    [
        # GOOD has 1.0 in clean recordings, POOR 0.75
        (
            {NOISE: 0.8, ROOM: 0.9},
            {NOISE: 0.6, ROOM: 0.5},
            "champion",
            "; in 2 kinds of worse recordings it loses 0.1500 UAR, the champion 0.2000",
        ),
        (
            {NOISE: 0.8, ROOM: 0.7},
            {NOISE: 0.6, ROOM: 0.7},
            "challenger",
            ", but in 2 kinds of worse recordings it loses 0.2500 UAR, the champion 0.1000",
        ),
        # What one of them has no score of is not compared
        (
            {NOISE: 0.9},
            {NOISE: 0.65, ROOM: 0.0},
            "champion",
            "; in 1 kind of worse recordings it loses 0.1000 UAR, the champion 0.1000",
        ),
        (
            {NOISE: 0.9},
            {},
            "challenger",
            ", but without scores of both in worse recordings the two cannot be compared there",
        ),
    ],
)
def test_a_robust_champion_loses_no_more_than_the_one_before(
    planting: Any, ours: Any, theirs: Any, alias: str, told: str
) -> None:
    before, run = planting.run(POOR), planting.run(GOOD)
    planting.champion(before)
    scores = {before.info.run_id: theirs, run.info.run_id: ours}
    verdict = decide(planting.workspace, planting.name, run, "robust", None, lambda judged: scores[judged.info.run_id])
    assert verdict.alias == alias
    assert verdict.reason == (
        "its validation UAR 1.0000 beats the 0.7500 of version 1; the difference is unconfirmed" + told
    )
    assert ("stress_loss" in verdict.tags) == bool(theirs)


def test_what_is_worse_in_clean_recordings_is_not_tried_in_worse_ones(planting: Any) -> None:
    planting.champion(planting.run(GOOD))

    def never(run: Any) -> Any:
        raise AssertionError

    verdict = decide(planting.workspace, planting.name, planting.run(POOR), "robust", None, never)
    assert verdict.alias == "challenger"
